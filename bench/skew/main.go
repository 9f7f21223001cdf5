// Command skew measures what one hot key costs: jobs run on pairs of which one key has 60
// of 100 and the others follow Zipf's law with exponent 1.5, and on as many pairs whose
// keys are all as frequent. See ../README.md for the method.
//
//	go run ./bench/skew [-pairs N] [-keys N] [-slots N] [-runs N] [-jobs LIST] [-dir DIR] [-timeout D]
//
// One run is one process. Runs follow each other, even and skewed in turn, and never
// overlap. The output of each run is checked; a wrong one is an error. The exit code is 1
// after an error, and 130 after an interrupt. All files are removed, unless the command is
// killed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	return measure.Command("skew", stderr, o.timeout, err, func(ctx context.Context) error { return skew(ctx, o, stdout, stderr) })
}

// hot is how many of 100 pairs the hot key has.
const hot = 60

// job is a job of skewjobs.
type job struct {
	name string
	sums bool // it adds up values
}

func allJobs() []job {
	return []job{{"fold", true}, {"sketch", false}, {"set-thousand", false}, {"set-million", false}, {"reduce", true}}
}

func (j job) called() string { return j.name }

// options are the values of the flags.
type options struct {
	pairs       int64
	keys, slots int
	runs        int
	jobs        []job
	dir         string
	timeout     time.Duration
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("skew", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Int64Var(&o.pairs, "pairs", 10_000_000, "pairs of an input, of about 16 bytes each")
	flags.IntVar(&o.keys, "keys", 100_000, "different keys")
	flags.IntVar(&o.slots, "slots", 4, "tasks at once")
	flags.IntVar(&o.runs, "runs", 5, "runs of each job on each input, of which the median counts")
	names := flags.String("jobs", "all", "jobs to measure, with commas between: "+measure.Names(allJobs(), job.called))
	flags.StringVar(&o.dir, "dir", "", "directory for inputs and outputs (default: in memory, /dev/shm, where there is room)")
	flags.DurationVar(&o.timeout, "timeout", time.Hour, "stop after this time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	case o.runs < 1 || o.pairs < 1 || o.keys < 3 || o.slots < 1 || o.timeout <= 0:
		return o, errors.New("-runs, -pairs, -slots and -timeout are positive, and -keys is at least 3")
	}
	var err error
	o.jobs, err = measure.Listed("-jobs", *names, allJobs(), job.called)
	return o, err
}

// skew measures all jobs and prints the figures.
func skew(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	const line = 16 // bytes
	place, err := measure.ChoosePlace(o.dir, 4*line*o.pairs)
	if err != nil {
		return err
	}
	s := &skewer{options: o, log: stderr}
	if s.dir, err = os.MkdirTemp(place.Dir, "windrow-bench-skew-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	// Programs need a directory of their own: shared memory may be mounted noexec.
	if s.bin, err = os.MkdirTemp("", "windrow-bench-bin-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.bin)) }()
	m := measure.DescribeMachine(ctx)
	measure.WriteHeader(stdout, fmt.Sprintf("skew, %.4g M pairs, one key has %d %%, %d slots, medians of %d runs", float64(o.pairs)/1e6, hot, o.slots, o.runs), m, place)
	if err := measure.Build(ctx, s.bin, "./bench/skew/skewjobs"); err != nil {
		return err
	}
	var inputs [2]input
	if inputs[0], err = even(filepath.Join(s.dir, "even"), o.pairs, o.keys); err != nil {
		return err
	}
	if inputs[1], err = skewed(filepath.Join(s.dir, "skewed"), o.pairs, o.keys, hot); err != nil {
		return err
	}
	before := measure.ReadClock()
	table := [][]string{{"job", "wall s even", "wall s skewed", "wall ratio", "CPU s even", "CPU s skewed", "CPU ratio", "spread", "partitions"}}
	for _, j := range o.jobs {
		row, err := s.measure(ctx, j, inputs)
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		table = append(table, row)
	}
	measure.WriteTable(stdout, 1, table)
	m.WriteOthers(stdout, before)
	return nil
}

// skewer runs jobs.
type skewer struct {
	options
	bin, dir string // directories of the program, and of all other files
	log      io.Writer
}

// measure measures a job and returns its row of the table.
func (s *skewer) measure(ctx context.Context, j job, inputs [2]input) ([]string, error) {
	var runs [2][]measure.Usage
	var partitions int
	for range s.runs {
		for i := range inputs {
			used, reduces, err := s.run(ctx, j, inputs[i])
			if err != nil {
				return nil, err
			}
			runs[i], partitions = append(runs[i], used), reduces
		}
		n := len(runs[0]) - 1
		fmt.Fprintf(s.log, "%s %d/%d: even %v; skewed %v\n", j.name, n+1, s.runs, runs[0][n], runs[1][n])
	}
	wall := [2]time.Duration{measure.Median(measure.Wall(runs[0])), measure.Median(measure.Wall(runs[1]))}
	cpu := [2]time.Duration{measure.Median(measure.CPU(runs[0])), measure.Median(measure.CPU(runs[1]))}
	spread := max(measure.Spread(measure.Wall(runs[0])), measure.Spread(measure.Wall(runs[1])))
	return []string{j.name,
		fmt.Sprintf("%.2f", wall[0].Seconds()), fmt.Sprintf("%.2f", wall[1].Seconds()), fmt.Sprintf("%.2f", measure.Ratio(wall[1], wall[0])),
		fmt.Sprintf("%.2f", cpu[0].Seconds()), fmt.Sprintf("%.2f", cpu[1].Seconds()), fmt.Sprintf("%.2f", measure.Ratio(cpu[1], cpu[0])),
		fmt.Sprintf("±%.0f %%", 100*spread), fmt.Sprint(partitions)}, nil
}

// run runs a job once and checks its output.
func (s *skewer) run(ctx context.Context, j job, in input) (used measure.Usage, partitions int, err error) {
	program, out := filepath.Join(s.bin, "skewjobs"), filepath.Join(s.dir, "out")
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	var printed bytes.Buffer
	used, err = measure.Execute(ctx, &printed, program, "run", j.name, "--input", in.path, "--out", out,
		"--slots", fmt.Sprint(s.slots), "--partitions", fmt.Sprint(s.slots), "--quiet", "--output", "json")
	if err != nil {
		return used, 0, err
	}
	var report struct {
		Reduces int `json:"reduces"`
	}
	if err := json.Unmarshal(printed.Bytes(), &report); err != nil {
		return used, 0, fmt.Errorf("report of the run: %w", err)
	}
	written := new(tally)
	if _, err := measure.Execute(ctx, written, program, "cat", out); err != nil {
		return used, 0, err
	}
	return used, report.Reduces, written.complete(in, j.sums)
}
