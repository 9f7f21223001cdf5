package measure

import (
	"math"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []int64
		want   int64
	}{
		{[]int64{7}, 7},
		{[]int64{9, 1}, 5},
		{[]int64{9, 1, 2}, 2},
		{[]int64{4, 40, 3, 1}, 3},
		{[]int64{5, 1000, 4, 3, 0}, 4},
		{[]int64{-3, -1}, -2},
		{[]int64{math.MaxInt64, math.MaxInt64 - 2}, math.MaxInt64 - 1},
	} {
		before := append([]int64(nil), test.values...)
		if got := Median(test.values); got != test.want {
			t.Errorf("median of %v is %d, want %d", before, got, test.want)
		}
		for i := range before {
			if before[i] != test.values[i] {
				t.Errorf("median changed its values: %v were %v", test.values, before)
			}
		}
	}
}

func TestRatioAndSpread(t *testing.T) {
	t.Parallel()
	if got := Ratio(3*time.Second, 2*time.Second); got != 1.5 {
		t.Errorf("3 s / 2 s = %v", got)
	}
	if got := Ratio(time.Second, 0); got != 0 {
		t.Errorf("1 s / 0 s = %v, want 0 for not known", got)
	}
	if got := Spread([]time.Duration{95, 100, 105}); got != 0.05 {
		t.Errorf("95 to 105 around 100 is a spread of %v, want 0.05", got)
	}
	if got := Spread([]time.Duration{100}); got != 0 {
		t.Errorf("one value has a spread of %v", got)
	}
}
