package control

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
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
	r, err := m.rules()
	if err != nil {
		return client.Garbage{}, err
	}
	g := client.Garbage{DryRun: dryRun, Jobs: []client.GarbageItem{}}
	ended, err := journal.Ended(ctx, m.cfg.Root)
	if err != nil {
		return g, storeError(err)
	}
	active, err := journal.Active(ctx, m.cfg.Root)
	if err != nil {
		return g, storeError(err)
	}
	busy := make(map[plan.JobID]bool)
	for _, run := range active {
		busy[run.Job] = true
	}
	var over []client.Job
	for _, run := range ended {
		if busy[run.Job] || r.job(run.Job) != nil {
			continue
		}
		sum, _, err := m.summary(ctx, run.Job)
		if err != nil {
			return g, err
		}
		over = append(over, client.Job{ID: run.Job, Job: sum.Job.Job, State: sum.Job.State, Output: sum.Job.Output, Run: sum.Job.Run})
		if m.cfg.Now().Sub(sum.Job.Ended) <= m.cfg.Grace {
			continue
		}
		for _, prefix := range []string{plan.ScratchPrefix(run.Job), plan.TablePrefix(run.Job)} {
			if err := m.sweep(ctx, &g, prefix, ending(&sum.Job), func(o store.Object) bool {
				return sum.Job.State == client.Succeeded || !fixed(run.Job, o.Key)
			}); err != nil {
				return g, err
			}
		}
	}
	if err := m.collectBundles(ctx, &g); err != nil {
		return g, err
	}
	return g, m.collectUploads(ctx, &g, over)
}

// ending says why what is left of a job is garbage.
func ending(j *client.Job) string {
	return fmt.Sprintf("job %s (%s) has ended: it %s", j.ID, j.Job, j.State)
}

// collectBundles removes the programs that no job needs: none that has not
// ended, and none that failed so lately that somebody may try it again. No job
// is submitted or tried again at the end of that, which is quick: what there was
// before has been looked at by then.
func (m *Master) collectBundles(ctx context.Context, g *client.Garbage) error {
	used, seen := make(map[string]bool), make(map[plan.JobID]bool)
	if err := m.needs(ctx, used, seen); err != nil {
		return err
	}
	if err := m.submitting.Acquire(ctx, submissions); err != nil {
		return err
	}
	defer m.submitting.Release(submissions)
	if err := m.needs(ctx, used, seen); err != nil {
		return err
	}
	prefix := plan.BundleKey("")
	return m.sweep(ctx, g, prefix, "no job is left that needs them", func(o store.Object) bool {
		return !used[strings.TrimPrefix(o.Key, prefix)] && m.cfg.Now().Sub(o.ModTime) > m.cfg.Grace
	})
}

// fixed tells whether an object is one that a job cannot make again: its tasks,
// and how its keys are divided.
func fixed(id plan.JobID, key string) bool {
	sample := path.Dir(executor.ManifestKey(plan.TaskID{Phase: plan.Sample}, plan.AttemptID{})) + "/"
	return strings.HasPrefix(key, plan.TablePrefix(id)) || strings.HasPrefix(key, plan.ScratchPrefix(id)+sample)
}

// needs notes which programs jobs need that were not seen before.
func (m *Master) needs(ctx context.Context, used map[string]bool, seen map[plan.JobID]bool) error {
	ids, err := m.ids(ctx)
	if err != nil {
		return storeError(err)
	}
	for _, id := range ids {
		if seen[id] && !m.busy(id) {
			continue
		}
		seen[id] = true
		sum, ended, err := m.summary(ctx, id)
		if err == nil && (!ended || sum.Job.State != client.Succeeded && m.cfg.Now().Sub(sum.Job.Ended) <= m.cfg.Grace || m.busy(id)) {
			err = m.uses(ctx, id, used)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// busy tells whether a job is carried on.
func (m *Master) busy(id plan.JobID) bool {
	r := m.reign.Load()
	return r != nil && r.job(id) != nil
}

// uses notes which programs a job needs.
func (m *Master) uses(ctx context.Context, id plan.JobID, used map[string]bool) error {
	spec, err := readSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return storeError(err)
	}
	for _, b := range spec.Bundles {
		used[b.Digest] = true
	}
	return nil
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
