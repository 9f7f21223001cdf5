package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/jobs"
)

// TestCommandLine runs the commands of the manual.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "some.txt"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte("to be or\nnot to be\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		status := cli.Main(t.Context(), cli.Program{Args: append([]string{"firstjob"}, args...), Jobs: []*jobs.Job{WordCount}, Stdout: &stdout, Stderr: &stderr})
		if status != 0 {
			t.Fatalf("%q: exit status %d\n%s", args, status, &stderr)
		}
		return stdout.String()
	}
	do("run", "wordcount", "--input", in, "--out", out)
	lines := strings.Split(do("cat", out), "\n")
	slices.Sort(lines)
	if got, want := strings.Join(lines, "\n"), "\nbe\t2\nnot\t1\nor\t1\nto\t2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
