package jobstest_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// printer is a *testing.T for the examples: it prints failures.
type printer struct{ testing.TB }

func (printer) Helper()                           {}
func (printer) Context() context.Context          { return context.Background() }
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printer) Fatal(args ...any)                 { fmt.Println(args...) }

var t printer

func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for word := range bytes.FieldsSeq(line) {
		emit(word, 1)
	}
	return nil
}

// WordCount is the job under test.
var WordCount = jobs.New("wordcount", tokenize, jobs.Sum)

// A test of a job, as it is in a _test.go file. It prints nothing when the job is
// right.
func ExampleRun() {
	jobstest.Run(t, WordCount, jobstest.Lines("to be or", "not to be"), jobstest.Strict()).
		Want("to\t2", "be\t2", "or\t1", "not\t1")
	// Output:
}

// Want shows the lines that differ.
func ExampleResult_Want() {
	jobstest.Run(t, WordCount, jobstest.Lines("hay and hay")).Want("and\t1", "hay\t1")
	// Output:
	// the output of job wordcount is wrong: - is missing, + is too much
	// - "hay\t1"
	// + "hay\t2"
}

// WantInOrder is for jobs that sort.
func ExampleResult_WantInOrder() {
	sorted := jobs.Define("sorted", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		words := jobs.KeyBy(jobs.ReadLines(p), func(line []byte) int { return len(line) })
		jobs.Convert(words.Sort(), func(w jobs.Pair[int, []byte]) []byte { return w.Value }).WriteTSV()
		return nil
	})
	jobstest.Run(t, sorted, jobstest.Lines("harvest", "hay", "rake")).WantInOrder("hay", "rake", "harvest")
	// Output:
}

// Strict finds jobs whose result depends on how the work is divided. The order in
// which a fold gets values is not fixed, so a difference is not a fold.
func ExampleStrict() {
	difference := jobs.New("difference", func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		emit("all", int64(len(line)))
		return nil
	}, func(a, b int64) int64 { return a - b })
	_, err := jobstest.TryRun(t, difference, jobstest.Lines("a", "bb", "ccc", "dddd", "eeeee", "ffffff"), jobstest.Strict())
	text, _, _ := strings.Cut(err.Error(), "\n")
	fmt.Println(text)
	// Output: jobstest: the output of job difference depends on how the work is done.
}

// TryRun returns the error of a job that should fail.
func ExampleTryRun() {
	strict := jobs.New("no-tabs", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		if bytes.ContainsRune(line, '\t') {
			return fmt.Errorf("the line has a tab")
		}
		emit(line, 1)
		return nil
	}, jobs.Sum)
	_, err := jobstest.TryRun(t, strict, jobstest.Lines("hay", "a\tb"))
	fmt.Println(strings.Contains(err.Error(), "byte 4 of mem://test/in/lines: the line has a tab"))
	// Output: true
}

// File gives text to a named input, or compressed bytes by the name's extension.
func ExampleFile() {
	fresh := jobs.Define("fresh", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		seen := func(as int64) func(*jobs.Context, []byte, jobs.Emit[[]byte, int64]) error {
			return func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
				emit(line, as)
				return nil
			}
		}
		before := jobs.Map(jobs.ReadLines(p).Named("before"), seen(0))
		after := jobs.Map(jobs.ReadLines(p).Named("after"), seen(1))
		all := before.Merge(after).Fold(jobs.Min)
		only := all.Filter(func(line jobs.Pair[[]byte, int64]) bool { return line.Value == 1 })
		jobs.Convert(only, func(line jobs.Pair[[]byte, int64]) []byte { return line.Key }).WriteTSV()
		return nil
	})
	r := jobstest.Run(t, fresh, jobstest.File("before", "a.txt", "hay\nrow\n"), jobstest.File("after", "b.txt", "hay\nrake\n"))
	fmt.Println(r.Lines())
	// Output: [rake]
}

// Params sets parameters by the job's own struct, or by texts.
func ExampleParams() {
	type params struct {
		Least int64 `help:"leave out words that occur less often"`
	}
	frequent := jobs.Define("frequent", params{Least: 2}, func(p *jobs.Pipeline, a params) error {
		counts := jobs.Map(jobs.ReadLines(p), tokenize).Fold(jobs.Sum)
		counts.Filter(func(c jobs.Pair[[]byte, int64]) bool { return c.Value >= a.Least }).WriteTSV()
		return nil
	})
	lines := jobstest.Lines("a b a", "b c a")
	fmt.Println(jobstest.Run(t, frequent, lines, jobstest.Params(params{Least: 3})).Lines())
	fmt.Println(jobstest.Run(t, frequent, lines, jobstest.Params(map[string]string{"least": "9"})).Lines())
	// Output:
	// [a	3]
	// []
}

// Counter and Stat return what the job's functions counted and observed.
func ExampleResult_Counter() {
	tolerant := jobs.New("tolerant", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		key, _, found := bytes.Cut(line, []byte("="))
		if !found {
			ctx.Count("bad lines", 1)
			return nil
		}
		ctx.Observe("key length", float64(len(key)))
		emit(key, 1)
		return nil
	}, jobs.Sum)
	r := jobstest.Run(t, tolerant, jobstest.Lines("crop=hay", "???", "tool=rake", "id=7"))
	fmt.Println(r.Counter("bad lines"), r.Stat("key length").Max)
	// Output: 1 4
}
