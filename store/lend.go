package store

import (
	"errors"
	"os"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// errLent ends writes to an object that another process writes.
var errLent = errors.New("the object is written by another process")

// Lend returns a file that is the object, for another process to write instead of
// this one. It is nil if the store has none to lend, and then Write works as
// usual. Lend is called before the first Write. The caller closes the file after
// it has passed it on, and calls TakeBack before Commit.
func (w *Writer) Lend() (*os.File, error) {
	l, ok := w.upload.(driver.Lender)
	if !ok || w.size > 0 {
		return nil, nil
	}
	if err := w.failed(); err != nil {
		return nil, err
	}
	f, err := l.Lend()
	if err != nil {
		return nil, w.fail("lend", w.root.core.judge(w.ctx, err))
	}
	w.lent = f != nil
	return f, nil
}

// TakeBack ends the loan and returns the size of the object, which the other
// process has written. If some process can still write to it, the error has the
// kind Invalid.
func (w *Writer) TakeBack() (int64, error) {
	if err := w.failed(); err != nil {
		return 0, err
	}
	l, ok := w.upload.(driver.Lender)
	if !ok || !w.lent {
		return 0, w.fail("end loan", driver.Fail(plan.Invalid, "it was not lent"))
	}
	size, err := l.TakeBack(w.ctx)
	if err != nil {
		return 0, w.fail("end loan", w.root.core.judge(w.ctx, err))
	}
	w.lent, w.size = false, size
	w.root.core.meter.bytesUp.Add(size)
	return size, nil
}
