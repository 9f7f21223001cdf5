package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// abortTimeout bounds the abort of an upload, whose own context may have ended, and
// the wait for the answer to its beginning.
const abortTimeout = 30 * time.Second

// smallWrites is the buffer in which a writer on a local store gathers short
// writes. Longer ones pass through.
const smallWrites = 64 << 10

var errAborted = errors.New("the writer was aborted")

// Writer writes an object that is invisible before Commit. It belongs to one
// goroutine. Write it so that every path except Commit aborts:
//
//	w, err := root.Create(ctx, key, store.CreateOptions{IfAbsent: true})
//	if err != nil { … }
//	defer w.Abort()
//	…
//	return w.Commit()
//
// On a remote store it holds Transfer.Parts+1 parts in memory once the object
// is larger than one part. A smaller one is sent with one request.
type Writer struct {
	root   *Root
	key    string // relative to the root
	opts   CreateOptions
	ctx    context.Context
	cancel context.CancelCauseFunc
	upload driver.Upload // nil until it has begun
	begun  chan struct{} // closed when it has begun, or failed to; nil until it is needed
	last   bool          // no more may be written
	size   int64
	buf    []byte
	spare  [][]byte // buffers of parts that were sent
	part   int      // the last part that the upload was given
	done   bool
	lent   bool  // another process writes it
	err    error // returned by Write and Commit from now on

	sending chan struct{} // a token per part in flight
	sent    sync.WaitGroup
	mu      sync.Mutex // guards spare and err while parts are in flight
}

// Create begins an object. The context must last until Commit or Abort; when
// it ends, so does the writer.
func (r *Root) Create(ctx context.Context, key string, o CreateOptions) (*Writer, error) {
	if err := driver.CheckKey(r.prefix + key); err != nil {
		return nil, r.fail("create", key, err)
	}
	w := &Writer{root: r, key: key, opts: o}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	c := r.core
	if c.traits.Remote {
		w.sending = make(chan struct{}, c.partsAtOnce())
		return w, nil
	}
	var err error
	if w.upload, err = c.driver.Upload(w.ctx, r.prefix+key, o); err != nil {
		w.cancel(nil)
		return nil, r.fail("create", key, c.judge(ctx, err))
	}
	return w, nil
}

// partsAtOnce is how many parts of one object are sent side by side.
func (c *core) partsAtOnce() int {
	if c.traits.Sequential {
		return 1
	}
	return c.opts.Transfer.Parts
}

// Size returns the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Write adds p to the object. It does not keep p.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.failed(); err != nil {
		return 0, err
	}
	var err error
	switch {
	case w.lent:
		err = driver.Fail(plan.Invalid, "%w", errLent)
	case w.last:
		err = driver.Fail(plan.Invalid, "more is written after the end")
	case w.root.core.traits.Remote:
		err = w.gather(p)
	default:
		err = w.pass(p)
	}
	if err != nil {
		return 0, w.fail("write", err)
	}
	w.size += int64(len(p))
	return len(p), nil
}

// pass passes bytes to a local store, short writes in one piece.
func (w *Writer) pass(p []byte) error {
	if len(w.buf)+len(p) > smallWrites && len(w.buf) > 0 {
		if err := w.direct(w.buf); err != nil {
			return err
		}
		w.buf = w.buf[:0]
	}
	if len(p) >= smallWrites {
		return w.direct(p)
	}
	if w.buf == nil {
		w.buf = make([]byte, 0, smallWrites)
	}
	w.buf = append(w.buf, p...)
	return nil
}

// direct writes a part on a local store.
func (w *Writer) direct(p []byte) error {
	w.part++
	err := w.upload.Part(w.ctx, w.part, p)
	if err != nil {
		return w.root.core.judge(w.ctx, err)
	}
	w.root.core.meter.bytesUp.Add(int64(len(p)))
	return nil
}

// gather fills parts and sends the full ones. The last part, full or not,
// waits: if it is the only one, Commit sends it alone.
func (w *Writer) gather(p []byte) error {
	size := w.root.core.traits.PartSize
	for len(p) > 0 {
		if len(w.buf) == size {
			if err := w.send(); err != nil {
				return err
			}
		}
		if w.buf == nil {
			w.buf = w.buffer(min(size, max(len(p), smallWrites)))
		}
		if len(w.buf) == cap(w.buf) {
			grown := make([]byte, len(w.buf), min(size, 4*cap(w.buf)))
			copy(grown, w.buf)
			w.buf = grown
		}
		n := min(len(p), cap(w.buf)-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p = p[n:]
	}
	return nil
}

// buffer returns an empty buffer: of a whole part once parts are being sent.
func (w *Writer) buffer(size int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return b[:0]
	}
	if w.part > 0 {
		size = w.root.core.traits.PartSize
	}
	return make([]byte, 0, size)
}

// send passes the buffer to the upload as its next part.
func (w *Writer) send() error {
	c := w.root.core
	key := w.root.prefix + w.key
	if w.begun == nil {
		w.begun = make(chan struct{})
		w.sent.Go(func() { w.begin(key) })
	}
	if w.part++; c.traits.MaxParts > 0 && w.part > c.traits.MaxParts {
		return driver.Fail(plan.TooLarge, "more than %d parts of %d bytes: write more and smaller objects", c.traits.MaxParts, c.traits.PartSize)
	}
	select {
	case w.sending <- struct{}{}:
	case <-w.ctx.Done():
		return c.judge(w.ctx, w.ctx.Err())
	}
	body, n := w.buf, w.part
	w.buf = nil
	w.sent.Go(func() {
		w.sendPart(key, n, body)
		<-w.sending
	})
	return nil
}

// begin begins the upload, and ends the writer if that fails for good. The caller
// continues to write meanwhile. begin waits for the answer even when the writer
// ends: the store may have begun an upload, and only its answer names the one to
// abort.
func (w *Writer) begin(key string) {
	defer close(w.begun)
	c := w.root.core
	err := c.call(w.ctx, multipartRequest, key, func(ctx context.Context) error {
		longer, cancel := outlive(ctx, abortTimeout)
		defer cancel()
		return c.timed(longer, func(ctx context.Context) error {
			u, err := c.driver.Upload(ctx, key, w.opts)
			if err == nil {
				w.upload = u
			}
			return err
		})
	})
	if err != nil {
		w.cancel(w.fail("write", err))
	}
}

// outlive returns a context that ends a while after ctx does.
func outlive(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(while, cancel) })
	return longer, func() { stop(); cancel() }
}

// sendPart sends one part, and ends the writer if that fails for good.
func (w *Writer) sendPart(key string, n int, body []byte) {
	c := w.root.core
	if <-w.begun; w.upload == nil {
		return // the reason is known
	}
	err := c.control(w.ctx, multipartRequest, key, func(ctx context.Context) error {
		c.meter.bytesUp.Add(int64(len(body)))
		return w.upload.Part(ctx, n, body)
	})
	if err != nil {
		w.cancel(w.fail("write", err))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = append(w.spare, body)
}

// Last says that all is written. If the object is sent in parts, the last one is
// sent now, so that Commit waits less after other work of the caller.
func (w *Writer) Last() error {
	if err := w.failed(); err != nil {
		return err
	}
	w.last = true
	if w.begun == nil || len(w.buf) == 0 {
		return nil
	}
	if err := w.send(); err != nil {
		return w.fail("write", err)
	}
	return nil
}

// Commit makes the object visible, all of it at once. After an error of Write
// it returns that error and aborts, so callers need not check the errors of Write.
//
// With IfAbsent an error of kind Exists says that the object exists already. It
// may be the one that this writer wrote, if the store's first answer was lost.
// If that matters, the caller compares its size and checksum with what was
// written.
func (w *Writer) Commit() error {
	err := w.failed()
	if err == nil && w.lent {
		err = driver.Fail(plan.Invalid, "%w", errLent)
	}
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		err = w.fail("commit", err)
		w.Abort()
		return err
	}
	w.done = true
	w.cancel(nil)
	w.err = errors.New("the writer was committed")
	return nil
}

func (w *Writer) commit() error {
	c := w.root.core
	key := w.root.prefix + w.key
	if !c.traits.Remote {
		return w.commitDirect(key)
	}
	if w.begun == nil {
		return c.put(w.ctx, key, w.buf, w.opts)
	}
	if len(w.buf) > 0 {
		if err := w.send(); err != nil {
			return err
		}
	}
	w.sent.Wait()
	if err := w.failed(); err != nil {
		return err
	}
	// The driver resolves a lost answer: some stores can say which write won.
	return c.control(w.ctx, multipartRequest, key, w.upload.Commit)
}

// commitDirect commits on a local store.
func (w *Writer) commitDirect(key string) error {
	if len(w.buf) > 0 {
		if err := w.direct(w.buf); err != nil {
			return err
		}
		w.buf = w.buf[:0]
	}
	return w.root.core.call(w.ctx, putRequest, key, w.upload.Commit)
}

// Abort gives the object up: nothing is visible, and the store keeps nothing of
// it. After Commit or Abort it does nothing. It takes a while on a remote
// store, even if the writer's context has ended: otherwise the store would
// keep, and bill, the parts of the upload.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel(errAborted)
	w.sent.Wait()
	_ = w.fail("write", driver.Fail(plan.Interrupted, "%w", errAborted)) // kept for later calls
	w.buf, w.spare = nil, nil
	if w.upload == nil {
		return
	}
	c := w.root.core
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	var err error
	if c.traits.Remote {
		err = c.control(ctx, multipartRequest, w.root.prefix+w.key, w.upload.Abort)
	} else {
		err = w.upload.Abort(ctx)
	}
	if err != nil {
		c.opts.Log.Warn("an upload could not be aborted: the store may keep parts of it", "object", w.root.Name(w.key), "error", err)
	}
}

// failed returns the error that ended the writer.
func (w *Writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// fail ends the writer with an error and returns the first one.
func (w *Writer) fail(op string, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.root.fail(op, w.key, err)
	}
	return w.err
}
