package shuffle

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

func TestBudgetServesInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		first, err := b.Acquire(t.Context(), 8)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []int64
		for _, n := range []int64{9, 1, 1} { // the small ones could be served at once, but wait their turn
			go func() {
				g, err := b.Acquire(t.Context(), n)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, n)
				mu.Unlock()
				if n == 9 {
					g.Release()
				}
			}()
			synctest.Wait()
		}
		if len(order) != 0 {
			t.Fatalf("%v were served before their turn", order)
		}
		first.Release()
		synctest.Wait()
		if len(order) != 3 || order[0] != 9 && order[1] != 9 {
			t.Errorf("served %v", order)
		}
		first.Release() // a second time: no more bytes come back
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Acquire(ctx, 9); !errors.Is(err, context.Canceled) {
			t.Errorf("9 of 8 free bytes: %v", err)
		}
		if g, err := b.Acquire(t.Context(), 8); err != nil {
			t.Error(err)
		} else {
			g.Release()
		}
	})
}

func TestBudgetGivesUpAWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		g, err := b.Acquire(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = b.Acquire(ctx, 10) }()
		synctest.Wait()
		served := false
		go func() {
			_, err := b.Acquire(t.Context(), 5)
			served = err == nil
		}()
		synctest.Wait()
		if served {
			t.Error("the second waiter was served before the first")
		}
		cancel()
		synctest.Wait()
		if !served {
			t.Error("the second waiter still waits though the first gave up")
		}
		g.Release()
	})
}

// TestBudgetLosesNothingToACancelledWaiter: a waiter that is cancelled while
// its bytes arrive returns them.
func TestBudgetLosesNothingToACancelledWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		for range 100 {
			g, err := b.Acquire(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if g, err := b.Acquire(ctx, 10); err == nil {
					g.Release()
				}
			}()
			synctest.Wait()
			cancel()
			g.Release()
			synctest.Wait()
		}
	})
}

func TestBudgetRefusesWhatItCannotHave(t *testing.T) {
	t.Parallel()
	if _, err := NewBudget(10).Acquire(t.Context(), 11); err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("11 of 10 bytes: %v", err)
	}
}

func TestGrantCountsSlabs(t *testing.T) {
	t.Parallel()
	const slab = pairs.SlabSize
	b := NewBudget(4 * slab)
	g, err := b.Acquire(t.Context(), 3*slab)
	if err != nil {
		t.Fatal(err)
	}
	first, big := g.Slab(10), g.Slab(slab+1)
	if len(first) != slab || len(big) != slab+1 || g.Left() != slab-1 {
		t.Fatalf("slabs of %d and %d bytes, %d are left", len(first), len(big), g.Left())
	}
	if g.Slab(1) != nil {
		t.Error("a slab is lent beyond the share")
	}
	g.Free(first)
	g.Free(big)
	if again := g.Slab(1); &again[0] != &first[0] {
		t.Error("the slab was not pooled")
	}
	if g.Peak() != 2*slab+1 || b.Peak() != 2*slab+1 {
		t.Errorf("peaks are %d and %d", g.Peak(), b.Peak())
	}
	g.Release()
	if rest, err := b.Acquire(t.Context(), 4*slab); err != nil || rest.Left() != 4*slab {
		t.Errorf("the share was not returned: %v", err)
	}
}
