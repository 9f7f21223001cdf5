package store

import (
	"testing"
	"time"
)

func TestSlowIsWhatOthersOfTheSizeAreNot(t *testing.T) {
	t.Parallel()
	var h hedges
	for i := range hedgeKnown {
		if _, ok := h.limit(1 << 20); ok {
			t.Fatalf("%d ranges are enough to know what is slow", i)
		}
		h.took(1<<20, 40*time.Millisecond)
	}
	if d, ok := h.limit(1 << 20); !ok || d != 120*time.Millisecond {
		t.Errorf("the limit is %v, %v", d, ok)
	}
	if _, ok := h.limit(16 << 20); ok {
		t.Error("durations of one mebibyte set a limit for sixteen")
	}
	// One slow range in thirty does not change the limit. Many in a row do.
	for i := range hedgeRecent {
		d := 40 * time.Millisecond
		if i%30 == 0 {
			d = 5 * time.Second
		}
		h.took(1<<20, d)
	}
	if d, _ := h.limit(1 << 20); d != 120*time.Millisecond {
		t.Errorf("with a few slow ranges, the limit is %v", d)
	}
	for range hedgeRecent {
		h.took(1<<20, time.Second)
	}
	if d, _ := h.limit(1 << 20); d != 3*time.Second {
		t.Errorf("when all take a second, the limit is %v", d)
	}
	for range hedgeRecent {
		h.took(1<<20, time.Millisecond)
	}
	if d, _ := h.limit(1 << 20); d != hedgeLeast {
		t.Errorf("when all take a millisecond, the limit is %v", d)
	}
}

func TestFewRangesAreAskedForTwice(t *testing.T) {
	t.Parallel()
	var h hedges
	second := 0
	for range 1000 {
		h.took(1<<20, time.Second)
		if h.begin() {
			second++
			if h.begin() {
				t.Fatal("two at once")
			}
			h.end()
		}
	}
	if second < 9 || second > 11 {
		t.Errorf("%d of 1000 may be requested twice", second)
	}
}
