package jobs_test

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type named struct{ ID, Name string }

func namedOf(line []byte) named {
	id, name, _ := strings.Cut(string(line), " ")
	return named{id, name}
}

// TestSideInputs verifies an input and the result of a shuffle as side inputs of tasks
// that read an input, and of tasks that read a shuffle.
func TestSideInputs(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		names := jobs.Broadcast(jobs.Convert(jobs.ReadLines(p).Named("names"), namedOf), jobs.Index(func(n named) string { return n.ID }))
		orders := jobs.ReadLines(p).Named("orders")
		total := jobs.Broadcast(jobs.Map(orders, func(_ *jobs.Context, _ []byte, emit jobs.Emit[string, int64]) error {
			emit("orders", 1)
			return nil
		}).Fold(jobs.Sum), func(rows iter.Seq[jobs.Pair[string, int64]]) (int64, error) {
			var n int64
			for row := range rows {
				n += row.Value
			}
			return n, nil
		})
		counts := jobs.Map(orders, func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
			n, ok := names.Get(ctx)[string(line)]
			if !ok {
				n.Name = "nameless"
			}
			emit(n.Name, 1)
			return nil
		}).Fold(jobs.Sum)
		jobs.FlatMap(counts, func(ctx *jobs.Context, c jobs.Pair[string, int64], emit func(jobs.Pair[string, int64])) error {
			emit(jobs.Pair[string, int64]{Key: c.Key, Value: 100 * c.Value / total.Get(ctx)})
			return nil
		}).WriteTSV()
	})
	for partitions := range 3 {
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 5, Partitions: 1 + partitions},
			minirun.Object{Input: "names", Name: "n", Text: "1 ann\n2 bob\n"}, minirun.Object{Input: "orders", Name: "o", Text: "1\n2\n1\n1\n7\n"})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"ann\t60", "bob\t20", "nameless\t20"}; !slices.Equal(got.Sorted(), want) {
			t.Errorf("%q, want %q", got.Sorted(), want)
		}
	}
}

// TestSideInputsThatCannotBe verifies the errors of load functions, and of functions that
// cannot have a side input.
func TestSideInputsThatCannotBe(t *testing.T) {
	t.Parallel()
	use := func(lines jobs.Records[[]byte], s *jobs.Side[int]) {
		jobs.FlatMap(lines, func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			s.Get(ctx)
			emit(line)
			return nil
		}).WriteTSV()
	}
	for name, c := range map[string]struct {
		f     func(p *jobs.Pipeline)
		wants []string
	}{
		"load fails": {func(p *jobs.Pipeline) {
			s := jobs.Broadcast(jobs.ReadLines(p).Named("names"), func(iter.Seq[[]byte]) (int, error) { return 0, errors.New("no hay") })
			use(jobs.ReadLines(p).Named("orders"), s)
		}, []string{"Broadcast", "no hay"}},
		"two rows of a key": {func(p *jobs.Pipeline) {
			s := jobs.Broadcast(jobs.ReadLines(p).Named("names"), jobs.Index(func([]byte) string { return "one" }))
			jobs.FlatMap(jobs.ReadLines(p).Named("orders"), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
				emit(s.Get(ctx)["one"])
				return nil
			}).WriteTSV()
		}, []string{"two rows have the key \"one\""}},
		"used before it is made": {func(p *jobs.Pipeline) {
			var s *jobs.Side[int]
			orders := jobs.ReadLines(p).Named("orders")
			jobs.FlatMap(orders, func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
				s.Get(ctx)
				return nil
			}).WriteTSV()
			s = jobs.Broadcast(jobs.ReadLines(p).Named("names"), func(iter.Seq[[]byte]) (int, error) { return 0, nil })
		}, []string{"attach the function after the Broadcast"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := minirun.Run(t.Context(), build(c.f), minirun.Options{},
				minirun.Object{Input: "names", Name: "n", Text: "1 ann\n2 bob\n"}, minirun.Object{Input: "orders", Name: "o", Text: "1\n"})
			wantError(t, err, c.wants...)
		})
	}
}

// TestPairsOfTwoShuffles verifies that two shuffles may take the same pairs.
func TestPairsOfTwoShuffles(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		words := jobs.Map(jobs.ReadLines(p), tokenize)
		words.Fold(jobs.Sum).WriteTSV().Named("sums")
		words.Fold(jobs.Max).WriteTSV().Named("greatest")
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 1}, minirun.Lines("to be or", "not", "to be"))
	if err != nil {
		t.Fatal(err)
	}
	if sums, most := got.Of("sums"), got.Of("greatest"); sums != "be\t2\nnot\t1\nor\t1\nto\t2\n" || most != "be\t1\nnot\t1\nor\t1\nto\t1\n" {
		t.Errorf("%q and %q", sums, most)
	}
}
