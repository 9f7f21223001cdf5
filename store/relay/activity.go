package relay

import "sync/atomic"

// Activity tells whether a connection waits for its stores: an asking process
// that hears nothing meanwhile is not idle. The zero Activity is ready; it may
// be looked at by any goroutine.
type Activity struct {
	now  atomic.Int64
	done atomic.Int64
}

// Now returns how many requests the stores are working on. Bytes on their way
// between the two sides are not among them: for these the asking side is waited.
func (a *Activity) Now() int64 { return a.now.Load() }

// Done returns how many requests have ended.
func (a *Activity) Done() int64 { return a.done.Load() }

func (a *Activity) begin() { a.now.Add(1) }

func (a *Activity) end() {
	a.done.Add(1)
	a.now.Add(-1)
}
