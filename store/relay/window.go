package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

var errOverrun = errors.New("more data than the window has room for")

// window holds the bytes of a stream that were received and not read yet. One
// goroutine fills it, one takes from it, any may end it.
type window struct {
	buf   []byte
	taken int // bytes that the reader took and gave no credit for

	mu      sync.Mutex
	r, n    int   // where the bytes begin, and how many there are
	err     error // the end or the error after them
	changed chan struct{}
}

func newWindow(buf []byte) *window {
	return &window{buf: buf, changed: make(chan struct{}, 1)}
}

// fill reads n bytes from src, without waiting for room. If there is none, the
// sender broke the rules.
func (w *window) fill(src io.Reader, n int) error {
	w.mu.Lock()
	at := (w.r + w.n) % len(w.buf)
	free := len(w.buf) - w.n
	w.mu.Unlock()
	if n > free {
		return errOverrun
	}
	first := min(n, len(w.buf)-at)
	if _, err := io.ReadFull(src, w.buf[at:at+first]); err != nil {
		return noEOF(err)
	}
	if _, err := io.ReadFull(src, w.buf[:n-first]); err != nil {
		return noEOF(err)
	}
	w.mu.Lock()
	w.n += n
	w.mu.Unlock()
	w.signal()
	return nil
}

// end sets the error after the bytes in the window. The first end counts.
func (w *window) end(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.signal()
}

func (w *window) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// peek waits for bytes and returns some of them, or the end. They stay valid
// until skip.
func (w *window) peek(ctx context.Context) ([]byte, error) {
	for {
		w.mu.Lock()
		r, n, err := w.r, w.n, w.err
		w.mu.Unlock()
		if n > 0 {
			return w.buf[r:min(r+n, len(w.buf))], nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-w.changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// skip releases n bytes that peek returned, and returns how much credit the
// sender gets for them and those before: nothing until it is worth a frame.
func (w *window) skip(n int) int {
	w.mu.Lock()
	w.r = (w.r + n) % len(w.buf)
	w.n -= n
	w.mu.Unlock()
	w.taken += n
	if w.taken < len(w.buf)/2 {
		return 0
	}
	credit := w.taken
	w.taken = 0
	return credit
}

// credit is how many bytes a sender may still send.
type credit struct {
	mu      sync.Mutex
	left    int
	changed chan struct{}
}

func newCredit() *credit {
	return &credit{left: windowSize, changed: make(chan struct{}, 1)}
}

// add adds credit that the reader granted.
func (c *credit) add(n uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > windowSize || c.left+int(n) > windowSize {
		return fmt.Errorf("credit for %d bytes, with %d of %d unused", n, c.left, windowSize)
	}
	c.left += int(n)
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return nil
}

// take waits until some bytes may be sent, and takes at most n.
func (c *credit) take(ctx context.Context, n int) (int, error) {
	for {
		c.mu.Lock()
		got := min(n, c.left)
		c.left -= got
		c.mu.Unlock()
		if got > 0 {
			return got, nil
		}
		select {
		case <-c.changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
