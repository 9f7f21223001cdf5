//go:build linux

package runner_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/runner"
)

// misbehaving plans a job that misbehaves when it reads its only line, and
// returns an order for its map task.
func misbehaving(t *testing.T, how string, change func(*runner.Config)) (*world, cluster.Launch) {
	t.Helper()
	w := newWorld(t, "mem", change)
	w.write(t, "hay\ngo\n")
	id := w.submit(t, "misbehave", map[string]string{"how": how, "path": w.cfg.CacheDir}, nil)
	return w, w.firstMap(t, id)
}

// TestFailures verifies that an error of a job is reported in words, and
// affects no other job.
func TestFailures(t *testing.T) {
	t.Parallel()
	plain := plainProgram(t)
	small := func(c *runner.Config) { c.Self, c.Memory = plain, runner.LeastMemory(c.Slots) }
	quick := func(c *runner.Config) { c.NoProgress = 1500 * time.Millisecond }
	for how, c := range map[string]struct {
		words  []string // of the outcome
		log    []string
		same   bool // whether the next failure would count as the same one
		change func(*runner.Config)
	}{
		"panic":  {words: []string{"panic at jobs_test.go:", "index out of range", "byte 4 of"}, log: []string{"misdeeds.do", "goroutine "}, same: true},
		"error":  {words: []string{"no such customer"}, same: true},
		"exit":   {words: []string{"exited with status 3: had enough"}, log: []string{"had enough"}},
		"leave":  {words: []string{"status 0", "os.Exit"}},
		"goexit": {words: []string{"a function of the job ended its goroutine (runtime.Goexit"}, same: true},
		"loop":   {words: []string{"no progress for 1."}, log: []string{"misdeeds.do"}, same: true, change: quick},
		"mute":   {words: []string{"no progress for 1."}, log: []string{"misdeeds.do"}, same: true, change: quick},
		"hoard":  {words: []string{"out of memory", "--memory"}, change: small},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, l := misbehaving(t, how, c.change)
			o := w.failed(t, l, &host{}, c.words...)
			if same := o.Fingerprint != ""; same != c.same || o.Final {
				t.Errorf("fingerprint %q, final %v", o.Fingerprint, o.Final)
			}
			text := w.log(t, l.Ref)
			for _, word := range append(c.log, "on hay-1, worker process ", "failed: ") {
				if !strings.Contains(text, word) {
					t.Errorf("the log does not say %q: %.2000s", word, text)
				}
			}
			// A worker that had this job can still run others.
			got, _ := w.run(t, w.submit(t, "words", nil, nil))
			wantLines(t, got, []string{"hay\t1", "go\t1"})
		})
	}
}

// TestProgress verifies that an attempt's progress is reported while it runs.
func TestProgress(t *testing.T) {
	t.Parallel()
	w, l := misbehaving(t, "steady", func(c *runner.Config) { c.NoProgress = 3500 * time.Millisecond })
	h := &host{}
	done(t, w.Run(t.Context(), l, h))
	if h.records.Load() != 2 {
		t.Errorf("%d records are reported", h.records.Load())
	}
}

// TestSlowStore verifies that an attempt that waits for the store does not
// count as idle.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", func(c *runner.Config) { c.NoProgress = time.Second })
	w.write(t, "hay\n")
	id := w.submit(t, "words", nil, nil)
	counts, planned := w.prepare(t, id)
	maps := w.tasks(t, id, plan.Map, counts.Maps, facts{planned: planned}, nil)
	w.Forget(id) // the next process reads all of it again
	w.counting.mu.Lock()
	w.counting.slow = 2 * time.Second
	w.counting.mu.Unlock()
	w.tasks(t, id, plan.Reduce, 1, facts{planned: planned}, maps)
}

// TestHostFails verifies that an attempt does not fail because of the worker's
// own failures.
func TestHostFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\n")
	l := w.firstMap(t, w.submit(t, "matching", nil, nil))
	if o := w.Run(t.Context(), l, &host{fails: worker.ErrStale}); o.Result != cluster.Lost || !strings.Contains(o.Text, "revoked") {
		t.Errorf("no grant: %+v", o)
	}
	first := w.firstMap(t, w.submit(t, "words", nil, nil))
	l = w.launch(first.Job, plan.Reduce, 0)
	l.Planned = first.Planned
	if o := w.Run(t.Context(), l, &host{fails: worker.ErrStale}); o.Result != cluster.Lost || !strings.Contains(o.Text, "revoked") {
		t.Errorf("no list of maps: %+v", o)
	}
}

// TestFlood verifies that the beginning and the end are kept of endless output.
func TestFlood(t *testing.T) {
	t.Parallel()
	w, l := misbehaving(t, "flood", func(c *runner.Config) { c.KeepOutput = 4 << 10 })
	done(t, w.Run(t.Context(), l, &host{}))
	text := w.log(t, l.Ref)
	for _, word := range []string{"line 0 of many", "the last line\n", "lines dropped", "] done, after "} {
		if !strings.Contains(text, word) {
			t.Errorf("the log does not say %q: %.300s", word, text)
		}
	}
	if strings.Contains(text, "line 20000 of") || len(text) > 10<<10 || strings.Contains(text, "\x1e") {
		t.Errorf("the log has %d bytes", len(text))
	}
}

// TestLogsApart verifies that the output of attempts of one process is in the
// log of each, up to the last line.
func TestLogsApart(t *testing.T) {
	t.Parallel()
	w, l := misbehaving(t, "talk", func(c *runner.Config) { c.Slots = 1 })
	for range 30 {
		next := w.launch(l.Job, plan.Map, 0)
		next.Planned = l.Planned
		done(t, w.Run(t.Context(), next, &host{}))
		text := w.log(t, next.Ref)
		if n := strings.Count(text, " says "); n != 2000 || strings.Count(text, next.Attempt.String()+" says ") != 2000 {
			t.Fatalf("%d lines in the log of %v", n, next.Attempt)
		}
	}
}

// TestFork verifies that processes that a job leaves running are killed with
// its process.
func TestFork(t *testing.T) {
	t.Parallel()
	w, l := misbehaving(t, "fork", nil)
	w.failed(t, l, &host{}, "the child is not waited for")
	wantGone(t, w.number(t, l.Ref, "forked "))
}

// TestSurroundings verifies that a job process has none of the worker's
// environment.
func TestSurroundings(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-worker")
	t.Setenv("HAY_ZONE", "meadow")
	t.Setenv("TZ", "Asia/Kathmandu")
	w, l := misbehaving(t, "look", func(c *runner.Config) { c.Inherit = []string{"HAY_ZONE"} })
	done(t, w.Run(t.Context(), l, &host{}))
	text := w.log(t, l.Ref)
	if strings.Contains(text, "secret-of-the-worker") || !strings.Contains(text, "HAY_ZONE=meadow") || !strings.Contains(text, `"TZ=UTC"`) || !strings.Contains(text, "a word of the job") || !strings.Contains(text, "answer=42") {
		t.Errorf("the job process sees: %s", text)
	}
	w, l = misbehaving(t, "look", func(c *runner.Config) { c.Inherit = []string{"TZ"} })
	done(t, w.Run(t.Context(), l, &host{}))
	if text := w.log(t, l.Ref); !strings.Contains(text, `"TZ=Asia/Kathmandu"`) || strings.Contains(text, "TZ=UTC") {
		t.Errorf("with the operator's time zone the job process sees: %s", text)
	}
}

// TestStop verifies that an unwanted attempt ends at once if it watches its
// context, and soon if it does not; the next one runs.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"wait", "mute"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, l := misbehaving(t, how, func(c *runner.Config) { c.Grace = time.Second })
			cause := errors.New("another attempt was faster")
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan cluster.Outcome, 1)
			go func() { ended <- w.Run(ctx, l, &host{}) }()
			time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
			select {
			case o := <-ended:
				if o.Result != cluster.Lost {
					t.Errorf("%+v", o)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it does not end")
			}
			got, _ := w.run(t, w.submit(t, "words", nil, nil))
			wantLines(t, got, []string{"hay\t1", "go\t1"})
		})
	}
}

// TestChangedInput verifies that an object that changed after planning is not
// read.
func TestChangedInput(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"mem", "file"} {
		w := newWorld(t, kind, nil)
		w.write(t, "hay\n")
		l := w.firstMap(t, w.submit(t, "words", nil, nil))
		w.write(t, "rakes\n")
		if o := w.failed(t, l, &host{}, "changed", "000.txt"); !o.Final {
			t.Errorf("%+v", o)
		}
	}
}

// TestMissingInput verifies that a job whose input is missing is not tried
// again.
func TestMissingInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\n")
	id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Input = []string{w.in + "/none"} })
	if o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, "no such object"); !o.Final || o.Kind != plan.NotFound {
		t.Errorf("%+v", o)
	}
	id = w.submit(t, "words", nil, func(s *plan.Spec) { s.Decompress = "rar" })
	if o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, "rar"); !o.Final {
		t.Errorf("%+v", o)
	}
}

// TestLostRuns verifies that a reduce that cannot read a map's runs names the
// map.
func TestLostRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\nrake\n")
	id := w.submit(t, "words", nil, nil)
	counts, planned := w.prepare(t, id)
	maps := w.tasks(t, id, plan.Map, counts.Maps, facts{planned: planned}, nil)
	scratch := w.root.Sub(plan.ScratchPrefix(id))
	for o, err := range scratch.List(t.Context(), "x/") {
		if err != nil {
			t.Fatal(err)
		}
		if err := scratch.Delete(t.Context(), o.Key); err != nil {
			t.Fatal(err)
		}
	}
	l := w.launch(id, plan.Reduce, 0)
	l.Planned = planned
	o := w.Run(t.Context(), l, &host{maps: maps, self: l.Attempt})
	want := cluster.Ref{Job: id, Task: plan.TaskID{Phase: plan.Map}, Attempt: maps[0]}
	if o.Result != cluster.Lost || o.LostInput == nil || *o.LostInput != want {
		t.Errorf("%+v, lost %+v", o, o.LostInput)
	}
}

// TestRefused verifies the errors of specs that a worker cannot or should not
// run.
func TestRefused(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("ab", 32)
	for what, c := range map[string]struct {
		job    string
		change func(*plan.Spec)
		words  []string
		final  bool
		unfit  bool // another worker may be able to
	}{
		"other plan":   {"fickle", nil, []string{"another plan", "- 2 Map of 1 by runner_test.tokenize:", "+ 2 Map of 1 by runner_test.tokenizeOther:"}, false, false},
		"changed plan": {"words", func(s *plan.Spec) { s.Plan = strings.Replace(s.Plan, "Fold", "Hold", 1) }, []string{"another plan", "Hold"}, false, false},
		"unknown job":  {"words", func(s *plan.Spec) { s.Job = "wrods" }, []string{`did you mean "words"`}, false, false},
		"other build":  {"words", func(s *plan.Spec) { s.Build = "v9" }, []string{"build v9", build, "hay-1"}, false, true},
		"other machine": {"words", func(s *plan.Spec) {
			s.Bundles = []plan.Bundle{{OS: "plan9", Arch: "mips", Digest: digest, Size: 9}}
		}, []string{"built for plan9/mips", "hay-1 is linux/"}, false, true},
		"newer form": {"words", func(s *plan.Spec) { s.Version = plan.SpecVersion + 1 }, []string{"update the workers"}, false, true},
		"other id":   {"words", func(s *plan.Spec) { s.ID = "01ARZ3NDEKTSV4RRFFQ6000000" }, []string{"is of job"}, true, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "mem", nil)
			w.write(t, "hay\n")
			id := w.submit(t, c.job, nil, nil)
			if c.change != nil {
				w.rewrite(t, id, c.change)
			}
			if o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, c.words...); o.Final != c.final || o.Unfit != c.unfit {
				t.Errorf("final is %v, unfit %v: %s", o.Final, o.Unfit, o.Text)
			}
		})
	}
	w := newWorld(t, "mem", nil)
	if o := w.failed(t, w.launch("01ARZ3NDEKTSV4RRFFQ6GONE00", plan.Prepare, 0), &host{}, "submitted", "not found"); o.Final {
		t.Errorf("%+v", o)
	}
}

// TestMemorySum verifies that the error for too little memory shows the sum.
func TestMemorySum(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = runner.New(runner.Config{Root: root, Roots: &roots{}, Slots: 4, Memory: 400 << 20, CacheDir: filepath.Join(t.TempDir(), "c")})
	for _, words := range []string{"400 MiB", "4 slots", "= 480 MiB"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v does not say %q", err, words)
		}
	}
}
