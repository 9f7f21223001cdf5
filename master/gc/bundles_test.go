package gc_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// program is the digest of a program that jobs use.
var program = strings.Repeat("5f", 32)

// using returns the specification of a job that uses programs.
func using(id plan.JobID, digests ...string) plan.Spec {
	spec := plan.Spec{ID: id, Output: "mem://data/out"}
	for _, d := range digests {
		spec.Bundles = append(spec.Bundles, plan.Bundle{OS: "linux", Arch: "amd64", Digest: d, Size: 4})
	}
	return spec
}

// TestCollectPrograms verifies that a program stays for as long as a job may run it:
// one under way, or one that failed recently and may be retried.
func TestCollectPrograms(t *testing.T) {
	t.Parallel()
	ended := func(state client.State, after time.Duration) func(c *cluster) {
		return func(c *cluster) {
			c.submit(using(over, program))
			time.Sleep(2 * keep)
			c.end(client.Job{ID: over, State: state})
			time.Sleep(after)
		}
	}
	for name, tt := range map[string]struct {
		job   func(c *cluster)
		stays bool
	}{
		"no job":                    {func(*cluster) { time.Sleep(2 * keep) }, false},
		"no job, uploaded recently": {func(*cluster) { time.Sleep(keep) }, true},
		"a job under way":           {func(c *cluster) { c.submit(using(over, program)); time.Sleep(2 * keep) }, true},
		"the second program of one": {func(c *cluster) { c.submit(using(over, "00", program)); time.Sleep(2 * keep) }, true},
		"a job with it as a file": {func(c *cluster) {
			spec := using(over, "00")
			spec.Files = []plan.File{{Name: "f", Digest: program, Size: 4}}
			c.submit(spec)
			time.Sleep(2 * keep)
		}, true},
		"a job with another program": {func(c *cluster) { c.submit(using(over, "00")); time.Sleep(2 * keep) }, false},
		"a job that succeeded":       {ended(client.Succeeded, time.Second), false},
		"a job that failed":          {ended(client.FailedJob, keep), true},
		"a job that was cancelled":   {ended(client.Cancelled, keep), true},
		"a job that failed long ago": {ended(client.FailedJob, keep+time.Second), false},
		"a job that failed long ago and is driven": {func(c *cluster) {
			ended(client.FailedJob, keep+time.Second)(c)
			c.jobs.busy[over] = true
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
				key := plan.BundleKey(program, 0)
				c.put(key)
				tt.job(c)
				g := c.collect(true)
				if slices.Contains(prefixes(g), plan.BundlePrefix) == tt.stays {
					t.Errorf("a dry run lists %+v", g.Jobs)
				}
				if len(c.have(key)) != 1 {
					t.Error("a dry run has removed the program")
				}
				c.collect(false)
				if stays := len(c.have(key)) == 1; stays != tt.stays {
					t.Errorf("the program stays: %v, want %v", stays, tt.stays)
				}
				if len(g.Skipped) != 0 {
					t.Errorf("skipped: %+v", g.Skipped)
				}
			})
		})
	}
}

// TestCollectKeepsProgramsOfSubmissions verifies that a job that is submitted while a
// collection looks at the others keeps its program.
func TestCollectKeepsProgramsOfSubmissions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
		c.put(plan.BundleKey(program, 0), plan.BundleKey("00", 0))
		time.Sleep(2 * keep)
		c.jobs.holding = func() { c.submit(using(active, program)) } // the last before the others wait
		g := c.collect(false)
		if g.Objects != 1 || len(c.have(plan.BundleKey(program, 0))) != 1 {
			t.Errorf("%+v went, with the program of a new job", g)
		}
		if len(c.have(plan.BundleKey("00", 0))) != 0 {
			t.Error("a program that no job needs stays")
		}
	})
}

// TestCollectKeepsProgramsOfRetries is the same for a job that failed long ago, which
// the first look finds without a need for its program, and which is retried then.
func TestCollectKeepsProgramsOfRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
		c.put(plan.BundleKey(program, 0))
		c.submit(using(over, program))
		c.end(client.Job{ID: over, State: client.FailedJob})
		time.Sleep(2 * keep)
		c.jobs.holding = func() { c.jobs.busy[over] = true }
		if g := c.collect(false); g.Objects != 0 || len(c.have(plan.BundleKey(program, 0))) != 1 {
			t.Errorf("%+v went, with the program of a job that was retried", g)
		}
	})
}

// TestCollectKeepsProgramsOfUnreadableJobs verifies that all programs stay while it is
// unknown which ones a job needs, and that the answer says which job that is.
func TestCollectKeepsProgramsOfUnreadableJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, "mem://truth", "mem://data", store.Options{Mem: new(store.MemSpace)})
		c.put(plan.BundleKey(program, 0))
		_, _, err := journal.CreateJob(t.Context(), c.root, active, []byte("not a specification"))
		c.must(err)
		c.must(journal.Activate(t.Context(), c.root, journal.Run{Job: active}))
		time.Sleep(2 * keep)
		for _, dryRun := range []bool{true, false} {
			g := c.collect(dryRun)
			if g.Objects != 0 || len(c.have(plan.BundleKey(program, 0))) != 1 {
				t.Errorf("dry run %v: %+v went", dryRun, g)
			}
			if len(g.Skipped) != 1 || g.Skipped[0].Prefix != plan.BundlePrefix || !strings.Contains(g.Skipped[0].Error, string(active)) {
				t.Errorf("dry run %v: skipped %+v", dryRun, g.Skipped)
			}
		}
		// When the job has ended and can no longer be retried, it needs no program.
		c.end(client.Job{ID: active, State: client.Cancelled})
		time.Sleep(keep + time.Second)
		if g := c.collect(false); g.Objects != 1 || len(g.Skipped) != 0 || len(c.have(plan.BundleKey(program, 0))) != 0 {
			t.Errorf("after its end: %+v", g)
		}
	})
}
