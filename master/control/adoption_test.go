package control_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestAdoption verifies that a new leader finds work that was finished and not
// reported: it does not run again.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, phase := range []plan.Phase{plan.Prepare, plan.Map, plan.Reduce} {
		t.Run(phase.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 1)
				id := b.submit(m, submission())
				b.upTo(w, phase)
				l := w.launchedAt(phase)
				switch phase { // its end is not reported
				case plan.Prepare:
					w.plans(l, table(id))
				case plan.Map:
					w.manifest(mapped(l))
				default:
					w.granted(l.Ref)
					w.reduces(l)
				}
				m.stop() // the worker dies with the master
				m = b.start("two")
				if tasks, committed := phaseOf(b.job(m, id), phase); committed != 1 && !b.job(m, id).State.Ended() {
					t.Errorf("of the phase %v, %d of %d are committed", phase, committed, tasks)
				}
				other := b.worker(m, "other", 1)
				other.done(id, client.Succeeded)
				for ref := range other.got {
					if ref.Task == l.Task {
						t.Errorf("the new leader launches %v", ref)
					}
				}
			})
		})
	}
}

// TestNoAdoption verifies that a new leader does not take unfinished or damaged work
// for finished.
func TestNoAdoption(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		phase plan.Phase
		leave func(w *worker, l cluster.Launch)
	}{
		"a damaged table": {plan.Prepare, func(w *worker, l cluster.Launch) {
			w.must(w.root.Put(w.t.Context(), plan.TableKey(l.Job, l.Attempt), []byte("half"), store.Durable))
		}},
		"a damaged manifest": {plan.Map, func(w *worker, l cluster.Launch) {
			key := plan.ScratchPrefix(l.Job) + attempts.ManifestKey(l.Task, l.Attempt)
			w.must(w.root.Put(w.t.Context(), key, []byte("half"), store.Durable))
		}},
		"the manifest of another task": {plan.Map, func(w *worker, l cluster.Launch) {
			m := mapped(l)
			m.Task.Index += 5
			w.manifest(m)
		}},
		"a part that was not granted": {plan.Reduce, func(w *worker, l cluster.Launch) { w.reduces(l) }},
		"a part that is not whole": {plan.Reduce, func(w *worker, l cluster.Launch) {
			w.granted(l.Ref)
			w.reduces(l)
			w.must(w.data.Put(w.t.Context(), "out/"+table(l.Job).PartName(l.Task, l.Attempt, 0, 0), []byte(sorted[1:]), store.Durable))
		}},
		"a part that is missing": {plan.Reduce, func(w *worker, l cluster.Launch) {
			w.granted(l.Ref)
			w.reduces(l)
			w.must(w.data.Delete(w.t.Context(), "out/"+table(l.Job).PartName(l.Task, l.Attempt, 0, 0)))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 1)
				id := b.submit(m, submission())
				b.upTo(w, tt.phase)
				l := w.launchedAt(tt.phase)
				tt.leave(w, l)
				m.stop()
				m = b.start("two")
				other := b.worker(m, "other", 1)
				other.done(id, client.Succeeded)
				var again []plan.TaskID
				for ref := range other.got {
					again = append(again, ref.Task)
				}
				if !slices.Contains(again, l.Task) {
					t.Errorf("the new leader launches %v, and not %v", again, l.Task)
				}
			})
		})
	}
}

// TestReportThatWasLost verifies that work is found in the store if its worker no
// longer knows the attempt, and its report did not arrive.
func TestReportThatWasLost(t *testing.T) {
	t.Parallel()
	for _, left := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t)
			m := b.start("one")
			w := b.worker(m, "w", 1)
			id := b.submit(m, submission())
			b.upTo(w, plan.Map)
			l := w.launchedAt(plan.Map)
			w.say() // it runs
			if left {
				w.manifest(mapped(l))
			}
			w.forget(l.Ref)
			w.done(id, client.Succeeded)
			again := 0
			for ref := range w.got {
				if ref.Task == l.Task {
					again++
				}
			}
			if want := map[bool]int{true: 1, false: 2}[left]; again != want {
				t.Errorf("with a manifest %v: %d attempts at %v, want %d", left, again, l.Task, want)
			}
		})
	}
}

// TestPlanIsLost verifies that a job whose task table is gone ends, with advice, when a
// new leader cannot read it.
func TestPlanIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		l := w.launchedAt(plan.Prepare)
		w.works(l)
		w.launchedAt(plan.Map)
		b.must(b.root.Delete(t.Context(), plan.TableKey(id, l.Attempt)))
		m.stop()
		m = b.start("two")
		d := b.job(m, id)
		if d.State != client.FailedJob || d.Cause == nil || d.Cause.Kind != plan.Inconsistent {
			t.Fatalf("it is %s: %+v", d.State, d.Cause)
		}
		wants(t, "the cause", client.Errorf(d.Cause.Kind, "%s", d.Cause.Text), plan.Inconsistent, "task table is lost", "rerun")
	})
}
