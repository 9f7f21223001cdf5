package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

var errBoom = errors.New("boom")

func boom(line []byte) error {
	if bytes.Contains(line, []byte("bad")) {
		return fmt.Errorf("cannot read %s: %w", line, errBoom)
	}
	return nil
}

func explode(line []byte) error {
	if boom(line) != nil {
		panic(errBoom)
	}
	return nil
}

// failing returns a job in which the function of one place fails.
func failing(place string, f func([]byte) error) *jobs.Job {
	must := func(line []byte) []byte {
		if err := f(line); err != nil {
			panic(err)
		}
		return line
	}
	return build(func(p *jobs.Pipeline) {
		lines := jobs.ReadLines(p)
		switch place {
		case "Map":
			jobs.Map(lines, func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
				emit(line, 1)
				return f(line)
			}).Fold(jobs.Sum).WriteTSV()
		case "KeyBy":
			jobs.KeyBy(lines, must).Fold(func(a, _ []byte) []byte { return a }).WriteTSV()
		case "FlatMap":
			jobs.FlatMap(lines, func(_ *jobs.Context, line []byte, emit func([]byte)) error {
				emit(line)
				return f(line)
			}).Write(text.Lines{})
		case "Convert":
			jobs.Convert(lines, must).WriteTSV()
		case "Filter":
			lines.Filter(func(line []byte) bool { return must(line) != nil }).WriteTSV()
		case "Reduce":
			jobs.Reduce(jobs.Map(lines, whole), func(_ *jobs.Context, line []byte, _ iter.Seq[none], emit func([]byte)) error {
				emit(line)
				return f(line)
			}).WriteTSV()
		case "Write":
			jobs.Convert(lines, func(line []byte) string {
				if f(line) != nil {
					return "two\nlines"
				}
				return ""
			}).WriteTSV()
		}
	})
}

func TestErrorsOfFunctionsNameTheRecord(t *testing.T) {
	t.Parallel()
	input := minirun.Object{Name: "in.txt", Text: "good\nfine\na bad one\ngood\n"}
	for _, place := range []string{"Map", "KeyBy", "FlatMap", "Convert", "Filter", "Reduce", "Write"} {
		for how, f := range map[string]func([]byte) error{"error": boom, "panic": explode} {
			t.Run(place+" "+how, func(t *testing.T) {
				t.Parallel()
				if place == "Write" && how == "panic" {
					f = boom // text output calls no function of the user's that could panic
				}
				_, err := minirun.Run(t.Context(), failing(place, f), minirun.Options{Partitions: 1}, input)
				var at *jobs.RecordError
				if !errors.As(err, &at) {
					t.Fatalf("got %v, want a RecordError", err)
				}
				returned := how == "error" && (place == "Map" || place == "FlatMap" || place == "Reduce")
				if (at.Stack == nil) != (returned || place == "Write") {
					t.Errorf("stack of %d bytes", len(at.Stack))
				}
				if place != "Write" && !errors.Is(err, errBoom) {
					t.Errorf("%v does not wrap the function's error", err)
				}
				wantError(t, err, place)
				if strings.Contains(err.Error(), "goroutine") {
					t.Error("the text holds a stack")
				}
				if place == "Reduce" {
					wantError(t, err, "reduce/0", `"a bad one"`)
					return
				}
				wantError(t, err, "map/0", "byte 10 of mem://test/in.txt")
				if at.Object != "mem://test/in.txt" || at.Offset != 10 {
					t.Errorf("at byte %d of %s, want 10", at.Offset, at.Object)
				}
			})
		}
	}
}

func TestPanicsOfFoldsAreErrors(t *testing.T) {
	t.Parallel()
	job := jobs.New("fold", tokenize, func(a, b int64) int64 { panic("boom") })
	for _, o := range []minirun.Options{{}, {Table: 1}, {Table: 1, NoCombiner: true}} {
		_, err := minirun.Run(t.Context(), job, o, minirun.Lines("a a"))
		var at *jobs.RecordError
		if !errors.As(err, &at) || at.Stack == nil {
			t.Fatalf("%+v: got %v, want a RecordError with a stack", o, err)
		}
		wantError(t, err, "panic at failure_test.go:", ": boom")
	}
}

// TestAReadErrorFailsTheReduce verifies that a read error that ends a value
// list early fails the task, whatever the reducer returns.
func TestAReadErrorFailsTheReduce(t *testing.T) {
	t.Parallel()
	reducers := map[string]func(p *jobs.Pipeline, pairs jobs.Pairs[[]byte, int64]){
		"ranges": func(p *jobs.Pipeline, pairs jobs.Pairs[[]byte, int64]) {
			jobs.Reduce(pairs, func(_ *jobs.Context, _ []byte, values iter.Seq[int64], emit func(int64)) error {
				var n int64
				for v := range values {
					n += v
				}
				emit(n)
				return nil
			}).WriteTSV()
		},
		"looks at nothing": func(p *jobs.Pipeline, pairs jobs.Pairs[[]byte, int64]) {
			jobs.Reduce(pairs, func(*jobs.Context, []byte, iter.Seq[int64], func(int64)) error { return nil }).WriteTSV()
		},
		"complains": func(p *jobs.Pipeline, pairs jobs.Pairs[[]byte, int64]) {
			jobs.Reduce(pairs, func(_ *jobs.Context, _ []byte, values iter.Seq[int64], _ func(int64)) error {
				n := 0
				for range values {
					n++
				}
				if n < 5 {
					return errBoom
				}
				return nil
			}).WriteTSV()
		},
		"folds": func(p *jobs.Pipeline, pairs jobs.Pairs[[]byte, int64]) { pairs.Fold(jobs.Sum).WriteTSV() },
		"sorts": func(p *jobs.Pipeline, pairs jobs.Pairs[[]byte, int64]) { pairs.Sort().WriteTSV() },
	}
	for name, reduce := range reducers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := build(func(p *jobs.Pipeline) { reduce(p, jobs.Map(jobs.ReadLines(p), tokenize)) })
			o := minirun.Options{Partitions: 1, FailReadAfter: 3, Table: 1, NoCombiner: true}
			_, err := minirun.Run(t.Context(), job, o, minirun.Lines("a a a a a"))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v, want the error of the read", err)
			}
		})
	}
}

func TestReducersMayBreakOff(t *testing.T) {
	t.Parallel()
	var again []int64
	job := build(func(p *jobs.Pipeline) {
		pairs := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, []byte]) error {
			emit(string(line[:1]), line)
			return nil
		})
		jobs.Reduce(pairs, func(_ *jobs.Context, key string, values iter.Seq[[]byte], emit func(string)) error {
			var first []byte
			for v := range values {
				first = v
				break
			}
			emit(key + " " + string(first)) // is valid until the next value
			n := int64(0)
			for range values {
				n++
			}
			again = append(again, n)
			return nil
		}).WriteTSV()
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 1}, minirun.Lines("a1", "a2", "b1", "a3", "c1"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "a a1\nb b1\nc c1\n"; got.Text() != want {
		t.Errorf("got %q, want %q", got.Text(), want)
	}
	if fmt.Sprint(again) != "[2 0 0]" {
		t.Errorf("ranging again gave %v more values, want [2 0 0]", again)
	}
}

func TestCancellationStopsATask(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	lines := 0
	job := build(func(p *jobs.Pipeline) {
		jobs.Map(jobs.ReadLines(p), func(c *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			if lines++; lines == 10 {
				cancel()
				<-c.Done()
			}
			return nil
		}).Fold(jobs.Sum).WriteTSV()
	})
	_, err := minirun.Run(ctx, job, minirun.Options{}, minirun.Lines(strings.Repeat("x\n", 100_000)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if lines > 5000 {
		t.Errorf("%d lines were mapped after the task had to stop", lines)
	}
}

func TestABadPartitionIsAnError(t *testing.T) {
	t.Parallel()
	for _, table := range []int64{1, 0} {
		job := build(func(p *jobs.Pipeline) {
			jobs.Map(jobs.ReadLines(p), tokenize).Partition(func([]byte, int) int { return 9 }).Fold(jobs.Sum).WriteTSV()
		})
		_, err := minirun.Run(t.Context(), job, minirun.Options{Table: table}, minirun.Lines("word"))
		wantError(t, err, "Partition returned 9", `"word"`, "0 to 1")
	}
}

func TestStoreErrorsAreNotRecordErrors(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("no space left")
	task := func() *pipeline.Task {
		return &pipeline.Task{Context: t.Context(), ID: plan.TaskID{Phase: plan.Map}, Tally: &plan.Tally{}, Progress: &pipeline.Progress{}}
	}
	section := pipeline.Section{
		Section: plan.Section{Length: 1 << 20},
		Open: func(context.Context, int64) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("some words\n", 100_000))), nil
		},
	}
	check := func(err error) {
		t.Helper()
		var at *jobs.RecordError
		if !errors.Is(err, errDisk) || errors.As(err, &at) {
			t.Errorf("got %v, want the store's error as it was", err)
		}
	}
	out, err := build(func(p *jobs.Pipeline) { jobs.ReadLines(p).WriteTSV() }).Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	reading := task()
	reading.Sections = []pipeline.Section{section}
	reading.Part = func(int, string) (pipeline.Part, error) { return failingPart{errDisk}, nil }
	check(out.Steps[0].Run(reading))
	sorted, err := build(func(p *jobs.Pipeline) { jobs.Map(jobs.ReadLines(p), tokenize).Sort().WriteTSV() }).Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	full := pairs.NewCollector(sorted.Exchanges[0].Layout, &slabs{left: 2}, func() error { return errDisk })
	writing := task()
	writing.Sections, writing.Writes = []pipeline.Section{section}, []pipeline.Write{{Pairs: full, Partitions: 1}}
	check(sorted.Steps[0].Run(writing))
}

type failingPart struct{ err error }

func (p failingPart) Write([]byte) (int, error) { return 0, p.err }

func (p failingPart) End(int64) error { return p.err }

// slabs is memory for the shuffle of so many slabs.
type slabs struct{ left int }

func (m *slabs) Slab(n int) []byte {
	if m.left == 0 {
		return nil
	}
	m.left--
	return make([]byte, max(n, pairs.SlabSize))
}

func (m *slabs) Free([]byte)       { m.left++ }
func (m *slabs) Charge(int64) bool { return true }

func TestCountersAndStatistics(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			ctx.Count("lines", 1)
			ctx.Count("bytes", int64(len(line)))
			ctx.Observe("length", float64(len(line)))
			if task := ctx.Task(); task.Job != "a-job" || task.Stage != "map" {
				return fmt.Errorf("task is %+v", task)
			}
			ctx.Log().Info("a line")
			return nil
		}).Write(text.Lines{})
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 3}, minirun.Lines("a", "bbb", "cc"))
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Tally.Counts; c["lines"] != 3 || c["bytes"] != 6 {
		t.Errorf("counted %v", c)
	}
	if s := got.Tally.Stats["length"]; s != (plan.Stat{Count: 3, Sum: 6, Min: 1, Max: 3}) {
		t.Errorf("observed %+v", s)
	}
}
