//go:build linux

package sandbox

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// TestStatOfOddName verifies that the name of a process may hold spaces and
// parentheses.
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

// BenchmarkLook measures the cost of a look, of which the watch makes 20 a
// second.
func BenchmarkLook(b *testing.B) {
	f := newFamily(os.Getpid())
	for b.Loop() {
		f.resident()
	}
}

// TestBusiestThread verifies that a running thread is asked for stacks, if any
// runs. A thread that has computed for longer and sleeps now does not have the
// running goroutine.
func TestBusiestThread(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		all  []thread
		want int
	}{
		"one":               {[]thread{{1, false, 0}}, 1},
		"all sleep":         {[]thread{{1, false, 3}, {2, false, 9}, {3, false, 4}}, 2},
		"one runs":          {[]thread{{1, false, 3}, {2, false, 9}, {3, true, 4}}, 3},
		"the first one":     {[]thread{{1, true, 0}, {2, false, 9}}, 1},
		"the busier of two": {[]thread{{1, true, 3}, {2, false, 9}, {3, true, 4}}, 3},
	} {
		if got := busiest(c.all); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
