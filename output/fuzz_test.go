package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// FuzzEntry verifies that an entry of a log that can be read is written as one
// that reads the same. For other bytes, the error names the entry.
func FuzzEntry(f *testing.F) {
	root, err := store.Open(f.Context(), "mem://log", store.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"version":1,"kind":"release","job":"","run":0,"state":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEntry(root, 7, b)
		if err != nil {
			if !strings.Contains(err.Error(), "entry 7") {
				t.Errorf("%v does not name the entry", err)
			}
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", e, err)
		}
		second, err := parseEntry(root, 7, again)
		if err != nil {
			t.Fatalf("%s is written as %s, which is refused: %v", b, again, err)
		}
		if third, err := json.Marshal(second); err != nil || string(third) != string(again) {
			t.Errorf("%s is written as %s, and that as %s, %v", b, again, third, err)
		}
	})
}

// FuzzManifest is the same for manifests.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"parts":[{"name":"part-r-00000-9k4m8aaa.0.txt","size":1,"records":1,"crc32c":1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		if len(m.names()) > len(m.Parts) || len(m.tokens()) > len(m.Parts) {
			t.Errorf("%s has %d parts, and more names or tokens", b, len(m.Parts))
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		second, err := parseManifest(again)
		if err != nil {
			t.Fatalf("%s is written as %s, which is refused: %v", b, again, err)
		}
		if third, err := json.Marshal(second); err != nil || string(third) != string(again) {
			t.Errorf("%s is written as %s, and that as %s, %v", b, again, third, err)
		}
	})
}

// FuzzTokenOf verifies that only names that PartName makes of a job have the
// job's token, in any directory.
func FuzzTokenOf(f *testing.F) {
	f.Add("part-r-00000-9k4m8aaa.0.txt", "01KAB5QW3ZSNEJH7H2BEQ9K4M8", 0, 0)
	f.Add("a/part-r-1-x-y.0", "01KAB5R1VCE4Y3RZCB1M2TT7WA", 17, 3)
	f.Fuzz(func(t *testing.T, name, job string, index, run int) {
		tokenOf(name) // must not panic
		if len(job) < 8 || strings.ContainsAny(job, "/-.") || run < 0 || index < 0 {
			return
		}
		made := PartName(plan.TaskID{Phase: plan.Reduce, Index: index}, plan.JobID(job), run, ".txt.gz")
		if got, want := tokenOf("dir/"+made), token(plan.JobID(job), run); len(want) == len("12345678.0") && got != want {
			t.Errorf("%s has the token %q, want %q", made, got, want)
		}
	})
}
