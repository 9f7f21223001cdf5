package gc

import (
	"context"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// collectUploads aborts multipart uploads that no process will complete: those
// that are older than Config.Keep, of programs, of jobs that are over, and of parts
// of such jobs in their outputs. They are invisible, and buckets bill them.
//
// The owner of an upload is known by its key alone. Uploads that may belong to a
// job under way stay, however old: a reduce may take days. So do uploads whose key
// this package does not know, or whose age the store does not report.
//
// Some stores do not let everyone list uploads. Such a root is noted as skipped,
// and the collection continues.
func (c *Collector) collectUploads(ctx context.Context, g *client.Garbage, over []client.Job) error {
	s := &uploadSweep{Collector: c, garbage: g, seen: make(map[string]bool)}
	jobs := make(map[plan.JobID]*client.Job, len(over))
	outputs := make(map[string][]*client.Job)
	for i := range over {
		j := &over[i]
		jobs[j.ID] = j
		outputs[j.Output] = append(outputs[j.Output], j)
	}
	if err := s.sweep(ctx, c.cfg.Root, func(u store.Unfinished) orphan { return c.ofCluster(u, jobs) }, c.place()); err != nil {
		return err
	}
	for _, url := range slices.Sorted(maps.Keys(outputs)) {
		if c.cfg.Allows(url) != nil {
			continue // no longer this cluster's
		}
		root, err := c.cfg.Roots.Get(ctx, url, false)
		if plan.KindOf(err) == plan.NotFound {
			continue // the directory is gone
		}
		if err == nil {
			err = s.sweep(ctx, root, func(u store.Unfinished) orphan { return c.ofOutput(u, url, outputs[url]) }, url)
		} else {
			err = s.skip(ctx, url, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// backgroundAge is the least age of an upload that names no job, however short
// Config.Keep is: the upload of a program may be slow, and a probe may run now.
const backgroundAge = 12 * time.Hour

// unnamed is the reason to remove a file that a dead process was writing. The
// lock that the process held shows that it is dead; the file does not show its
// purpose.
const unnamed = "files that dead processes were writing"

// aged reports whether an upload began longer ago than an age, by the clock of the
// store; false where the store does not say.
func aged(u store.Unfinished, now time.Time, age time.Duration) bool {
	return !u.Began.IsZero() && !now.IsZero() && now.Sub(u.Began) > age
}

// place names the cluster's root where other items have a prefix below it.
func (c *Collector) place() string { return strings.TrimSuffix(c.cfg.Root.Name(""), "/") }

// orphan says why an upload has no owner.
type orphan struct {
	prefix, why string        // "" if it may have an owner
	least       time.Duration // the age that it must have in any case
}

// ofCluster returns why an upload below the cluster's root has no owner.
func (c *Collector) ofCluster(u store.Unfinished, over map[plan.JobID]*client.Job) orphan {
	if u.Key == "" {
		return orphan{prefix: c.place(), why: unnamed}
	}
	if strings.HasPrefix(u.Key, plan.BundlePrefix) {
		return orphan{plan.BundlePrefix, "uploads of programs that were never ended", backgroundAge}
	}
	const segments = 4 // as in j/5f/01J…/s/…
	if parts := strings.SplitN(u.Key, "/", segments); len(parts) == segments {
		j := over[plan.JobID(parts[2])]
		if j != nil && strings.HasPrefix(u.Key, plan.JobPrefix(j.ID)) && !c.cfg.Jobs.Busy(j.ID) {
			return orphan{prefix: plan.JobPrefix(j.ID), why: ending(j)}
		}
	}
	return orphan{}
}

// ofOutput returns why an upload below an output has no owner. Outputs also hold
// objects of other tools.
func (c *Collector) ofOutput(u store.Unfinished, url string, over []*client.Job) orphan {
	switch {
	case u.Key == "":
		return orphan{prefix: url, why: unnamed}
	case strings.HasPrefix(u.Key, store.ProbePrefix):
		return orphan{url, "probes of the store that were never ended", backgroundAge}
	case slices.ContainsFunc(over, func(j *client.Job) bool { return isPart(u.Key, j) }):
		return orphan{prefix: url, why: "parts of jobs that have ended"}
	default:
		return orphan{}
	}
}

// isPart reports whether a key below an output is that of a part of a job, in any
// of its runs.
func isPart(key string, j *client.Job) bool {
	const fields = 4     // as in part-r-00017-…
	key = path.Base(key) // an output of several has a directory of its own
	name := strings.SplitN(key, "-", fields)
	if len(name) != fields {
		return false
	}
	index, err := strconv.Atoi(name[2])
	if err != nil {
		return false
	}
	for _, phase := range []plan.Phase{plan.Map, plan.Reduce} {
		for run := range j.Run + 1 {
			rest, ok := strings.CutPrefix(key, output.PartName(plan.TaskID{Phase: phase, Index: index}, j.ID, run, ""))
			if ok && (rest == "" || rest[0] == '.') {
				return true
			}
		}
	}
	return false
}

// uploadSweep aborts uploads below one root after another.
type uploadSweep struct {
	*Collector
	garbage *client.Garbage
	seen    map[string]bool // files without a key, which several roots may list
}

// sweep counts the uploads that are old and have no owner, by the prefix that of
// returns for each, and aborts them unless it is a dry run. The name is that of the
// root, for a root that is skipped.
func (s *uploadSweep) sweep(ctx context.Context, root *store.Root, of func(store.Unfinished) orphan, name string) error {
	type upload struct{ key, id string }
	var found []store.Unfinished
	err := root.AbortUploads(ctx, "", func(u store.Unfinished) bool {
		if of(u).why != "" && (u.Key != "" || !s.seen[u.ID]) {
			found = append(found, u)
		}
		return false
	})
	var now time.Time
	if err == nil && len(found) > 0 {
		now, err = root.Now(ctx)
	}
	doomed := make(map[upload]bool)
	items := make(map[client.GarbageItem]int64)
	for _, u := range found {
		o := of(u)
		if !aged(u, now, max(s.cfg.Keep, o.least)) {
			continue
		}
		if u.Key == "" {
			s.seen[u.ID] = true
		}
		doomed[upload{u.Key, u.ID}] = true
		items[client.GarbageItem{Prefix: o.prefix, Why: o.why}]++
	}
	if err == nil && len(doomed) > 0 && !s.garbage.DryRun {
		if err := s.cfg.Jobs.Confirm(ctx); err != nil {
			return err
		}
		err = root.AbortUploads(ctx, "", func(u store.Unfinished) bool { return doomed[upload{u.Key, u.ID}] && of(u).why != "" })
	}
	if err != nil {
		return s.skip(ctx, name, err)
	}
	for _, item := range slices.SortedFunc(maps.Keys(items), func(a, b client.GarbageItem) int {
		return strings.Compare(a.Prefix+a.Why, b.Prefix+b.Why)
	}) {
		item.Uploads = items[item]
		s.garbage.Jobs = append(s.garbage.Jobs, item)
		s.garbage.Uploads += item.Uploads
	}
	return nil
}

// skip notes that a root was skipped. It returns an error if the caller's context
// has ended.
func (s *uploadSweep) skip(ctx context.Context, prefix string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	s.cfg.Log.Warn("unfinished uploads are not collected here", "below", prefix, "error", err)
	s.garbage.Skipped = append(s.garbage.Skipped, client.GarbageSkipped{Prefix: prefix, Error: err.Error()})
	return nil
}
