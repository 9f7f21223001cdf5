package shuffle

import (
	"context"
	"fmt"
	"sync"
)

// direct reads a run on request: requests to the store cost little. The first
// read opens the run and the last one closes it, so that a merge of many small
// extents does not hold as many files.
type direct struct {
	open func(ctx context.Context) (RunReader, error)
	r    RunReader
	stop int64
}

func (d *direct) read(ctx context.Context, p []byte, off int64) error {
	if d.r == nil {
		r, err := d.open(ctx)
		if err != nil {
			return err
		}
		d.r = r
	}
	if err := d.r.ReadAt(ctx, p, off); err != nil {
		return err
	}
	if off+int64(len(p)) >= d.stop {
		return d.close()
	}
	return nil
}

func (d *direct) close() error {
	if d.r == nil {
		return nil
	}
	err := d.r.Close()
	d.r = nil
	return err
}

// ahead reads a run in chunks, one chunk ahead of the one in use. Its goroutine
// ends with the last chunk or with close, which waits for it.
type ahead struct {
	mem   *Grant
	chunk int64
	stop  int64 // end of the bytes that will be read

	cancel context.CancelFunc
	group  sync.WaitGroup
	full   chan piece  // chunks in order of offset
	free   chan []byte // buffers to fill
	held   piece       // the chunk in use
	bufs   int64       // bytes charged
}

// piece is a chunk, or the error that ended reading.
type piece struct {
	off  int64
	data []byte
	err  error
}

// newAhead starts to read [off, stop) of the run that open opens.
func newAhead(ctx context.Context, open func(context.Context) (RunReader, error), off, stop, chunk int64, mem *Grant) *ahead {
	n := pieces(stop-off, chunk)
	a := &ahead{mem: mem, chunk: (stop - off + n - 1) / n, stop: stop, full: make(chan piece), free: make(chan []byte, 2)}
	buffers := min(2, n)
	for range buffers {
		a.free <- make([]byte, a.chunk)
	}
	a.bufs = buffers * a.chunk
	mem.charge(a.bufs)
	ctx, a.cancel = context.WithCancel(ctx)
	a.group.Go(func() { a.fetch(ctx, open, off) })
	return a
}

// fetch reads chunk after chunk.
func (a *ahead) fetch(ctx context.Context, open func(context.Context) (RunReader, error), off int64) {
	defer close(a.full)
	send := func(p piece) bool {
		select {
		case a.full <- p:
			return p.err == nil
		case <-ctx.Done():
			return false
		}
	}
	r, err := open(ctx)
	if err != nil {
		send(piece{off: off, err: err})
		return
	}
	for off < a.stop && err == nil {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-ctx.Done():
			err = ctx.Err()
			continue
		}
		buf = buf[:min(a.chunk, a.stop-off)]
		err = r.ReadAt(ctx, buf, off)
		if !send(piece{off, buf, err}) {
			break
		}
		off += int64(len(buf))
	}
	if closeErr := r.Close(); closeErr != nil && err == nil {
		send(piece{off: off, err: closeErr})
	}
}

// read implements source.
func (a *ahead) read(ctx context.Context, p []byte, off int64) error {
	for len(p) > 0 {
		if a.held.data == nil || off >= a.held.off+int64(len(a.held.data)) {
			if err := a.next(ctx); err != nil {
				return err
			}
			continue
		}
		if off < a.held.off {
			return fmt.Errorf("bytes at %d were requested after those at %d", off, a.held.off)
		}
		n := copy(p, a.held.data[off-a.held.off:])
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// next replaces the chunk in use by the one that follows.
func (a *ahead) next(ctx context.Context) error {
	if a.held.data != nil {
		a.free <- a.held.data[:cap(a.held.data)]
		a.held.data = nil
	}
	select {
	case p, ok := <-a.full:
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !ok:
			return fmt.Errorf("read beyond the end at %d", a.stop)
		case p.err != nil:
			return p.err
		}
		a.held = p
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *ahead) close() error {
	a.cancel()
	a.group.Wait()
	a.mem.charge(-a.bufs)
	a.bufs, a.held.data = 0, nil
	return nil
}
