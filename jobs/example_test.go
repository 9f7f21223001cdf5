package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// show runs a job over lines and prints its only part.
func show(job *jobs.Job, params map[string]string, lines ...string) {
	o := minirun.Options{Params: params, Partitions: 1}
	result, err := minirun.Run(context.Background(), job, o, minirun.Lines(lines...))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
}

func ExampleNew() {
	tokenize := func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		for w := range bytes.FieldsSeq(line) {
			emit(w, 1) // w aliases the line: emit encodes it before it returns
		}
		return nil
	}
	show(jobs.New("wordcount", tokenize, jobs.Sum), nil, "to be or", "not to be")
	// Output:
	// be	2
	// not	1
	// or	1
	// to	2
}

func ExampleDefine() {
	type params struct {
		Least int64 `help:"leave out words that occur less often"`
	}
	tokenize := func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		for w := range bytes.FieldsSeq(line) {
			emit(string(w), 1)
		}
		return nil
	}
	job := jobs.Define("frequent", params{Least: 2}, func(p *jobs.Pipeline, a params) error {
		counts := jobs.Map(jobs.ReadLines(p), tokenize).Fold(jobs.Sum)
		counts.Filter(func(c jobs.Pair[string, int64]) bool { return c.Value >= a.Least }).WriteTSV()
		return nil
	})
	show(job, map[string]string{"least": "3"}, "a b a", "b c a")
	// Output: a	3
}

func ExampleReduceBy() {
	// The greatest word of each length first: Desc reverses the order.
	type key = jobs.By[int, jobs.Desc[string]]
	words := func(_ *jobs.Context, line []byte, emit jobs.Emit[key, struct{}]) error {
		for w := range bytes.FieldsSeq(line) {
			emit(key{Key: len(w), Order: jobs.Desc[string]{V: string(w)}}, struct{}{})
		}
		return nil
	}
	list := func(_ *jobs.Context, length int, words iter.Seq2[jobs.Desc[string], struct{}], emit func([]byte)) error {
		line := fmt.Append(nil, length)
		for w := range words {
			line = fmt.Append(line, " "+w.V)
		}
		emit(line)
		return nil
	}
	job := jobs.Define("by-length", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReduceBy(jobs.Map(jobs.ReadLines(p), words), list).Write(text.Lines{})
		return nil
	})
	show(job, nil, "rake hay row", "cut dry hay")
	// Output:
	// 3 row hay hay dry cut
	// 4 rake
}
