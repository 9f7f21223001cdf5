package gc_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// uploads is a cluster on stores whose unfinished uploads a test can list. One of
// its jobs has succeeded in its second run, and another is under way.
type uploads struct {
	*cluster
	drivers map[string]driver.Driver // by the URL of the memory space
	refuse  string                   // the space that does not list uploads
}

// refusing is a store that may refuse to list uploads.
type refusing struct {
	driver.Driver
	uploads *uploads
}

func (d refusing) ListUploads(prefix string) driver.UploadPager {
	if d.uploads.refuse == d.Traits().URL {
		return refusal{}
	}
	return d.Driver.(driver.UploadLister).ListUploads(prefix)
}

func (d refusing) AbortUpload(ctx context.Context, u store.Unfinished) error {
	return d.Driver.(driver.UploadLister).AbortUpload(ctx, u)
}

type refusal struct{}

func (refusal) Next(context.Context) ([]store.Unfinished, bool, error) {
	return nil, false, driver.Fail(plan.Denied, "you may not list uploads")
}

// newUploads starts a cluster with its root below rootURL, and the output of both
// jobs in outURL/out.
func newUploads(t *testing.T, rootURL, outURL string) *uploads {
	t.Helper()
	c := &uploads{drivers: make(map[string]driver.Driver)}
	c.cluster = newCluster(t, rootURL, outURL, store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver {
		if url := d.Traits().URL; strings.HasPrefix(url, "mem:") {
			c.drivers[url] = faulttest.Remote(d, 1024)
			return refusing{c.drivers[url], c}
		}
		return d
	}})
	for _, id := range []plan.JobID{over, active} {
		c.submit(plan.Spec{ID: id, Output: outURL + "/out"})
	}
	c.end(client.Job{ID: over, State: client.FailedJob, Output: outURL + "/out"})
	c.end(client.Job{ID: over, State: client.Succeeded, Run: 1, Output: outURL + "/out"})
	return c
}

// begin begins uploads that are never completed.
func (c *uploads) begin(space string, keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		u, err := c.drivers[space].Upload(c.t.Context(), key, store.CreateOptions{})
		c.must(err)
		c.must(u.Part(c.t.Context(), 1, []byte("some")))
	}
}

// left returns the keys of all uploads of a space, in order.
func (c *uploads) left(space string) (keys []string) {
	c.t.Helper()
	pager := c.drivers[space].(driver.UploadLister).ListUploads("")
	for last := false; !last; {
		var page []store.Unfinished
		var err error
		page, last, err = pager.Next(c.t.Context())
		c.must(err)
		for _, u := range page {
			keys = append(keys, u.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// uploadsOf returns the number of uploads by prefix.
func uploadsOf(g client.Garbage) map[string]int64 {
	all := make(map[string]int64)
	for _, item := range g.Jobs {
		all[item.Prefix] += item.Uploads
	}
	return all
}

func part(job plan.JobID, run int, ext string) string {
	return "out/" + output.PartName(plan.TaskID{Phase: plan.Reduce, Index: 3}, job, run, ext)
}

// TestCollectAbortsUploads verifies that old uploads of jobs that have ended go, and
// that uploads that are new, of others, or whose name is unknown stay.
func TestCollectAbortsUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newUploads(t, "mem://truth/prod", "mem://data/a")
		scratch := func(job plan.JobID) string { return "prod/" + plan.ScratchPrefix(job) + "run" }
		gone := map[string][]string{
			"mem://truth": {scratch(over), "prod/" + plan.TablePrefix(over) + "1.1.1", "prod/" + plan.BundleKey("5f", 0)},
			"mem://data": {"a/" + part(over, 0, ".gz"), "a/" + part(over, 1, ""), "a/" + part(over, 1, ".7.txt"),
				"a/out/part-m-00000-" + strings.ToLower(over.Short()) + ".0", "a/out/_windrow/probe/12-parts",
				"a/out/sub/" + part(over, 0, "")[len("out/"):]}, // of an output with a name
		}
		kept := map[string][]string{
			"mem://truth": {scratch(active), scratch(unknown), "prod/out/part-r-00000-x", "prod/x/y/z/" + string(over) + "/s",
				"prod2/" + plan.ScratchPrefix(over) + "run", plan.ScratchPrefix(over) + "run", "prod/j/00/" + string(over) + "/s/run"},
			"mem://data": {"a/" + part(active, 0, ""), "a/" + part(over, 2, ""), "a/" + part(over, 10, ""), "a/out/part-r-00003-else.0", "a/out/other",
				"a/out2/part-r-00003-" + strings.ToLower(over.Short()) + ".0", part(over, 0, "")},
		}
		for space := range gone {
			c.begin(space, gone[space]...)
			c.begin(space, kept[space]...)
		}
		time.Sleep(keep - time.Minute)
		if g := c.collect(false); g.Uploads != 0 {
			t.Errorf("uploads that are not old: %+v", g)
		}
		time.Sleep(2 * time.Minute)
		if g := c.collect(true); g.Uploads != 7 {
			t.Errorf("programs and probes have more time than others: %+v", g)
		}
		time.Sleep(12 * time.Hour)
		fresh := map[string][]string{"mem://truth": {scratch(over) + "2"}, "mem://data": {"a/" + part(over, 0, ".new")}}
		for space := range fresh {
			c.begin(space, fresh[space]...)
			kept[space] = append(kept[space], fresh[space]...)
		}
		before := len(c.left("mem://truth")) + len(c.left("mem://data"))
		want := map[string]int64{plan.JobPrefix(over): 2, plan.BundlePrefix: 1, "mem://data/a/out": 6}
		dry := c.collect(true)
		if got := uploadsOf(dry); dry.Uploads != 9 || !maps.Equal(got, want) || len(dry.Skipped) != 0 {
			t.Errorf("a dry run lists %d uploads, %v: %+v", dry.Uploads, got, dry)
		}
		if after := len(c.left("mem://truth")) + len(c.left("mem://data")); after != before {
			t.Errorf("a dry run left %d uploads of %d", after, before)
		}
		if wet := c.collect(false); wet.Uploads != 9 || !maps.Equal(uploadsOf(wet), want) || wet.Objects != dry.Objects || wet.Bytes != dry.Bytes {
			t.Errorf("%+v went", wet)
		}
		for space := range kept {
			slices.Sort(kept[space])
			if got := c.left(space); !slices.Equal(got, kept[space]) {
				t.Errorf("%s: left\n%s\nwant\n%s", space, strings.Join(got, "\n"), strings.Join(kept[space], "\n"))
			}
		}
		if none := c.collect(false); none.Uploads != 0 {
			t.Errorf("the second time: %+v", none)
		}
	})
}

// TestCollectSkipsStoresThatRefuse verifies that a store that does not list uploads is
// reported, and that the collection continues with the others.
func TestCollectSkipsStoresThatRefuse(t *testing.T) {
	t.Parallel()
	for refuses, other := range map[string]string{"mem://truth": "mem://data", "mem://data": "mem://truth"} {
		t.Run(refuses, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newUploads(t, "mem://truth", "mem://data")
				c.refuse = refuses
				c.begin("mem://truth", plan.ScratchPrefix(over)+"run")
				c.begin("mem://data", part(over, 0, ""))
				time.Sleep(2 * keep)
				g := c.collect(false)
				if len(g.Skipped) != 1 || !strings.HasPrefix(g.Skipped[0].Prefix, refuses) || !strings.Contains(g.Skipped[0].Error, "you may not list uploads") ||
					!strings.Contains(g.Skipped[0].Error, refuses) {
					t.Errorf("skipped %+v", g.Skipped)
				}
				if g.Uploads != 1 || len(c.left(refuses)) != 1 || len(c.left(other)) != 0 {
					t.Errorf("%+v; left there %q, elsewhere %q", g, c.left(refuses), c.left(other))
				}
			})
		})
	}
}

// TestCollectByAFormerLeaderAbortsNothing verifies that the uploads of a job stay when
// another master leads, because it may have retried the job.
func TestCollectByAFormerLeaderAbortsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newUploads(t, "mem://truth", "mem://data")
		c.begin("mem://data", part(over, 0, ""))
		time.Sleep(2 * keep)
		c.jobs.deposed = true
		if _, err := c.gc.Collect(t.Context(), false); err == nil || len(c.left("mem://data")) != 1 {
			t.Errorf("a former leader's collection ends with %v, and leaves %q", err, c.left("mem://data"))
		}
	})
}

// TestCollectLeavesOutputsThatAreNotAllowed verifies that uploads stay below an output
// that the operator no longer allows: it may belong to another cluster by now.
func TestCollectLeavesOutputsThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newUploads(t, "mem://truth", "mem://data")
		c.end(client.Job{ID: over, State: client.Succeeded, Run: 2, Output: "mem://elsewhere/out"})
		other, err := store.Open(t.Context(), "mem://elsewhere", store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver {
			c.drivers["mem://elsewhere"] = faulttest.Remote(d, 1024)
			return d
		}})
		c.must(err)
		defer func() { c.must(other.Close()) }()
		c.begin("mem://elsewhere", part(over, 0, ""))
		time.Sleep(2 * keep)
		if g := c.collect(false); g.Uploads != 0 || len(g.Skipped) != 0 {
			t.Errorf("of an output that is not allowed: %+v", g)
		}
		if got := c.left("mem://elsewhere"); len(got) != 1 {
			t.Errorf("left there: %q", got)
		}
	})
}

// TestCollectRemovesFilesOfDeadProcesses verifies that files go that a killed process
// was writing. They have no name; their lock shows whether the process lives.
func TestCollectRemovesFilesOfDeadProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, data := t.TempDir(), t.TempDir()
		c := newUploads(t, root, data)
		live, err := store.Open(t.Context(), data, store.Options{})
		c.must(err)
		w, err := live.Create(t.Context(), "out/x", store.CreateOptions{})
		c.must(err)
		defer w.Abort()
		for _, dir := range []string{root, data} {
			reserved := filepath.Join(dir, ".windrow-tmp")
			c.must(os.MkdirAll(reserved, 0o777))
			c.must(os.WriteFile(filepath.Join(reserved, "00dead"), []byte("some"), 0o600))
			files, err := filepath.Glob(filepath.Join(reserved, "*"))
			c.must(err)
			for _, f := range files {
				c.must(os.Chtimes(f, time.Now(), time.Now())) // the bubble's
			}
		}
		if g := c.collect(false); g.Uploads != 0 {
			t.Errorf("files that are not old: %+v", g)
		}
		time.Sleep(2 * keep)
		if g := c.collect(true); g.Uploads != 2 {
			t.Errorf("a dry run lists %+v", g)
		}
		if g := c.collect(false); g.Uploads != 2 {
			t.Errorf("%+v went", g)
		}
		for _, dir := range []string{root, data} {
			if _, err := os.Stat(filepath.Join(dir, ".windrow-tmp", "00dead")); !os.IsNotExist(err) {
				t.Errorf("in %s the file of a dead process stays: %v", dir, err)
			}
		}
		if err := w.Commit(); err != nil {
			t.Errorf("a process that lives cannot commit its file: %v", err)
		}
	})
}
