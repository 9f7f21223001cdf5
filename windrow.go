// Package windrow runs MapReduce jobs, written in Go, over data in object
// storage.
//
// Package jobs has what a job is made of:
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
// [Main] makes a command line of a program's jobs. [Run] runs one job from within
// a program. Both hold the whole engine in one process: they need no
// installation, and write only the output. [Submit] submits a job of a program to a
// cluster.
//
// Output is exactly once: it appears whole and correct, or not at all, whatever
// fails or is killed. Package output describes how.
package windrow

import (
	"context"
	"errors"
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

// Options say what a job reads and writes and what it may use. Input and Output
// are required. Every other field may be left zero.
//
// A URL is file:///path or a plain path, mem://name (see Stores), or one of a
// driver that the program imports, such as s3://bucket/prefix with package
// store/s3.
type Options struct {
	// Input names what the job reads: objects, directories, or patterns such as
	// s3://logs/2026-*/*.gz. "name=URL" is for the input to which the job gave
	// that name. Names that begin with _ or . are left out. The output of another
	// job is read through its manifest.
	Input []string
	// Output is the directory for the parts.
	Output string
	// Params are the texts of the job's parameters, by name.
	Params map[string]string
	// OnExists says what to do when Output holds data of an earlier job:
	// "fail" (the default), "replace" or "append".
	OnExists string
	// Partitions is the number of reduce tasks, and so of parts. 0 chooses by
	// the size of the input.
	Partitions int
	// Slots is how many tasks run at the same time. 0: as many as there are
	// processors and Memory allows.
	Slots int
	// Memory is what all tasks together may hold, in bytes: at least 64 MiB for
	// each slot. The process needs more beside it, up to 150 MiB if the program
	// limits its heap to Memory and 64 MiB by debug.SetMemoryLimit. Main sets
	// that limit; Run leaves it to the program. 0: 1 GiB.
	Memory int64
	// SplitSize is the size of a map task's input, in bytes. 0 chooses.
	SplitSize int64
	// Trial limits how much of the input is read, to try a job out. The zero Trial reads
	// all.
	Trial plan.Trial
	// Attempts is how often a task may fail before the job fails. 0: 4 times. An
	// error about a record that occurs twice with the same text ends the job
	// earlier.
	Attempts int
	// BadRecords says what becomes of a record on which a function fails, or which its
	// Reader cannot decode: "fail" fails the job, which is the default; "skip:100" and
	// "skip:1%" leave out at most so many; "quarantine", "quarantine:100" and
	// "quarantine:1%" also describe them in the directory _quarantine of the output. See
	// Result.Tally.Bad, which counts them.
	BadRecords string
	// Expect are conditions such as "records >= 1000": see plan.ParseExpectation. If one
	// does not hold, the output is staged, and the run fails with an error of the kind Unmet.
	// The job can declare others.
	Expect []string
	// Replay is the id of a job that committed Output with BadRecords "quarantine". Only the
	// records that it quarantined are read of Input, and what the job makes of them is
	// appended to Output, once: another replay of the same job has an error of the kind
	// Conflict. The job must make every record of its outputs of one record of its input,
	// and perhaps of side inputs: what a shuffle makes cannot be completed in this way.
	// "": all records are read.
	Replay string
	// Root is the place for data between map and reduce. "": in Output, below
	// _windrow/tmp.
	Root string
	// Compress is the codec for text output: "gzip", "zstd" or "lz4". "": none.
	Compress string
	// Decompress says how input is compressed: "auto", "none", or the codec of
	// all objects, "gzip", "zstd", "bzip2", "lz4" or "snappy". With "auto" and "", the
	// name of an object decides, and for text also its first bytes.
	Decompress string
	// Files are paths of local files, by the names by which functions of the job read
	// them: Context.File. They have at most 64 MiB in all, and are read when the run
	// begins.
	Files map[string]string

	// MaxRatio is how many bytes may come out of each compressed byte of an
	// object, once 64 MiB have come out. 0: 1,000. Negative: any number.
	MaxRatio int64
	// MaxDecompressed is how many bytes may come out of a compressed object, or
	// of the part of it that a task reads. 0: any number.
	MaxDecompressed int64

	// Stores configures the roots that the run opens.
	Stores store.Options
	// Chaos makes all roots fail on purpose, to show what the job survives. Its
	// Report lists the faults. It belongs to one run, which sets its Name and
	// Checked. Nil: no faults.
	Chaos *fault.Injector
	// Log receives warnings and notes about the run. Nil: they are discarded.
	Log *slog.Logger
	// Progress is called a few times a second with how far the run has come.
	// Nil: progress is not reported.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Phase   string // "plan", "sample", "map", "reduce", "commit"; in a job of several stages a step, such as "sessions/reduce"
	Done    int    // tasks of the phase that are committed
	Tasks   int    // tasks of the phase
	Running int    // attempts
	Retried int64  // attempts that failed or were lost so far
	// Fraction is how much of the whole run is done, from 0 to 1, by bytes.
	Fraction float64
	Bytes    int64 // of input read so far
	Shuffled int64 // bytes of committed runs
	Elapsed  time.Duration
}

// Result describes what a run did.
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
	Memory   int64        // bytes that the tasks were allowed
	Retried  int64        // attempts that failed and were made again
	LeftOut  plan.LeftOut // of what the input names
	Usage    plan.Usage   // requests to all stores
	Skew     []plan.Skew  // keys that made one task of a stage do far more than the others
	Elapsed  time.Duration
}

// Run runs a job in this process and commits its output. It returns when the
// output is visible. When there is no output, it returns an *Error.
//
// When ctx ends, the run stops within two seconds and removes what it wrote. It
// does not wait for functions of the job that do not look at their context.
// The job's functions see the local time zone of this program. Job processes on a
// cluster, and Main, have UTC.
// A run whose process is killed leaves its output unfinished: readers never take
// it for a result, and a run with OnExists "replace" recovers it.
func Run(ctx context.Context, job *jobs.Job, o Options) (*Result, error) {
	r, err := embedded.Run(ctx, job, o.embedded())
	if err != nil {
		return nil, failure(err)
	}
	result := Result(*r)
	return &result, nil
}

// embedded returns the options as package embedded has them.
func (o *Options) embedded() embedded.Options {
	e := embedded.Options{
		Input: o.Input, Output: o.Output, Params: o.Params, OnExists: o.OnExists,
		Partitions: o.Partitions, Slots: o.Slots, Memory: o.Memory, SplitSize: o.SplitSize, Trial: o.Trial, Attempts: o.Attempts, BadRecords: o.BadRecords, Expect: o.Expect, Replay: o.Replay, Root: o.Root,
		Compress: o.Compress, Decompress: o.Decompress, Files: o.Files, MaxRatio: o.MaxRatio, MaxDecompressed: o.MaxDecompressed,
		Stores: o.Stores, Chaos: o.Chaos, Log: o.Log,
	}
	if o.Progress != nil {
		e.Progress = func(p embedded.Progress) { o.Progress(Progress(p)) }
	}
	return e
}

// Error is the error of a run, or of a submission. Its Kind says what the caller can do about it.
type Error struct {
	// Kind is JobFailed, Unmet, Invalid, NotFound, Denied, Conflict or Interrupted; of a job on
	// a cluster also Cancelled, Unavailable or plan.Inconsistent.
	Kind plan.Kind
	Err  error // the cause
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureKind returns e.Kind. It makes plan.KindOf find the kind.
func (e *Error) FailureKind() plan.Kind { return e.Kind }

// failure returns an error of package embedded as an *Error.
func failure(err error) error {
	kind := plan.Failed
	if e, ok := errors.AsType[*embedded.Error](err); ok {
		kind = e.Kind
	}
	return &Error{kind, err}
}

// The kinds of errors that Run returns.
const (
	// JobFailed says that the job ran and failed: a function of it returned an
	// error or panicked as often as a task may, or a store or the commit failed.
	// The text names the record, or the object.
	JobFailed = plan.Failed
	// Unmet says that the output does not meet what was expected of it. It is staged:
	// windrow publish and windrow discard decide what becomes of it.
	Unmet = plan.Unmet
	// Invalid says that the job, a parameter, an option or a URL is wrong.
	// Nothing ran; the same call will fail again. A well-formed URL at which
	// nothing is has the kind NotFound.
	Invalid = plan.Invalid
	// NotFound says that an input does not exist.
	NotFound = plan.NotFound
	// Denied says that credentials are missing or do not permit the request.
	Denied = plan.Denied
	// Conflict says that the output holds data of an earlier job and OnExists
	// does not allow to change it, or that another job is writing it.
	Conflict = plan.Conflict
	// Interrupted says that the caller's context ended.
	Interrupted = plan.Interrupted
)

// Main is the main function of a program that has jobs. It runs the command
// line and exits with its status: run, plan, jobs and cat work in this process, and
// submit, ls, get, watch, logs and others use a cluster; see --help. The local time
// zone of functions of the jobs is UTC, as in job processes.
func Main(jobs ...*jobs.Job) {
	os.Exit(cli.Main(context.Background(), cli.Program{Args: os.Args, Jobs: jobs, Process: true, Stdout: os.Stdout, Stderr: os.Stderr}))
}
