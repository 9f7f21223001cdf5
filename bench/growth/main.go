// Command growth measures how the cost of jobs grows: with the size of the
// data, the number of slots, of partitions and of input objects. See
// ../README.md for the method.
//
//	go run ./bench/growth [-size small|medium|full] [-runs N] [-series LIST] [-dir DIR] [-doc FILE] [-plots DIR] [-timeout D]
//
// It prints a table for each series, and draws a plot of each if -plots names a
// directory. One run is one process of windrow, with its defaults except for
// what the series changes; runs follow each other and never overlap. The output
// of each run is checked. An output that is wrong and a program that fails are
// errors: the exit code is 1, and 130 after an interrupt. A point that does not
// fit the machine is left out, and reported. All files except documents and
// plots are removed, unless the command is killed.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

func command(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	return measure.Command("growth", stderr, o.timeout, err, func(ctx context.Context) error { return growth(ctx, o, stdout, stderr) })
}

// options are the values of the flags.
type options struct {
	size    size
	runs    int      // of each point, from 1 on
	series  []series // in the order in which they are measured
	dir     string   // for inputs and outputs; "" lets the command choose
	doc     string   // document that gets the figures; "" for none
	plots   string   // directory that gets the plots; "" for none
	timeout time.Duration
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sizeName := flags.String("size", "medium", "size that the series grow from: small (2 MB), medium (100 MB) or full (1 GB)")
	flags.IntVar(&o.runs, "runs", 3, "runs of each point, of which the median counts")
	names := flags.String("series", "all", "series to measure, with commas between: "+measure.Names(allSeries(size{}), series.called))
	flags.StringVar(&o.dir, "dir", "", "directory for inputs and outputs (default: in memory, /dev/shm, where there is room)")
	flags.StringVar(&o.doc, "doc", "", "put the figures into this document too, between its lines \"<!-- growth: measured -->\" and \"<!-- growth: end -->\"")
	flags.StringVar(&o.plots, "plots", "", "draw plots into this directory")
	flags.DurationVar(&o.timeout, "timeout", time.Hour, "stop after this time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: each point must be measured at least once", o.runs)
	}
	if o.timeout <= 0 {
		return o, fmt.Errorf("-timeout %v leaves no time", o.timeout)
	}
	var err error
	if o.size, err = measure.Named("-size", *sizeName, sizes(), size.called); err != nil {
		return o, err
	}
	o.series, err = measure.Listed("-series", *names, allSeries(o.size), series.called)
	return o, err
}

// growth measures the series and prints them.
func growth(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	place, err := measure.ChoosePlace(o.dir, 6*o.size.bytes)
	if err != nil {
		return err
	}
	g := &grower{options: o, log: stderr, room: place.Room()}
	if g.dir, err = os.MkdirTemp(place.Dir, "windrow-bench-growth-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(g.dir)) }()
	// Programs need a directory of their own: shared memory may be mounted noexec.
	if g.bin, err = os.MkdirTemp("", "windrow-bench-bin-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(g.bin)) }()
	m := measure.DescribeMachine(ctx)
	var figures bytes.Buffer
	measure.WriteHeader(&figures, fmt.Sprintf("growth, size %s, medians of %d runs", o.size.name, o.runs), m, place)
	fmt.Fprint(stdout, figures.String()) // before the work, which adds load
	if err := measure.Build(ctx, g.bin, "./cmd/windrow"); err != nil {
		return err
	}
	before, shown := measure.ReadClock(), figures.Len()
	if err := g.measure(ctx); err != nil {
		return err
	}
	for i := range g.series {
		g.write(&figures, &g.series[i])
	}
	m.WriteOthers(&figures, before)
	fmt.Fprintln(&figures, "The output of every run was checked.")
	fmt.Fprint(stdout, figures.String()[shown:])
	return g.keep(figures.String())
}

// keep draws the plots and puts the figures into the document.
func (g *grower) keep(figures string) error {
	if g.plots != "" {
		if err := os.MkdirAll(g.plots, 0o755); err != nil {
			return err
		}
		for i := range g.series {
			s := &g.series[i]
			if err := os.WriteFile(filepath.Join(g.plots, s.file()), []byte(s.plot().svg()), 0o644); err != nil {
				return err
			}
		}
	}
	if g.doc != "" {
		return measure.ReplaceBlock(g.doc, "growth", figures)
	}
	return nil
}
