// Command bench measures what jobs cost on windrow. It runs each job of the
// list and the floor program, written by hand for that job, in turn on the same
// input, and prints medians and ratios. See README.md for the method and for
// how to read the table.
//
//	go run ./bench [-size small|medium|full] [-runs N] [-jobs LIST] [-dir DIR] [-cluster=false] [-peers]
//	               [-format table|benchstat] [-doc FILE] [-timeout D]
//
// One run is one process; programs run one after the other and never at once. A
// program that fails, an output that differs from the floor's and a broken
// limit are errors: the exit code is 1, and 130 after an interrupt. All files
// are removed whatever happens, except after a kill. Times are in seconds,
// memory in MiB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

func command(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	return measure.Command("bench", stderr, o.timeout, err, func(ctx context.Context) error { return bench(ctx, o, stdout, stderr) })
}

// options are the values of the flags.
type options struct {
	size    size
	runs    int           // of each program, from 1 on
	jobs    []job         // in the order in which they are measured
	dir     string        // for inputs and outputs; "" lets the driver choose
	timeout time.Duration // for all
	// onCluster says that jobs run on a cluster too.
	onCluster bool
	// peers says that the programs that people would use instead run too, and
	// duckDB is the path of one of them.
	peers  bool
	duckDB string
	format string // formatTable or formatBenchstat
	doc    string // document that gets the figures; "" for none
}

// Formats of the figures.
const (
	formatTable     = "table"
	formatBenchstat = "benchstat"
)

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sizeName := flags.String("size", "medium", "size of the inputs: small (4 MB each), medium (256 MB) or full (1 GB)")
	flags.IntVar(&o.runs, "runs", 5, "runs of each program; medians of fewer than 5 say little")
	names := flags.String("jobs", "all", "jobs to measure, with commas between: "+measure.Names(allJobs(), job.called))
	flags.StringVar(&o.dir, "dir", "", "directory for inputs and outputs (default: in memory, /dev/shm, where there is room)")
	flags.BoolVar(&o.onCluster, "cluster", true, "run each job on a cluster of a master and two workers too")
	flags.BoolVar(&o.peers, "peers", false, "run DuckDB or GNU sort on the same input too; make bench-peers installs what is missing")
	flags.StringVar(&o.duckDB, "duckdb", ".tools/duckdb-1.5.6/duckdb_cli/duckdb", "DuckDB's command, for -peers")
	flags.StringVar(&o.format, "format", formatTable, "format of the figures: table, or benchstat for Go's benchmark format")
	flags.StringVar(&o.doc, "doc", "", "put the figures into this document too, between its lines \"<!-- jobs: measured -->\" and \"<!-- jobs: end -->\"")
	flags.DurationVar(&o.timeout, "timeout", time.Hour, "stop after this time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: each program must run at least once", o.runs)
	}
	if o.timeout <= 0 {
		return o, fmt.Errorf("-timeout %v leaves no time", o.timeout)
	}
	if o.format != formatTable && o.format != formatBenchstat {
		return o, fmt.Errorf("-format %q is neither %s nor %s", o.format, formatTable, formatBenchstat)
	}
	if o.doc != "" && o.format != formatTable {
		return o, errors.New("-doc takes tables: leave out -format")
	}
	var err error
	if o.size, err = measure.Named("-size", *sizeName, sizes(), size.called); err != nil {
		return o, err
	}
	o.jobs, err = measure.Listed("-jobs", *names, allJobs(), job.called)
	return o, err
}
