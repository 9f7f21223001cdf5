package gc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// collectBundles removes the programs, and files that were shipped with jobs, that no job
// needs. Jobs that have not ended
// need theirs, and so do jobs that failed recently, because a user may retry them.
//
// It records which programs it may delete, looks at the jobs again while submissions
// and retries are held back, and confirms that this master leads, in this order. So a
// later leader, and a master that was stopped in between, never delete a program that
// a job needs: see Jobs.Doom.
//
// While the specification of a job cannot be read, its programs are unknown. All
// programs stay until that job has ended and can no longer be retried.
func (s *survey) collectBundles(ctx context.Context, g *client.Garbage) error {
	n := needs{used: make(map[string]bool), seen: make(map[plan.JobID]bool), unread: make(map[plan.JobID]*journal.UnreadableSpec)}
	if err := s.needs(ctx, &n); err != nil {
		return err
	}
	useless, err := s.useless(ctx, &n)
	if err != nil || len(useless) == 0 && len(n.unread) == 0 {
		return err
	}
	if g.DryRun {
		return s.sweepBundles(ctx, g, &n, useless)
	}
	ended := false
	release, err := s.cfg.Jobs.Doom(ctx, slices.Sorted(maps.Keys(useless)))
	if err != nil {
		return err
	}
	defer func() {
		if err := release(context.WithoutCancel(ctx), ended); err != nil {
			s.cfg.Log.Warn("the record of a collection could not be removed; programs of these names get others", "error", err)
		}
	}()
	unblock, err := s.cfg.Jobs.HoldBack(ctx)
	if err != nil {
		ended = true // nothing was begun
		return err
	}
	defer unblock()
	if err := s.needs(ctx, &n); err != nil {
		ended = true
		return err
	}
	err = s.sweepBundles(ctx, g, &n, useless)
	ended = err == nil
	return err
}

// useless returns the keys of the programs that no job needs, and that are old.
func (s *survey) useless(ctx context.Context, n *needs) (map[string]bool, error) {
	keys := make(map[string]bool)
	for o, err := range s.cfg.Root.List(ctx, plan.BundlePrefix) {
		if err != nil {
			return nil, err
		}
		if !n.used[o.Key] && s.now.Sub(o.ModTime) > s.cfg.Keep {
			keys[o.Key] = true
		}
	}
	return keys, nil
}

// sweepBundles removes useless programs that no job needs.
func (s *survey) sweepBundles(ctx context.Context, g *client.Garbage, n *needs, useless map[string]bool) error {
	for _, id := range slices.Sorted(maps.Keys(n.unread)) {
		g.Skipped = append(g.Skipped, client.GarbageSkipped{Prefix: plan.BundlePrefix, Error: fmt.Sprintf("no program is removed while it is unknown which ones job %s needs: %v, or cancel it; "+
			"when its end is longer ago than the master's --keep, it needs none", id, n.unread[id])})
	}
	if len(n.unread) > 0 {
		return nil
	}
	return s.sweep(ctx, g, plan.BundlePrefix, "no job is left that needs them", func(o store.Object) bool { return useless[o.Key] && !n.used[o.Key] },
		func() bool { return false })
}

// needs is which programs jobs need.
type needs struct {
	seen   map[plan.JobID]bool
	used   map[string]bool // by key
	unread map[plan.JobID]*journal.UnreadableSpec
}

// needs adds the programs of jobs that were not seen before.
func (s *survey) needs(ctx context.Context, n *needs) error {
	ids, err := s.cfg.Jobs.IDs(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex // over n.used and n.unread
	looks, looking := errgroup.WithContext(ctx)
	looks.SetLimit(looksAtOnce)
	for _, id := range ids {
		if n.seen[id] && !s.cfg.Jobs.Busy(id) {
			continue
		}
		n.seen[id] = true
		looks.Go(func() error {
			bundles, err := s.uses(looking, id)
			mu.Lock()
			defer mu.Unlock()
			for _, b := range bundles {
				n.used[b.Key()] = true
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

// uses returns the programs and files that a job needs. A job that has ended needs none,
// unless it may be retried.
func (s *survey) uses(ctx context.Context, id plan.JobID) ([]plan.Bundle, error) {
	sum, ended, err := s.cfg.Jobs.Summary(ctx, id)
	if lost(err) {
		ended, err = false, nil // it may be retried
	}
	if err != nil {
		return nil, err
	}
	at := s.ended[id]
	if ended && at != nil && (sum.Job.State == client.Succeeded || s.now.Sub(*at) > s.cfg.Keep) && !s.cfg.Jobs.Busy(id) {
		return nil, nil
	}
	spec, err := journal.ReadSpec(ctx, s.cfg.Root, id)
	if err != nil {
		return nil, err
	}
	return spec.Objects(), nil
}
