package store

import (
	"math/rand/v2"
	"sync"
	"time"
)

// backoff returns the wait before repetition n, counted from 1. It has full
// jitter, so that clients that failed together do not return together.
func (r Retry) backoff(n int) time.Duration {
	bound := r.Max
	if n < 30 {
		bound = min(r.Max, r.Base<<(n-1))
	}
	if bound <= 0 {
		return 0
	}
	return rand.N(bound)
}

// Budget constants: how many repetitions are free at the start, how many may be
// saved up, and how many are added per second without any success. The last
// keeps a lone client trying through an outage.
const (
	budgetStart     = 20
	budgetMost      = 200
	budgetPerSecond = 1
	// budgetDebt is how many repetitions may wait for their turn. So one waits
	// no longer than that many seconds.
	budgetDebt = 30
)

// budget limits repetitions to a share of the requests. Retrying multiplies the
// load on a store exactly when the store can bear it least.
type budget struct {
	share float64

	mu     sync.Mutex
	begun  bool
	tokens float64
	last   time.Time
}

// earn credits an answered request.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin()
	b.tokens = min(budgetMost, b.tokens+b.share)
}

// spend takes one repetition, and returns how long it must wait for its turn.
// ok is false if too many are waiting already.
func (b *budget) spend(now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin()
	if !b.last.IsZero() && b.tokens < budgetStart {
		b.tokens = min(budgetStart, b.tokens+now.Sub(b.last).Seconds()*budgetPerSecond)
	}
	b.last = now
	if b.tokens-1 < -budgetDebt {
		return 0, false
	}
	b.tokens--
	if b.tokens >= 0 {
		return 0, true
	}
	return time.Duration(-b.tokens / budgetPerSecond * float64(time.Second)), true
}

// begin adds the free repetitions once.
func (b *budget) begin() {
	if !b.begun {
		b.begun, b.tokens = true, budgetStart
	}
}
