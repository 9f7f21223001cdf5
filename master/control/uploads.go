package control

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// collectUploads aborts uploads in parts that nobody will end: those that began
// longer ago than the grace, of programs, of jobs that are over, and to the parts
// of such jobs in their outputs. Nobody sees these, and buckets bill them.
//
// Whose upload it is, its key alone says. What may be of a job that is under way
// stays, however old: a reduce may take days. So does what this package does not
// know the name of, and what the store does not tell the age of.
//
// Not every store lets everybody list uploads. What it refuses is noted, and
// the rest goes on.
func (m *Master) collectUploads(ctx context.Context, g *client.Garbage, over []client.Job) error {
	s := &uploadSweep{Master: m, garbage: g, seen: make(map[string]bool)}
	jobs := make(map[plan.JobID]*client.Job, len(over))
	outputs := make(map[string][]*client.Job)
	for i := range over {
		j := &over[i]
		jobs[j.ID] = j
		outputs[j.Output] = append(outputs[j.Output], j)
	}
	if err := s.sweep(ctx, m.cfg.Root, func(u store.Unfinished) (prefix, why string) { return m.ofCluster(u, jobs) }, m.place()); err != nil {
		return err
	}
	for _, url := range slices.Sorted(maps.Keys(outputs)) {
		if m.cfg.Allows(url) != nil {
			continue // not this cluster's any more
		}
		root, err := m.cfg.Roots.Get(ctx, url, false)
		if plan.KindOf(err) == plan.NotFound {
			continue // not even its directory is left
		}
		if err == nil {
			err = s.sweep(ctx, root, func(u store.Unfinished) (prefix, why string) { return url, m.ofOutput(u, outputs[url]) }, url)
		} else {
			err = s.skip(ctx, url, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unhurried is how old an upload must be that names no job, however short the grace:
// a program may be long on its way from its user, and somebody may be probing now.
const unhurried = 12 * time.Hour

// unnamed is why a file goes that a dead process was writing: by the lock that it
// held, the store knows that it is dead, and nobody knows what it wrote.
const unnamed = "files that dead processes were writing"

// age returns how long ago an upload began; 0 where the store does not say.
func (m *Master) age(u store.Unfinished) time.Duration {
	if u.Began.IsZero() {
		return 0
	}
	return m.cfg.Now().Sub(u.Began)
}

// place is what the cluster's root is called where a prefix below it stands else.
func (m *Master) place() string { return strings.TrimSuffix(m.cfg.Root.Name(""), "/") }

// ofCluster says why an upload below the cluster's root is nobody's; "" if it may
// be somebody's.
func (m *Master) ofCluster(u store.Unfinished, over map[plan.JobID]*client.Job) (prefix, why string) {
	if u.Key == "" {
		return m.place(), unnamed
	}
	if programs := plan.BundleKey(""); strings.HasPrefix(u.Key, programs) && m.age(u) > unhurried {
		return programs, "uploads of programs that were never ended"
	}
	const segments = 4 // as in j/5f/01J…/s/…
	if parts := strings.SplitN(u.Key, "/", segments); len(parts) == segments {
		j := over[plan.JobID(parts[2])]
		if j != nil && strings.HasPrefix(u.Key, plan.JobPrefix(j.ID)) && !m.busy(j.ID) {
			return plan.JobPrefix(j.ID), ending(j)
		}
	}
	return "", ""
}

// ofOutput says why an upload below an output is nobody's; "" if it may be
// somebody's. Outputs hold what others wrote, too.
func (m *Master) ofOutput(u store.Unfinished, over []*client.Job) (why string) {
	switch {
	case u.Key == "":
		return unnamed
	case strings.HasPrefix(u.Key, store.ProbePrefix) && m.age(u) > unhurried:
		return "probes of the store that were never ended"
	case slices.ContainsFunc(over, func(j *client.Job) bool { return isPart(u.Key, j) }):
		return "parts of jobs that have ended"
	default:
		return ""
	}
}

// isPart tells whether a key below an output is that of a part of a job, of
// whichever of its runs.
func isPart(key string, j *client.Job) bool {
	const fields = 4 // as in part-r-00017-…
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

// uploadSweep aborts uploads below one root after the other.
type uploadSweep struct {
	*Master
	garbage *client.Garbage
	seen    map[string]bool // files without a key, which several roots may list
}

// sweep counts the uploads that are old and nobody's, by the prefix that of gives
// each, and aborts them but in a dry run. name is the root's, for what is skipped.
func (s *uploadSweep) sweep(ctx context.Context, root *store.Root, of func(store.Unfinished) (prefix, why string), name string) error {
	type upload struct{ key, id string }
	doomed := make(map[upload]bool)
	items := make(map[client.GarbageItem]int64)
	err := root.AbortUploads(ctx, "", func(u store.Unfinished) bool {
		prefix, why := of(u)
		if why == "" || s.age(u) <= s.cfg.Grace || u.Key == "" && s.seen[u.ID] {
			return false
		}
		if u.Key == "" {
			s.seen[u.ID] = true
		}
		doomed[upload{u.Key, u.ID}] = true
		items[client.GarbageItem{Prefix: prefix, Why: why}]++
		return false
	})
	if err == nil && len(doomed) > 0 && !s.garbage.DryRun {
		if err := s.rulesStill(ctx); err != nil {
			return err
		}
		err = root.AbortUploads(ctx, "", func(u store.Unfinished) bool { return doomed[upload{u.Key, u.ID}] })
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

// skip notes that a root was gone past. It returns an error when it is the caller
// who has gone.
func (s *uploadSweep) skip(ctx context.Context, prefix string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	s.cfg.Log.Warn("uploads that were never ended are not collected here", "below", prefix, "error", err)
	s.garbage.Skipped = append(s.garbage.Skipped, client.GarbageSkipped{Prefix: prefix, Error: err.Error()})
	return nil
}
