package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/integration/heard"
)

// writes counts the writes to a store that a run reported.
func writes(stderr string) int {
	n := 0
	for s := lines(stderr); s.Scan(); {
		if strings.HasPrefix(s.Text(), "write ") {
			n++
		}
	}
	return n
}

// TestKilledAfterEveryWrite kills a run with SIGKILL after its first write to
// the store, after its second, and so on; see killEach. It verifies that the
// leftovers never pass for a result, that a plain run refuses them and says how to
// recover, and that replace recovers.
func TestKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "to be or\nnot to be\n")
	old := file(t, "old.txt", "old\n")
	const want, before = "be\t2\nnot\t1\nor\t1\nto\t2\n", "old\t1\n"
	for m, mode := range []string{"fail", "replace"} {
		args := func(out string) []string {
			return []string{"run", "wordcount", "--input", in, "--out", out, "--partitions", "2", "--split-size", "9", "--on-exists", mode}
		}
		prepare := func(t *testing.T) string {
			t.Helper()
			out := filepath.Join(t.TempDir(), "out")
			if mode == "replace" {
				must(t, windrow, "run", "wordcount", "--input", old, "--out", out)
			}
			return out
		}
		whole := command(t, windrow, args(prepare(t))...)
		whole.Env = append(whole.Env, "WINDROW_KILL_AFTER=0")
		n := writes(finish(t, whole).stderr)
		if n < 15 {
			t.Fatalf("a whole run makes %d writes; the failpoint does not work", n)
		}
		t.Logf("%s: %d writes to kill after", mode, n)
		for i := 1 + m%killEach; i <= n; i += killEach {
			t.Run(fmt.Sprintf("%s/write %d", mode, i), func(t *testing.T) {
				t.Parallel()
				out := prepare(t)
				run := command(t, windrow, args(out)...)
				run.Env = append(run.Env, fmt.Sprintf("WINDROW_KILL_AFTER=%d", i))
				killed := finish(t, run)
				if killed.code == 0 && writes(killed.stderr) < i {
					// Heartbeats depend on time: this run had fewer.
					if got := sorted(must(t, windrow, "cat", out)); got != want {
						t.Errorf("the run that was not killed wrote %q", got)
					}
					return
				}
				if killed.code != -1 {
					t.Fatalf("exit %d, the run was not killed\n%s", killed.code, killed.stderr)
				}
				recoverFrom(t, out, in, mode, want, before)
			})
		}
	}
}

// recoverFrom checks the leftovers of a killed run, and recovers.
func recoverFrom(t *testing.T, out, in, mode, want, before string) {
	t.Helper()
	_, err := os.Stat(filepath.Join(out, "_SUCCESS"))
	success := err == nil
	r := do(t, windrow, "cat", out)
	switch got := sorted(r.stdout); {
	case r.code == 0 && got == want: // it was committed before the kill
	case r.code == 0 && mode == "replace" && got == before:
	case r.code == 5 && mode == "fail" && !success:
	default:
		t.Fatalf("cat: exit %d, %q; _SUCCESS %v\n%s", r.code, got, success, r.stderr)
	}
	again := []string{"run", "wordcount", "--input", in, "--out", out}
	if refused := do(t, windrow, again...); refused.code == 0 {
		// A plain run may proceed only if nothing had begun.
		if r.code == 0 {
			t.Fatalf("a plain run wrote over %q", r.stdout)
		}
	} else if refused.code != 6 || !strings.Contains(refused.stderr, "--on-exists replace") {
		t.Fatalf("a plain run exits %d and says %q", refused.code, refused.stderr)
	}
	must(t, windrow, append(again, "--on-exists", "replace")...)
	if got := sorted(must(t, windrow, "cat", out)); got != want {
		t.Errorf("recovered %q", got)
	}
	if names := visible(t, out); len(names) != 1 {
		t.Errorf("after the recovery the directory holds %v, want one part", names)
	}
	// A process that was killed while it deleted may leave a directory; only
	// objects count.
	_ = filepath.WalkDir(filepath.Join(out, "_windrow", "tmp"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("temporary data is left: %s", path)
		}
		return nil
	})
}

// TestInterrupted verifies that a run that gets ^C, or loses its terminal or the
// reader of what it prints, ends within two seconds, says what it did, and leaves no
// result.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			interrupted(t, s)
		})
	}
}

func interrupted(t *testing.T, by syscall.Signal) {
	t.Helper()
	in := file(t, "in.txt", "a\nstop\nb\n")
	out := filepath.Join(t.TempDir(), "out")
	run := command(t, testjobs, "run", "hangs", "--input", in, "--out", out, "--at", "stop")
	var stderr heard.Text
	run.Stderr = &stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if !stderr.Wait("hanging", nil, time.Minute) {
		t.Fatalf("it never hangs, but says %q", stderr.String())
	}
	start := time.Now()
	if err := run.Process.Signal(by); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait() // the exit status says it
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if code := run.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	if text := stderr.String(); !strings.Contains(text, "interrupted") || !strings.Contains(text, "removed") {
		t.Errorf("it says %q", text)
	}
	if names := visible(t, out); len(names) > 0 {
		t.Errorf("left visible: %v", names)
	}
	if r := do(t, windrow, "run", "wordcount", "--input", in, "--out", out); r.code != 0 {
		t.Errorf("the output cannot be used after the interrupt: %s", r.stderr)
	}
}
