package integration

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// tree writes files below a fresh directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSplits verifies that a big object becomes many tasks, and that this
// changes nothing in the output.
func TestSplits(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&text, "line %d\n", (i*7919)%50000)
	}
	in := file(t, "in.txt", text.String())
	var first string
	for _, size := range []string{"auto", "50KiB", "3000"} {
		out := filepath.Join(t.TempDir(), "out")
		r := do(t, windrow, "run", "sort", "--input", in, "--out", out, "--split-size", size, "--partitions", "3", "-o", "json")
		var report struct{ Maps int }
		if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
			t.Fatalf("%v: %s", err, r.stderr)
		}
		if size == "50KiB" && report.Maps < 10 || size == "3000" && report.Maps < 150 {
			t.Errorf("splits of %s: %d map tasks for %d bytes", size, report.Maps, text.Len())
		}
		got := must(t, windrow, "cat", out)
		if first == "" {
			first = got
		}
		if got != first || strings.Count(got, "\n") != 50000 {
			t.Errorf("splits of %s change the output", size)
		}
	}
}

// TestPatternsReadData verifies that patterns skip hidden objects, and that
// outputs of jobs are read by their logs.
func TestPatternsReadData(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a/x.txt": "a\n", "a/.git/h.txt": "hidden\n", "_b/y.txt": "hidden\n", "c.txt": "c\n"})
	in := file(t, "in.txt", "job\n")
	must(t, windrow, "run", "sort", "--input", in, "--out", filepath.Join(dir, "made"))
	if err := os.WriteFile(filepath.Join(dir, "made", "part-r-00009-zzzzzzzz.0.txt"), []byte("stray\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"**":               "a\t1\nc\t1\njob\t1\n",
		"**/*.txt":         "a\t1\nc\t1\njob\t1\n",
		"made/part-*":      "job\t1\n",
		"made":             "job\t1\n",
		"[am]*/[xp]*.t?t":  "a\t1\njob\t1\n",
		"made/part-r-00*t": "job\t1\n",
	} {
		out := filepath.Join(t.TempDir(), "out")
		must(t, windrow, "run", "wordcount", "--input", filepath.Join(dir, pattern), "--out", out)
		if got := sorted(must(t, windrow, "cat", out)); got != want {
			t.Errorf("%s: counted %q, want %q", pattern, got, want)
		}
	}
}

// TestMissingPart verifies that a job fails when a committed part of its input
// is missing.
func TestMissingPart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "made")
	must(t, windrow, "run", "sort", "--input", file(t, "in.txt", "a\nb\nc\n"), "--out", out, "--partitions", "2")
	gone := visible(t, out)[0]
	if err := os.Remove(filepath.Join(out, gone)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "wordcount", "--input", out, "--out", filepath.Join(dir, "counted")}, {"cat", out}} {
		if r := do(t, windrow, args...); r.code == 0 || !strings.Contains(r.stderr, gone) {
			t.Errorf("%v: exit %d, %q", args, r.code, r.stderr)
		}
	}
}

// TestOutputInInput verifies that a job cannot write where its next run reads.
func TestOutputInInput(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"in.txt": "a\n"})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s3 := s3test.Start(t)
	must(t, windrow, "run", "sort", "--input", filepath.Join(dir, "in.txt"), "--out", s3With(s3, "data/sorted"))
	for _, c := range [][2]string{
		{dir, filepath.Join(dir, "out")},
		{link, filepath.Join(dir, "out")},
		{filepath.Join(dir, "**"), filepath.Join(dir, "out")},
		{s3With(s3, "data"), s3With(s3, "data/out")},
	} {
		if r := do(t, windrow, "run", "wordcount", "--input", c[0], "--out", c[1]); r.code != 2 || !strings.Contains(r.stderr, "--out") {
			t.Errorf("%v: exit %d, %q", c, r.code, r.stderr)
		}
	}
}

// TestKilledAppend verifies that the earlier contents survive when a run that
// appends is killed, and that the next run that appends adds to them once.
func TestKilledAppend(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	must(t, windrow, "run", "wordcount", "--input", file(t, "a.txt", "a\n"), "--out", out)
	args := []string{"run", "wordcount", "--input", file(t, "b.txt", "b\n"), "--out", out, "--on-exists", "append"}
	run := command(t, windrow, args...)
	run.Env = append(run.Env, "WINDROW_KILL_AFTER=7")
	if r := finish(t, run); r.code != -1 {
		t.Fatalf("exit %d, the run was not killed\n%s", r.code, r.stderr)
	}
	if got := must(t, windrow, "cat", out); got != "a\t1\n" {
		t.Errorf("after the kill: %q", got)
	}
	if r := do(t, windrow, args[:len(args)-2]...); r.code != 6 || !strings.Contains(r.stderr, "--on-exists append") {
		t.Errorf("exit %d, %q does not say how to keep what is there", r.code, r.stderr)
	}
	must(t, windrow, args...)
	if got := must(t, windrow, "cat", out); got != "a\t1\nb\t1\n" {
		t.Errorf("appended: %q", got)
	}
}

// objects counts the files below a directory.
func objects(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, ".windrow-tmp") {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKilledWithRoot kills a run that keeps its data elsewhere. It verifies
// that the next run with the same root removes that data, and that one without
// names what it leaves.
func TestKilledWithRoot(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "a\nb\n")
	for name, same := range map[string]bool{"same root": true, "another": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, root := filepath.Join(t.TempDir(), "out"), t.TempDir()
			args := []string{"run", "wordcount", "--input", in, "--out", out, "--on-exists", "replace"}
			run := command(t, windrow, append(args, "--root", root)...)
			run.Env = append(run.Env, "WINDROW_KILL_AFTER=8")
			if r := finish(t, run); r.code != -1 || objects(t, root) == 0 {
				t.Fatalf("exit %d, %d objects below the root\n%s", r.code, objects(t, root), r.stderr)
			}
			if same {
				args = append(args, "--root", root)
			}
			r := do(t, windrow, args...)
			if r.code != 0 {
				t.Fatal(r.stderr)
			}
			if left := objects(t, root); same && left > 0 || !same && !strings.Contains(r.stderr, root) {
				t.Errorf("%d objects are left; reported: %s", left, r.stderr)
			}
			if got := sorted(must(t, windrow, "cat", out)); got != "a\t1\nb\t1\n" {
				t.Errorf("counted %q", got)
			}
		})
	}
}
