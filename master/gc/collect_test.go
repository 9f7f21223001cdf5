package gc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/store/meter"
)

var discarded = slog.New(slog.DiscardHandler)

// objects returns the keys of all kinds of objects that a job leaves: those that
// the job can make again, its task table and sample, and its records.
func objects(id plan.JobID) (runs, fixed, records []string) {
	first := plan.AttemptID{Epoch: 1, N: 1}
	scratch := plan.ScratchPrefix(id)
	mapped := attempts.ManifestKey(plan.TaskID{Phase: plan.Map}, first)
	sampled := attempts.ManifestKey(plan.TaskID{Phase: plan.Sample}, first)
	return []string{scratch + "run", scratch + mapped}, []string{plan.TableKey(id, first), scratch + sampled},
		[]string{plan.SpecKey(id), plan.LogKey(id, plan.TaskID{Phase: plan.Map}, first)}
}

// TestCollectByState verifies which objects of a job go after it has ended: all but
// its records if it cannot be retried, and only those that a retry can make again
// if it can.
func TestCollectByState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state client.State
		why   string
		goes  bool // the task table and the sample
	}{
		{client.Succeeded, "job " + string(over) + " (sort) has ended: it succeeded", true},
		{client.FailedJob, "job " + string(over) + " (sort) has ended: it failed", false},
		{client.Cancelled, "job " + string(over) + " (sort) was cancelled", false},
	} {
		t.Run(string(tt.state), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
				c.submit(plan.Spec{ID: over, Output: "mem://data/out"})
				runs, fixed, records := objects(over)
				all := slices.Concat(runs, fixed, records)
				c.put(slices.Concat(runs, fixed, records[1:])...)
				c.end(client.Job{ID: over, State: tt.state, Output: "mem://data/out"})

				time.Sleep(keep)
				if g := c.collect(false); g.Objects != 0 || len(g.Jobs) != 0 || len(c.have(all...)) != len(all) {
					t.Errorf("a job that ended %v ago: %+v", keep, g)
				}
				time.Sleep(time.Second)

				kept := slices.Concat(fixed, records)
				items := []client.GarbageItem{{Prefix: plan.ScratchPrefix(over), Why: tt.why, Objects: 2, Bytes: 8}}
				if tt.goes {
					kept = records
					items[0].Objects, items[0].Bytes = 3, 12
					items = append(items, client.GarbageItem{Prefix: plan.TablePrefix(over), Why: tt.why, Objects: 1, Bytes: 4})
				}
				dry := c.collect(true)
				if !reflect.DeepEqual(dry.Jobs, items) {
					t.Errorf("a dry run lists %+v\nwant %+v", dry.Jobs, items)
				}
				if got := c.have(all...); !slices.Equal(got, all) {
					t.Errorf("a dry run left %q", got)
				}
				if c.jobs.confirms != 0 {
					t.Errorf("a dry run, which deletes nothing, confirmed the leadership %d times", c.jobs.confirms)
				}
				wet := c.collect(false)
				wet.DryRun = true
				if !reflect.DeepEqual(wet, dry) {
					t.Errorf("a collection reports %+v\nits dry run reported %+v", wet, dry)
				}
				if got := c.have(all...); !slices.Equal(got, kept) {
					t.Errorf("left: %q\nwant: %q", got, kept)
				}
				if g := c.collect(false); g.Objects != 0 || g.Bytes != 0 || len(g.Jobs) != 0 {
					t.Errorf("the second time: %+v", g)
				}
			})
		})
	}
}

// TestCollectLeavesJobsUnderWay verifies that nothing goes of a job that is driven,
// or that the index has as active: a retry of a job that ended long ago uses its runs.
func TestCollectLeavesJobsUnderWay(t *testing.T) {
	t.Parallel()
	for name, reopen := range map[string]func(c *cluster){
		"in the index": func(c *cluster) { c.must(journal.Activate(c.t.Context(), c.root, journal.Run{Job: over, Number: 1})) },
		"driven":       func(c *cluster) { c.jobs.busy[over] = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
				c.submit(plan.Spec{ID: over, Output: "mem://data/out"})
				runs, fixed, _ := objects(over)
				c.put(slices.Concat(runs, fixed)...)
				c.end(client.Job{ID: over, State: client.FailedJob})
				time.Sleep(2 * keep)
				reopen(c)
				if g := c.collect(false); g.Objects != 0 || len(g.Jobs) != 0 {
					t.Errorf("of a job under way goes %+v", g)
				}
				if got := c.have(runs...); !slices.Equal(got, runs) {
					t.Errorf("left: %q", got)
				}
			})
		})
	}
}

// TestCollectLeavesUnknownObjects verifies that a job that is in no index keeps
// everything: its submission may be under way.
func TestCollectLeavesUnknownObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
		runs, fixed, records := objects(unknown)
		all := slices.Concat(runs, fixed, records, []string{"leaders/other", "other"})
		c.put(all...)
		time.Sleep(100 * keep)
		if g := c.collect(false); g.Objects != 0 {
			t.Errorf("of a job without a log goes %+v", g)
		}
		if got := c.have(all...); !slices.Equal(got, all) {
			t.Errorf("left: %q", got)
		}
	})
}

// TestCollectByAFormerLeader verifies that a master that no longer leads deletes
// nothing: the new leader may have retried the job.
func TestCollectByAFormerLeader(t *testing.T) {
	t.Parallel()
	runs, _, _ := objects(over)
	program := plan.BundleKey(strings.Repeat("5f", 32), 0)
	for name, garbage := range map[string]string{"runs": runs[0], "programs": program} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
				c.submit(plan.Spec{ID: over, Output: "mem://data/out"})
				c.put(garbage)
				c.end(client.Job{ID: over, State: client.Succeeded})
				time.Sleep(2 * keep)
				c.jobs.deposed = true
				if _, err := c.gc.Collect(t.Context(), false); !errors.Is(err, errDeposed) {
					t.Errorf("a former leader's collection ends with %v", err)
				}
				if c.jobs.holds != 0 {
					t.Errorf("submissions are still held back")
				}
				if got := c.have(garbage); len(got) != 1 {
					t.Error("a former leader has deleted the object")
				}
			})
		})
	}
}

// TestCollectFailsWithTheStore verifies that a collection does not take a store
// that fails for one without objects.
func TestCollectFailsWithTheStore(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"500:100% list", "500:100% read", "500:100% delete"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rules, err := fault.Parse(rule)
				if err != nil {
					t.Fatal(err)
				}
				space, faults := new(store.MemSpace), fault.New(rules...)
				c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: space})
				c.submit(plan.Spec{ID: over, Output: "mem://data/out"})
				c.put(plan.ScratchPrefix(over) + "run")
				c.end(client.Job{ID: over, State: client.Succeeded})
				time.Sleep(2 * keep)
				bad := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: space, Wrap: faults.Wrap})
				if _, err := bad.gc.Collect(t.Context(), false); plan.KindOf(err) != plan.Unavailable {
					t.Errorf("a collection on a store that fails ends with %v (%v)", plan.KindOf(err), err)
				}
				if g := c.collect(false); g.Objects != 1 { // the next one continues
					t.Errorf("when the store works again: %+v", g)
				}
			})
		})
	}
}

const (
	many = 200 // jobs
	trip = 30 * time.Millisecond
)

// farCluster returns a cluster on a store where each request takes a round trip, and
// where many jobs ended long ago, each with an object that is garbage.
func farCluster(t *testing.T) (c *cluster, ids []plan.JobID) {
	t.Helper()
	space := new(store.MemSpace)
	near := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: space})
	for i := range many {
		id := plan.JobID(fmt.Sprintf("01JZ00000000000000000%05d", i))
		ids = append(ids, id)
		near.end(client.Job{ID: id, State: client.Succeeded})
		near.put(plan.ScratchPrefix(id) + "run")
	}
	time.Sleep(2 * keep)
	slow := fault.New(fault.Rule{Do: fault.Slow, For: trip, Percent: 100})
	return newCluster(t, "mem://truth", "mem://data", store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver {
		return meter.Wrap(slow.Wrap(faulttest.Remote(d, 1024)))
	}}), ids
}

// TestCollectLooksSideBySide verifies that a collection looks at many jobs at the
// same time, and lists them in the order of their ids. A cluster may have millions of
// jobs, and a store may be far away.
func TestCollectLooksSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, ids := farCluster(t)
		want := make([]string, len(ids))
		for i, id := range ids {
			want[i] = plan.ScratchPrefix(id)
		}
		for _, dryRun := range []bool{true, false} {
			var asked meter.Tally
			began := time.Now()
			g, err := c.gc.Collect(meter.With(t.Context(), &asked), dryRun)
			if err != nil {
				t.Fatal(err)
			}
			took, n := time.Since(began), asked.Requests().Total()
			if got := prefixes(g); !slices.Equal(got, want) || g.Objects != many || g.Bytes != many*int64(len("some")) {
				t.Errorf("dry %v: %d objects of %d jobs, %d bytes are listed; in order: %v", dryRun, g.Objects, len(got), g.Bytes, slices.IsSorted(got))
			}
			if !dryRun {
				if n.Deletes != many+1 { // and the probe of the store's clock
					t.Errorf("%d objects were deleted", n.Deletes)
				}
				continue
			}
			// A collection looks at each job twice, for its leftovers and for its
			// programs. Each time it lists the job's ended runs and reads the
			// summary of one. It also lists the two prefixes of leftovers.
			if n.Gets != 2*many || n.Lists < 4*many || n.Lists > 4*many+10 {
				t.Errorf("%d reads and %d listings for %d jobs", n.Gets, n.Lists, many)
			}
			if most := time.Duration(n.Gets+n.Lists) * trip / 10; took > most {
				t.Errorf("it took %v, more than %v", took, most)
			}
		}
	})
}

// TestCollectLooksAgainBeforeItDeletes verifies that a job which is retried while its
// leftovers wait for their turn keeps them.
func TestCollectLooksAgainBeforeItDeletes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
		run := plan.ScratchPrefix(over) + "run"
		c.put(run)
		c.end(client.Job{ID: over, State: client.FailedJob})
		time.Sleep(2 * keep)
		c.jobs.confirming = func() { c.jobs.busy[over] = true }
		if g := c.collect(false); g.Objects != 0 || len(c.have(run)) != 1 {
			t.Errorf("%+v went, with what a retried job needs", g)
		}
		c.jobs.confirming, c.jobs.busy[over] = nil, false
		if g := c.collect(false); g.Objects != 1 || len(c.have(run)) != 0 {
			t.Errorf("when it is over again, %+v went", g)
		}
	})
}

// TestAgesAreOfTheStoresClock verifies that a collection reckons ages by the times of
// the store alone, and not by those of masters, whose clocks may be days off: the end
// of a job and programs are young until the store says otherwise.
func TestAgesAreOfTheStoresClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
		run, program := plan.ScratchPrefix(over)+"run", plan.BundleKey(strings.Repeat("5f", 32), 0)
		c.put(run, program)
		body, err := json.Marshal(view.Summary{Job: client.Job{ID: over, State: client.FailedJob, Ended: time.Now().Add(-48 * time.Hour)}})
		c.must(err)
		c.must(journal.Conclude(t.Context(), c.root, journal.Run{Job: over}, body)) // by a master whose clock is behind
		time.Sleep(keep)
		if g := c.collect(false); g.Objects != 0 || len(c.have(run, program)) != 2 {
			t.Errorf("%+v went", g)
		}
		time.Sleep(time.Second)
		if g := c.collect(false); g.Objects != 2 || len(c.have(run, program)) != 0 {
			t.Errorf("when it is old, %+v went", g)
		}
	})
}
