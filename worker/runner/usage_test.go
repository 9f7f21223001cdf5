//go:build linux

package runner_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/runner"
)

// counted returns the requests that all roots of a world have seen, from any
// process.
func (w *world) counted() plan.Usage {
	sum := w.root.Usage()
	w.roots.mu.Lock()
	defer w.roots.mu.Unlock()
	for _, r := range w.roots.open {
		sum = sum.Plus(r.Usage())
	}
	return usageOf(sum)
}

// usageOf returns the counts that a meter has too.
func usageOf(u plan.Usage) plan.Usage {
	u.Retries, u.Hedges = 0, 0
	return u
}

// reported returns the reported requests for a job, to all stores.
func (w *world) reported(id plan.JobID) plan.Usage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spent[id].Total()
}

// TestRequestsAreReportedByJob runs two jobs at the same time on a worker, from
// the same input. It verifies that the requests reported for each are its own, as
// many as if it ran alone, and that both together are all that the stores saw.
func TestRequestsAreReportedByJob(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"remote", "file", "mem"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			input := texts(3, 4000)
			run := func(names ...string) (reported map[string]plan.Usage, counted plan.Usage) {
				w := newWorld(t, kind, func(c *runner.Config) {
					c.Slots *= 2
					c.Memory = leastMemory(c.Slots) + int64(c.Slots)*192<<20
				})
				w.cfg.Slots = 2 // of each job
				w.write(t, input...)
				ids := make(map[string]plan.JobID)
				for _, name := range names {
					ids[name] = w.submit(t, name, nil, func(s *plan.Spec) { s.Partitions = 3 })
				}
				before := w.counted()
				var all sync.WaitGroup
				for _, id := range ids {
					all.Go(func() {
						counts, planned := w.prepare(t, id)
						base := facts{planned: planned}
						for _, a := range w.tasks(t, id, plan.Sample, counts.Samples, base, nil) {
							base.sampled = a
						}
						maps := w.tasks(t, id, plan.Map, counts.Maps, base, nil)
						w.tasks(t, id, plan.Reduce, counts.Reduces, base, maps)
					})
				}
				all.Wait()
				if err := w.Close(); err != nil { // and logs are written
					t.Fatal(err)
				}
				reported = make(map[string]plan.Usage)
				for name, id := range ids {
					reported[name] = w.reported(id)
				}
				return reported, w.counted().Minus(before)
			}
			both, counted := run("words", "sorted")
			sum := both["words"].Plus(both["sorted"])
			if kind == "file" { // the worker does not see the reads of job processes
				size := int64(len(strings.Join(input, "")))
				if sum.BytesDown < counted.BytesDown+2*size || sum.Gets <= counted.Gets {
					t.Errorf("reported are %d reads of %d bytes in all, of 2 × %d bytes", sum.Gets, sum.BytesDown, size)
				}
				sum.BytesDown, counted.BytesDown = 0, 0
			}
			if kind != "remote" { // reads go past the worker, and opening an object is no request
				sum.Gets, sum.Stats, counted.Gets, counted.Stats = 0, 0, 0, 0
			}
			if sum != counted {
				t.Errorf("reported are %+v\n the stores counted %+v", sum, counted)
			}
			for name, got := range both {
				alone, _ := run(name)
				want := alone[name]
				// Texts differ in length: logs, and objects with an attempt's name in
				// them.
				if got.Requests() == 0 || got.Puts != want.Puts || got.Gets != want.Gets || got.Lists != want.Lists || got.Multipart != want.Multipart || got.Deletes != want.Deletes {
					t.Errorf("for %s are reported %+v\n alone %+v", name, got, want)
				}
			}
		})
	}
}

// TestRequestsOfFailuresAreReported verifies that requests are reported of an
// attempt that fails, even if its process is gone; of one that was stopped; and of
// one that failed before there was any process.
func TestRequestsOfFailuresAreReported(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"error", "exit"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "remote", nil)
			w.write(t, "hay\ngo\n")
			id := w.submit(t, "misbehave", map[string]string{"how": how, "path": w.cfg.CacheDir}, nil)
			before := w.counted()
			l := w.firstMap(t, id)
			planned := w.reported(id)
			for i := range int64(2) {
				w.failed(t, l, &host{spent: w.hear(id)})
				// Its log is written by now.
				if got := w.reported(id); got.Puts < planned.Puts+1+i || got.Gets < planned.Gets+1+i {
					t.Errorf("after %d failures %+v are reported, after planning %+v", i+1, got, planned)
				}
				l.Attempt.N++
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got, want := w.reported(id), w.counted().Minus(before); got != want {
				t.Errorf("reported are %+v, the stores counted %+v", got, want)
			}
		})
	}
	w := newWorld(t, "remote", nil)
	w.write(t, "hay\ngo\n")
	stopped := w.submit(t, "matching", map[string]string{"word": "hay"}, nil)
	l := w.firstMap(t, stopped)
	planned := w.reported(stopped)
	ctx, stop := context.WithCancel(t.Context())
	h := &host{spent: w.hear(stopped), refuse: make(chan struct{}), asked: stop}
	if o := w.Run(ctx, l, h); o.Result != cluster.Lost {
		t.Fatalf("an attempt that was stopped: %+v", o)
	}
	if got := w.reported(stopped); got.Gets <= planned.Gets {
		t.Errorf("for an attempt that was stopped when it had read its input %+v are reported, after planning %+v", got, planned)
	}
	id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Input = []string{"mem://nothing/here"} })
	w.failed(t, w.launch(id, plan.Prepare, 0), &host{spent: w.hear(id)})
	if got := w.reported(id); got.Requests() < 3 { // the spec, the input, the log
		t.Errorf("for a job without input %+v are reported", got)
	}
}
