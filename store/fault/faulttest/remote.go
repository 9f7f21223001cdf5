// Package faulttest makes local drivers look like drivers of a store across a
// network, so that tests see retries, stalls, pacing and uploads in parts
// without a server. Tests of any package call it.
//
// Concurrency: the result of Remote may be used by any number of goroutines, if
// the driver beneath may. Failure: none of its own. Units: bytes.
package faulttest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// Remote wraps a local driver. It takes uploads in parts of partSize bytes, in
// any order and more than once, which become one object at their commit. It
// lists uploads that were neither committed nor aborted. It is a driver of its
// own and not a driver.Decorator, since it can do what the driver beneath
// cannot. It belongs beneath a fault.Injector's Wrap.
func Remote(d driver.Driver, partSize int) driver.Driver {
	r := &remote{Driver: d, partSize: partSize, unfinished: make(map[string]driver.Unfinished)}
	if l, ok := driver.As[driver.RangeLister](d); ok {
		return struct {
			*remote
			driver.RangeLister
		}{r, l}
	}
	return r
}

type remote struct {
	driver.Driver
	partSize int

	mu         sync.Mutex
	begun      int
	unfinished map[string]driver.Unfinished // by id
}

var _ driver.UploadLister = (*remote)(nil)

func (r *remote) Traits() driver.Traits {
	t := r.Driver.Traits()
	t.Remote, t.PartSize, t.MaxParts = true, r.partSize, 10_000
	return t
}

// Open hides that the reader is local.
func (r *remote) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	inner, err := r.Driver.Open(ctx, key, etag)
	if err != nil {
		return nil, err
	}
	return struct{ driver.Reader }{inner}, nil
}

func (r *remote) Upload(_ context.Context, key string, o driver.CreateOptions) (driver.Upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
	u := &upload{driver: r, about: driver.Unfinished{Key: key, ID: strconv.Itoa(r.begun), Began: time.Now()}, opts: o, parts: make(map[int][]byte)}
	r.unfinished[u.about.ID] = u.about
	return u, nil
}

// uploadsPage is how many uploads a page has.
const uploadsPage = 10

// uploadPager returns the uploads that existed at its first page.
type uploadPager struct {
	driver *remote
	prefix string
	began  bool
	rest   []driver.Unfinished
}

// ListUploads begins a listing.
func (r *remote) ListUploads(prefix string) driver.UploadPager {
	return &uploadPager{driver: r, prefix: prefix}
}

func (p *uploadPager) Next(context.Context) (page []driver.Unfinished, last bool, err error) {
	if !p.began {
		p.began, p.rest = true, p.driver.list(p.prefix)
	}
	n := min(len(p.rest), uploadsPage)
	page, p.rest = p.rest[:n:n], p.rest[n:]
	return page, len(p.rest) == 0, nil
}

// list returns the uploads to keys that start with prefix, in order.
func (r *remote) list(prefix string) []driver.Unfinished {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []driver.Unfinished
	for _, u := range r.unfinished {
		if strings.HasPrefix(u.Key, prefix) {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b driver.Unfinished) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
	})
	return all
}

// AbortUpload forgets an upload.
func (r *remote) AbortUpload(_ context.Context, u driver.Unfinished) error {
	r.end(u.ID)
	return nil
}

// end takes an upload off the list.
func (r *remote) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unfinished, id)
}

// upload takes parts as a bucket does.
type upload struct {
	driver *remote
	about  driver.Unfinished
	opts   driver.CreateOptions

	mu    sync.Mutex
	parts map[int][]byte
	done  bool // it was committed, perhaps without an answer
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
	defer u.mu.Unlock()
	if !u.done && !u.driver.has(u.about.ID) {
		return driver.Fail(plan.Invalid, "the upload was aborted")
	}
	var body []byte
	for n := 1; n <= len(u.parts); n++ {
		body = append(body, u.parts[n]...)
	}
	if err := u.driver.Put(ctx, u.about.Key, body, u.opts); err != nil {
		return err
	}
	u.done = true
	u.driver.end(u.about.ID)
	return nil
}

// has reports whether an upload may still be committed.
func (r *remote) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, there := r.unfinished[id]
	return there
}

func (u *upload) Abort(context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.driver.end(u.about.ID)
	u.parts = nil
	return nil
}
