// Package windrow runs MapReduce jobs, written in Go, over data in object
// storage.
//
// A job is made with package jobs:
//
//	func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
//		for w := range bytes.FieldsSeq(line) {
//			emit(w, 1)
//		}
//		return nil
//	}
//
//	var WordCount = jobs.New("wordcount", tokenize, jobs.Sum)
//
//	func main() { windrow.Main(WordCount) }
//
// Main makes a command line of a program's jobs; Run runs one from a program.
// Both hold the whole engine in one process: nothing is to be installed, and
// nothing is written but the output.
//
// Output is exactly once: it appears whole and correct, or not at all, whatever
// fails or is killed. Package output tells how.
package windrow

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// Options say what a job reads and writes and what it may use. Input and
// Output are needed; every other field may be left zero.
//
// URLs are file:///path or a plain path, mem://name (see Stores), and those of
// the drivers that the program imports, such as s3://bucket/prefix with
// package store/s3.
type Options struct {
	// Input names what is read: objects, directories, or patterns such as
	// s3://logs/2026-*/*.gz. An input that the job has given a name is
	// "name=URL". Names that begin with _ or . are left out, and an output of
	// another job is read through its manifest.
	Input []string
	// Output is the directory that the parts are written to.
	Output string
	// Params are the job's parameters, by name, as they would be typed.
	Params map[string]string
	// OnExists says what to do when Output holds data of an earlier job:
	// "fail" (the default), "replace" or "append".
	OnExists string
	// Partitions is the number of reduce tasks, and so of parts. 0 chooses by
	// the size of the input.
	Partitions int
	// Slots is how many tasks run at once. 0: as many as there are processors
	// and Memory allows.
	Slots int
	// Memory is what the tasks may hold in all, in bytes, at least 64 MiB for
	// each slot. The process needs more beside it: up to 150 MiB where the
	// program limits its heap to Memory and 64 MiB by debug.SetMemoryLimit, as
	// Main does; Run leaves that to the program. 0: 1 GiB.
	Memory int64
	// SplitSize is the size of a map task's input, in bytes. 0 chooses.
	SplitSize int64
	// Root is where data between map and reduce is kept. "": in Output, below
	// _windrow/tmp.
	Root string
	// Compress compresses text output: "gzip", "zstd" or "lz4". "": not at all.
	Compress string
	// Decompress says how input is compressed: "auto", "none", or the codec of
	// all objects, "gzip", "zstd", "bzip2" or "lz4". By "auto", and "", the names
	// of the objects tell, and the first bytes of those that are read as text.
	Decompress string

	// MaxRatio is how many bytes may come out of each compressed byte of an
	// object, once 64 MiB have come out. 0: 1,000. Negative: any number.
	MaxRatio int64
	// MaxDecompressed is how many bytes may come out of a compressed object, or
	// of the part of it that a task reads. 0: any number.
	MaxDecompressed int64

	// Stores configures the roots that are opened.
	Stores store.Options
	// Chaos makes all roots fail on purpose, to see what the job survives; its
	// Report tells. It belongs to one run, which sets its Name and Checked.
	// Nil: no faults.
	Chaos *fault.Injector
	// Log receives what is worth telling. Nil: nobody.
	Log *slog.Logger
	// Progress is told a few times a second how far the run has come. Nil:
	// nobody.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress = embedded.Progress

// Result tells what a run did.
type Result struct {
	Job      string           // the job's name
	ID       string           // of this run of it
	Output   string           // URL
	Manifest *output.Manifest // of the output, with all its parts
	Parts    int              // that this run wrote
	Tally    plan.Tally       // counts and statistics of committed tasks, added up
	Maps     int              // tasks
	Reduces  int              // tasks
	Slots    int
	Memory   int64       // bytes that the tasks were allowed
	Retried  int64       // attempts that failed and were made again
	LeftOut  int         // objects that were not read, their names beginning with _ or .
	Usage    store.Usage // requests to all stores
	Elapsed  time.Duration
}

// Run runs a job in this process and commits its output. It returns when the
// output is visible, or with an error, an *Error, when there is none.
//
// When ctx ends the run stops within two seconds and takes back what it wrote,
// but for functions of the job that work on without looking at their context.
// A run whose process is killed leaves its output unfinished: it is never taken
// for a result, and a run with OnExists "replace" recovers it.
func Run(ctx context.Context, job *jobs.Job, o Options) (*Result, error) {
	r, err := embedded.Run(ctx, job, embedded.Options(o))
	if err != nil {
		return nil, err
	}
	result := Result(*r)
	return &result, nil
}

// Error is the error of a run, with a Kind to tell what can be done about it.
type Error = embedded.Error

// The kinds of errors.
const (
	JobFailed   = embedded.JobFailed   // a task, the store or the commit failed
	Usage       = embedded.Usage       // job, parameter, option or URL is wrong
	NotFound    = embedded.NotFound    // an input does not exist
	Denied      = embedded.Denied      // credentials or permissions are missing
	Conflict    = embedded.Conflict    // the output belongs to other data or another job
	Interrupted = embedded.Interrupted // ctx ended
)

// Main is the main function of a program that has jobs: it runs the command
// line (run, jobs, cat, version; see --help) and exits with its status.
func Main(jobs ...*jobs.Job) {
	os.Exit(cli.Main(context.Background(), cli.Program{Args: os.Args, Jobs: jobs, Stdout: os.Stdout, Stderr: os.Stderr}))
}
