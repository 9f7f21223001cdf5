// Package pipeline is a job as the engine sees it: the typed functions of
// package jobs, compiled once into closures over bytes.
//
// Package jobs makes a Pipeline. Package worker/executor runs its functions,
// one attempt each, with a task that holds everything they may touch. A
// Pipeline is immutable, and any number of attempts may use it at the same
// time. A task belongs to the goroutine that runs it. Errors of user code are
// *jobs.RecordError. Every other error that a function returns comes from the
// task's own reader, pairs or writer.
//
// It is part of the engine, and may change between minor versions.
package pipeline

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Pipeline is a job with its parameters, ready to run.
type Pipeline struct {
	Job     string
	Text    string   // canonical description; equal texts mean equal pipelines
	Hash    [32]byte // SHA-256 of Text
	Inputs  []Input
	Shuffle *Shuffle // nil for a map-only job
	Output  Output
	// Once holds the values that the constructor computed once, by name. A
	// process that builds the pipeline again passes it to Job.Build, and gets
	// the same Text.
	Once map[string][]byte
}

// Input is one of a job's inputs and the functions for its records.
type Input struct {
	Name string // "" for the only one
	// Split divides a plain (not compressed) object into sections of about
	// target bytes. Nil means that any byte range is a section.
	Split func(o plan.Object, target int64) ([]plan.Section, error)
	// Generate, if set, makes the input without a store: sections of synthetic
	// objects, about slots of them. Their Section.Open stays nil.
	Generate func(slots int) ([]plan.Section, error)
	// Text says that the objects are text. A text object that begins like a
	// compressed stream is one, whatever its name.
	Text bool
	// Lines says that every line feed ends a record. Then blocks of a
	// compressed object can be sections.
	Lines bool
	// Map reads every section of t and passes pairs to t.Pairs, or in a
	// map-only job records to t.Out.
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

// Output says how parts are named and whether they may be compressed.
type Output struct {
	Ext          string // with its dot, "" for none
	Compressible bool   // plain text: the engine may compress it as a whole
}

// Task is the common part of map and reduce tasks.
type Task struct {
	Context  context.Context
	Job      plan.JobID
	Name     string // the job's name
	ID       plan.TaskID
	Attempt  plan.AttemptID
	Log      *slog.Logger
	Tally    *plan.Tally // the functions set RecordsIn, RecordsOut, Counts and Stats
	Progress *Progress
	Files    *Files // shipped with the job; nil for none
}

// Progress is how far a running attempt has come. Any goroutine may read it.
type Progress struct {
	Bytes   atomic.Int64 // input bytes done
	Records atomic.Int64 // records done
}

// MapTask is one map attempt.
type MapTask struct {
	Task
	Sections   []Section
	Limit      int64 // records to read of each section, for a sample; 0 for all
	Partitions int
	Cuts       [][]byte         // Ranges: the Partitions-1 least keys of partitions 1…
	Pairs      *pairs.Collector // nil in a map-only job
	TableBytes int64            // memory that a combining table may take, beside the collector's own
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
	// Whole says that the section's records are all that Open returns. Offset
	// and Length, which are at rest, do not bound them: the object is
	// compressed, or may be. Open takes only 0, and offsets count from there.
	Whole bool
	// Open returns the object's bytes, decompressed, from off to its end, and
	// counts them. The reader fails, naming object and offset, when they are
	// not the bytes of the planned version.
	Open func(ctx context.Context, off int64) (io.ReadCloser, error)
	// Place turns an offset of a Whole section into an offset in the object, as
	// far as it was read. Nil: they are the same.
	Place func(off int64) int64
	// Blocks says that Place returns a plan.Place.
	Blocks bool
}
