package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// killedJob is a job that is killed and run again.
type killedJob struct {
	program      string
	args         []string // of a plain run, without its output
	old          []string // of the run before
	want, before string   // all lines that these write, in order
}

// TestKilledAfterEveryWrite kills a run with SIGKILL after its first write to
// the store, after its second, and so on; see killEach. It verifies that the
// leftovers never pass for a result, that a plain run refuses them and says how to
// recover, and that replace recovers. The job of several stages has two outputs.
func TestKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "to be or\nnot to be\n")
	old := file(t, "old.txt", "old\n")
	for _, k := range []killedJob{
		{windrow, []string{"run", "wordcount", "--input", in}, []string{"run", "wordcount", "--input", old}, "be\t2\nnot\t1\nor\t1\nto\t2\n", "old\t1\n"},
		{testjobs, []string{"run", "stages", "--input", in}, []string{"run", "stages", "--input", old},
			"1 not\n1 or\n2 be\n2 to\nbe\t2\t2\nnot\t1\t1\nor\t1\t1\nto\t2\t2\n", "1 old\nold\t1\t1\n"},
	} {
		t.Run(k.args[1], func(t *testing.T) {
			t.Parallel()
			for m, mode := range []string{"fail", "replace"} {
				k.killEach(t, m, mode)
			}
		})
	}
}

// killEach kills runs of the job, with an offset among the writes.
func (k *killedJob) killEach(t *testing.T, offset int, mode string) {
	t.Helper()
	args := func(out string) []string {
		return append(slices.Clone(k.args), "--out", out, "--partitions", "2", "--split-size", "9", "--on-exists", mode)
	}
	prepare := func(t *testing.T) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		if mode == "replace" {
			must(t, k.program, append(slices.Clone(k.old), "--out", out)...)
		}
		return out
	}
	whole := command(t, k.program, args(prepare(t))...)
	whole.Env = append(whole.Env, "WINDROW_KILL_AFTER=0")
	n := writes(finish(t, whole).stderr)
	if n < 15 {
		t.Fatalf("a whole run makes %d writes; the failpoint does not work", n)
	}
	t.Logf("%s: %d writes to kill after", mode, n)
	for i := 1 + offset%killEach; i <= n; i += killEach {
		t.Run(fmt.Sprintf("%s/write %d", mode, i), func(t *testing.T) {
			t.Parallel()
			out := prepare(t)
			run := command(t, k.program, args(out)...)
			run.Env = append(run.Env, fmt.Sprintf("WINDROW_KILL_AFTER=%d", i))
			killed := finish(t, run)
			if killed.code == 0 && writes(killed.stderr) < i {
				// Heartbeats depend on time: this run had fewer.
				if got := sorted(must(t, windrow, "cat", out)); got != k.want {
					t.Errorf("the run that was not killed wrote %q", got)
				}
				return
			}
			if killed.code != -1 {
				t.Fatalf("exit %d, the run was not killed\n%s", killed.code, killed.stderr)
			}
			k.recoverFrom(t, out, mode)
		})
	}
}

// recoverFrom checks the leftovers of a killed run, and recovers.
func (k *killedJob) recoverFrom(t *testing.T, out, mode string) {
	t.Helper()
	_, err := os.Stat(filepath.Join(out, "_SUCCESS"))
	success := err == nil
	r := do(t, windrow, "cat", out)
	switch got := sorted(r.stdout); {
	case r.code == 0 && got == k.want: // it was committed before the kill
	case r.code == 0 && mode == "replace" && got == k.before:
	case r.code == 5 && mode == "fail" && !success:
	default:
		t.Fatalf("cat: exit %d, %q; _SUCCESS %v\n%s", r.code, got, success, r.stderr)
	}
	again := append(slices.Clone(k.args), "--out", out)
	if refused := do(t, k.program, again...); refused.code == 0 {
		// A plain run may proceed only if nothing had begun.
		if r.code == 0 {
			t.Fatalf("a plain run wrote over %q", r.stdout)
		}
	} else if refused.code != 6 || !strings.Contains(refused.stderr, "--on-exists replace") {
		t.Fatalf("a plain run exits %d and says %q", refused.code, refused.stderr)
	}
	must(t, k.program, append(again, "--on-exists", "replace")...)
	if got := sorted(must(t, windrow, "cat", out)); got != k.want {
		t.Errorf("recovered %q", got)
	}
	if got := sorted(files(t, out)); got != k.want {
		t.Errorf("after the recovery the files of the directory hold %q", got)
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

// files returns what a tool reads that takes all visible files below a directory.
func files(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range visible(t, dir) {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
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
