package fault

import (
	"context"
	"io"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// damage changes the body of an answer. asked is the length that was asked for,
// negative for a whole object.
func (r *reader) damage(ctx context.Context, h *hit, b *driver.Body, asked int64) error {
	length := b.Length
	if length < 0 {
		length = max(asked, 1)
	}
	after := h.rule.After
	if after < 0 {
		after = h.draw.next().up(length)
	}
	if after >= length {
		return nil // the body ends before the fault
	}
	body := damaged{ReadCloser: b.ReadCloser, left: after, hit: h}
	switch h.rule.Do {
	case Short:
		if asked < 0 {
			return nil // a reader of a whole object learns its length from this very answer
		}
		b.Length = after
		body.end = io.EOF
	case Truncate:
		body.end = io.ErrUnexpectedEOF
	case Reset:
		body.end = reset()
	case Stall:
		body.end, body.stall, body.ctx = reset(), h.rule.For, ctx
		body.hangs = true
	case Flip:
		ok, err := r.flippable(ctx, b)
		if err != nil {
			return err
		}
		if !ok {
			h.passed()
			return nil
		}
		b.ReadCloser = &flipped{ReadCloser: b.ReadCloser, left: after, bit: byte(1) << h.draw.next().next().up(8), hit: h}
		return nil
	default:
		return nil
	}
	b.ReadCloser = &body
	return nil
}

// reset is the error of a connection that broke.
func reset() error { return driver.Fail(plan.Unavailable, "injected fault: connection reset") }

// damaged is a body that stops after some bytes.
type damaged struct {
	io.ReadCloser
	left  int64 // bytes until then
	end   error
	hangs bool
	stall time.Duration // until end comes; 0: never
	ctx   context.Context
	hit   *hit
	over  bool
}

func (s *damaged) Read(p []byte) (int, error) {
	if s.left > 0 {
		n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
		s.left -= int64(n)
		return n, err
	}
	if !s.over {
		s.over = true
		s.hit.happened()
	}
	if s.hangs {
		if s.stall == 0 {
			<-s.ctx.Done()
			return 0, s.ctx.Err()
		}
		if err := sleep(s.ctx, s.stall); err != nil {
			return 0, err
		}
	}
	return 0, s.end
}

// flipped is a body with one inverted bit.
type flipped struct {
	io.ReadCloser
	left int64 // bytes before the one with the bit
	bit  byte
	hit  *hit
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.left >= 0 && f.left < int64(n) {
		p[f.left] ^= f.bit
		f.hit.happened()
	}
	f.left -= int64(n)
	return n, err
}

// paced is a body that comes at a rate.
type paced struct {
	io.ReadCloser
	ctx  context.Context
	rate int64 // bytes per second
}

// pacedRead is the most that one read gives: bytes keep coming, even at a low
// rate.
const pacedRead = 64 << 10

func (s *paced) Read(p []byte) (int, error) {
	size := min(int64(len(p)), pacedRead, max(1, s.rate/10))
	n, err := s.ReadCloser.Read(p[:size])
	if e := sleep(s.ctx, lasts(int64(n), s.rate)); e != nil && err == nil {
		err = e
	}
	return n, err
}
