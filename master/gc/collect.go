package gc

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Jobs answers the questions of a collection to the leader.
type Jobs interface {
	// Busy reports whether a job is driven at present.
	Busy(id plan.JobID) bool
	// IDs returns the ids of all jobs.
	IDs(ctx context.Context) ([]plan.JobID, error)
	// Summary returns the summary of the newest run of a job that has ended, if
	// one has.
	Summary(ctx context.Context, id plan.JobID) (s view.Summary, ended bool, err error)
	// Confirm returns an error unless this master leads, by a read begun now.
	Confirm(ctx context.Context) error
	// HoldBack keeps submissions and retries waiting until release is called.
	HoldBack(ctx context.Context) (release func(), err error)
	// Doom records, for later leaders, the keys of programs that a collection may
	// delete. release says that it no longer deletes, and whether all that
	// it began to delete has ended.
	Doom(ctx context.Context, keys []string) (release func(ctx context.Context, ended bool) error, err error)
}

// Config says which garbage to collect, and where.
type Config struct {
	Root  *store.Root // of the cluster
	Roots store.Roots // of outputs
	// Allows returns an error for a URL that jobs may not use.
	Allows func(url string) error
	Jobs   Jobs
	// Keep is the age from which on leftovers are removed.
	Keep time.Duration
	// Log receives the failures of collections.
	Log *slog.Logger
}

// Collector collects garbage.
type Collector struct {
	cfg      Config
	deleting *semaphore.Weighted // held while a prefix is swept: package store deletes side by side as it is
}

// New returns a collector.
func New(cfg Config) *Collector { return &Collector{cfg: cfg, deleting: semaphore.NewWeighted(1)} }

// looksAtOnce is how many jobs are inspected side by side.
const looksAtOnce = 32

// Collect removes the leftovers of jobs that have ended, programs that no job
// needs, and unfinished uploads, or only lists them in a dry run. The
// specification, log, attempt logs and summary of a job stay. Of a job that may be
// retried, the task table and the sample stay too, since its log refers to them.
//
// A retry does without the other objects: maps whose output is gone run again. A
// worker that was taken for lost may still write some; the next collection finds
// them.
func (c *Collector) Collect(ctx context.Context, dryRun bool) (client.Garbage, error) {
	g := client.Garbage{DryRun: dryRun, Jobs: []client.GarbageItem{}}
	s, err := c.survey(ctx)
	if err != nil {
		return g, err
	}
	over, err := s.collectJobs(ctx, &g)
	if err == nil {
		err = s.collectBundles(ctx, &g)
	}
	if err == nil {
		err = c.collectUploads(ctx, &g, over)
	}
	return g, err
}

// survey is what a collection knows from the start.
type survey struct {
	*Collector
	now     time.Time                 // by the clock of the cluster's store
	endings []journal.Ending          // the newest of each job
	ended   map[plan.JobID]*time.Time // when that was
}

// survey reads the store's clock, and which jobs have ended. All ages are differences
// of times that one store gave: this machine's clock may be days ahead.
func (c *Collector) survey(ctx context.Context) (*survey, error) {
	s := &survey{Collector: c, ended: make(map[plan.JobID]*time.Time)}
	var err error
	if s.endings, err = journal.Endings(ctx, c.cfg.Root); err != nil {
		return nil, err
	}
	for i := range s.endings {
		s.ended[s.endings[i].Run.Job] = &s.endings[i].At
	}
	s.now, err = c.cfg.Root.Now(ctx)
	return s, err
}

// collectJobs removes the leftovers of jobs that have ended, and returns these
// jobs. It looks at jobs side by side, since there may be very many, and lists them
// in the order of their ids.
func (s *survey) collectJobs(ctx context.Context, g *client.Garbage) (over []client.Job, err error) {
	c := s.Collector
	ended := s.endings
	active, err := journal.Active(ctx, c.cfg.Root)
	if err != nil {
		return nil, err
	}
	busy := make(map[plan.JobID]bool)
	for _, run := range active {
		busy[run.Job] = true
	}
	found := make([]leftovers, len(ended))
	looks, looking := errgroup.WithContext(ctx)
	looks.SetLimit(looksAtOnce)
	for i := range ended {
		if e := &ended[i]; !busy[e.Run.Job] && !c.cfg.Jobs.Busy(e.Run.Job) {
			looks.Go(func() (err error) {
				found[i], err = s.collectJob(looking, e, g.DryRun)
				return err
			})
		}
	}
	if err := looks.Wait(); err != nil {
		return nil, err
	}
	for i := range found {
		g.Skipped = append(g.Skipped, found[i].garbage.Skipped...)
		if f := &found[i]; f.job.ID != "" {
			over = append(over, f.job)
			g.Jobs = append(g.Jobs, f.garbage.Jobs...)
			g.Objects += f.garbage.Objects
			g.Bytes += f.garbage.Bytes
		}
	}
	return over, nil
}

// lost reports whether the record of a job's end, which an index names, is damaged or
// gone. Other jobs do not suffer by that.
func lost(err error) bool { return journal.Damaged(err) || plan.KindOf(err) == plan.NotFound }

// leftovers is a job that has ended, and the part of it that is garbage.
type leftovers struct {
	job     client.Job // without an ID if the job was reopened
	garbage client.Garbage
}

// collectJob removes the leftovers of a job that has ended.
func (s *survey) collectJob(ctx context.Context, e *journal.Ending, dryRun bool) (f leftovers, err error) {
	c, id := s.Collector, e.Run.Job
	if c.cfg.Jobs.Busy(id) {
		return f, nil
	}
	sum, _, err := c.cfg.Jobs.Summary(ctx, id)
	if lost(err) {
		f.garbage.Skipped = append(f.garbage.Skipped, client.GarbageSkipped{Prefix: plan.JobPrefix(id),
			Error: fmt.Sprintf("nothing of job %s is removed, because the record of its end cannot be read (%v): restore the object, or remove the prefix", id, err)})
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.job = client.Job{ID: id, Job: sum.Job.Job, State: sum.Job.State, Output: sum.Job.Output, Run: sum.Job.Run}
	if s.now.Sub(e.At) <= c.cfg.Keep {
		return f, nil
	}
	f.garbage.DryRun = dryRun
	for _, prefix := range []string{plan.ScratchPrefix(id), plan.TablePrefix(id)} {
		if err := c.sweep(ctx, &f.garbage, prefix, ending(&f.job), func(o store.Object) bool {
			return f.job.State == client.Succeeded || !fixed(id, o.Key)
		}, func() bool { return c.cfg.Jobs.Busy(id) }); err != nil {
			return f, err
		}
	}
	return f, nil
}

// ending says why the leftovers of a job are garbage.
func ending(j *client.Job) string {
	name := string(j.ID)
	if j.Job != "" { // its specification could be read
		name += " (" + j.Job + ")"
	}
	if j.State == client.Cancelled {
		return fmt.Sprintf("job %s was cancelled", name)
	}
	return fmt.Sprintf("job %s has ended: it %s", name, j.State)
}

// fixed reports whether a job cannot make an object again: its task table, and the
// sample that divides its keys.
func fixed(id plan.JobID, key string) bool {
	sample := path.Dir(attempts.ManifestKey(plan.TaskID{Phase: plan.Sample}, plan.AttemptID{})) + "/"
	return strings.HasPrefix(key, plan.TablePrefix(id)) || strings.HasPrefix(key, plan.ScratchPrefix(id)+sample)
}

// sweep counts the objects below a prefix that match, and removes them unless it
// is a dry run. It stops removing when they are needed again: a job may be retried
// while its objects wait for their turn.
func (c *Collector) sweep(ctx context.Context, g *client.Garbage, prefix, why string, match func(store.Object) bool, needed func() bool) error {
	item := client.GarbageItem{Prefix: prefix, Why: why}
	doomed := make(map[string]bool)
	for o, err := range c.cfg.Root.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if match(o) {
			doomed[o.Key] = true
			item.Objects++
			item.Bytes += o.Size
		}
	}
	if item.Objects == 0 {
		return nil
	}
	if !g.DryRun {
		removed, err := c.remove(ctx, prefix, doomed, needed)
		if err != nil || !removed {
			return err
		}
	}
	g.Jobs = append(g.Jobs, item)
	g.Objects += item.Objects
	g.Bytes += item.Bytes
	return nil
}

// remove removes objects below a prefix when it is their turn. removed is false if
// they were needed again by then.
func (c *Collector) remove(ctx context.Context, prefix string, doomed map[string]bool, needed func() bool) (removed bool, err error) {
	if err := c.deleting.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer c.deleting.Release(1)
	if err := c.cfg.Jobs.Confirm(ctx); err != nil {
		return false, err
	}
	if needed() {
		return false, nil
	}
	return true, c.cfg.Root.DeleteAll(ctx, prefix, func(key string) bool { return doomed[key] && !needed() })
}
