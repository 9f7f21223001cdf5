package embedded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/internal/forecast"
	"github.com/windrow-mr/windrow/store"
)

// roots are the roots that a run has opened, by URL. A run can open every root that
// its user names.
type roots struct {
	opts store.Options
	// look says that nothing can be written: a missing directory is not created,
	// but treated as an empty one.
	look bool
	mu   sync.Mutex
	open map[string]*store.Root
	// standing are missing directories, below roots that are open.
	standing map[string]*store.Root
	kinds    map[string]forecast.Store
}

var _ store.Roots = (*roots)(nil)

// Locate splits the URL of an input into a root and a key.
func (r *roots) Locate(url string) (rootURL, key string, err error) { return store.Locate(url) }

// Get opens a root once.
func (r *roots) Get(ctx context.Context, url string, create bool) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	if root := r.standing[url]; root != nil && create {
		return root, nil
	}
	root, err := r.openOne(ctx, url, create && !r.look)
	if r.look && create && plan.KindOf(err) == plan.NotFound {
		return r.standIn(ctx, url)
	}
	return root, err
}

// openOne opens a root, and records the kind of its store. The caller holds the
// lock.
func (r *roots) openOne(ctx context.Context, url string, create bool) (*store.Root, error) {
	opts, kind := r.opts, forecast.Store{Range: store.DefaultRange}
	if opts.Transfer.Range > 0 {
		kind.Range = int64(opts.Transfer.Range)
	}
	opts.CreateDir = create
	root, err := store.Open(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	t := root.Traits()
	kind.Scheme, _, _ = strings.Cut(t.URL, "://")
	kind.Remote, kind.PartSize = t.Remote, int64(t.PartSize)
	if r.open == nil {
		r.open, r.kinds = make(map[string]*store.Root), make(map[string]forecast.Store)
	}
	r.open[url], r.kinds[url] = root, kind
	return root, nil
}

// topDir is the root of the file system.
const topDir = "file:///"

// standIn returns the root of a missing directory, below a root that exists. The
// caller holds the lock.
func (r *roots) standIn(ctx context.Context, url string) (*store.Root, error) {
	dir, err := filepath.Abs(strings.TrimPrefix(url, "file://"))
	if err != nil {
		return nil, err
	}
	top := r.open[topDir]
	if top == nil {
		if top, err = r.openOne(ctx, topDir, false); err != nil {
			return nil, err
		}
	}
	if r.standing == nil {
		r.standing = make(map[string]*store.Root)
	}
	r.standing[url], r.kinds[url] = top.Sub(filepath.ToSlash(dir)), r.kinds[topDir]
	return r.standing[url], nil
}

// kind returns the kind of the store of an opened root.
func (r *roots) kind(url string) forecast.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kinds[url]
}

// Opened returns a root that Get opened before.
func (r *roots) Opened(url string) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	if root := r.standing[url]; root != nil {
		return root, nil
	}
	return nil, fmt.Errorf("root %s was not opened for this run", url)
}

// requests returns the requests to all roots, by the scheme of their URLs.
func (r *roots) requests() plan.Requests {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := plan.Requests{}
	for url, root := range r.open {
		scheme := r.kinds[url].Scheme
		sum[scheme] = sum[scheme].Plus(root.Usage())
	}
	return sum
}

// anyRemote reports whether any root costs round trips, and so memory to hide them.
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
