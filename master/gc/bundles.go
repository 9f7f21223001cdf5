package gc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// collectBundles removes the programs that no job needs. Jobs that have not ended
// need theirs, and so do jobs that failed recently, because a user may retry them.
// The second look at the jobs, which is quick, holds submissions and retries back.
//
// While the specification of a job cannot be read, its programs are unknown. All
// programs stay until that job has ended and can no longer be retried.
func (c *Collector) collectBundles(ctx context.Context, g *client.Garbage) error {
	n := needs{used: make(map[string]bool), seen: make(map[plan.JobID]bool), unread: make(map[plan.JobID]*journal.UnreadableSpec)}
	if err := c.needs(ctx, &n); err != nil {
		return err
	}
	release, err := c.cfg.Jobs.HoldBack(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := c.needs(ctx, &n); err != nil {
		return err
	}
	prefix := plan.BundleKey("")
	for _, id := range slices.Sorted(maps.Keys(n.unread)) {
		g.Skipped = append(g.Skipped, client.GarbageSkipped{Prefix: prefix, Error: fmt.Sprintf("no program is removed while it is unknown which ones job %s needs: %v, or cancel it; "+
			"when its end is longer ago than the master's --keep, it needs none", id, n.unread[id])})
	}
	if len(n.unread) > 0 {
		return nil
	}
	return c.sweep(ctx, g, prefix, "no job is left that needs them", func(o store.Object) bool {
		return !n.used[strings.TrimPrefix(o.Key, prefix)] && c.cfg.Now().Sub(o.ModTime) > c.cfg.Keep
	})
}

// needs is which programs jobs need.
type needs struct {
	seen   map[plan.JobID]bool
	used   map[string]bool // by digest
	unread map[plan.JobID]*journal.UnreadableSpec
}

// needs adds the programs of jobs that were not seen before.
func (c *Collector) needs(ctx context.Context, n *needs) error {
	ids, err := c.cfg.Jobs.IDs(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex // over n.used and n.unread
	looks, looking := errgroup.WithContext(ctx)
	looks.SetLimit(looksAtOnce)
	for _, id := range ids {
		if n.seen[id] && !c.cfg.Jobs.Busy(id) {
			continue
		}
		n.seen[id] = true
		looks.Go(func() error {
			bundles, err := c.uses(looking, id)
			mu.Lock()
			defer mu.Unlock()
			for _, b := range bundles {
				n.used[b.Digest] = true
			}
			if u, ok := errors.AsType[*journal.UnreadableSpec](err); ok {
				n.unread[id] = u
				return nil
			}
			return err
		})
	}
	return looks.Wait()
}

// uses returns the programs that a job needs. A job that has ended needs none,
// unless it may be retried.
func (c *Collector) uses(ctx context.Context, id plan.JobID) ([]plan.Bundle, error) {
	sum, ended, err := c.cfg.Jobs.Summary(ctx, id)
	if lost(err) {
		ended, err = false, nil // it may be retried
	}
	if err != nil {
		return nil, err
	}
	if ended && (sum.Job.State == client.Succeeded || c.cfg.Now().Sub(sum.Job.Ended) > c.cfg.Keep) && !c.cfg.Jobs.Busy(id) {
		return nil, nil
	}
	spec, err := journal.ReadSpec(ctx, c.cfg.Root, id)
	if err != nil {
		return nil, err
	}
	return spec.Bundles, nil
}
