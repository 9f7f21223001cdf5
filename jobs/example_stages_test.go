package jobs_test

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// plain defines a job without parameters.
func plain(build func(p *jobs.Pipeline)) *jobs.Job {
	return jobs.Define("example", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		build(p)
		return nil
	})
}

// words splits a line.
func words(_ *jobs.Context, line []byte, emit func(string)) error {
	for w := range bytes.FieldsSeq(line) {
		emit(string(w))
	}
	return nil
}

func firstLetter(word string) string { return word[:1] }

func ExampleOnce() {
	job := plain(func(p *jobs.Pipeline) {
		// f runs at submission only; the value is the same wherever the
		// pipeline is built again.
		banner := jobs.Once(p, "banner", func() (string, error) { return "v1 ", nil })
		jobs.Convert(jobs.ReadLines(p), func(line []byte) string { return banner + string(line) }).WriteTSV()
	})
	show(job, nil, "hay")
	// Output: v1 hay
}

func ExampleFlatMap() {
	show(plain(func(p *jobs.Pipeline) { jobs.FlatMap(jobs.ReadLines(p), words).WriteTSV() }), nil, "cut dry", "hay")
	// Output:
	// cut
	// dry
	// hay
}

func ExampleConvert() {
	upper := func(line []byte) string { return strings.ToUpper(string(line)) }
	show(plain(func(p *jobs.Pipeline) { jobs.Convert(jobs.ReadLines(p), upper).WriteTSV() }), nil, "hay")
	// Output: HAY
}

func ExampleRecords_Filter() {
	long := func(line []byte) bool { return len(line) > 3 }
	show(plain(func(p *jobs.Pipeline) { jobs.ReadLines(p).Filter(long).Write(text.Lines{}) }), nil, "hay", "rake")
	// Output: rake
}

func ExampleKeyBy() {
	// The longest word by its first letter.
	longest := func(a, b string) string {
		if len(b) > len(a) || len(b) == len(a) && b < a {
			return b
		}
		return a
	}
	job := plain(func(p *jobs.Pipeline) {
		jobs.KeyBy(jobs.FlatMap(jobs.ReadLines(p), words), firstLetter).Fold(longest).WriteTSV()
	})
	show(job, nil, "hay harvest row", "rake")
	// Output:
	// h	harvest
	// r	rake
}

func ExampleAggregate() {
	type mean struct{ Sum, N float64 }
	job := plain(func(p *jobs.Pipeline) {
		lengths := jobs.KeyBy(jobs.FlatMap(jobs.ReadLines(p), words), firstLetter)
		means := jobs.Aggregate(lengths,
			func(m *mean, w string) { m.Sum, m.N = m.Sum+float64(len(w)), m.N+1 },
			func(m, other *mean) { m.Sum, m.N = m.Sum+other.Sum, m.N+other.N })
		jobs.Convert(means, func(m jobs.Pair[string, mean]) string {
			return fmt.Sprintf("%s %.1f", m.Key, m.Value.Sum/m.Value.N)
		}).WriteTSV()
	})
	show(job, nil, "hay harvest", "rake row")
	// Output:
	// h 5.0
	// r 3.5
}

func ExampleReduce() {
	count := func(_ *jobs.Context, letter string, words iter.Seq[string], emit func(string)) error {
		n := 0
		for range words {
			n++
		}
		emit(fmt.Sprintf("%d words begin with %s", n, letter))
		return nil
	}
	job := plain(func(p *jobs.Pipeline) {
		jobs.Reduce(jobs.KeyBy(jobs.FlatMap(jobs.ReadLines(p), words), firstLetter), count).WriteTSV()
	})
	show(job, nil, "hay harvest", "rake")
	// Output:
	// 2 words begin with h
	// 1 words begin with r
}

// ones emits a one for each word.
func ones(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(string(w), 1)
	}
	return nil
}

func total(_ *jobs.Context, word string, ones iter.Seq[int64], emit func(string)) error {
	var n int64
	for one := range ones {
		n += one
	}
	emit(fmt.Sprint(word, " ", n))
	return nil
}

func ExamplePairs_Combine() {
	// Values may be folded before the shuffle that leads to the Reduce.
	job := plain(func(p *jobs.Pipeline) {
		jobs.Reduce(jobs.Map(jobs.ReadLines(p), ones).Combine(jobs.Sum), total).WriteTSV()
	})
	show(job, nil, "hay hay row")
	// Output:
	// hay 2
	// row 1
}

func ExamplePairs_Partition() {
	// Words of one length are in one part.
	byLength := func(word string, n int) int { return len(word) % n }
	job := plain(func(p *jobs.Pipeline) {
		jobs.Map(jobs.ReadLines(p), ones).Partition(byLength).Fold(jobs.Sum).WriteTSV()
	})
	show(job, nil, "hay rake row")
	// Output:
	// hay	1
	// rake	1
	// row	1
}

func ExamplePairs_Merge() {
	lengths := func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		emit("bytes", int64(len(line)))
		return nil
	}
	job := plain(func(p *jobs.Pipeline) {
		lines := jobs.ReadLines(p)
		jobs.Map(lines, ones).Merge(jobs.Map(lines, lengths)).Fold(jobs.Sum).WriteTSV()
	})
	show(job, nil, "hay row", "hay")
	// Output:
	// bytes	10
	// hay	2
	// row	1
}

func ExamplePairs_Sort() {
	// In order of keys over all parts, and of values where keys are equal.
	job := plain(func(p *jobs.Pipeline) {
		jobs.KeyBy(jobs.FlatMap(jobs.ReadLines(p), words), func(w string) int { return len(w) }).Sort().WriteTSV()
	})
	show(job, nil, "rake row", "hay harvest")
	// Output:
	// 3	hay
	// 3	row
	// 4	rake
	// 7	harvest
}

func ExampleContext_Count() {
	job := plain(func(p *jobs.Pipeline) {
		jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			if len(line) == 0 {
				ctx.Count("empty lines", 1) // shown in the summary and in Result.Tally
				return nil
			}
			ctx.Observe("length", float64(len(line)))
			emit(fmt.Appendf(nil, "%d %s", ctx.Position().Offset, line))
			return nil
		}).Write(text.Lines{})
	})
	show(job, nil, "hay", "", "row")
	// Output:
	// 0 hay
	// 5 row
}
