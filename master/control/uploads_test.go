package control_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

const (
	over    = plan.JobID("01JZ0000000000000000000AAA")
	active  = plan.JobID("01JZ0000000000000000000BBB")
	unknown = plan.JobID("01JZ0000000000000000000CCC")
	grace   = 10 * time.Minute
)

// cluster is a master that leads, on stores whose uploads a test can inspect.
type cluster struct {
	t       *testing.T
	master  *control.Master
	drivers map[string]driver.Driver // by the name of the memory space
	refuse  string                   // whose uploads may not be listed
}

// refusing is a store that does not let everyone list uploads.
type refusing struct {
	driver.Driver
	cluster *cluster
}

func (d refusing) ListUploads(prefix string) driver.UploadPager {
	if d.cluster.refuse == d.Traits().URL {
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

// lead starts a cluster in which one job has ended and another is under way, with
// its root below mem://truth and the output of both below mem://data.
func lead(t *testing.T, rootURL, outURL string) *cluster {
	t.Helper()
	c := &cluster{t: t, drivers: make(map[string]driver.Driver)}
	opts := store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver {
		if url := d.Traits().URL; strings.HasPrefix(url, "mem:") {
			c.drivers[url] = faulttest.Remote(d, 1024)
			return refusing{c.drivers[url], c}
		}
		return d
	}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	root, err := store.Open(ctx, rootURL, opts)
	must(err)
	roots, err := allow.New([]string{outURL}, opts)
	must(err)
	_, err = roots.Get(ctx, outURL, true)
	must(err)
	for _, id := range []plan.JobID{over, active} {
		spec, err := json.Marshal(plan.Spec{Version: plan.SpecVersion, ID: id, Job: "sort", Output: outURL + "/out"})
		must(err)
		_, _, err = journal.CreateJob(ctx, root, id, spec)
		must(err)
	}
	for _, j := range []client.Job{{ID: over, State: client.Succeeded, Run: 1}, {ID: active, State: client.FailedJob}} {
		j.Job, j.Output, j.Ended = "sort", outURL+"/out", time.Now()
		summary, err := json.Marshal(map[string]any{"job": j})
		must(err)
		must(journal.Conclude(ctx, root, journal.Run{Job: j.ID, Number: j.Run}, summary))
	}
	must(journal.Activate(ctx, root, journal.Run{Job: active, Number: 1})) // it is tried again
	c.master = start(t, root, roots)
	return c
}

// start starts a master, and returns it when it leads. The test stops it.
func start(t *testing.T, root *store.Root, roots *allow.List) *control.Master {
	t.Helper()
	began := time.Now()
	m, err := control.New(control.Config{ID: "m", URL: "http://m", Root: root, Roots: roots, Allows: roots.Allows,
		Clock: func() time.Duration { return time.Since(began) }, Keep: grace})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	time.Sleep(time.Minute) // until it leads
	return m
}

// begin starts uploads that never end.
func (c *cluster) begin(space string, keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		u, err := c.drivers[space].Upload(c.t.Context(), key, store.CreateOptions{})
		if err == nil {
			err = u.Part(c.t.Context(), 1, []byte("some"))
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// left returns the keys of all uploads of a space.
func (c *cluster) left(space string) (keys []string) {
	c.t.Helper()
	pager := c.drivers[space].(driver.UploadLister).ListUploads("")
	for last := false; !last; {
		var page []store.Unfinished
		var err error
		if page, last, err = pager.Next(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
		for _, u := range page {
			keys = append(keys, u.Key)
		}
	}
	return keys
}

func (c *cluster) collect(dryRun bool) client.Garbage {
	c.t.Helper()
	g, err := c.master.Collect(c.t.Context(), dryRun)
	if err != nil {
		c.t.Fatal(err)
	}
	return g
}

// uploadsOf returns how many uploads are listed for each prefix.
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

// TestCollectAbortsUploads verifies that old uploads of ended jobs are removed,
// and that new ones, those of other jobs, and those with an unknown name stay.
func TestCollectAbortsUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := lead(t, "mem://truth/prod", "mem://data/a")
		scratch := func(job plan.JobID) string { return "prod/" + plan.ScratchPrefix(job) + "run" }
		gone := map[string][]string{
			"mem://truth": {scratch(over), "prod/" + plan.TablePrefix(over) + "1.1.1", "prod/" + plan.BundleKey("5f")},
			"mem://data": {"a/" + part(over, 0, ".gz"), "a/" + part(over, 1, ""), "a/" + part(over, 1, ".7.txt"),
				"a/out/part-m-00000-" + strings.ToLower(over.Short()) + ".0", "a/out/_windrow/probe/12-parts"},
		}
		kept := map[string][]string{
			"mem://truth": {scratch(active), scratch(unknown), "prod/out/part-r-00000-x", "prod/x/y/z/" + string(over) + "/s",
				"prod2/" + plan.ScratchPrefix(over) + "run", plan.ScratchPrefix(over) + "run", "prod/j/00/" + string(over) + "/s/run"},
			"mem://data": {"a/" + part(active, 0, ""), "a/" + part(over, 2, ""), "a/" + part(over, 10, ""), "a/out/part-r-00003-else.0", "a/out/other",
				"a/out2/part-r-00003-" + strings.ToLower(over.Short()) + ".0", part(over, 0, ""), "a/out/sub/" + part(over, 0, "")[len("out/"):]},
		}
		for space := range gone {
			c.begin(space, gone[space]...)
			c.begin(space, kept[space]...)
		}
		time.Sleep(grace - time.Minute)
		if g := c.collect(false); g.Uploads != 0 {
			t.Errorf("before the grace is over: %+v", g)
		}
		time.Sleep(2 * time.Minute)
		if g := c.collect(true); g.Uploads != 6 {
			t.Errorf("programs and probes have time beyond the grace: %+v", g)
		}
		time.Sleep(12 * time.Hour)
		fresh := map[string][]string{"mem://truth": {scratch(over) + "2"}, "mem://data": {"a/" + part(over, 0, ".new")}}
		for space := range fresh {
			c.begin(space, fresh[space]...)
			kept[space] = append(kept[space], fresh[space]...)
		}
		before := len(c.left("mem://truth")) + len(c.left("mem://data"))
		want := map[string]int64{plan.JobPrefix(over): 2, plan.BundleKey(""): 1, "mem://data/a/out": 5}
		dry := c.collect(true)
		if got := uploadsOf(dry); dry.Uploads != 8 || !maps.Equal(got, want) || len(dry.Skipped) != 0 || !dry.DryRun {
			t.Errorf("a dry run lists %d uploads, %v: %+v", dry.Uploads, got, dry)
		}
		if after := len(c.left("mem://truth")) + len(c.left("mem://data")); after != before {
			t.Errorf("a dry run left %d uploads of %d", after, before)
		}
		if wet := c.collect(false); wet.Uploads != 8 || !maps.Equal(uploadsOf(wet), want) || wet.Objects != dry.Objects || wet.Bytes != dry.Bytes {
			t.Errorf("%+v went", wet)
		}
		for space := range kept {
			if got := c.left(space); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(kept[space]))) {
				t.Errorf("%s: left\n%s\nwant\n%s", space, strings.Join(got, "\n"), strings.Join(kept[space], "\n"))
			}
		}
		if none := c.collect(false); none.Uploads != 0 {
			t.Errorf("the second time: %+v", none)
		}
	})
}

// TestCollectContinues verifies that a store that refuses to list uploads is
// reported, and does not stop the rest of the collection.
func TestCollectContinues(t *testing.T) {
	t.Parallel()
	for refuses, other := range map[string]string{"mem://truth": "mem://data", "mem://data": "mem://truth"} {
		synctest.Test(t, func(t *testing.T) {
			c := lead(t, "mem://truth", "mem://data")
			c.refuse = refuses
			c.begin("mem://truth", plan.ScratchPrefix(over)+"run")
			c.begin("mem://data", part(over, 0, ""))
			time.Sleep(2 * grace)
			g := c.collect(false)
			if len(g.Skipped) != 1 || !strings.HasPrefix(g.Skipped[0].Prefix, refuses) || !strings.Contains(g.Skipped[0].Error, "you may not list uploads") ||
				!strings.Contains(g.Skipped[0].Error, refuses) {
				t.Errorf("%s refuses: skipped %+v", refuses, g.Skipped)
			}
			if g.Uploads != 1 || len(c.left(refuses)) != 1 || len(c.left(other)) != 0 {
				t.Errorf("%s refuses: %+v; left there %q, elsewhere %q", refuses, g, c.left(refuses), c.left(other))
			}
		})
	}
}

// TestCollectRemovesFilesOfTheDead verifies that files that a killed process was
// writing are removed: they have no name, and are known as its own by a lock that
// no process holds.
func TestCollectRemovesFilesOfTheDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, data := t.TempDir(), t.TempDir()
		c := lead(t, root, data)
		live, err := store.Open(t.Context(), data, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := live.Create(t.Context(), "out/x", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for _, dir := range []string{root, data} {
			reserved := filepath.Join(dir, ".windrow-tmp")
			if err := os.MkdirAll(reserved, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(reserved, "00dead"), []byte("some"), 0o600); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(reserved, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if err := os.Chtimes(f, time.Now(), time.Now()); err != nil { // the bubble's
					t.Fatal(err)
				}
			}
		}
		if g := c.collect(false); g.Uploads != 0 {
			t.Errorf("before the grace is over: %+v", g)
		}
		time.Sleep(2 * grace)
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
			t.Errorf("the file of a live process: %v", err)
		}
	})
}
