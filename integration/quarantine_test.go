package integration

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
)

// TestBadRecordsInTheSameWords verifies that run and submit leave out the same records, on
// which a function fails or panics, that they describe them where they are, in the same
// words, that readers of the output do not see them, and that a job with more of them than
// it may leave out fails and commits nothing.
func TestBadRecordsInTheSameWords(t *testing.T) {
	t.Parallel()
	const lines = 200
	var text strings.Builder
	bad := map[int64]bool{} // offsets
	for i := range lines {
		if i%20 == 7 {
			bad[int64(text.Len())] = true
			text.WriteString("nettle\n")
		}
		text.WriteString("hay-" + strconv.Itoa(i%3) + "\n")
	}
	const want = "hay-0\t67\nhay-1\t67\nhay-2\t66\n"
	in, master := file(t, "in.txt", text.String()), startDev(t)
	ways := map[string][]string{"run": {"run", "--split-size", "600"}, "submit": {"submit", "--split-size", "600", "--master", master}}
	for _, job := range []string{"fails", "panics"} {
		for verb, way := range ways {
			args := func(out string, more ...string) []string {
				return append(append([]string{way[0], job, "--at", "nettle", "--input", in, "--out", out}, way[1:]...), more...)
			}
			out := filepath.Join(t.TempDir(), "out")
			r := finish(t, command(t, testjobs, args(out, "--bad-records", "quarantine:10", "--strict")...))
			if r.code != 7 || !strings.Contains(r.stderr, "10 records quarantined; see file://"+out+"/_quarantine") || !strings.Contains(r.stderr, "--strict") {
				t.Fatalf("%s %s: exit %d, %s", verb, job, r.code, r.stderr)
			}
			if got := sorted(must(t, testjobs, "cat", out)); got != want {
				t.Errorf("%s %s: %q", verb, job, got)
			}
			if got := must(t, plain, "count", out); strings.TrimSpace(got) != "3" {
				t.Errorf("%s %s: count says %s", verb, job, got)
			}
			if got := offsets(t, must(t, testjobs, "cat", out+"/_quarantine"), job); !maps.Equal(got, bad) {
				t.Errorf("%s %s: the records at %v are described, want %v", verb, job, got, bad)
			}
			if job == "panics" {
				continue // all else is the same
			}
			again := filepath.Join(t.TempDir(), "again")
			must(t, plain, "run", "sort", "--input", out, "--out", again)
			if got := must(t, plain, "cat", again); got != want {
				t.Errorf("%s %s: who reads the output gets %q", verb, job, got)
			}
			must(t, testjobs, args(out, "--bad-records", "quarantine", "--on-exists", "replace")...)
			if got := offsets(t, must(t, testjobs, "cat", out+"/_quarantine"), job); !maps.Equal(got, bad) {
				t.Errorf("%s %s: after it was replaced the records at %v are described, want %v", verb, job, got, bad)
			}
			if all, live := filesBelow(t, out+"/_quarantine"), parts(t, out, "_quarantine/"); all != live {
				t.Errorf("%s %s: %d objects describe bad records, and %d are of the output", verb, job, all, live)
			}
			must(t, testjobs, args(out, "--bad-records", "skip:10", "--on-exists", "replace")...)
			if left := filesBelow(t, out+"/_quarantine"); left > 0 {
				t.Errorf("%s %s: %d objects are left of the output that was replaced", verb, job, left)
			}
			for policy, says := range map[string]string{
				"fail": "failed on the record at byte", "quarantine:9": "10 of 210 records could not be processed, more than --bad-records quarantine:9 allows", "skip:4%": "10 of 210 records could not be processed, more than --bad-records skip:4% allows",
			} {
				none := filepath.Join(t.TempDir(), "none")
				if r := finish(t, command(t, testjobs, args(none, "--bad-records", policy)...)); r.code != 1 || !strings.Contains(r.stderr, says) {
					t.Errorf("%s %s --bad-records %s: exit %d, %s", verb, job, policy, r.code, r.stderr)
				}
				if left, bad := filesBelow(t, none+"/part*"), filesBelow(t, none+"/_quarantine"); left+bad > 0 {
					t.Errorf("%s %s --bad-records %s leaves %d parts, and %d that describe bad records", verb, job, policy, left, bad)
				}
			}
			skipped := filepath.Join(t.TempDir(), "skipped")
			if r := finish(t, command(t, testjobs, args(skipped, "--bad-records", "skip:5%", "-o", "json")...)); r.code != 0 || !strings.Contains(r.stderr, "10 records skipped") ||
				!regexp.MustCompile(`"badRecords": ?10\b`).MatchString(r.stdout) {
				t.Errorf("%s %s, skipping: exit %d, %s%s", verb, job, r.code, r.stdout, r.stderr)
			}
			if _, err := os.Stat(skipped + "/_quarantine"); !os.IsNotExist(err) {
				t.Errorf("%s %s, skipping: %v", verb, job, err)
			}
			if r := finish(t, command(t, testjobs, args(skipped, "--bad-records", "skip")...)); r.code != 2 || !strings.Contains(r.stderr, "no limit") {
				t.Errorf("%s %s without a limit: exit %d, %s", verb, job, r.code, r.stderr)
			}
		}
	}
}

// offsets returns the offsets of the lines that a quarantine describes.
func offsets(t *testing.T, lines, job string) map[int64]bool {
	t.Helper()
	found := map[int64]bool{}
	for line := range strings.Lines(lines) {
		var b struct {
			Job, Task, Object, ETag, Stage, Error, At, Record string
			Offset                                            int64
		}
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		says := map[string]string{"fails": "the line is not good", "panics": "out of cheese"}[job]
		if b.Record != "nettle" || b.Error != says || !strings.HasPrefix(b.Task, "map/") || len(b.Job) != 26 || !strings.HasSuffix(b.Object, "/in.txt") ||
			(b.At != "") != (job == "panics") || !strings.HasPrefix(b.Stage, "Map ") {
			t.Errorf("it is described as %s", line)
		}
		found[b.Offset] = true
	}
	return found
}

// filesBelow returns how many files a pattern matches, or are below the directories that it
// matches.
func filesBelow(t *testing.T, pattern string) (n int) {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		err := filepath.WalkDir(path, func(_ string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// parts returns how many parts of an output are below a directory, by its manifest.
func parts(t *testing.T, out, dir string) (n int) {
	t.Helper()
	root, err := store.Open(t.Context(), out, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m, err := output.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return len(m.Below(dir).Parts)
}
