package relay

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// handle is an object that the other side has opened.
type handle struct {
	*store.Handle
	remote bool

	// guarded by the session's mutex
	reads  int
	closed bool
}

//go:noinline
func (h *handle) close() {
	_ = h.Close() // a file that was read
}

func (s *session) stat(ctx context.Context, root, key string) ([]byte, error) {
	pinned, err := s.cfg.Policy.read(root, key)
	r, err := s.allowed(root, err)
	if err != nil {
		return nil, err
	}
	s.cfg.Activity.begin()
	o, err := r.Stat(ctx, key)
	s.cfg.Activity.end()
	if err == nil {
		err = fits(pinned, o)
	}
	return new(encoder).object(o).b, err
}

// fits refuses a version that is not the declared one.
func fits(p *store.Object, o store.Object) error {
	switch {
	case p == nil:
	case p.Size != o.Size:
		return driver.Fail(plan.Changed, "the size is %d, not %d as when the job was planned", o.Size, p.Size)
	case p.ETag != "" && p.ETag != o.ETag:
		return driver.Fail(plan.Changed, "the version is %s, not %s as when the job was planned", o.ETag, p.ETag)
	}
	return nil
}

func (s *session) remove(ctx context.Context, root, key string) error {
	r, err := s.allowed(root, s.cfg.Policy.remove(root, key))
	if err != nil {
		return err
	}
	s.cfg.Activity.begin()
	defer s.cfg.Activity.end()
	return r.Delete(ctx, key)
}

// wanted is what an open asks for.
type wanted struct {
	name objectName
	etag string
	file bool  // a descriptor, if the store has one
	size int64 // as the other side knows it; -1: unknown
}

// prepareOpen reads the arguments of an open.
func (s *session) prepareOpen(c *call, d *decoder) func() {
	w := wanted{name: objectName{d.str(), d.str()}, etag: d.str(), file: d.bool(), size: -1}
	if len(d.b) > 0 {
		w.size = d.int()
	}
	return func() { s.open(c, w) }
}

// open opens an object, and answers with its description and, if it can, with
// the file itself.
func (s *session) open(c *call, w wanted) {
	pinned, err := s.cfg.Policy.read(w.name.root, w.name.key)
	r, err := s.allowed(w.name.root, err)
	if err != nil {
		s.answer(c, nil, err)
		return
	}
	o, opened, err := s.openVersion(c.ctx, r, pinned, w)
	if err != nil {
		s.answer(c, nil, err)
		return
	}
	h := &handle{Handle: opened, remote: r.Remote()}
	if dir, ok := strings.CutPrefix(r.Name(""), "file://"); ok && w.file && s.wire.unix != nil {
		if f := openDescriptor(c.ctx, r, dir, o); f != nil {
			h.close()
			s.passFile(c, new(encoder).bool(false).object(o), f)
			return
		}
	}
	s.mu.Lock()
	full := len(s.handles) >= s.cfg.Limits.Handles
	_, twice := s.handles[c.id]
	if !full && !twice {
		s.handles[c.id] = h
	}
	s.mu.Unlock()
	if full || twice {
		h.close()
		s.answer(c, nil, driver.Fail(plan.TooLarge, "more than %d objects are open in this job process", s.cfg.Limits.Handles))
		return
	}
	s.answer(c, new(encoder).bool(true).object(o).b, nil)
}

// passFile answers a call with a descriptor, and with the identity of its file.
// The other side then needs no handle of an object that it reads.
func (s *session) passFile(c *call, what *encoder, f *os.File) {
	defer f.Close()
	device, inode, err := identity(f)
	if err != nil {
		s.answer(c, nil, err)
		return
	}
	s.forget(c)
	if err := s.wire.sendFile(kindAnswer, c.id, what.uint(device).uint(inode).b, f); err != nil {
		s.cancel(err)
	}
}

// openVersion opens the version that the policy, or else the other side, wants.
// It asks the store only if neither knows the size. A size that the other side
// gives is checked against every range of a remote store.
func (s *session) openVersion(ctx context.Context, r *store.Root, pinned *store.Object, w wanted) (store.Object, *store.Handle, error) {
	s.cfg.Activity.begin()
	defer s.cfg.Activity.end()
	var o store.Object
	switch {
	case pinned != nil:
		o = *pinned
		if w.etag != "" && o.ETag != "" && w.etag != o.ETag {
			return o, nil, driver.Fail(plan.Changed, "the declared version is %s, not %s", o.ETag, w.etag)
		}
	case w.size >= 0 && r.Remote():
		o = store.Object{Key: w.name.key, Size: w.size, ETag: w.etag}
	default:
		h, err := r.OpenObject(ctx, w.name.key, w.etag)
		if err != nil {
			return o, nil, err
		}
		o = store.Object{Key: w.name.key, Size: h.Size(), ETag: h.ETag(), Sum: h.Sum()}
		return o, h, nil
	}
	h, err := r.OpenKnown(ctx, o)
	return o, h, err
}

// closeHandle closes a handle, now or after the last read.
func (s *session) closeHandle(id uint32, d *decoder) error {
	if err := d.end(); err != nil {
		return err
	}
	s.mu.Lock()
	h := s.handles[id]
	delete(s.handles, id)
	if h != nil {
		h.closed = true
	}
	idle := h != nil && h.reads == 0
	s.mu.Unlock()
	if h == nil {
		return fmt.Errorf("an end of the handle %d, which is not open", id)
	}
	if idle {
		h.close()
	}
	return nil
}

// use keeps a handle open until release.
func (s *session) use(id uint32) *handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.handles[id]
	if h != nil {
		h.reads++
	}
	return h
}

func (s *session) release(h *handle) {
	s.mu.Lock()
	h.reads--
	last := h.closed && h.reads == 0
	s.mu.Unlock()
	if last {
		h.close()
	}
}

// readRange sends a range of an object: its description, then its bytes.
func (s *session) readRange(c *call, id uint32, off, n int64) error {
	h := s.use(id)
	if h == nil {
		return driver.Fail(plan.Invalid, "the handle %d is not open", id)
	}
	defer s.release(h)
	size := h.Size()
	switch {
	case n < 0:
		off, n = 0, size
	case off < 0:
		return driver.Fail(plan.Invalid, "the offset %d is negative", off)
	case off > size:
		return driver.Fail(plan.Changed, "the object ends at %d, before %d", size, off)
	}
	n = min(n, size-off)
	// On a remote store a request costs, on others only memory does.
	step := int64(maxData)
	if h.remote {
		step = max(min(maxRange, s.cfg.Limits.Memory/4), 1)
	}
	info := false
	for end := off + n; off < end || !info; {
		got, err := s.readStep(c, h, off, min(step, end-off), func() {
			if !info {
				info = true
				s.send(kindInfo, c.id, new(encoder).int(n).int(size).sum(h.Sum()).b)
			}
		})
		if err != nil {
			return err
		}
		off += got
	}
	return nil
}

// readStep reads some bytes and sends them. It takes memory only while the
// store and the connection need it. On a local store, where any number of bytes
// may be read, it reads only as many as the other side has room for.
func (s *session) readStep(c *call, h *handle, off, n int64, arrived func()) (int64, error) {
	paid := 0
	if !h.remote && n > 0 {
		var err error
		if paid, err = c.credit.take(c.ctx, int(n)); err != nil {
			return 0, err
		}
		n = int64(paid)
	}
	weight := min(n, s.cfg.Limits.Memory)
	if err := s.memory.Acquire(c.ctx, weight); err != nil {
		return 0, context.Cause(c.ctx)
	}
	defer s.memory.Release(weight)
	p, done := s.slab(n)
	defer done()
	s.cfg.Activity.begin()
	err := h.ReadAt(c.ctx, p, off)
	s.cfg.Activity.end()
	if err != nil {
		return 0, err
	}
	arrived()
	return n, s.sendBody(c, p, paid)
}

// slab returns room for n bytes. done gives it back.
func (s *session) slab(n int64) (p []byte, done func()) {
	if n > maxData {
		return make([]byte, n), func() {}
	}
	b := s.slabs.Get().(*[]byte)
	return (*b)[:n], func() { s.slabs.Put(b) }
}

// get sends a whole object that one request to the store can return.
func (s *session) get(c *call, root, key string) error {
	pinned, err := s.cfg.Policy.read(root, key)
	r, err := s.allowed(root, err)
	if err != nil {
		return err
	}
	if pinned != nil {
		return driver.Fail(plan.Invalid, "a declared input is read by its version")
	}
	weight := min(maxRange, s.cfg.Limits.Memory)
	if err := s.memory.Acquire(c.ctx, weight); err != nil {
		return context.Cause(c.ctx)
	}
	defer s.memory.Release(weight)
	s.cfg.Activity.begin()
	body, err := r.Get(c.ctx, key, maxRange)
	s.cfg.Activity.end()
	if err != nil {
		return err
	}
	n := int64(len(body))
	var info encoder
	info.int(n).int(n).uint(0).uint(0) // the checksum was checked here
	s.send(kindInfo, c.id, info.b)
	return s.sendBody(c, body, 0)
}

// sendBody sends bytes as the other side has room for them. Credit for the
// first paid ones was taken already.
func (s *session) sendBody(c *call, p []byte, paid int) error {
	for len(p) > 0 {
		n := min(len(p), maxData, paid)
		if paid == 0 {
			var err error
			if n, err = c.credit.take(c.ctx, min(len(p), maxData)); err != nil {
				return err
			}
		} else {
			paid -= n
		}
		s.send(kindData, c.id, p[:n])
		p = p[n:]
	}
	return nil
}
