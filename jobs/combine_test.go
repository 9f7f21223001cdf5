package jobs_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// mapText runs one map task, with little memory for its table and three
// partitions, and returns the pairs for the shuffle.
func mapText(t *testing.T, built *pipeline.Pipeline, text string) *pairs.Collector {
	t.Helper()
	collector := pairs.NewCollector(built.Exchanges[0].Layout, nil, nil)
	task := &pipeline.Task{
		Context: t.Context(), Tally: &plan.Tally{},
		Sections: []pipeline.Section{{
			Section: plan.Section{Length: int64(len(text))},
			Open: func(_ context.Context, off int64) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(text[off:])), nil
			},
		}},
		Writes: []pipeline.Write{{Pairs: collector, Partitions: 3, TableBytes: 2 << 20}},
	}
	if err := built.Steps[0].Run(task); err != nil {
		t.Error(err)
	}
	return collector
}

// TestTasksOfOnePipelineShareNothing verifies that tasks of one pipeline can
// run at the same time.
func TestTasksOfOnePipelineShareNothing(t *testing.T) {
	t.Parallel()
	for _, job := range []*jobs.Job{wordCount(), sessions()} {
		built, err := job.Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var sizes [4]int64
		var tasks sync.WaitGroup
		for i := range sizes {
			tasks.Go(func() { sizes[i] = mapText(t, built, strings.Repeat("ann 10 /a\nbob 7 /b\n", 5000)).Bytes() })
		}
		tasks.Wait()
		for _, size := range sizes {
			if size == 0 || size != sizes[0] {
				t.Errorf("%s: equal tasks handed over %v bytes", job.Name(), sizes)
			}
		}
	}
}

// TestGrowingAccumulatorsAreDrained verifies that the table's memory bounds
// accumulators that grow. One map task then sends several for a key, and they
// still add up.
func TestGrowingAccumulatorsAreDrained(t *testing.T) {
	t.Parallel()
	type gathered struct{ Words []string }
	job := jobs.Define("gather", none{}, func(p *jobs.Pipeline, _ none) error {
		pairs := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
			emit(string(line[:1]), string(line))
			return nil
		})
		all := jobs.Aggregate(pairs,
			func(acc *gathered, v string) { acc.Words = append(acc.Words, v) },
			func(acc, other *gathered) { acc.Words = append(acc.Words, other.Words...) })
		jobs.Convert(all, func(p jobs.Pair[string, gathered]) string {
			slices.Sort(p.Value.Words)
			return p.Key + " " + strings.Join(p.Value.Words, ",")
		}).WriteTSV()
		return nil
	})
	words := map[string][]string{}
	var lines []string
	for i := range 60_000 {
		line := strconv.Itoa(i * 7919 % 100_003)
		lines = append(lines, line)
		words[line[:1]] = append(words[line[:1]], line)
	}
	var want []string
	for k, ws := range words {
		slices.Sort(ws)
		want = append(want, k+" "+strings.Join(ws, ","))
	}
	slices.Sort(want)
	built, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	collector := mapText(t, built, strings.Join(lines, "\n"))
	if n := collector.Len(); n < 18 || n > 1000 {
		t.Errorf("9 keys with 60,000 words came out as %d pairs; want some drains, but few", n)
	}
	got, err := minirun.Run(t.Context(), job, minirun.Options{Table: 2 << 20}, minirun.Lines(lines...))
	if err != nil || !slices.Equal(got.Sorted(), want) {
		t.Errorf("got %.200q, %v", got.Sorted(), err)
	}
}

// TestTheTableStepsAsideWhenKeysDoNotRepeat verifies that a table in which no
// key repeats is bypassed, and that one in which keys repeat folds.
func TestTheTableStepsAsideWhenKeysDoNotRepeat(t *testing.T) {
	t.Parallel()
	count := func(key func(i int) int, n int) int {
		t.Helper()
		built, err := wordCount().Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "w%d\n", key(i))
		}
		collector := mapText(t, built, text.String())
		if err := collector.Sort(3, false); err != nil {
			t.Fatal(err)
		}
		var sum uint64
		for i := range collector.Len() {
			_, v := collector.At(i)
			sum += binary.LittleEndian.Uint64(v)
		}
		if sum != uint64(n) {
			t.Errorf("%d words are counted as %d", n, sum)
		}
		return collector.Len()
	}
	if n := count(func(i int) int { return i }, 300_000); n != 300_000 {
		t.Errorf("300,000 keys came out as %d pairs", n)
	}
	if n := count(func(i int) int { return i % 1000 }, 300_000); n != 1000 {
		t.Errorf("1000 keys came out as %d pairs", n)
	}
	// Keys that do not repeat at first: the table is bypassed, and tried again
	// later.
	n := count(func(i int) int {
		if i < 100_000 {
			return i
		}
		return -1
	}, 900_000)
	if n < 110_000 || n > 300_000 {
		t.Errorf("keys that repeat from the 100,000th on came out as %d pairs of 900,000", n)
	}
}
