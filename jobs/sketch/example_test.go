package sketch_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/sketch"
)

func show(build func(p *jobs.Pipeline), lines ...string) {
	job := jobs.Define("example", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error { build(p); return nil })
	result, err := minirun.Run(context.Background(), job, minirun.Options{Partitions: 1}, minirun.Lines(lines...))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
}

// The number of different users of each page.
func ExampleCountDistinct() {
	visit := func(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
		page, user, _ := strings.Cut(string(line), " ")
		emit(page, user)
		return nil
	}
	show(func(p *jobs.Pipeline) { sketch.CountDistinct(jobs.Map(jobs.ReadLines(p), visit)).WriteTSV() },
		"/ ann", "/ bob", "/a ann", "/ ann")
	// Output:
	// /	2
	// /a	1
}

// The median and the greatest duration of each route, in columns.
func ExampleQuantiles() {
	type row struct {
		Route       string
		Median, Max float64
	}
	request := func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		route, text, _ := strings.Cut(string(line), " ")
		millis, err := strconv.ParseInt(text, 10, 64)
		emit(route, millis)
		return err
	}
	show(func(p *jobs.Pipeline) {
		durations := sketch.Quantiles(jobs.Map(jobs.ReadLines(p), request), 0.5, 1)
		jobs.Convert(durations, func(p jobs.Pair[string, []float64]) row { return row{p.Key, p.Value[0], p.Value[1]} }).WriteTSV()
	}, "/ 12", "/ 900", "/ 14", "/a 7")
	// Output:
	// /	14	900
	// /a	7	7
}

// The two most frequent lines, each with its least and its greatest possible count.
func ExampleHeavyHitters() {
	show(func(p *jobs.Pipeline) { sketch.HeavyHitters(jobs.ReadLines(p), 2).WriteTSV() },
		"hay", "row", "hay", "mow", "row", "hay")
	// Output:
	// hay	3	3
	// row	2	2
}
