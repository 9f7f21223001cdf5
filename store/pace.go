package store

import (
	"context"
	"sync"
	"time"
)

// Pace constants, in requests per second. No bucket prefix can serve more than
// paceFree, so pacing ends there.
const (
	paceFree  = 20_000
	paceLeast = 10 // below this the store is sick, and backoff does more
	// paceFirst is the least rate that counts as too many when the first such
	// answer comes: a run that has just begun has not made more requests yet.
	paceFirst = 100
	paceSteps = 5 // seconds without throttling that undo one halving
)

// pace spaces requests out after the store has answered "slow down": additive
// increase, multiplicative decrease (Chiu and Jain, 1989). Until the first such
// answer it costs a mutex and counts requests, to know how many were too many.
type pace struct {
	mu     sync.Mutex
	rate   float64 // requests per second; 0: free
	next   time.Time
	step   float64   // added to the rate by a second without throttling
	raised time.Time // when the rate was last changed

	window time.Time // start of the second that is being counted
	count  float64
	before float64 // requests in the second before
}

// wait returns when the request may start.
func (p *pace) wait(ctx context.Context) error {
	return sleep(ctx, p.reserve(time.Now()))
}

// reserve takes the next place in the queue and returns how far away it is.
func (p *pace) reserve(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.window); age >= time.Second {
		p.before = p.count
		if age >= 2*time.Second {
			p.before = 0
		}
		p.window, p.count = now, 0
	}
	p.count++
	if p.rate == 0 {
		return 0
	}
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(float64(time.Second) / p.rate))
	return wait
}

// throttle halves the rate, at most once per second: all requests in flight at
// that moment report the same event.
func (p *pace) throttle(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate != 0 && now.Sub(p.raised) < time.Second {
		return
	}
	rate := p.rate
	if rate == 0 {
		rate = max(p.before, p.count, paceFirst)
	}
	p.rate = max(paceLeast, rate/2)
	p.step = p.rate / paceSteps
	p.raised = now
}

// succeed raises the rate by a step per second since it was last changed.
func (p *pace) succeed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	quiet := now.Sub(p.raised)
	if p.rate == 0 || quiet < time.Second {
		return
	}
	p.rate += p.step * quiet.Seconds()
	p.raised = now
	if p.rate > paceFree {
		p.rate = 0
	}
}
