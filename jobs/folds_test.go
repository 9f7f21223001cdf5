package jobs_test

import (
	"errors"
	"math"
	"strings"
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

// TestSumsAreNotWrong verifies that a sum of every type is the sum, or an error with its
// name: a number that is silently wrong is worse than none.
func TestSumsAreNotWrong(t *testing.T) {
	t.Parallel()
	refused := func(what string, sum func()) {
		t.Helper()
		defer func() {
			err, _ := recover().(error)
			if e, ok := errors.AsType[*jobs.OverflowError](err); !ok || e.Type != what || !strings.Contains(e.Error(), "jobs.Sum is beyond the range of "+what) {
				t.Errorf("a sum beyond %s: %v", what, err)
			}
		}()
		sum()
	}
	for a := -128; a <= 127; a++ {
		for b := -128; b <= 127; b++ {
			if a+b < -128 || a+b > 127 {
				refused("int8", func() { jobs.Sum(int8(a), int8(b)) })
			} else if got := jobs.Sum(int8(a), int8(b)); int(got) != a+b {
				t.Fatalf("%d + %d = %d", a, b, got)
			}
		}
	}
	for a := range 256 {
		for b := range 256 {
			if a+b > 255 {
				refused("uint8", func() { jobs.Sum(uint8(a), uint8(b)) })
			} else if got := jobs.Sum(uint8(a), uint8(b)); int(got) != a+b {
				t.Fatalf("%d + %d = %d", a, b, got)
			}
		}
	}
	refused("int64", func() { jobs.Sum(int64(math.MaxInt64), 1) })
	refused("uint64", func() { jobs.Sum(uint64(math.MaxUint64), 1) })
	type money int64
	refused("jobs_test.money", func() { jobs.Sum(money(math.MinInt64), -1) })
	for _, c := range [][2]float64{{math.Inf(1), -1}, {math.Inf(-1), 1}, {math.MaxFloat64, math.MaxFloat64}, {math.Inf(1), math.Inf(-1)}, {math.NaN(), 1}, {1e300, 1}} {
		if got, want := jobs.Sum(c[0], c[1]), c[0]+c[1]; got != want && !math.IsNaN(want) {
			t.Errorf("%v + %v = %v, want %v", c[0], c[1], got, want)
		}
	}
}

// TestOverflowsEndTheJob verifies that the error of a job whose sum or counter overflows
// names the sum and its key, and does not blame the code of this package.
func TestOverflowsEndTheJob(t *testing.T) {
	t.Parallel()
	sums := jobs.New("sums", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		emit(line, math.MaxInt64)
		return nil
	}, jobs.Sum)
	for what, o := range map[string]minirun.Options{"combined": {Table: 4 << 20}, "reduced": {NoCombiner: true}} {
		_, err := minirun.Run(t.Context(), sums, o, minirun.Lines("hay", "hay"))
		wantError(t, err, "jobs.Sum is beyond the range of int64", "byte 4 of")
		if strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "folds.go") {
			t.Errorf("%s: %v", what, err)
		}
	}
	counting := build(func(p *jobs.Pipeline) {
		jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			ctx.Count("cents", -math.MaxInt64)
			return nil
		}).WriteTSV()
	})
	_, err := minirun.Run(t.Context(), counting, minirun.Options{}, minirun.Lines("a", "b"))
	wantError(t, err, `the counter "cents" is beyond the range of int64`, "byte 2 of")
}

// TestMaxInEveryDivision verifies that the greatest values of a job do not depend
// on how its work is divided.
func TestMaxInEveryDivision(t *testing.T) {
	t.Parallel()
	everywhere(t, jobs.New("greatest", measure, jobs.Max), []string{"bern\t12", "oslo\t-3", "york\t0"},
		minirun.Lines("oslo;-7", "bern;5", "york;0", "oslo;-3", "bern;12", "york;-1", "bern;-12"))
}
