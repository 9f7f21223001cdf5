package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// HasBundle reports whether a program was uploaded.
func (m *Master) HasBundle(ctx context.Context, digest string) (bool, error) {
	l, err := m.leader()
	if err != nil {
		return false, answer(err)
	}
	return l.has(ctx, plan.BundleKey(digest, l.copyOf(digest)))
}

// has reports whether there is an object that no collection of garbage may delete.
func (l *leadership) has(ctx context.Context, key string) (bool, error) {
	l.mu.Lock()
	doomed := l.doomed[key]
	l.mu.Unlock()
	if doomed {
		return false, nil
	}
	_, err := l.cfg.Root.Stat(ctx, key)
	if plan.KindOf(err) == plan.NotFound {
		return false, nil
	}
	return err == nil, answer(err)
}

// PutBundle stores a program, if its bytes have the digest.
func (m *Master) PutBundle(ctx context.Context, digest string, size int64, body io.Reader) error {
	l, err := m.leader()
	if err != nil {
		return answer(err)
	}
	key := plan.BundleKey(digest, l.copyOf(digest))
	there, err := l.has(ctx, key)
	if err != nil || there {
		return err
	}
	w, err := m.cfg.Root.Create(ctx, key, store.CreateOptions{})
	if err != nil {
		return answer(err)
	}
	defer w.Abort()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), body)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest || n != size {
		return client.Errorf(plan.Invalid, "the bundle's %d bytes have the SHA-256 %s, not %s of %d bytes: nothing was stored", n, got, digest, size)
	}
	return answer(w.Commit())
}

// copies returns the copies of programs and files that a new job uses, those that are not 0.
func (l *leadership) copies(bundles []plan.Bundle) map[string]int {
	var all map[string]int
	for i := range bundles {
		if n := l.copyOf(bundles[i].Digest); n > 0 {
			if all == nil {
				all = make(map[string]int)
			}
			all[bundles[i].Digest] = n
		}
	}
	return all
}

// lacks returns the first program or file of a job that was not uploaded, nil if all were.
func (l *leadership) lacks(ctx context.Context, spec *plan.Spec) (*plan.Bundle, error) {
	objects := spec.Objects()
	for i := range objects {
		there, err := l.has(ctx, objects[i].Key())
		if err != nil {
			return nil, err
		}
		if !there {
			return &objects[i], nil
		}
	}
	return nil, nil
}

// doom is Doom of this leadership.
func (l *leadership) doom(ctx context.Context, keys []string) (release func(ctx context.Context, ended bool) error, err error) {
	record, err := journal.BeginCollection(ctx, l.cfg.Root, l.epoch, keys)
	if err != nil {
		return nil, err
	}
	var mine []string
	l.mu.Lock()
	for _, key := range keys {
		if !l.doomed[key] {
			l.doomed[key] = true
			mine = append(mine, key)
		}
	}
	l.mu.Unlock()
	return func(ctx context.Context, ended bool) error {
		if !ended {
			return nil
		}
		if err := journal.EndCollection(ctx, l.cfg.Root, record); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, key := range mine {
			delete(l.doomed, key)
		}
		return nil
	}, nil
}

// Doom records the keys of programs that a collection of garbage may delete. Until
// release is called, and after that unless all deletions have ended, new programs get
// other keys.
func (m jobsOf) Doom(ctx context.Context, keys []string) (release func(ctx context.Context, ended bool) error, err error) {
	l, err := m.leader()
	if err != nil {
		return nil, err
	}
	return l.doom(ctx, keys)
}
