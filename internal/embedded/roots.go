package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/windrow-mr/windrow/internal/planning"
	"github.com/windrow-mr/windrow/store"
)

// roots are the roots that a run has opened, by URL. It may open whatever its
// user names.
type roots struct {
	opts store.Options
	mu   sync.Mutex
	open map[string]*store.Root
}

var _ planning.Roots = (*roots)(nil)

// Locate splits the URL of an input into a root and a key.
func (r *roots) Locate(url string) (rootURL, key string, err error) { return store.Locate(url) }

// Get opens a root once.
func (r *roots) Get(ctx context.Context, url string, create bool) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	opts := r.opts
	opts.CreateDir = create
	root, err := store.Open(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	if r.open == nil {
		r.open = make(map[string]*store.Root)
	}
	r.open[url] = root
	return root, nil
}

// Opened returns a root that Get has opened before.
func (r *roots) Opened(url string) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	return nil, fmt.Errorf("root %s was not opened for this run", url)
}

// usage adds up the requests to all roots.
func (r *roots) usage() store.Usage {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sum store.Usage
	for _, root := range r.open {
		sum = sum.Plus(root.Usage())
	}
	return sum
}

// anyRemote tells whether any root costs round trips, and so memory to hide them.
func (r *roots) anyRemote() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, root := range r.open {
		if root.Remote() {
			return true
		}
	}
	return false
}

func (r *roots) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, root := range r.open {
		errs = append(errs, root.Close())
	}
	return errors.Join(errs...)
}
