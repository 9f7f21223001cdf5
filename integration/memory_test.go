package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const mebibyte = 1 << 20

// TestHotKey verifies that a key with nine of ten values, many times more than
// there is memory, is streamed.
func TestHotKey(t *testing.T) {
	t.Parallel()
	const rows, files = 40000, 50 // two million pairs, 200 MB and more
	var text strings.Builder
	for i := range files {
		fmt.Fprintf(&text, "line%d\n", i)
	}
	out := filepath.Join(t.TempDir(), "out")
	r := do(t, testjobs, "run", "hot", "--input", file(t, "in.txt", text.String()), "--out", out, "--rows", fmt.Sprint(rows), "--memory", "64MiB", "-o", "json")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	var used report
	if err := json.Unmarshal([]byte(r.stdout), &used); err != nil {
		t.Fatal(err)
	}
	if limit := int64(64+150) * mebibyte; used.PeakMemoryBytes > limit {
		t.Errorf("the process held %d MiB, the limit is %d", used.PeakMemoryBytes/mebibyte, limit/mebibyte)
	}
	got := must(t, testjobs, "cat", out)
	if want := fmt.Sprintf("hot\t%d\n", rows*files*9/10); !strings.Contains(got, want) {
		t.Errorf("the output does not say %q", want)
	}
	if n := strings.Count(got, "\n"); n != 1+rows*files/10 {
		t.Errorf("%d keys, want %d", n, 1+rows*files/10)
	}
}

// report is the part of -o json that the tests of memory read.
type report struct {
	Spills int64
	// PeakMemoryBytes is the process's peak by /proc. The rusage of a child
	// includes that of its parent, and so cannot be used.
	PeakMemoryBytes int64
	Counters        map[string]int64
	Input           struct{ Records int64 }
	Written         struct{ Records int64 }
}

// TestSortBenchmark verifies that teragen, terasort and teravalidate sort ten
// million records, a gigabyte, in a quarter of that memory.
func TestSortBenchmark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gen, sorted, checked := filepath.Join(dir, "gen"), filepath.Join(dir, "sorted"), filepath.Join(dir, "checked")
	records := 10_000_000
	if testing.Short() {
		records /= 10
	}
	must(t, plain, "run", "teragen", "--out", gen, "--records", fmt.Sprint(records), "--quiet")
	r := do(t, plain, "run", "terasort", "--input", gen, "--out", sorted, "--memory", "256MiB", "-o", "json")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	var got report
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Spills < 4 && !testing.Short() || !strings.Contains(r.stderr, "spilled") {
		t.Errorf("%d spills, want at least 4\n%s", got.Spills, r.stderr)
	}
	if limit := int64(256+150) * mebibyte; got.PeakMemoryBytes > limit {
		t.Errorf("the process held %d MiB, the limit is %d", got.PeakMemoryBytes/mebibyte, limit/mebibyte)
	}
	t.Logf("%d MiB at most, %v, %d spills", got.PeakMemoryBytes/mebibyte, r.took, got.Spills)
	validate := func(in, out string) string {
		t.Helper()
		r := do(t, plain, "run", "teravalidate", "--input", in, "--out", out)
		if in == gen {
			return r.stderr
		}
		if r.code != 0 {
			t.Fatalf("the output is not in order: %s", r.stderr)
		}
		return must(t, plain, "cat", out)
	}
	verdict := validate(sorted, checked)
	t.Log(verdict)
	if !strings.Contains(verdict, fmt.Sprint(records)) {
		t.Errorf("the verdict is %q", verdict)
	}
}
