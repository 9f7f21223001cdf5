package jobs_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/pipeline"
)

// byCount emits each word under its count.
func byCount(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[int64, string]) error {
	emit(p.Value, string(p.Key))
	return nil
}

// someWords returns lines of words of which some are frequent.
func someWords(r *rand.Rand, lines int) string {
	var b strings.Builder
	for range lines {
		for range r.IntN(8) {
			fmt.Fprintf(&b, "w%d ", int(r.ExpFloat64()*20))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// wordCounts counts words without the package.
func wordCounts(text string) map[string]int64 {
	counts := map[string]int64{}
	for w := range strings.FieldsSeq(text) {
		counts[w]++
	}
	return counts
}

// TestTwoShuffles verifies a job that shuffles the result of a shuffle: how many words
// there are of each frequency.
func TestTwoShuffles(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		jobs.Map(counted(p), func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[int64, int64]) error {
			emit(p.Value, 1)
			return nil
		}).Fold(jobs.Sum).WriteTSV()
	})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := someWords(r, 50)
		frequencies := map[int64]int64{}
		for _, n := range wordCounts(text) {
			frequencies[n]++
		}
		var want []string
		for n, words := range frequencies {
			want = append(want, fmt.Sprintf("%d\t%d", n, words))
		}
		slices.Sort(want)
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 + r.Int64N(500), Partitions: 1 + r.IntN(4)}, minirun.Object{Name: "text", Text: text})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Sorted(), want) {
			t.Errorf("seed %d: %q, want %q", seed, got.Sorted(), want)
		}
	}
}

// TestSortOfAResult verifies a total order of what a shuffle has made, over all parts.
func TestSortOfAResult(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) { jobs.Map(counted(p), byCount).Sort().WriteTSV() })
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		text := someWords(r, 80)
		counts := wordCounts(text)
		words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return int(counts[a]-counts[b])*1000 + strings.Compare(a, b)
		})
		var want strings.Builder
		for _, w := range words {
			fmt.Fprintf(&want, "%d\t%s\n", counts[w], w)
		}
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 + r.Int64N(500), Partitions: 1 + r.IntN(5)}, minirun.Object{Name: "text", Text: text})
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != want.String() {
			t.Errorf("seed %d: got\n%s\nwant\n%s", seed, got.Text(), want.String())
		}
	}
}

// TestSeveralOutputs verifies that a job writes what it reads, what it counts, and what
// it makes of the counts, each to an output of its own.
func TestSeveralOutputs(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		lines := jobs.ReadLines(p)
		lines.Filter(func(line []byte) bool { return len(line) > 0 }).WriteTSV().Named("lines")
		counts := jobs.Map(lines, tokenize).Fold(jobs.Sum)
		counts.WriteTSV().Named("counts")
		jobs.Map(counts, func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[string, int64]) error {
			emit("words", p.Value)
			return nil
		}).Fold(jobs.Sum).WriteTSV().Named("total")
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 6}, minirun.Lines("to be or", "not", "to be"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"lines": {"not", "to be", "to be or"}, "counts": {"be\t2", "not\t1", "or\t1", "to\t2"}, "total": {"words\t6"},
	} {
		lines := strings.Split(strings.TrimSpace(got.Of(name)), "\n")
		slices.Sort(lines)
		if !slices.Equal(lines, want) {
			t.Errorf("%s: %q, want %q", name, lines, want)
		}
	}
}

// TestSeveralUsesOfAResult verifies that the result of one shuffle feeds two others, which
// meet in a third.
func TestSeveralUsesOfAResult(t *testing.T) {
	t.Parallel()
	label := func(text string) func(*jobs.Context, jobs.Pair[int64, int64], jobs.Emit[string, int64]) error {
		return func(_ *jobs.Context, p jobs.Pair[int64, int64], emit jobs.Emit[string, int64]) error {
			emit(text, p.Key*p.Value)
			return nil
		}
	}
	job := build(func(p *jobs.Pipeline) {
		counts := counted(p)
		lengths := jobs.Map(counts, func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[int64, int64]) error {
			emit(int64(len(p.Key)), p.Value)
			return nil
		}).Fold(jobs.Sum)
		often := jobs.Map(counts, func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[int64, int64]) error {
			emit(p.Value, 1)
			return nil
		}).Fold(jobs.Sum)
		jobs.Map(lengths, label("letters")).Merge(jobs.Map(often, label("words"))).Fold(jobs.Sum).WriteTSV()
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 6, Partitions: 3}, minirun.Lines("to be or", "not", "to be"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"letters\t13", "words\t6"}; !slices.Equal(got.Sorted(), want) {
		t.Errorf("%q, want %q", got.Sorted(), want)
	}
}

// TestNamesOfSteps verifies the names by which tasks of stages are known.
func TestNamesOfSteps(t *testing.T) {
	t.Parallel()
	again := func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[int64, int64]) error { return nil }
	for name, c := range map[string]struct {
		f    func(p *jobs.Pipeline)
		want string
	}{
		"one shuffle": {func(p *jobs.Pipeline) { counted(p).Named("words").WriteTSV() }, "map reduce"},
		"no names":    {func(p *jobs.Pipeline) { jobs.Map(counted(p), again).Fold(jobs.Sum).WriteTSV() }, "map fold/reduce fold-2/reduce"},
		"names": {func(p *jobs.Pipeline) {
			words := jobs.Map(jobs.ReadLines(p).Named("books"), tokenize).Fold(jobs.Sum).Named("words")
			words.WriteTSV().Named("list")
			jobs.Map(words, again).Fold(jobs.Sum).WriteTSV().Named("frequencies")
		}, "books/map words/reduce frequencies/reduce"},
		"a sort":      {func(p *jobs.Pipeline) { jobs.Map(counted(p), byCount).Sort().WriteTSV() }, "map fold/reduce sort/map sort/reduce"},
		"two outputs": {func(p *jobs.Pipeline) { r := counted(p); r.WriteTSV().Named("a"); r.WriteTSV().Named("b") }, "map a/reduce"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			built, err := build(c.f).Build(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := stepNames(built); got != c.want {
				t.Errorf("its steps are %s, want %s", got, c.want)
			}
			g := built.Outline()
			if err := g.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func stepNames(p *pipeline.Pipeline) string {
	var names []string
	for i := range p.Steps {
		names = append(names, p.Steps[i].Group.String())
	}
	return strings.Join(names, " ")
}
