package store

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
)

// maxResumes bounds how often one read continues after a response that broke
// off halfway. Broken responses count against the retry budget too.
const maxResumes = 64

// Handle reads ranges of one version of an object, from any number of
// goroutines. On a file root the file stays open, and bytes go straight from
// the kernel into the caller's buffer.
type Handle struct {
	root   *Root
	object Object
	reader driver.Reader
	at     io.ReaderAt // nil on remote stores

	mu  sync.Mutex
	sum checksum.Sum // of the whole object, as far as it is known
}

// OpenObject opens an object for many range reads and asks the store for its
// size and version: a round trip on remote stores. With an etag, which Stat and
// List return, the object must be of that version; otherwise the error's kind
// is Changed. In both cases the handle keeps to the version that it saw: a read
// that cannot return its bytes fails with Changed.
func (r *Root) OpenObject(ctx context.Context, key string, etag string) (*Handle, error) {
	full := r.prefix + key
	var h *Handle
	err := r.core.control(ctx, statRequest, full, func(ctx context.Context) error {
		reader, err := r.core.driver.Open(ctx, full, etag)
		if err != nil {
			return err
		}
		o, err := reader.Object(ctx)
		if err != nil {
			_ = reader.Close()
			return err
		}
		h = r.handle(reader, Object{Key: key, Size: o.Size, ETag: o.ETag, ModTime: o.ModTime, Sum: o.Sum})
		return nil
	})
	return h, r.fail("open", key, err)
}

// OpenKnown opens an object whose Key and Size the caller knows, and whose ETag
// unless the key is written only once. It makes no request on remote stores, so
// a missing object shows at the first read. For an object of another size or
// version, OpenKnown or that read returns an error of kind Changed.
func (r *Root) OpenKnown(ctx context.Context, o Object) (*Handle, error) {
	reader, err := r.openKnown(ctx, o)
	if err != nil {
		return nil, r.fail("open", o.Key, r.core.judge(ctx, err))
	}
	if !r.core.traits.Remote {
		seen, err := reader.Object(ctx)
		if err == nil && seen.Size != o.Size {
			err = driver.Fail(plan.Changed, "the size is %d, not %d", seen.Size, o.Size)
		}
		if err != nil {
			_ = reader.Close()
			return nil, r.fail("open", o.Key, err)
		}
	}
	return r.handle(reader, o), nil
}

func (r *Root) openKnown(ctx context.Context, o Object) (driver.Reader, error) {
	full := r.prefix + o.Key
	if known := r.core.known; known != nil {
		o.Key = full
		return known.OpenKnown(ctx, o)
	}
	return r.core.driver.Open(ctx, full, o.ETag)
}

func (r *Root) handle(reader driver.Reader, o Object) *Handle {
	h := &Handle{root: r, object: o, reader: reader, sum: o.Sum}
	h.at, _ = reader.(io.ReaderAt)
	return h
}

// Size returns the object's size.
func (h *Handle) Size() int64 { return h.object.Size }

// ETag returns the version that was asked for or found; empty if the handle was
// opened by OpenKnown without one.
func (h *Handle) ETag() string { return h.object.ETag }

// Sum returns the checksum of the whole object, as the store returned it when
// the handle was opened, or with a range since; zero if it returned none. Reads
// of the whole object were already checked against it.
func (h *Handle) Sum() checksum.Sum {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sum
}

// learn keeps the checksum of a response. The first one stays: it belongs to
// the version that the handle keeps to.
func (h *Handle) learn(sum checksum.Sum) {
	if !sum.Known() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.sum.Known() {
		h.sum = sum
	}
}

// Close releases what the handle holds.
func (h *Handle) Close() error {
	return h.root.fail("close", h.object.Key, h.reader.Close())
}

// ReadAt fills all of p with the bytes at off, or returns an error.
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) error {
	err := h.check(off, int64(len(p)))
	if err == nil && len(p) > 0 {
		err = h.fill(ctx, p, off)
	}
	if err == nil {
		return nil
	}
	return h.root.fail("read", h.object.Key, err)
}

// check refuses ranges that the object does not have.
func (h *Handle) check(off, n int64) error {
	if off < 0 || n < 0 || off > h.object.Size-n {
		return driver.Fail(plan.Invalid, "the range of %d bytes at %d is outside of the object's %d", n, off, h.object.Size)
	}
	return nil
}

// fill reads a range that the object has, in one request if all goes well. It
// checks a whole object against its checksum, and reads it again if that
// differs.
func (h *Handle) fill(ctx context.Context, p []byte, off int64) error {
	c := h.root.core
	if h.at != nil {
		c.meter.requests[getRequest].Add(1)
		return h.fillDirect(ctx, p, off)
	}
	for attempt := 1; ; attempt++ {
		if err := h.fetch(ctx, p, off); err != nil || int64(len(p)) != h.object.Size {
			return err
		}
		known := h.Sum()
		err := verify(known, checksum.Of(known.Algorithm, p))
		if err == nil {
			return nil
		}
		if err = c.again(ctx, attempt, h.root.prefix+h.object.Key, err); err != nil {
			return err
		}
	}
}

// fetch reads a range, and continues where a response ended too early.
func (h *Handle) fetch(ctx context.Context, p []byte, off int64) error {
	c := h.root.core
	key := h.root.prefix + h.object.Key
	got := 0
	for resumes := 0; got < len(p); resumes++ {
		err := c.call(ctx, getRequest, key, func(ctx context.Context) error {
			n, err := h.ask(ctx, p[got:], off+int64(got))
			got += n
			c.meter.bytesDown.Add(int64(n))
			if n > 0 && resumes < maxResumes && h.resumable(ctx, err) {
				return nil // a request that returned bytes is no failure: continue after them
			}
			return err
		})
		if err != nil {
			return err
		}
		if got < len(p) && resumes > 0 { // only the first continuation does not wait
			if err := sleep(ctx, c.opts.Retry.backoff(resumes)); err != nil {
				return driver.Fail(plan.Interrupted, "%w while waiting to continue reading", err)
			}
		}
	}
	return nil
}

// fillDirect reads from a local store, as part of a request that is counted.
func (h *Handle) fillDirect(ctx context.Context, p []byte, off int64) error {
	c := h.root.core
	if err := ctx.Err(); err != nil {
		return driver.Fail(plan.Interrupted, "%w", context.Cause(ctx))
	}
	n, err := h.at.ReadAt(p, off)
	c.meter.bytesDown.Add(int64(n))
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return driver.Fail(plan.Corrupt, "the object ended after %d of %d bytes at %d", n, len(p), off)
	default:
		return c.judge(ctx, err)
	}
}

// resumable reports whether the read may continue after a response that broke
// off.
func (h *Handle) resumable(ctx context.Context, err error) bool {
	if err == nil {
		return true
	}
	c := h.root.core
	if kind, _ := driver.Cause(c.judge(ctx, err)); !kind.Retryable() {
		return false
	}
	turn, ok := c.budget.spend(time.Now())
	if !ok || sleep(ctx, turn) != nil {
		return false
	}
	c.meter.retries.Add(1)
	return true
}

// request makes one range request and returns how many bytes it gave.
func (h *Handle) request(ctx context.Context, p []byte, off int64) (int, error) {
	w := h.root.core.watch(ctx)
	defer w.stop()
	b, err := h.reader.Range(w.ctx, off, int64(len(p)))
	if err != nil {
		return 0, w.cause(err)
	}
	defer b.Close()
	if b.Total >= 0 && b.Total != h.object.Size {
		return 0, driver.Fail(plan.Changed, "the size is %d, not %d", b.Total, h.object.Size)
	}
	if b.Length > int64(len(p)) {
		return 0, driver.Fail(plan.Corrupt, "the store sent %d bytes for a range of %d", b.Length, len(p))
	}
	h.learn(b.Sum)
	n, err := w.fill(b, p)
	if err != nil && b.Length >= 0 && int64(n) == b.Length {
		err = driver.Fail(plan.Corrupt, "the store sent %d bytes for a range of %d", n, len(p))
	}
	return n, err
}
