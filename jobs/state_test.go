package jobs_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestStateOfATask verifies that a task opens its state once, and that what is left at the
// end goes through all functions behind it: another state, a shuffle that combines, and
// the states of a reduce.
func TestStateOfATask(t *testing.T) {
	t.Parallel()
	type sum struct{ n, records int64 }
	open := func(*jobs.Context) (*sum, error) { return new(sum), nil }
	adds := func(ctx *jobs.Context, s *sum, n int64, emit func(int64)) error {
		s.n += n
		if s.records++; s.records%3 == 0 { // some are passed on early
			emit(s.n)
			s.n = 0
		}
		return nil
	}
	rest := func(ctx *jobs.Context, s *sum, emit func(int64)) error {
		ctx.Count("tasks", 1)
		emit(s.n)
		return nil
	}
	job := build(func(p *jobs.Pipeline) {
		numbers := jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func(int64)) error {
			n, err := strconv.ParseInt(string(line), 10, 64)
			emit(n)
			return err
		})
		once := jobs.FlatMapWith(numbers, open, adds, rest)
		twice := jobs.FlatMapWith(once, open, adds, rest)
		sums := jobs.Map(twice, func(_ *jobs.Context, n int64, emit jobs.Emit[string, int64]) error {
			emit("sum", n)
			return nil
		}).Fold(jobs.Sum)
		jobs.FlatMapWith(jobs.Convert(sums, func(p jobs.Pair[string, int64]) int64 { return p.Value }), open, adds, rest).WriteTSV()
	})
	lines := []string{}
	for i := range 100 {
		lines = append(lines, strconv.Itoa(i))
	}
	for _, split := range []int64{1 << 20, 50, 7} {
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: split, Partitions: 1}, minirun.Lines(lines...))
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != "4950\n" { // 0 + 1 + … + 99
			t.Errorf("splits of %d: %q", split, got.Text())
		}
	}
}

// TestStatesThatFail verifies that errors of opening and closing name their function.
func TestStatesThatFail(t *testing.T) {
	t.Parallel()
	works := func(*jobs.Context) (int, error) { return 1, nil }
	passes := func(_ *jobs.Context, _ int, line []byte, emit func([]byte)) error {
		emit(line)
		return nil
	}
	for name, f := range map[string]func(lines jobs.Records[[]byte]) jobs.Records[[]byte]{
		"open": func(lines jobs.Records[[]byte]) jobs.Records[[]byte] {
			return jobs.FlatMapWith(lines, func(*jobs.Context) (int, error) { return 0, errors.New("no model") }, passes, nil)
		},
		"close": func(lines jobs.Records[[]byte]) jobs.Records[[]byte] {
			return jobs.FlatMapWith(lines, works, passes, func(*jobs.Context, int, func([]byte)) error { return errors.New("no model") })
		},
		"panic": func(lines jobs.Records[[]byte]) jobs.Records[[]byte] {
			return jobs.FlatMapWith(lines, works, passes, func(*jobs.Context, int, func([]byte)) error { panic("no model") })
		},
	} {
		job := build(func(p *jobs.Pipeline) { f(jobs.ReadLines(p)).WriteTSV() })
		_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("hay"))
		if wantError(t, err, "FlatMapWith", "no model"); t.Failed() {
			t.Log(name)
		}
	}
	if got, err := minirun.Run(t.Context(), build(func(p *jobs.Pipeline) {
		jobs.FlatMapWith(jobs.ReadLines(p), works, passes, nil).WriteTSV()
	}), minirun.Options{}, minirun.Lines("hay")); err != nil || !slices.Equal(got.Sorted(), []string{"hay"}) {
		t.Errorf("without close: %v, %v", got, err)
	}
}
