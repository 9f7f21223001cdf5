package jobs_test

import (
	"math"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestFolds verifies the results of Sum, Max and Min, and that Max and Min do not
// depend on the order of their arguments: a shuffle folds in any order.
func TestFolds(t *testing.T) {
	t.Parallel()
	type celsius float64
	if got := jobs.Sum(int8(3), -5); got != -2 {
		t.Errorf("the sum is %d", got)
	}
	if got := jobs.Sum(uint8(200), 100); got != 44 {
		t.Errorf("a sum that overflows wraps to %d, want 44 as in Go", got)
	}
	if got := jobs.Max("rake", "hay"); got != "rake" {
		t.Errorf("the greatest text is %q", got)
	}
	for _, c := range []struct{ a, b, least, most celsius }{
		{-3.5, 12, -3.5, 12}, {7, 7, 7, 7}, {celsius(math.Inf(-1)), 0, celsius(math.Inf(-1)), 0}, {math.MaxFloat64, 1, 1, math.MaxFloat64},
	} {
		for range 2 {
			if least, most := jobs.Min(c.a, c.b), jobs.Max(c.a, c.b); least != c.least || most != c.most {
				t.Errorf("of %v and %v the least is %v and the greatest %v", c.a, c.b, least, most)
			}
			c.a, c.b = c.b, c.a
		}
	}
	nan := math.NaN()
	if least, most := jobs.Min(nan, 1), jobs.Max(1, nan); !math.IsNaN(least) || !math.IsNaN(most) {
		t.Errorf("with NaN the least is %v and the greatest %v, want NaN in any order", least, most)
	}
}

// TestMaxInEveryDivision verifies that the greatest values of a job do not depend
// on how its work is divided.
func TestMaxInEveryDivision(t *testing.T) {
	t.Parallel()
	everywhere(t, jobs.New("greatest", measure, jobs.Max), []string{"bern\t12", "oslo\t-3", "york\t0"},
		minirun.Lines("oslo;-7", "bern;5", "york;0", "oslo;-3", "bern;12", "york;-1", "bern;-12"))
}
