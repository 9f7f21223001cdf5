// Package measuretest has what tests of the benchmarks' commands share. They
// call it on the goroutine of the test, and each function fails the test as its
// comment says.
package measuretest

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/bench/measure"
)

// ReadSources reads the directories of the repository, which is at root. go
// test caches the result of a test until a file that it read changes, and does
// not know the sources of programs that the test builds.
func ReadSources(t testing.TB, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if name := d.Name(); err == nil && d.IsDir() && (name == ".git" || name == ".tools" || path == root+"/bin" || path == root+"/out") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// WantEmpty verifies that a directory is empty.
func WantEmpty(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("%s is left over", filepath.Join(dir, f.Name()))
	}
}

// Build builds the command in the test's own directory.
func Build(t testing.TB) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// Interrupt runs a command with endless work and sends it a signal when it
// prints a line with the given beginning. The command must end as interrupted,
// and leave no files.
func Interrupt(t testing.TB, signal syscall.Signal, begins, program string, args ...string) {
	t.Helper()
	dir, tmp := t.TempDir(), t.TempDir()
	c := exec.CommandContext(t.Context(), program, append(args, "-size", "small", "-runs", "1000000", "-dir", dir)...)
	c.Env = append(os.Environ(), "TMPDIR="+tmp)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), begins) {
			if err := c.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
		}
	}
	err = c.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != measure.ExitInterrupted || !strings.Contains(said.String(), "interrupted") {
		t.Errorf("ended with %v, want exit code %d and a word about it: %s", err, measure.ExitInterrupted, said.String())
	}
	WantEmpty(t, dir)
	WantEmpty(t, tmp)
}
