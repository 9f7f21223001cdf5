package store

import (
	"context"
	"errors"
	"io"

	"github.com/windrow-mr/windrow/store/checksum"
)

var errStreamClosed = errors.New("the stream was closed")

// Stream reads n bytes at off, or all that follow if n is negative. The reader
// fails unless it gives exactly these bytes. It belongs to one goroutine, and
// must be closed.
//
// If the store returned the checksum of the object, a stream of all of it ends
// with an error of kind Corrupt instead of io.EOF when the bytes do not fit.
//
// A local store is read straight into the caller's buffer, which should be
// large. On a remote store ranges of Transfer.Range bytes are buffered, and one
// more is fetched while the one before is read.
func (h *Handle) Stream(ctx context.Context, off, n int64) io.ReadCloser {
	if n < 0 {
		n = max(0, h.object.Size-off)
	}
	if err := h.check(off, n); err != nil {
		return &brokenStream{h.root.fail("read", h.object.Key, err)}
	}
	if h.at != nil {
		h.root.core.meter.requests[getRequest].Add(1)
		return &directStream{ctx: ctx, handle: h, off: off, end: off + n}
	}
	s := &rangeStream{handle: h, off: off, end: off + n}
	// A stream of one range is checked against the checksum when it is fetched.
	s.whole = n == h.object.Size && n > int64(h.root.core.opts.Transfer.Range)
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// brokenStream is a stream that could not begin.
type brokenStream struct{ err error }

func (s *brokenStream) Read([]byte) (int, error) { return 0, s.err }
func (s *brokenStream) Close() error             { return nil }

// directStream reads from a local store.
type directStream struct {
	ctx      context.Context
	handle   *Handle
	off, end int64
}

func (s *directStream) Read(p []byte) (int, error) {
	if s.off == s.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.end-s.off)]
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.handle.fillDirect(s.ctx, p, s.off); err != nil {
		return 0, s.handle.root.fail("read", s.handle.object.Key, err)
	}
	s.off += int64(len(p))
	return len(p), nil
}

func (s *directStream) Close() error { return nil }

// rangeStream fetches ranges one ahead of the reader.
type rangeStream struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	handle   *Handle
	off, end int64        // not requested yet
	next     chan fetched // the range in flight; nil if there is none
	now      []byte       // the rest of the range that is being read
	slab     *[]byte      // the buffer of now
	whole    bool         // all of the object is read, in several ranges
	digest   *checksum.Digest
	err      error
}

// fetched is a range that arrived, or the reason why it did not.
type fetched struct {
	slab *[]byte
	size int
	err  error
}

func (s *rangeStream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if len(s.now) == 0 {
		if s.err = s.turn(); s.err != nil {
			return 0, s.err
		}
	}
	n := copy(p, s.now)
	s.now = s.now[n:]
	return n, nil
}

// turn takes the range in flight and asks for the one after it.
func (s *rangeStream) turn() error {
	s.release()
	if s.next == nil {
		s.ask()
	}
	if s.next == nil {
		if err := s.verify(); err != nil {
			return s.handle.root.fail("read", s.handle.object.Key, err)
		}
		return io.EOF
	}
	f := <-s.next
	s.next = nil
	s.slab = f.slab
	if f.err != nil {
		return s.handle.root.fail("read", s.handle.object.Key, f.err)
	}
	s.now = (*f.slab)[:f.size]
	s.ask()
	if s.whole {
		if s.digest == nil {
			s.digest = checksum.New(s.handle.Sum().Algorithm)
		}
		_, _ = s.digest.Write(s.now)
	}
	return nil
}

// verify checks all that was read against the checksum of the object. Bytes
// that do not fit have already been returned and can not be read again.
func (s *rangeStream) verify() error {
	if s.digest == nil {
		return nil
	}
	known := s.handle.Sum()
	if sum := s.digest.Sum(); sum.Algorithm == known.Algorithm {
		return verify(known, sum)
	}
	return nil // the store returned it only after the stream began
}

// ask fetches the next range in a goroutine, which ends when its request does.
// The channel has room for the result.
func (s *rangeStream) ask() {
	if s.off == s.end {
		return
	}
	h := s.handle
	off, size := s.off, int(min(s.end-s.off, int64(h.root.core.opts.Transfer.Range)))
	s.off += int64(size)
	next := make(chan fetched, 1)
	s.next = next
	go func() {
		slab := h.root.core.slab(size)
		next <- fetched{slab, size, h.fill(s.ctx, (*slab)[:size], off)}
	}()
}

// release returns the slab of a range that was read.
func (s *rangeStream) release() {
	if s.slab != nil {
		s.handle.root.core.reuse(s.slab)
		s.slab, s.now = nil, nil
	}
}

// Close ends what is in flight and waits for it.
func (s *rangeStream) Close() error {
	if s.err == nil || errors.Is(s.err, io.EOF) {
		s.err = errStreamClosed
	}
	s.cancel(errStreamClosed)
	s.release()
	if s.next != nil {
		f := <-s.next
		s.next, s.slab = nil, f.slab
		s.release()
	}
	return nil
}

// slab returns a buffer for a range. Small objects get small ones of their own.
func (c *core) slab(size int) *[]byte {
	if size <= c.opts.Transfer.Range/8 {
		b := make([]byte, size)
		return &b
	}
	return c.slabs.Get().(*[]byte)
}

// reuse returns a slab to the pool, if it has the common size.
func (c *core) reuse(slab *[]byte) {
	if len(*slab) == c.opts.Transfer.Range {
		c.slabs.Put(slab)
	}
}
