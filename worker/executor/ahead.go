package executor

import (
	"context"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Bounds of reading ahead. The bytes are within what an open stream of a remote
// store would hold, and there is none while small objects are read: so they are
// part of what is left to streams of the memory of a slot.
const (
	aheadObjects = 16
	aheadBytes   = 8 << 20
	aheadMost    = OneRequest
)

// OneRequest is the size up to which an object of a remote root is fetched by
// one request, ahead of its turn, in bytes.
const OneRequest = 1 << 20

// readAhead fetches small objects of remote roots before it is their turn: a
// task of many of them would wait for one answer after the other. It belongs to
// the task's goroutine; each fetch is a goroutine that ends before close
// returns. An error of a fetch is kept until it is the object's turn.
type readAhead struct {
	ctx      context.Context
	cancel   context.CancelFunc
	open     func(url string) (*store.Root, error)
	sections []plan.Section
	fetches  []*fetch // by section; nil for what is not, or no more, at hand
	done     int      // sections whose turn is over
	next     int      // section that is fetched next
	bytes    int64    // of all that is at hand or on its way
	running  sync.WaitGroup
}

// fetch is an object that is on its way.
type fetch struct {
	ready chan struct{} // closed when body or err is there
	body  []byte
	err   error
}

func newReadAhead(ctx context.Context, open func(url string) (*store.Root, error), sections []plan.Section) *readAhead {
	a := &readAhead{open: open, sections: sections}
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a
}

// take returns the object of section i, whose turn it is, and sees that those of
// the next ones are on their way. ok is false when it is not one to be fetched:
// then nothing is fetched while it is read.
func (a *readAhead) take(ctx context.Context, i int) (body []byte, ok bool, err error) {
	for ; a.done < i; a.done++ {
		if a.done < len(a.fetches) && a.fetches[a.done] != nil {
			a.fetches[a.done] = nil
			a.bytes -= a.sections[a.done].Object.Size
		}
	}
	for a.next = max(a.next, i); a.next < min(len(a.sections), i+aheadObjects); a.next++ {
		if !a.begin(a.next) {
			break
		}
	}
	if i >= len(a.fetches) || a.fetches[i] == nil {
		return nil, false, nil
	}
	f := a.fetches[i]
	select {
	case <-f.ready:
		return f.body, true, f.err
	case <-ctx.Done():
		return nil, true, context.Cause(ctx)
	}
}

// begin fetches the object of section i, if it is one to be fetched and there is
// room for it.
func (a *readAhead) begin(i int) bool {
	s := &a.sections[i]
	o := &s.Object
	if o.Size == 0 || s.Length != o.Size || o.Size > aheadMost || a.bytes+o.Size > aheadBytes {
		return false
	}
	root, err := a.open(o.Root)
	if err != nil || !root.Remote() {
		return false // an error comes again when it is the object's turn
	}
	if a.fetches == nil {
		a.fetches = make([]*fetch, len(a.sections))
	}
	f := &fetch{ready: make(chan struct{})}
	a.fetches[i] = f
	a.bytes += o.Size
	a.running.Go(func() {
		defer close(f.ready)
		f.body, f.err = read(a.ctx, root, o)
	})
	return true
}

// read reads the version of an object that the plan pinned.
func read(ctx context.Context, root *store.Root, o *plan.Object) ([]byte, error) {
	h, err := root.OpenKnown(ctx, store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	body := make([]byte, o.Size)
	if err := h.ReadAt(ctx, body, 0); err != nil {
		return nil, err
	}
	return body, nil
}

// close ends what is on its way.
func (a *readAhead) close() {
	a.cancel()
	a.running.Wait()
}
