package plan_test

import (
	"math"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestCountersOfManyTasks verifies that the sum of a counter over tasks is right, or the
// number of 64 bits that is nearest to it: it never has the wrong sign.
func TestCountersOfManyTasks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want int64 }{
		{1, 2, 3}, {-1, 1, 0}, {math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 1, 1, math.MaxInt64}, {math.MaxInt64, math.MinInt64, -1},
		{math.MinInt64, -1, math.MinInt64}, {math.MaxInt64, math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MinInt64, math.MinInt64},
	} {
		sum := plan.Tally{Counts: map[string]int64{"n": c.a}}
		sum.Merge(&plan.Tally{Counts: map[string]int64{"n": c.b}})
		if got := sum.Counts["n"]; got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
