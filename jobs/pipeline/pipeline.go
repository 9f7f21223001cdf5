// Package pipeline is a job as the engine sees it: the typed functions that
// package jobs was given, compiled once into closures over bytes.
//
// Package jobs makes a Plan; worker/executor runs its functions, one attempt
// each, with a task that holds all they may touch. A Plan is immutable and may
// be used by any number of attempts at once; a task belongs to the goroutine
// that runs it. Errors of user code are *jobs.RecordError; every other error
// that a function returns came from the task's own reader, pairs or writer.
package pipeline

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Plan is a job with its parameters, ready to run.
type Pipeline struct {
	Job     string
	Text    string   // canonical description; equal texts mean equal plans
	Hash    [32]byte // SHA-256 of Text
	Inputs  []Input
	Shuffle *Shuffle // nil for a map-only job
	Output  Output
	// Once holds what the constructor computed once, by name. A process that
	// builds the plan again passes it to Job.Build, and gets the same Text.
	Once map[string][]byte
}

// Input is one of a job's inputs and what is done with its records.
type Input struct {
	Name string // "" for the only one
	// Split divides a plain (not compressed) object into sections of about
	// target bytes. Nil means that any byte range is a section.
	Split func(o plan.Object, target int64) ([]plan.Section, error)
	// Generate, when it is set, makes the input out of nothing: sections of
	// synthetic objects, about slots of them, for which no store is asked.
	// Their Section.Open stays nil.
	Generate func(slots int) ([]plan.Section, error)
	// Text says that the objects are text: one that begins like a compressed
	// stream is one, whatever its name.
	Text bool
	// Lines says that a line feed ends a record, wherever it stands: so blocks
	// of a compressed object can be sections.
	Lines bool
	// Map reads every section of t and hands pairs to t.Pairs, or records to
	// t.Out in a map-only job.
	Map func(t *MapTask) error
}

// Shuffle says how pairs travel from map to reduce.
type Shuffle struct {
	Layout pairs.Layout
	// Group returns the leading part of an encoded key by which pairs are
	// grouped and partitioned; nil means the whole key.
	Group func(key []byte) []byte
	// Ranges asks for partitions that are ranges of keys, cut at sampled keys.
	Ranges bool
	// SortValues orders pairs of equal keys by their value's bytes.
	SortValues bool
	// Combiner makes a combiner for one attempt; nil when pairs must not be
	// combined.
	Combiner func() pairs.Combiner
	// Reduce reads t.Source to its end and writes records to t.Out.
	Reduce func(t *ReduceTask) error
}

// Output says what parts are called and whether they may be compressed.
type Output struct {
	Ext          string // with its dot, "" for none
	Compressible bool   // plain text: the engine may compress it as a whole
}

// Task is what map and reduce tasks share.
type Task struct {
	Context  context.Context
	Job      plan.JobID
	Name     string // the job's name
	ID       plan.TaskID
	Attempt  plan.AttemptID
	Log      *slog.Logger
	Tally    *plan.Tally // RecordsIn, RecordsOut, Counts and Stats are the functions' to fill
	Progress *Progress
}

// Progress is what a running attempt shows of itself; any goroutine may read.
type Progress struct {
	Bytes   atomic.Int64 // input bytes done
	Records atomic.Int64 // records done
}

// MapTask is one map attempt.
type MapTask struct {
	Task
	Sections   []Section
	Limit      int64 // records to read of each section, 0 for all: this is a sample
	Partitions int
	Cuts       [][]byte         // Ranges: the Partitions-1 least keys of partitions 1…
	Pairs      *pairs.Collector // nil in a map-only job
	TableBytes int64            // memory a combining table may take, beside the collector's own
	Out        io.Writer        // of a map-only job
}

// ReduceTask is one reduce attempt: one partition.
type ReduceTask struct {
	Task
	Source pairs.Source
	Out    io.Writer
}

// Section is a plan.Section that can be opened.
type Section struct {
	plan.Section
	// Whole says that the section's records are all that Open returns, and
	// that Offset and Length, which are at rest, do not bound them: the object
	// is compressed, or may be. Open takes 0 only, and offsets count from what
	// it returns.
	Whole bool
	// Open returns the object's bytes, decompressed, from off to its end, and
	// counts them. The reader fails, naming object and offset, when they are
	// not what the plan pinned.
	Open func(ctx context.Context, off int64) (io.ReadCloser, error)
	// Place turns an offset of a Whole section into one in the object, as far
	// as it was read; nil when they are the same.
	Place func(off int64) int64
	// Blocks says that what Place returns is a plan.Place.
	Blocks bool
}
