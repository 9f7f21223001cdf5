package gc_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/gc"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
)

const (
	over    = plan.JobID("01JZ0000000000000000000AAA") // has succeeded
	active  = plan.JobID("01JZ0000000000000000000BBB") // is under way
	unknown = plan.JobID("01JZ0000000000000000000CCC") // has no log
	keep    = 10 * time.Minute
)

var errDeposed = errors.New("another master leads")

// leader answers what a collection asks the leader, by the journal below root.
type leader struct {
	root       *store.Root
	busy       map[plan.JobID]bool
	deposed    bool     // another master leads
	holding    func()   // called when submissions are held back; nil: nothing happens
	doomed     []string // keys of programs that a collection may delete
	dooming    func()   // called when these are recorded; nil: nothing happens
	holds      int      // how many collections hold submissions back at present
	confirms   int      // how often the leader confirmed that it leads
	confirming func()   // called then; nil: nothing happens
}

var _ gc.Jobs = (*leader)(nil)

func (l *leader) Busy(id plan.JobID) bool { return l.busy[id] }

func (l *leader) IDs(ctx context.Context) ([]plan.JobID, error) {
	ids := make(map[plan.JobID]bool)
	for _, list := range []func(context.Context, *store.Root) ([]journal.Run, error){journal.Active, journal.Ended} {
		runs, err := list(ctx, l.root)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			ids[r.Job] = true
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

func (l *leader) Summary(ctx context.Context, id plan.JobID) (s view.Summary, ended bool, err error) {
	run, ok, err := journal.LastEnded(ctx, l.root, id)
	if err != nil || !ok {
		return s, false, err
	}
	body, err := journal.Conclusion(ctx, l.root, run)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err == nil, err
}

func (l *leader) Confirm(context.Context) error {
	l.confirms++
	if l.confirming != nil {
		l.confirming()
	}
	if l.deposed {
		return errDeposed
	}
	return nil
}

func (l *leader) HoldBack(context.Context) (release func(), err error) {
	l.holds++
	if l.holding != nil {
		l.holding()
	}
	return func() { l.holds-- }, nil
}

func (l *leader) Doom(_ context.Context, keys []string) (release func(ctx context.Context, ended bool) error, err error) {
	l.doomed = append(l.doomed, keys...)
	if l.dooming != nil {
		l.dooming()
	}
	return func(_ context.Context, ended bool) error {
		if ended {
			l.doomed = nil
		}
		return nil
	}, nil
}

// cluster is a root with jobs, and a collector of their garbage.
type cluster struct {
	t    *testing.T
	root *store.Root
	jobs *leader
	gc   *gc.Collector
}

// newCluster returns a cluster without jobs. Its outputs are below outURL.
func newCluster(t *testing.T, rootURL, outURL string, opts store.Options) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var err error
	c.root, err = store.Open(t.Context(), rootURL, opts)
	c.must(err)
	roots, err := allow.New([]string{outURL}, opts)
	c.must(err)
	_, err = roots.Get(t.Context(), outURL, true)
	c.must(err)
	c.jobs = &leader{root: c.root, busy: make(map[plan.JobID]bool)}
	c.gc = gc.New(gc.Config{Root: c.root, Roots: roots, Allows: roots.Allows, Jobs: c.jobs, Keep: keep, Log: discarded})
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// submit makes a job with a specification, and puts it in the index of active runs.
func (c *cluster) submit(spec plan.Spec) {
	c.t.Helper()
	spec.Version, spec.Job = plan.SpecVersion, "sort"
	body, err := json.Marshal(spec)
	c.must(err)
	_, _, err = journal.CreateJob(c.t.Context(), c.root, spec.ID, body)
	c.must(err)
	c.must(journal.Activate(c.t.Context(), c.root, journal.Run{Job: spec.ID}))
}

// end concludes a run, as of now.
func (c *cluster) end(j client.Job) {
	c.t.Helper()
	j.Job, j.Ended = "sort", time.Now()
	body, err := json.Marshal(view.Summary{Job: j})
	c.must(err)
	run := journal.Run{Job: j.ID, Number: j.Run}
	c.must(journal.Conclude(c.t.Context(), c.root, run, body))
	c.must(journal.Deactivate(c.t.Context(), c.root, run))
}

// put makes objects of four bytes.
func (c *cluster) put(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		c.must(c.root.Put(c.t.Context(), key, []byte("some"), store.Durable))
	}
}

// have returns which of the keys exist.
func (c *cluster) have(keys ...string) (found []string) {
	c.t.Helper()
	for _, key := range keys {
		_, err := c.root.Stat(c.t.Context(), key)
		if err == nil {
			found = append(found, key)
		} else if plan.KindOf(err) != plan.NotFound {
			c.t.Fatal(err)
		}
	}
	return found
}

func (c *cluster) collect(dryRun bool) client.Garbage {
	c.t.Helper()
	g, err := c.gc.Collect(c.t.Context(), dryRun)
	c.must(err)
	if g.DryRun != dryRun {
		c.t.Errorf("the answer has dryRun %v, want %v", g.DryRun, dryRun)
	}
	if c.jobs.holds != 0 {
		c.t.Errorf("after a collection, submissions are held back %d times", c.jobs.holds)
	}
	return g
}

// prefixes returns the prefixes of the items, in their order.
func prefixes(g client.Garbage) (list []string) {
	for _, item := range g.Jobs {
		list = append(list, item.Prefix)
	}
	return list
}
