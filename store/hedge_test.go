package store_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// farObject opens an object of 100 KiB of a store whose requests meet the rules.
func farObject(t *testing.T, rules string, transfer store.Transfer) (*store.Root, *store.Handle, []byte) {
	t.Helper()
	plan, err := fault.Parse(rules)
	if err != nil {
		t.Fatal(err)
	}
	root, err := store.Open(t.Context(), "mem://", store.Options{Transfer: transfer, Wrap: func(d driver.Driver) driver.Driver {
		return fault.New(plan...).Wrap(faulttest.Remote(d, 1<<20))
	}})
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 100<<10)
	for i := range body {
		body[i] = byte(i % 251)
	}
	if err := root.Put(t.Context(), "o", body, store.Durable); err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenKnown(t.Context(), store.Object{Key: "o", Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	return root, h, body
}

// readRanges reads ranges one after another, and returns the longest time that
// one took.
func readRanges(t *testing.T, h *store.Handle, body []byte, n int) time.Duration {
	t.Helper()
	longest := time.Duration(0)
	for i := range n {
		began := time.Now()
		p := make([]byte, 1000)
		if err := h.ReadAt(t.Context(), p, int64(i*100)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p, body[i*100:i*100+1000]) {
			t.Fatalf("range %d has other bytes", i)
		}
		longest = max(longest, time.Since(began))
	}
	return longest
}

func TestASlowRangeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	// The first try of one range hangs, once.
	const rules = "slow:100% for=30ms read, slow:@60 for=1m read, slow:@300 for=1m read"
	synctest.Test(t, func(t *testing.T) {
		root, h, body := farObject(t, rules, store.Transfer{Stall: time.Hour})
		if longest := readRanges(t, h, body, 400); longest != 120*time.Millisecond {
			t.Errorf("the slowest range took %v: three times the usual, and one more, are 120ms", longest)
		}
		if u := root.Usage(); u.Hedges != 2 || u.Gets != 402 {
			t.Errorf("%d of %d requests were second ones, and two of 402 should be", u.Hedges, u.Gets)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		root, h, body := farObject(t, rules, store.Transfer{Stall: time.Hour, Unhedged: true})
		if longest := readRanges(t, h, body, 400); longest < time.Minute {
			t.Errorf("the slowest range took %v, though nothing is requested twice", longest)
		}
		if u := root.Usage(); u.Hedges != 0 || u.Gets != 400 {
			t.Errorf("%d of %d requests were second ones", u.Hedges, u.Gets)
		}
	})
}

func TestASecondRequestThatFailsDoesNoHarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, h, body := farObject(t, "slow:100% for=30ms read, slow:@60 for=1s read, 500:@61 read", store.Transfer{})
		readRanges(t, h, body, 60)
		if u := root.Usage(); u.Hedges != 1 || u.Gets != 61 || u.Retries != 0 {
			t.Errorf("counted were %+v", u)
		}
	})
	// The first one fails while the second is in flight, whose answer is as
	// good.
	synctest.Test(t, func(t *testing.T) {
		root, h, body := farObject(t, "slow:100% for=30ms read, slow:@60 for=100ms read, slow:@61 for=5s read, 500:@60 read", store.Transfer{})
		readRanges(t, h, body, 60)
		if u := root.Usage(); u.Hedges != 1 || u.Gets != 61 || u.Retries != 0 {
			t.Errorf("counted were %+v", u)
		}
	})
}

func TestAStoreThatIsSlowAsAWholeIsNotAskedMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, h, body := farObject(t, "slow:100% for=30ms read, slow:@60- for=1m read", store.Transfer{Stall: time.Hour})
		readRanges(t, h, body, 500)
		if u := root.Usage(); u.Hedges > 6 {
			t.Errorf("%d of %d requests were second ones", u.Hedges, u.Gets)
		}
	})
}

func TestAnEndedReadLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, h, body := farObject(t, "slow:100% for=30ms read, slow:@60- for=1m read", store.Transfer{Stall: time.Hour})
		readRanges(t, h, body, 59)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // when both requests are in flight
		defer cancel()
		if err := h.ReadAt(ctx, make([]byte, 1000), 0); plan.KindOf(err) != plan.Interrupted {
			t.Errorf("the read ended with %v", err)
		}
		synctest.Wait() // a goroutine that continued would delay the end
	})
}
