package shuffle

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// A Budget is the memory of a process that may hold pairs. Stages take fixed
// shares of it, in the order of their requests. Slabs are pooled, so that a
// returned share costs the next one no allocation. It is safe for concurrent
// use.
type Budget struct {
	mu      sync.Mutex
	total   int64
	granted int64
	waiting []*waiter
	slabs   [][]byte

	used, peak int64 // bytes lent by all grants together
}

type waiter struct {
	n     int64
	ready chan struct{} // closed once n bytes are granted
}

// NewBudget returns a budget of total bytes.
func NewBudget(total int64) *Budget { return &Budget{total: total} }

// Total returns the budget's size in bytes.
func (b *Budget) Total() int64 { return b.total }

// Peak returns the most bytes that were in use at the same time.
func (b *Budget) Peak() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak
}

// Acquire waits until n bytes are free and no other stage waits in front, and
// takes them. A stage must take all that it needs at once: stages that hold a
// share while they wait for another could wait for each other forever.
func (b *Budget) Acquire(ctx context.Context, n int64) (*Grant, error) {
	if n > b.total {
		return nil, fmt.Errorf("a stage needs %d bytes of memory but the budget is %d: raise --memory or use fewer slots", n, b.total)
	}
	b.mu.Lock()
	if len(b.waiting) == 0 && b.granted+n <= b.total {
		b.granted += n
		b.mu.Unlock()
		return &Grant{budget: b, size: n}, nil
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return &Grant{budget: b, size: n}, nil
	case <-ctx.Done():
		b.giveUp(w)
		return nil, fmt.Errorf("waiting for %d bytes of memory: %w", n, context.Cause(ctx))
	}
}

// giveUp takes w out of the queue, or returns its bytes if they just arrived.
func (b *Budget) giveUp(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else {
		b.granted -= w.n
	}
	b.admit()
}

// admit serves the queue from its head. The caller holds the lock.
func (b *Budget) admit() {
	for len(b.waiting) > 0 && b.granted+b.waiting[0].n <= b.total {
		b.granted += b.waiting[0].n
		close(b.waiting[0].ready)
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
}

// A Grant is one stage's share of a Budget. It belongs to one goroutine. It
// implements pairs.Memory.
type Grant struct {
	budget     *Budget
	size       int64
	used, peak int64
	released   bool
}

// Size returns the share in bytes.
func (g *Grant) Size() int64 { return g.size }

// Split makes a share of n bytes of this one, which is released by itself. n is at most
// what is left.
func (g *Grant) Split(n int64) *Grant {
	n = max(min(n, g.Left()), 0)
	g.size -= n
	return &Grant{budget: g.budget, size: n}
}

// Left returns how many bytes of the share are not in use.
func (g *Grant) Left() int64 { return g.size - g.used }

// Peak returns the most bytes of the share that were in use at the same time.
func (g *Grant) Peak() int64 { return g.peak }

// Slab returns a slab of at least n bytes, or nil when the share has no room
// for it. See pairs.Memory.
func (g *Grant) Slab(n int) []byte {
	n = max(n, pairs.SlabSize)
	if !g.Charge(int64(n)) {
		return nil
	}
	if n == pairs.SlabSize {
		if slab := g.budget.pooled(); slab != nil {
			return slab
		}
	}
	return make([]byte, n)
}

// Free returns a slab to the share. See pairs.Memory.
func (g *Grant) Free(slab []byte) {
	g.Charge(-int64(len(slab)))
	if len(slab) == pairs.SlabSize {
		g.budget.pool(slab)
	}
}

// Charge counts n bytes that the caller allocates itself. See pairs.Memory.
func (g *Grant) Charge(n int64) bool {
	if n > 0 && g.used+n > g.size {
		return false
	}
	g.charge(n)
	return true
}

// charge counts n bytes even if that exceeds the share: a merge must be able to
// hold one batch of each of two runs, whatever the size of their records.
func (g *Grant) charge(n int64) {
	g.used += n
	g.peak = max(g.peak, g.used)
	g.budget.use(n)
}

// Release returns the share to the budget. Slabs that are still in use count as
// freed, but are left to the garbage collector. It may be called twice.
func (g *Grant) Release() {
	if g.released {
		return
	}
	g.released = true
	g.charge(-g.used)
	g.budget.release(g.size)
}

func (b *Budget) use(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.peak = max(b.peak, b.used)
}

func (b *Budget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted -= n
	b.admit()
}

func (b *Budget) pooled() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.slabs)
	if n == 0 {
		return nil
	}
	slab := b.slabs[n-1]
	b.slabs[n-1] = nil
	b.slabs = b.slabs[:n-1]
	return slab
}

func (b *Budget) pool(slab []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if int64(len(b.slabs)+1)*pairs.SlabSize <= b.total {
		b.slabs = append(b.slabs, slab)
	}
}
