package relay

import "sync/atomic"

// Activity reports whether a connection waits for its stores: an asking process
// that gets no answer meanwhile is not idle. The zero Activity is ready. Any
// goroutine may read it.
type Activity struct {
	now  atomic.Int64
	done atomic.Int64
}

// Now returns how many requests the stores are working on. Bytes in transit
// between the two sides are not among them: the asking side decides when these
// move.
func (a *Activity) Now() int64 { return a.now.Load() }

// Done returns how many requests have ended.
func (a *Activity) Done() int64 { return a.done.Load() }

func (a *Activity) begin() { a.now.Add(1) }

func (a *Activity) end() {
	a.done.Add(1)
	a.now.Add(-1)
}
