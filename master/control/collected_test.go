package control_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// TestRetryAfterCollection verifies that a job which failed late, whose map output
// was collected as garbage, can be retried any number of times: each time the first
// reduce finds all that is gone, the maps run again at once, and neither they nor the
// reduce are blamed.
func TestRetryAfterCollection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 40
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 8)
		id := b.submit(m, submission())
		big := &attempts.Table{Job: id, Partitions: partition, PartOnce: true, Input: many * half}
		for i := range many {
			o := plan.Object{Root: "mem://data", Key: fmt.Sprintf("in/%d", i), Size: half}
			big.Splits = append(big.Splits, plan.Split{Sections: []plan.Section{{Object: o, Length: half}}})
		}
		w.ends(w.plans(w.launchedAt(plan.Prepare), big))
		scratch := b.root.Sub(plan.ScratchPrefix(id))
		// step does the next attempt, and returns its phase. A reduce reads the
		// manifests of the maps as workers do, and stops at the first that is gone.
		step := func(cycle int, last bool) (phase plan.Phase, lost bool) {
			l := w.launched()
			if l.Task.Phase == plan.Map {
				w.ends(w.manifest(mapped(l)))
				return plan.Map, false
			}
			read, err := m.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: id, Group: l.Task.Group(), Generation: l.Work})
			b.must(err)
			for i, attempt := range read.Work.Reads[0].Attempts {
				task := plan.TaskID{Phase: plan.Map, Index: i}
				if _, err := attempts.ReadManifest(t.Context(), scratch, id, task, attempt); err != nil {
					w.ends(cluster.Outcome{Ref: l.Ref, Result: cluster.Lost, Failure: plan.Failure{Text: err.Error()},
						LostInput: &cluster.Ref{Job: id, Task: task, Attempt: attempt}})
					return plan.Reduce, true
				}
			}
			if !last {
				w.fails(l, plan.Failure{Text: fmt.Sprintf("no luck in cycle %d", cycle), Final: true})
				return plan.Reduce, false
			}
			w.granted(l.Ref)
			o := w.reduces(l)
			o.Digest.In = many * records
			w.ends(o)
			return plan.Reduce, false
		}
		const cycles = 6
		for cycle := range cycles {
			maps, losses := 0, 0
			for done := false; !done; {
				phase, lost := step(cycle, cycle == cycles-1)
				switch {
				case phase == plan.Map:
					maps++
				case lost:
					losses++
				default:
					done = true
				}
			}
			if want := min(cycle, 1); maps != many || losses != want {
				t.Errorf("in cycle %d %d maps ran, and a reduce found some gone %d times; want %d and %d", cycle, maps, losses, many, want)
			}
			if cycle == cycles-1 {
				break
			}
			if d := w.done(id, client.FailedJob); d.Cause.Text != fmt.Sprintf("no luck in cycle %d", cycle) {
				t.Fatalf("in cycle %d it failed because of %+v", cycle, d.Cause)
			}
			time.Sleep(2 * keep)
			w.say()
			g, err := m.Collect(t.Context(), false)
			b.must(err)
			if !slices.ContainsFunc(g.Jobs, func(i client.GarbageItem) bool { return i.Objects >= 2*many }) {
				t.Errorf("the garbage of cycle %d is %+v", cycle, g)
			}
			b.must(m.Retry(t.Context(), id, 0))
		}
		w.done(id, client.Succeeded)
	})
}

// TestProgramsOutliveAStoppedCollection verifies that a master which was stopped
// during a collection of garbage, and deposed, deletes no program that a job of the
// next leader needs when it wakes up: the next leader takes the program for gone, and
// the client uploads it again.
func TestProgramsOutliveAStoppedCollection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		one := b.start("one")
		const program = "a program"
		digest := digestOf(program)
		b.upload(one, digest, program)
		time.Sleep(2 * keep)
		stopped := &held{part: digest, free: make(chan struct{})}
		one.held.Store(stopped)
		collected := make(chan error, 1)
		go func() {
			_, err := one.Collect(t.Context(), false)
			collected <- err
		}()
		for !stopped.waiting.Load() {
			time.Sleep(time.Second)
		}
		one.stop()
		two := b.start("two")
		if there, err := two.HasBundle(t.Context(), digest); err != nil || there {
			t.Errorf("the program that is being deleted counts as there: %v", err)
		}
		s := submission()
		s.Bundles = []plan.Bundle{{OS: "linux", Arch: "amd64", Digest: digest, Size: int64(len(program))}}
		_, err := two.Submit(t.Context(), s)
		wants(t, "a submission without it", err, plan.Invalid, "was not uploaded")
		b.upload(two, digest, program)
		id := b.submit(two, s)
		close(stopped.free)
		<-collected // it may notice that its master no longer leads
		spec, err := two.Spec(t.Context(), id)
		b.must(err)
		for _, p := range spec.Programs() {
			if body, err := b.root.Get(t.Context(), p.Key(), 100); err != nil || string(body) != program {
				t.Errorf("the job's program is %q, %v", body, err)
			}
		}
		if _, err := b.root.Stat(t.Context(), plan.BundleKey(digest, 0)); plan.KindOf(err) != plan.NotFound {
			t.Errorf("the old one: %v", err)
		}
	})
}

// TestRetryWhileItsProgramIsCollected verifies that a job cannot be retried whose
// program a stopped master will delete when it wakes up, although it is still there.
func TestRetryWhileItsProgramIsCollected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		one := b.start("one")
		w := b.worker(one, "w", 1)
		const program = "a program"
		digest := digestOf(program)
		b.upload(one, digest, program)
		s := submission()
		s.Bundles = []plan.Bundle{{OS: "linux", Arch: "amd64", Digest: digest, Size: int64(len(program))}}
		id := b.submit(one, s)
		w.fails(w.launchedAt(plan.Prepare), plan.Failure{Text: "no luck", Final: true})
		w.done(id, client.FailedJob)
		time.Sleep(2 * keep)
		w.say()
		stopped := &held{part: digest, free: make(chan struct{})}
		one.held.Store(stopped)
		collected := make(chan error, 1)
		go func() {
			_, err := one.Collect(t.Context(), false)
			collected <- err
		}()
		for !stopped.waiting.Load() {
			time.Sleep(time.Second)
		}
		one.stop()
		two := b.start("two")
		if _, err := b.root.Stat(t.Context(), plan.BundleKey(digest, 0)); err != nil {
			t.Fatal(err)
		}
		wants(t, "a retry", two.Retry(t.Context(), id, 0), plan.Conflict, "has been removed: submit it again")
		close(stopped.free)
		<-collected
	})
}
