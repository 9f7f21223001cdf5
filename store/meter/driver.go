package meter

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// Wrap decorates a driver, so that requests made with a context of With are
// counted.
func Wrap(d driver.Driver) driver.Driver {
	t := d.Traits()
	wrapped := &metered{Driver: d, scheme: schemeOf(t.URL), remote: t.Remote}
	wrapped.ranges, _ = driver.As[driver.RangeLister](d)
	wrapped.known, _ = driver.As[driver.KnownOpener](d)
	wrapped.levels, _ = driver.As[driver.LevelLister](d)
	return wrapped
}

// metered counts the calls that it passes on. It does not count listings of
// uploads, which are for no job in particular.
type metered struct {
	driver.Driver
	scheme string
	remote bool

	// Optional interfaces of the driver beneath; nil if it lacks one, and then
	// driver.As hides the methods that use it.
	ranges driver.RangeLister
	known  driver.KnownOpener
	levels driver.LevelLister
}

var _ driver.Decorator = (*metered)(nil)

// Unwrap returns the driver beneath.
func (d *metered) Unwrap() driver.Driver { return d.Driver }

// counts returns the counts of the requests made with ctx; nil if they are not
// counted.
func (d *metered) counts(ctx context.Context) *counts {
	s := of(ctx)
	if s.tally == nil {
		return nil
	}
	return s.tally.of(d.scheme)
}

// note counts a refusal.
func (c *counts) note(err error) error {
	if err != nil && c != nil && plan.KindOf(err) == plan.Throttled {
		c.throttles.Add(1)
	}
	return err
}

func (d *metered) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	c := d.counts(ctx)
	if c != nil {
		if o.Class == store.Heartbeat {
			c.heartbeats.Add(1)
		} else {
			c.puts.Add(1)
		}
		c.bytesUp.Add(int64(len(body)))
	}
	return c.note(d.Driver.Put(ctx, key, body, o))
}

func (d *metered) Stat(ctx context.Context, key string) (store.Object, error) {
	c := d.counts(ctx)
	if c != nil && (d.remote || !of(ctx).lent) {
		c.stats.Add(1)
	}
	o, err := d.Driver.Stat(ctx, key)
	return o, c.note(err)
}

func (d *metered) Delete(ctx context.Context, key string) error {
	c := d.counts(ctx)
	if c != nil {
		c.deletes.Add(1)
	}
	return c.note(d.Driver.Delete(ctx, key))
}

func (d *metered) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	c := d.counts(ctx)
	if c != nil && d.remote {
		c.multipart.Add(1)
	}
	u, err := d.Driver.Upload(ctx, key, o)
	if c == nil || err != nil {
		return u, c.note(err)
	}
	wrapped := upload{Upload: u, counts: c, remote: d.remote}
	if l, ok := u.(driver.Lender); ok {
		return &lender{wrapped, l}, nil
	}
	return &wrapped, nil
}

func (d *metered) List(prefix string) driver.Pager { return &pager{d.Driver.List(prefix), d} }

// ListAfter begins a listing.
func (d *metered) ListAfter(prefix, after string) driver.Pager {
	return &pager{d.ranges.ListAfter(prefix, after), d}
}

// ListLevel begins a listing of a directory.
func (d *metered) ListLevel(base, prefix string) driver.LevelPager {
	return &levelPager{d.levels.ListLevel(base, prefix), d}
}

type levelPager struct {
	driver.LevelPager
	driver *metered
}

func (p *levelPager) Next(ctx context.Context) (page []driver.Entry, last bool, err error) {
	c := p.driver.counts(ctx)
	if c != nil {
		c.lists.Add(1)
	}
	page, last, err = p.LevelPager.Next(ctx)
	return page, last, c.note(err)
}

type pager struct {
	driver.Pager
	driver *metered
}

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	c := p.driver.counts(ctx)
	if c != nil {
		c.lists.Add(1)
	}
	page, last, err = p.Pager.Next(ctx)
	return page, last, c.note(err)
}

// upload counts for the caller that has begun it.
type upload struct {
	driver.Upload
	counts *counts
	remote bool
}

func (u *upload) Part(ctx context.Context, n int, body []byte) error {
	u.counts.bytesUp.Add(int64(len(body)))
	u.request()
	return u.counts.note(u.Upload.Part(ctx, n, body))
}

func (u *upload) Commit(ctx context.Context) error {
	if !u.remote {
		u.counts.puts.Add(1)
	}
	u.request()
	return u.counts.note(u.Upload.Commit(ctx))
}

func (u *upload) Abort(ctx context.Context) error {
	u.request()
	return u.counts.note(u.Upload.Abort(ctx))
}

// request counts what is a request on remote stores only.
func (u *upload) request() {
	if u.remote {
		u.counts.multipart.Add(1)
	}
}

// lender is an upload that another process may write.
type lender struct {
	upload
	inner driver.Lender
}

// Lend passes the call on.
func (l *lender) Lend() (*os.File, error) { return l.inner.Lend() }

// TakeBack counts what the other process has written.
func (l *lender) TakeBack(ctx context.Context) (int64, error) {
	size, err := l.inner.TakeBack(ctx)
	if err == nil {
		l.counts.bytesUp.Add(size)
	}
	return size, err
}

func (d *metered) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := d.Driver.Open(ctx, key, etag)
	return d.opened(ctx, r, err)
}

// OpenKnown is Open of an object whose size is known.
func (d *metered) OpenKnown(ctx context.Context, o driver.Object) (driver.Reader, error) {
	r, err := d.known.OpenKnown(ctx, o)
	return d.opened(ctx, r, err)
}

// opened returns a reader that counts.
func (d *metered) opened(ctx context.Context, r driver.Reader, err error) (driver.Reader, error) {
	if err != nil {
		return nil, d.counts(ctx).note(err)
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		return &reader{r, d}, nil
	}
	// Its reads have no context: they count for the caller that opens it.
	s := of(ctx)
	if s.tally == nil || s.lent {
		return r, nil
	}
	return &fileReader{Reader: r, at: at, counts: d.counts(ctx), next: -1}, nil
}

// reader reads by requests.
type reader struct {
	driver.Reader
	driver *metered
}

func (r *reader) Object(ctx context.Context) (store.Object, error) {
	c := r.driver.counts(ctx)
	if c != nil && r.driver.remote {
		c.stats.Add(1)
	}
	o, err := r.Reader.Object(ctx)
	return o, c.note(err)
}

func (r *reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	s := of(ctx)
	if s.tally == nil || s.lent && !r.driver.remote {
		return r.Reader.Range(ctx, off, n)
	}
	c := s.tally.of(r.driver.scheme)
	c.gets.Add(1)
	b, err := r.Reader.Range(ctx, off, n)
	if err == nil {
		b.ReadCloser = &body{b.ReadCloser, c}
	}
	return b, c.note(err)
}

// body counts the bytes that are read from it.
type body struct {
	io.ReadCloser
	counts *counts
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.counts.bytesDown.Add(int64(n))
	return n, err
}

// fileReader reads a local object.
type fileReader struct {
	driver.Reader
	at     io.ReaderAt
	counts *counts

	mu   sync.Mutex
	next int64 // where the last read ended
}

// ReadAt reads. A read that begins where the last one ended belongs to the same
// request.
func (r *fileReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.at.ReadAt(p, off)
	r.mu.Lock()
	if off != r.next {
		r.counts.gets.Add(1)
	}
	r.next = off + int64(n)
	r.mu.Unlock()
	r.counts.bytesDown.Add(int64(n))
	return n, err
}

func (r *fileReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	r.counts.gets.Add(1)
	b, err := r.Reader.Range(ctx, off, n)
	if err == nil {
		b.ReadCloser = &body{b.ReadCloser, r.counts}
	}
	return b, err
}
