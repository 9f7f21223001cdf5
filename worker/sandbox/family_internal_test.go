//go:build linux

package sandbox

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// TestStatOfOddName: the name of a process may hold spaces and parentheses.
func TestStatOfOddName(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/a) R 1 1 (b"
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, path); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, "100")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	s, ok := readStat(strconv.Itoa(c.Process.Pid))
	if !ok || s.parent != os.Getpid() || s.started == "" {
		t.Errorf("%+v, %v, want the parent %d", s, ok, os.Getpid())
	}
}

// BenchmarkLook is what the watch costs 20 times in a second.
func BenchmarkLook(b *testing.B) {
	f := newFamily(os.Getpid())
	for b.Loop() {
		f.resident()
	}
}
