package fault

import (
	"context"
	"os"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// faulty passes calls through an injector.
type faulty struct {
	driver.Driver
	injector *Injector
	remote   bool

	// Optional interfaces of the driver beneath; nil if it lacks one, and then
	// driver.As hides the methods that use it.
	ranges  driver.RangeLister
	known   driver.KnownOpener
	uploads driver.UploadLister
	levels  driver.LevelLister
}

var _ driver.Decorator = (*faulty)(nil)

// Unwrap returns the driver beneath.
func (d *faulty) Unwrap() driver.Driver { return d.Driver }

func (d *faulty) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	return d.injector.run(ctx, call{op: Put, key: key, absent: o.IfAbsent, bytes: len(body)},
		func() error { return d.Driver.Put(ctx, key, body, o) })
}

func (d *faulty) Stat(ctx context.Context, key string) (o store.Object, err error) {
	err = d.injector.run(ctx, call{op: Stat, key: key}, func() error {
		o, err = d.Driver.Stat(ctx, key)
		return err
	})
	return o, err
}

func (d *faulty) Delete(ctx context.Context, key string) error {
	return d.injector.run(ctx, call{op: Delete, key: key}, func() error { return d.Driver.Delete(ctx, key) })
}

func (d *faulty) Upload(ctx context.Context, key string, o store.CreateOptions) (u driver.Upload, err error) {
	err = d.request(ctx, call{op: Begin, key: key}, func() error {
		u, err = d.Driver.Upload(ctx, key, o)
		return err
	})
	wrapped := upload{u, d, key, o}
	if l, ok := u.(driver.Lender); ok {
		return &lender{wrapped, l}, err
	}
	return &wrapped, err
}

// request is run for calls that are requests on remote stores only.
func (d *faulty) request(ctx context.Context, c call, do func() error) error {
	if !d.remote {
		return do()
	}
	return d.injector.run(ctx, c, do)
}

func (d *faulty) List(prefix string) driver.Pager {
	return &pager{d.Driver.List(prefix), d.injector, prefix, 0}
}

func (d *faulty) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := d.Driver.Open(ctx, key, etag)
	if err != nil {
		return nil, err
	}
	return &reader{inner: r, driver: d, key: key}, nil
}

// OpenKnown is Open of an object whose size is known.
func (d *faulty) OpenKnown(ctx context.Context, o driver.Object) (driver.Reader, error) {
	r, err := d.known.OpenKnown(ctx, o)
	if err != nil {
		return nil, err
	}
	return &reader{inner: r, driver: d, key: o.Key}, nil
}

// ListAfter begins a listing.
func (d *faulty) ListAfter(prefix, after string) driver.Pager {
	return &pager{d.ranges.ListAfter(prefix, after), d.injector, prefix, 0}
}

// ListLevel begins a listing of a directory. A page is a list, of the same key as a page
// of all objects below, and another request.
func (d *faulty) ListLevel(base, prefix string) driver.LevelPager {
	return &levelPager{d.levels.ListLevel(base, prefix), d.injector, prefix, firstLevelPage}
}

// firstLevelPage is the number of the first page of a directory: far above those of
// listings of objects.
const firstLevelPage = 1 << 40

type levelPager struct {
	driver.LevelPager
	injector *Injector
	prefix   string
	page     int64
}

func (p *levelPager) Next(ctx context.Context) (page []driver.Entry, last bool, err error) {
	err = p.injector.run(ctx, call{op: List, key: p.prefix, sub: p.page}, func() error {
		page, last, err = p.LevelPager.Next(ctx)
		return err
	})
	if err == nil {
		p.page++
	}
	return page, last, err
}

// ListUploads begins a listing of uploads. A page is a list, of the same key as
// a page of objects, and another request.
func (d *faulty) ListUploads(prefix string) driver.UploadPager {
	return &uploadPager{d.uploads.ListUploads(prefix), d.injector, prefix, -1}
}

// AbortUpload passes the call on.
func (d *faulty) AbortUpload(ctx context.Context, u driver.Unfinished) error {
	return d.request(ctx, call{op: Abort, key: u.Key}, func() error { return d.uploads.AbortUpload(ctx, u) })
}

// uploadPager counts its pages downwards, from -1: objects have the numbers from 0.
type uploadPager struct {
	driver.UploadPager
	injector *Injector
	prefix   string
	page     int64
}

func (p *uploadPager) Next(ctx context.Context) (page []store.Unfinished, last bool, err error) {
	err = p.injector.run(ctx, call{op: List, key: p.prefix, sub: p.page}, func() error {
		page, last, err = p.UploadPager.Next(ctx)
		return err
	})
	if err == nil {
		p.page--
	}
	return page, last, err
}

type upload struct {
	driver.Upload
	driver *faulty
	key    string
	opts   store.CreateOptions
}

func (u *upload) Part(ctx context.Context, n int, body []byte) error {
	return u.driver.request(ctx, call{op: Part, key: u.key, sub: int64(n), bytes: len(body)},
		func() error { return u.Upload.Part(ctx, n, body) })
}

func (u *upload) Commit(ctx context.Context) error {
	return u.driver.injector.run(ctx, call{op: Commit, key: u.key, absent: u.opts.IfAbsent},
		func() error { return u.Upload.Commit(ctx) })
}

func (u *upload) Abort(ctx context.Context) error {
	return u.driver.request(ctx, call{op: Abort, key: u.key}, func() error { return u.Upload.Abort(ctx) })
}

// lender is an upload that another process may write, unseen by the injector.
type lender struct {
	upload
	inner driver.Lender
}

// Lend passes the call on.
func (l *lender) Lend() (*os.File, error) { return l.inner.Lend() }

// TakeBack passes the call on.
func (l *lender) TakeBack(ctx context.Context) (int64, error) { return l.inner.TakeBack(ctx) }

// pager numbers its pages, so that each is a request of its own.
type pager struct {
	driver.Pager
	injector *Injector
	prefix   string
	page     int64
}

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	err = p.injector.run(ctx, call{op: List, key: p.prefix, sub: p.page}, func() error {
		page, last, err = p.Pager.Next(ctx)
		return err
	})
	if err == nil {
		p.page++
	}
	return page, last, err
}

// reader is no io.ReaderAt, so that every read is a Range that can fail.
type reader struct {
	inner  driver.Reader
	driver *faulty
	key    string
}

func (r *reader) Object(ctx context.Context) (o store.Object, err error) {
	err = r.driver.request(ctx, call{op: Stat, key: r.key}, func() error {
		o, err = r.inner.Object(ctx)
		return err
	})
	return o, err
}

func (r *reader) Close() error { return r.inner.Close() }

func (r *reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	h := r.driver.injector.meet(Read, r.key, off, false)
	if err := h.wait(ctx, 0); err != nil {
		return driver.Body{}, err
	}
	if h.rule != nil && (h.rule.Do == Fail || h.rule.Do == LoseResponse) {
		h.happened()
		return driver.Body{}, h.err()
	}
	if h.rule != nil && h.rule.Do == Full && n >= 0 {
		return r.full(ctx, &h, off, n)
	}
	b, err := r.inner.Range(ctx, off, n)
	if err != nil {
		return b, err
	}
	if h.rule != nil {
		if err := r.damage(ctx, &h, &b, n); err != nil {
			_ = b.Close()
			return driver.Body{}, err
		}
	}
	if h.rate > 0 {
		b.ReadCloser = &paced{ReadCloser: b.ReadCloser, ctx: ctx, rate: h.rate}
	}
	return b, nil
}

// full answers a range with the whole object.
func (r *reader) full(ctx context.Context, h *hit, off, n int64) (driver.Body, error) {
	b, err := r.inner.Range(ctx, 0, -1)
	if err == nil && (off > 0 || b.Length > n) {
		h.happened()
	}
	return b, err
}

// flippable reports whether a flip in a body would be noticed.
func (r *reader) flippable(ctx context.Context, b *driver.Body) (bool, error) {
	if b.Sum.Known() && b.Length == b.Total {
		return true, nil // package store checks it
	}
	if checked := r.driver.injector.Checked; checked != nil {
		return checked(r.driver.Traits().URL + "/" + r.key), nil
	}
	// The answer to a range need not have the checksum of the whole.
	o, err := r.inner.Object(ctx)
	return o.Sum.Known(), err
}
