package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/attempts"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Collect removes what nobody needs any more: runs and manifests of jobs that have
// ended, and programs of which no job is left to be tried again, both older than
// the grace. A job's spec, log, logs and summary stay; of one that may be tried
// again also the plan and the sample, which the log has fixed.
//
// Other objects of a job that has ended are of no use to anybody but a retry,
// which does without: maps whose output is gone run again. A worker thought lost
// may still write some; the next collection finds them.
func (m *Master) Collect(ctx context.Context, dryRun bool) (client.Garbage, error) {
	g := client.Garbage{DryRun: dryRun, Jobs: []client.GarbageItem{}}
	over, err := m.collectJobs(ctx, &g)
	if err == nil {
		err = m.collectBundles(ctx, &g)
	}
	if err == nil {
		err = m.collectUploads(ctx, &g, over)
	}
	return g, err
}

// collectJobs removes what jobs that have ended have left, and returns these jobs.
// They are looked at side by side, since there may be very many, and told of in
// the order of their ids.
func (m *Master) collectJobs(ctx context.Context, g *client.Garbage) (over []client.Job, err error) {
	r, err := m.rules()
	if err != nil {
		return nil, err
	}
	ended, err := journal.Ended(ctx, m.cfg.Root)
	if err != nil {
		return nil, storeError(err)
	}
	active, err := journal.Active(ctx, m.cfg.Root)
	if err != nil {
		return nil, storeError(err)
	}
	busy := make(map[plan.JobID]bool)
	for _, run := range active {
		busy[run.Job] = true
	}
	found := make([]remains, len(ended))
	looks, looking := errgroup.WithContext(ctx)
	looks.SetLimit(reading)
	for i, run := range ended {
		if !busy[run.Job] && r.job(run.Job) == nil {
			looks.Go(func() (err error) {
				found[i], err = m.collectJob(looking, run.Job, g.DryRun)
				return err
			})
		}
	}
	if err := looks.Wait(); err != nil {
		return nil, err
	}
	for i := range found {
		if f := &found[i]; f.job.ID != "" {
			over = append(over, f.job)
			g.Jobs = append(g.Jobs, f.garbage.Jobs...)
			g.Objects += f.garbage.Objects
			g.Bytes += f.garbage.Bytes
		}
	}
	return over, nil
}

// remains is a job that has ended, and what goes of it.
type remains struct {
	job     client.Job // without an ID: it was taken up again
	garbage client.Garbage
}

// collectJob removes what a job that has ended has left.
func (m *Master) collectJob(ctx context.Context, id plan.JobID, dryRun bool) (f remains, err error) {
	if m.busy(id) {
		return f, nil
	}
	sum, _, err := m.summary(ctx, id)
	if err != nil {
		return f, err
	}
	f.job = client.Job{ID: id, Job: sum.Job.Job, State: sum.Job.State, Output: sum.Job.Output, Run: sum.Job.Run}
	if m.cfg.Now().Sub(sum.Job.Ended) <= m.cfg.Grace {
		return f, nil
	}
	f.garbage.DryRun = dryRun
	for _, prefix := range []string{plan.ScratchPrefix(id), plan.TablePrefix(id)} {
		if err := m.sweep(ctx, &f.garbage, prefix, ending(&f.job), func(o store.Object) bool {
			return f.job.State == client.Succeeded || !fixed(id, o.Key)
		}); err != nil {
			return f, err
		}
	}
	return f, nil
}

// ending says why what is left of a job is garbage.
func ending(j *client.Job) string {
	name := string(j.ID)
	if j.Job != "" { // its spec could be read
		name += " (" + j.Job + ")"
	}
	if j.State == client.Cancelled {
		return fmt.Sprintf("job %s was cancelled", name)
	}
	return fmt.Sprintf("job %s has ended: it %s", name, j.State)
}

// collectBundles removes the programs that no job needs: none that has not
// ended, and none that failed so lately that somebody may try it again. No job
// is submitted or tried again at the end of that, which is quick: what there was
// before has been looked at by then.
//
// What a job needs whose spec cannot be read nobody knows: until it has ended and
// cannot be tried again, all programs stay.
func (m *Master) collectBundles(ctx context.Context, g *client.Garbage) error {
	n := needs{used: make(map[string]bool), seen: make(map[plan.JobID]bool), unread: make(map[plan.JobID]*unreadable)}
	if err := m.needs(ctx, &n); err != nil {
		return err
	}
	if err := m.submitting.Acquire(ctx, submissions); err != nil {
		return err
	}
	defer m.submitting.Release(submissions)
	if err := m.needs(ctx, &n); err != nil {
		return err
	}
	prefix := plan.BundleKey("")
	for _, id := range slices.Sorted(maps.Keys(n.unread)) {
		g.Skipped = append(g.Skipped, client.GarbageSkipped{Prefix: prefix, Error: fmt.Sprintf("no program is removed while nobody knows which ones job %s needs: %v, or cancel it; "+
			"when its end is longer ago than the master's --keep, it needs none", id, n.unread[id])})
	}
	if len(n.unread) > 0 {
		return nil
	}
	return m.sweep(ctx, g, prefix, "no job is left that needs them", func(o store.Object) bool {
		return !n.used[strings.TrimPrefix(o.Key, prefix)] && m.cfg.Now().Sub(o.ModTime) > m.cfg.Grace
	})
}

// fixed tells whether an object is one that a job cannot make again: its tasks,
// and how its keys are divided.
func fixed(id plan.JobID, key string) bool {
	sample := path.Dir(attempts.ManifestKey(plan.TaskID{Phase: plan.Sample}, plan.AttemptID{})) + "/"
	return strings.HasPrefix(key, plan.TablePrefix(id)) || strings.HasPrefix(key, plan.ScratchPrefix(id)+sample)
}

// needs is which programs jobs need.
type needs struct {
	seen   map[plan.JobID]bool
	used   map[string]bool // by digest
	unread map[plan.JobID]*unreadable
}

// needs adds the programs of jobs that were not seen before.
func (m *Master) needs(ctx context.Context, n *needs) error {
	ids, err := m.ids(ctx)
	if err != nil {
		return storeError(err)
	}
	var mu sync.Mutex // over n.used and n.unread
	looks, looking := errgroup.WithContext(ctx)
	looks.SetLimit(reading)
	for _, id := range ids {
		if n.seen[id] && !m.busy(id) {
			continue
		}
		n.seen[id] = true
		looks.Go(func() error {
			bundles, err := m.uses(looking, id)
			mu.Lock()
			defer mu.Unlock()
			for _, b := range bundles {
				n.used[b.Digest] = true
			}
			if u, ok := errors.AsType[*unreadable](err); ok {
				n.unread[id] = u
				return nil
			}
			return storeError(err)
		})
	}
	return looks.Wait()
}

// busy tells whether a job is carried on.
func (m *Master) busy(id plan.JobID) bool {
	r := m.reign.Load()
	return r != nil && r.job(id) != nil
}

// uses returns the programs that a job needs: none if it has ended, but for one
// that somebody may try again.
func (m *Master) uses(ctx context.Context, id plan.JobID) ([]plan.Bundle, error) {
	sum, ended, err := m.summary(ctx, id)
	if err != nil {
		return nil, err
	}
	if ended && (sum.Job.State == client.Succeeded || m.cfg.Now().Sub(sum.Job.Ended) > m.cfg.Grace) && !m.busy(id) {
		return nil, nil
	}
	spec, err := readSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return nil, err
	}
	return spec.Bundles, nil
}

// sweep counts the objects below a prefix that match, and removes them but in a
// dry run.
func (m *Master) sweep(ctx context.Context, g *client.Garbage, prefix, why string, match func(store.Object) bool) error {
	item := client.GarbageItem{Prefix: prefix, Why: why}
	doomed := make(map[string]bool)
	for o, err := range m.cfg.Root.List(ctx, prefix) {
		if err != nil {
			return storeError(err)
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
	g.Jobs = append(g.Jobs, item)
	g.Objects += item.Objects
	g.Bytes += item.Bytes
	if g.DryRun {
		return nil
	}
	if err := m.deleting.Acquire(ctx, 1); err != nil {
		return err
	}
	defer m.deleting.Release(1)
	if err := m.rulesStill(ctx); err != nil {
		return err
	}
	return storeError(m.cfg.Root.DeleteAll(ctx, prefix, func(key string) bool { return doomed[key] }))
}

// rulesStill returns an error unless this master leads.
func (m *Master) rulesStill(ctx context.Context) error {
	r, err := m.rules()
	if err != nil {
		return err
	}
	return r.stillLeads(ctx)
}
