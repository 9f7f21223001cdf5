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
			read, err := m.Maps(t.Context(), &cluster.MapsQuery{Version: cluster.Version, Job: id, Generation: l.Maps})
			b.must(err)
			for i, attempt := range read.Attempts {
				task := plan.TaskID{Phase: plan.Map, Index: i}
				if _, err := attempts.ReadManifest(t.Context(), scratch, id, task, attempt, partition); err != nil {
					w.ends(cluster.Outcome{Ref: l.Ref, Result: cluster.Lost, Failure: plan.Failure{Text: err.Error()},
						LostMap: &cluster.Ref{Job: id, Task: task, Attempt: attempt}})
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
			b.must(m.Retry(t.Context(), id))
		}
		w.done(id, client.Succeeded)
	})
}
