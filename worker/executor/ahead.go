package executor

import (
	"context"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Bounds of reading ahead. The bytes are within what an open stream of a remote
// store would hold, and no stream is open while small objects are read. So they
// count to the memory that a slot leaves to streams.
const (
	aheadObjects = 16
	aheadBytes   = 8 << 20
	aheadMost    = OneRequest
)

// OneRequest is the size up to which an object of a remote root is fetched by
// one request, ahead of its turn, in bytes.
const OneRequest = 1 << 20

// readAhead fetches small objects of remote roots, and the beginnings of sections
// that are sampled, before their turn: a task of many of them would wait for one
// answer after the other. It belongs to the task's goroutine; each fetch is a
// goroutine that ends before close returns. It keeps an error of a fetch until
// the section's turn.
type readAhead struct {
	ctx      context.Context
	cancel   context.CancelFunc
	open     func(url string) (*store.Root, error)
	sections []plan.Section
	lines    bool     // the byte in front of a section is read with it
	first    int64    // bytes of a section that are sampled; 0: only whole objects are fetched
	fetches  []*fetch // by section; nil when not, or no longer, in memory
	done     int      // sections whose turn is over
	next     int      // section that is fetched next
	bytes    int64    // of all that is in memory or on its way
	running  sync.WaitGroup
}

// fetch is a range of an object that is on its way.
type fetch struct {
	from, to int64
	ready    chan struct{} // closed when body or err is there
	body     []byte
	err      error
}

func newReadAhead(ctx context.Context, open func(url string) (*store.Root, error), sections []plan.Section, lines bool, first int64) *readAhead {
	a := &readAhead{open: open, sections: sections, lines: lines, first: first}
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a
}

// take returns the fetched range of section i, whose turn it is, and starts to
// fetch the next ones. It returns nil when the section is not fetched ahead: then
// nothing is fetched while it is read.
func (a *readAhead) take(ctx context.Context, i int) (*fetch, error) {
	for ; a.done < i; a.done++ {
		if a.done < len(a.fetches) && a.fetches[a.done] != nil {
			a.bytes -= a.fetches[a.done].to - a.fetches[a.done].from
			a.fetches[a.done] = nil
		}
	}
	for a.next = max(a.next, i); a.next < min(len(a.sections), i+aheadObjects); a.next++ {
		if !a.begin(a.next) {
			break
		}
	}
	if i >= len(a.fetches) || a.fetches[i] == nil {
		return nil, nil
	}
	f := a.fetches[i]
	select {
	case <-f.ready:
		return f, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// wanted returns the range to fetch of a section: a small object, or the first
// bytes that a sample asks for.
func (a *readAhead) wanted(s *plan.Section) (from, to int64, ok bool) {
	o := &s.Object
	switch {
	case o.Size == 0:
		return 0, 0, false
	case s.Length == o.Size && o.Size <= aheadMost:
		return 0, o.Size, true
	case a.first == 0:
		return 0, 0, false
	}
	from = s.Offset
	if a.lines && o.Codec == "" && from > 0 {
		from--
	}
	return from, min(from+a.first, s.Offset+s.Length), true
}

// begin fetches the wanted range of section i, if there is room for it.
func (a *readAhead) begin(i int) bool {
	o := &a.sections[i].Object
	from, to, ok := a.wanted(&a.sections[i])
	if !ok || a.bytes+to-from > aheadBytes {
		return false
	}
	root, err := a.open(o.Root)
	if err != nil || !root.Remote() {
		return false // the same error occurs at the section's turn
	}
	if a.fetches == nil {
		a.fetches = make([]*fetch, len(a.sections))
	}
	f := &fetch{from: from, to: to, ready: make(chan struct{})}
	a.fetches[i] = f
	a.bytes += to - from
	a.running.Go(func() {
		defer close(f.ready)
		f.body, f.err = read(a.ctx, root, o, from, to)
	})
	return true
}

// read reads a range of the version of an object that the plan pinned.
func read(ctx context.Context, root *store.Root, o *plan.Object, from, to int64) ([]byte, error) {
	h, err := root.OpenKnown(ctx, store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	body := make([]byte, to-from)
	if err := h.ReadAt(ctx, body, from); err != nil {
		return nil, err
	}
	return body, nil
}

// close ends the fetches that are on their way.
func (a *readAhead) close() {
	a.cancel()
	a.running.Wait()
}
