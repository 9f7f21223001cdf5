package master_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/master"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// finished returns a job all of whose tasks are committed except the last left
// ones.
func finished(maps, reduces, left int) *scheduler.Job {
	j := new(scheduler.Job)
	r := scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Fence{}, scheduler.Planned{Counts: plan.Counts{Maps: maps, Reduces: reduces}}}}
	for i := range maps + reduces - left {
		id := plan.TaskID{Phase: plan.Map, Index: i}
		if i >= maps {
			id = plan.TaskID{Phase: plan.Reduce, Index: i - maps}
		}
		r.Entries = append(r.Entries, scheduler.Committed{Task: id, Attempt: attempt(id)})
	}
	j.Fold(r)
	return j
}

func attempt(id plan.TaskID) plan.AttemptID {
	return plan.AttemptID{Epoch: 1, N: uint32(id.Index), Rand: uint32(id.Phase)}
}

// write returns the manifest of a task.
func write(id plan.TaskID, part bool) *plan.Manifest {
	m := &plan.Manifest{Task: id, Tally: plan.Tally{RecordsIn: 10, RecordsOut: 1, Counts: map[string]int64{"seen": 2},
		Stats: map[string]plan.Stat{"size": {Count: 1, Sum: 0.1 * float64(id.Index), Max: float64(id.Index)}}}}
	if part {
		m.Part = &plan.Part{Name: id.Key()}
	}
	return m
}

// TestGather reads many manifests side by side, some of them out of order:
// parts are in order, and sums are the same every time.
func TestGather(t *testing.T) {
	t.Parallel()
	var before plan.Tally
	for round := range 3 {
		synctest.Test(t, func(t *testing.T) {
			var reading, most atomic.Int64
			started := time.Now()
			parts, tally, err := master.Gather(t.Context(), finished(200, 100, 0), func(_ context.Context, id plan.TaskID, a plan.AttemptID) (*plan.Manifest, error) {
				now := reading.Add(1)
				defer reading.Add(-1)
				for n := most.Load(); now > n && !most.CompareAndSwap(n, now); n = most.Load() {
				}
				<-time.After(time.Duration(1+(id.Index*7+round)%5) * time.Second)
				if a != attempt(id) {
					return nil, fmt.Errorf("task %v: asked for attempt %v", id, a)
				}
				return write(id, id.Phase == plan.Reduce && id.Index != 50), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := most.Load(); n < 8 || n > 64 {
				t.Errorf("%d manifests were read at once", n)
			}
			if took := time.Since(started); took > 60*time.Second {
				t.Errorf("300 manifests of 3 s took %v", took)
			}
			if len(parts) != 99 || parts[0].Name != "r00000" || parts[49].Name != "r00049" || parts[50].Name != "r00051" {
				t.Errorf("parts %v", parts)
			}
			if tally.RecordsIn != 2000 || tally.RecordsOut != 300 || tally.Counts["seen"] != 600 || tally.Stats["size"].Max != 199 {
				t.Errorf("tally %+v", tally)
			}
			if round > 0 && tally.Stats["size"] != before.Stats["size"] {
				t.Errorf("sums differ: %v and %v", tally.Stats, before.Stats)
			}
			before = tally
		})
	}
}

// TestMapOnly verifies the counts of a map-only job.
func TestMapOnly(t *testing.T) {
	t.Parallel()
	parts, tally, err := master.Gather(t.Context(), finished(3, 0, 0), func(_ context.Context, id plan.TaskID, _ plan.AttemptID) (*plan.Manifest, error) {
		return write(id, true), nil
	})
	if err != nil || len(parts) != 3 || tally.RecordsIn != 30 || tally.RecordsOut != 3 {
		t.Errorf("%v, %+v, %v", parts, tally, err)
	}
}

// TestGatherFails verifies that Gather fails with the first error, when the
// caller stops it, and for a job that is not complete; then it returns no
// result.
func TestGatherFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("a manifest is gone")
	var reads atomic.Int64
	read := func(ctx context.Context, id plan.TaskID, _ plan.AttemptID) (*plan.Manifest, error) {
		reads.Add(1)
		if id.Index == 40 {
			return nil, broken
		}
		if id.Index > 40 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return write(id, true), nil
	}
	parts, tally, err := master.Gather(t.Context(), finished(10_000, 0, 0), read)
	if !errors.Is(err, broken) || parts != nil || tally.RecordsIn != 0 {
		t.Errorf("%d parts, %+v, %v", len(parts), tally, err)
	}
	if n := reads.Load(); n > 200 {
		t.Errorf("%d manifests were read after the first had failed", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := master.Gather(ended, finished(10, 0, 0), read); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has stopped it gets %v", err)
	}
	if _, _, err := master.Gather(t.Context(), finished(3, 2, 1), read); err == nil {
		t.Error("a job that is not complete is gathered")
	}
}

// TestManyTasks verifies that each of many tasks counts once, in its order.
func TestManyTasks(t *testing.T) {
	t.Parallel()
	parts, tally, err := master.Gather(t.Context(), finished(3000, 0, 0), func(_ context.Context, id plan.TaskID, _ plan.AttemptID) (*plan.Manifest, error) {
		return write(id, true), nil
	})
	if err != nil || tally.RecordsIn != 30_000 || tally.Stats["size"].Max != 2999 {
		t.Errorf("%+v, %v", tally, err)
	}
	for i, p := range parts {
		if want := (plan.TaskID{Phase: plan.Map, Index: i}).Key(); p.Name != want {
			t.Fatalf("part %d is %s", i, p.Name)
		}
	}
	if len(parts) != 3000 {
		t.Errorf("%d parts", len(parts))
	}
}
