package store

import (
	"context"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// If a remote store is slow to send a range, while others of its size come
// quickly, the range is requested again. Mostly it was bad luck with one of the
// store's machines, and a reader that needs all ranges waits for the slowest.
const (
	// A range is slow after hedgeFactor times the time that 95 % of the recent
	// ranges took, but never before hedgeLeast.
	hedgeFactor = 3
	hedgeLeast  = 50 * time.Millisecond
	// hedgeRecent ranges of a size are remembered. With fewer than hedgeKnown,
	// nothing is known of the size.
	hedgeRecent = 128
	hedgeKnown  = 32
	// hedgeEvery requests allow one hedge: if all requests were slow, more of
	// them would make it worse.
	hedgeEvery = 100
	// hedgeMost is the longest range that is requested twice. The second answer
	// needs a buffer of its own; there is one at a time.
	hedgeMost = 16 << 20
)

// hedges decides which ranges are requested a second time.
type hedges struct {
	mu     sync.Mutex
	recent map[int]*durations // by size class
	asked  int64              // ranges that were answered
	given  int64              // second requests
	busy   bool               // one is under way
}

// durations are the latest of a class.
type durations struct {
	took []time.Duration
	next int // where the next one is put
}

// sizeClass puts sizes together that differ by less than a factor of four.
func sizeClass(size int) int { return bits.Len(uint(size)) / 2 }

// took notes how long a range took.
func (h *hedges) took(size int, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.recent == nil {
		h.recent = make(map[int]*durations)
	}
	class := h.recent[sizeClass(size)]
	if class == nil {
		class = new(durations)
		h.recent[sizeClass(size)] = class
	}
	if len(class.took) < hedgeRecent {
		class.took = append(class.took, d)
	} else {
		class.took[class.next] = d
	}
	class.next = (class.next + 1) % hedgeRecent
	h.asked++
}

// limit returns how long a range may take before it is slow; ok is false while
// too little is known.
func (h *hedges) limit(size int) (limit time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	class := h.recent[sizeClass(size)]
	if class == nil || len(class.took) < hedgeKnown {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(class.took))
	return max(hedgeLeast, hedgeFactor*sorted[len(sorted)*95/100]), true
}

// begin reports whether a second request may be made now. If so, end must follow.
func (h *hedges) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy || h.given*hedgeEvery > h.asked {
		return false
	}
	h.busy = true
	h.given++
	return true
}

func (h *hedges) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
}

// answer is the result of a request for a range.
type answer struct {
	n   int
	err error
}

// ask makes a range request, and another one if the first is slow. The first
// answer counts, and the other request is cancelled. When ask returns, neither
// is in flight.
func (h *Handle) ask(ctx context.Context, p []byte, off int64) (int, error) {
	c := h.root.core
	if !c.traits.Remote || c.opts.Transfer.Unhedged || len(p) > hedgeMost {
		return h.request(ctx, p, off)
	}
	began := time.Now()
	limit, known := c.hedges.limit(len(p))
	var a answer
	if known {
		a = h.askTwice(ctx, p, off, limit)
	} else {
		a.n, a.err = h.request(ctx, p, off)
	}
	if a.err == nil && a.n == len(p) {
		c.hedges.took(len(p), time.Since(began))
	}
	return a.n, a.err
}

// askTwice makes a second request after limit, if hedges allows it.
func (h *Handle) askTwice(ctx context.Context, p []byte, off int64, limit time.Duration) answer {
	c := h.root.core
	first, cancel := h.start(ctx, p, off)
	defer cancel()
	for begun := false; !begun; {
		timer := time.NewTimer(limit)
		select {
		case a := <-first:
			timer.Stop()
			return a
		case <-timer.C:
			begun = c.hedges.begin() // another hedge may end soon
		}
	}
	defer c.hedges.end()
	if c.admit(ctx, getRequest) != nil {
		return <-first
	}
	c.meter.hedges.Add(1)
	room := make([]byte, len(p)) // the first request writes to p until it has ended
	second, cancelSecond := h.start(ctx, room, off)
	defer cancelSecond()
	select {
	case a := <-first:
		if a.err != nil {
			if b := <-second; b.err == nil {
				return answer{copy(p, room), nil}
			}
			return a
		}
		cancelSecond()
		<-second
		return a
	case b := <-second:
		if b.err != nil {
			return <-first
		}
		cancel()
		<-first
		return answer{copy(p, room), nil}
	}
}

// start makes a request on a goroutine, which ends when the answer arrives.
func (h *Handle) start(ctx context.Context, p []byte, off int64) (<-chan answer, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan answer, 1)
	go func() {
		n, err := h.request(ctx, p, off)
		done <- answer{n, err}
	}()
	return done, cancel
}
