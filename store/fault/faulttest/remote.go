// Package faulttest makes drivers at hand look like drivers of a store across a
// network, so that tests see retries, stalls, pacing and uploads in parts
// without a server. Tests of any package call it.
//
// Concurrency: what Remote returns may be used by any number of goroutines, as
// the driver beneath may. Failure: none of its own. Units: bytes.
package faulttest

import (
	"bytes"
	"context"
	"sync"

	"github.com/windrow-mr/windrow/store"
)

// Remote decorates a driver at hand. Uploads are taken in parts of partSize
// bytes, in any order and more than once, and become one object at their
// commit. It belongs beneath a fault.Injector's Wrap.
func Remote(d store.Driver, partSize int) store.Driver {
	r := &remote{d, partSize}
	if l, ok := d.(store.RangeLister); ok {
		return struct {
			store.Driver
			store.RangeLister
		}{r, l}
	}
	return r
}

type remote struct {
	store.Driver
	partSize int
}

func (r *remote) Traits() store.Traits {
	t := r.Driver.Traits()
	t.Remote, t.PartSize, t.MaxParts = true, r.partSize, 10_000
	return t
}

// Open hides that the reader is at hand.
func (r *remote) Open(ctx context.Context, key, etag string) (store.Reader, error) {
	inner, err := r.Driver.Open(ctx, key, etag)
	if err != nil {
		return nil, err
	}
	return struct{ store.Reader }{inner}, nil
}

func (r *remote) Upload(_ context.Context, key string, o store.CreateOptions) (store.Upload, error) {
	return &upload{driver: r.Driver, key: key, opts: o, parts: make(map[int][]byte)}, nil
}

// upload takes parts as a bucket does.
type upload struct {
	driver store.Driver
	key    string
	opts   store.CreateOptions

	mu    sync.Mutex
	parts map[int][]byte
}

func (u *upload) Part(_ context.Context, n int, body []byte) error {
	copied := bytes.Clone(body)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[n] = copied
	return nil
}

func (u *upload) Commit(ctx context.Context) error {
	u.mu.Lock()
	var body []byte
	for n := 1; n <= len(u.parts); n++ {
		body = append(body, u.parts[n]...)
	}
	u.mu.Unlock()
	return u.driver.Put(ctx, u.key, body, u.opts)
}

func (u *upload) Abort(context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts = nil
	return nil
}
