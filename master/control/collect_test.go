package control_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/store/meter"
)

const (
	many = 200 // jobs
	trip = 30 * time.Millisecond
)

// leadMany starts a master on a store where each request takes a round trip.
// Many jobs have ended long ago on it, each with an object that is garbage.
func leadMany(t *testing.T) (m *control.Master, ids []plan.JobID) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, space := t.Context(), new(store.MemSpace)
	root, err := store.Open(ctx, "mem://truth", store.Options{Mem: space})
	must(err)
	for i := range many {
		id := plan.JobID(fmt.Sprintf("01JZ00000000000000000%05d", i))
		ids = append(ids, id)
		summary, err := json.Marshal(map[string]any{"job": client.Job{ID: id, Job: "sort", State: client.Succeeded, Ended: time.Now()}})
		must(err)
		must(journal.Conclude(ctx, root, journal.Run{Job: id}, summary))
		must(root.Put(ctx, plan.ScratchPrefix(id)+"run", []byte("some"), store.Scratch))
	}
	roots, err := allow.New([]string{"mem://data"}, store.Options{Mem: space})
	must(err)
	slow := fault.New(fault.Rule{Do: fault.Slow, For: trip, Percent: 100})
	far, err := store.Open(ctx, "mem://truth", store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver {
		return meter.Wrap(slow.Wrap(faulttest.Remote(d, 1024)))
	}})
	must(err)
	m = start(t, far, roots)
	time.Sleep(2 * grace)
	return m, ids
}

// TestCollectLooksSideBySide verifies that a collection inspects many ended jobs
// at once, and makes the same requests and the same list as if it inspected one
// after the other.
func TestCollectLooksSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, ids := leadMany(t)
		for _, dryRun := range []bool{true, false, false} {
			var asked meter.Tally
			began := time.Now()
			g, err := m.Collect(meter.With(t.Context(), &asked), dryRun)
			if err != nil {
				t.Fatal(err)
			}
			took, n := time.Since(began), asked.Requests().Total()
			if g.Objects == 0 { // the third, which finds nothing
				continue
			}
			var listed []plan.JobID
			for _, item := range g.Jobs {
				i := slices.IndexFunc(ids, func(id plan.JobID) bool { return plan.ScratchPrefix(id) == item.Prefix })
				listed = append(listed, ids[i])
			}
			if !slices.Equal(listed, ids) || g.Objects != many || g.Bytes != many*int64(len("some")) {
				t.Errorf("dry %v: %d objects of %d jobs, %d bytes are listed, in order %v", dryRun, g.Objects, len(listed), g.Bytes, slices.IsSorted(listed))
			}
			if !dryRun {
				if n.Deletes != many {
					t.Errorf("%d objects were deleted", n.Deletes)
				}
				continue
			}
			// For each job two reads of its end and its summary, and the listings of
			// two prefixes.
			if n.Gets != 2*many || n.Lists < 4*many || n.Lists > 4*many+10 {
				t.Errorf("%d reads and %d listings for %d jobs", n.Gets, n.Lists, many)
			}
			if most := time.Duration(n.Gets+n.Lists) * trip / 10; took > most {
				t.Errorf("it took %v, more than %v", took, most)
			}
		}
	})
}

// TestJobsAreReadAhead verifies that a client that asks for many jobs does not
// wait for one after the other, and that one that asks for few does not pay for
// many.
func TestJobsAreReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, ids := leadMany(t)
		slices.Reverse(ids)
		for n, most := range map[int]int64{1: 1, 3: 3, 21: 31, many: many} {
			for _, before := range []plan.JobID{"", ids[0]} {
				want := ids[:n]
				if before != "" {
					want = ids[1:min(n+1, many)]
				}
				var asked meter.Tally
				var got []plan.JobID
				began := time.Now()
				for job, err := range m.Jobs(meter.With(t.Context(), &asked), before) {
					if err != nil {
						t.Fatal(err)
					}
					if got = append(got, job.ID); len(got) == n {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d jobs before %q: %v", n, before, got)
				}
				if gets := asked.Requests().Total().Gets; gets > most || gets < int64(len(want)) {
					t.Errorf("of %d jobs %d were read", n, gets)
				}
				if took := time.Since(began); n == many && took > many*trip/5 {
					t.Errorf("%d jobs took %v", n, took)
				}
			}
		}
	})
}
