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

// leadMany starts a master on a store where each request takes a round trip, and
// where many jobs have ended.
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
	}
	roots, err := allow.New([]string{"mem://data"}, store.Options{Mem: space})
	must(err)
	slow := fault.New(fault.Rule{Do: fault.Slow, For: trip, Percent: 100})
	far, err := store.Open(ctx, "mem://truth", store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver {
		return meter.Wrap(slow.Wrap(faulttest.Remote(d, 1024)))
	}})
	must(err)
	m = start(t, far, roots)
	return m, ids
}

// TestJobsAreReadAhead verifies that a client that asks for many jobs does not wait for
// one after the other, and that a client that asks for few does not pay for many.
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
