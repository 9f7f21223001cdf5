package store

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

var errStalled = errors.New("stalled")

// watch bounds a response by progress, not by time. It may take any time while
// bytes come, but a body that stops is given up.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer // nil on local stores
	stall  time.Duration
}

// watch begins to wait for the first byte.
func (c *core) watch(ctx context.Context) *watch {
	if !c.traits.Remote {
		return &watch{ctx: ctx}
	}
	w := &watch{stall: c.opts.Transfer.Stall}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(w.stall, func() { w.cancel(errStalled) })
	return w
}

// stop ends the watch and frees what it holds.
func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.cancel(nil)
	}
}

// cause returns err, or its meaning if the watch itself caused it.
func (w *watch) cause(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		return driver.Fail(plan.Unavailable, "no byte came in %v", w.stall)
	}
	return err
}

// fill reads exactly len(p) bytes and returns how many came.
func (w *watch) fill(b driver.Body, p []byte) (int, error) {
	got := 0
	for got < len(p) {
		n, err := b.Read(p[got:])
		got += n
		if n > 0 && w.timer != nil {
			w.timer.Reset(w.stall)
		}
		if got == len(p) {
			break
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return got, driver.Fail(plan.Unavailable, "the response ended after %d of %d bytes", got, len(p))
		}
		if err != nil {
			return got, w.cause(err)
		}
	}
	return got, nil
}
