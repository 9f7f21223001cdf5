// Package executor carries out one attempt of a task as a function, over stores: the
// functions of a step of the pipeline, or a sample. It keeps nothing between attempts but a cache of
// manifests and, on remote stores, what it fetched for the partitions that come
// next. It decides nothing: the scheduler decides what runs, when, and what
// counts.
//
// A worker calls it, in the process that holds the credentials. An Executor
// belongs to one job and may run any number of attempts at once; each takes a
// fixed share of the memory budget before it starts. A job may also let its
// reduces compute by turns.
//
// An attempt that fails, or whose context ends, leaves nothing visible but a
// part that was granted. Its runs have attempt-unique names that no manifest
// lists. Its manifest is written before it asks for the grant, so that a part
// can always be checked against what its attempt meant to write.
//
// It is part of the engine, and may change between minor versions.
package executor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/shuffle/pairs"
	"github.com/windrow-mr/windrow/store"
)

// Config is common to all attempts of a job.
type Config struct {
	Pipeline *pipeline.Pipeline
	Job      plan.JobID

	// Open returns the root of an input, by its URL in the plan.
	Open func(url string) (*store.Root, error)
	// Scratch holds runs and manifests. It is the job's own.
	Scratch *store.Root
	// Class is the storage class of runs and manifests.
	Class store.Class
	// Output holds the parts.
	Output *store.Root
	// PartName returns the name of a task's part of an output, by its place in the
	// pipeline. It is the same for all attempts of a task, unless the job has several
	// outputs, or the store cannot create a big object once: then it must be each
	// attempt's own.
	PartName func(task plan.TaskID, id plan.AttemptID, output int) string
	// Compress is the codec of whole parts.
	Compress compress.Codec
	// Limits bound the size of decompressed input.
	Limits compress.Limits

	Budget *shuffle.Budget
	Share  int64 // bytes of Budget for each attempt
	// Turns is how many reduce attempts may compute at once. The others fetch
	// what they will read, or make visible what they have made. 0: any number.
	Turns int
	// Bad is the policy on bad records, which Pipeline has outputs for.
	Bad plan.BadRecords
	// Files were shipped with the job; nil for none.
	Files *pipeline.Files
	Log   *slog.Logger
}

// Executor runs attempts of one job.
type Executor struct {
	cfg       Config
	graph     plan.Graph
	sides     *sides
	manifests manifestCache
	roundsMu  sync.Mutex
	rounds    map[int]int // the newest round of each loop that ran here, by the loop's number
	groups    *shuffle.Groups
	gets      chan struct{} // a token for each request for a range of a run; nil where they cost little
	turns     chan struct{} // one for each reduce that computes; nil for any number
}

// New returns an executor for the job of cfg.
func New(cfg Config) *Executor {
	sides := newSides(cfg.Budget.Total())
	if slices.ContainsFunc(cfg.Pipeline.Exchanges, func(x pipeline.Exchange) bool { return x.Side }) {
		cfg.Share -= cfg.Share / sideShare
	}
	e := &Executor{cfg: cfg, graph: cfg.Pipeline.Outline(), sides: sides, manifests: manifestCache{known: make(map[plan.AttemptID]*plan.Manifest)}, rounds: make(map[int]int),
		groups: shuffle.NewGroups(cfg.Budget, cfg.Share/2)}
	if cfg.Scratch.Remote() {
		e.gets = make(chan struct{}, getsAtOnce)
	}
	if cfg.Turns > 0 {
		e.turns = make(chan struct{}, cfg.Turns)
	}
	return e
}

// Attempt is one try at a task.
type Attempt struct {
	Task     plan.TaskID
	ID       plan.AttemptID
	Progress *pipeline.Progress
	// Holders is how many processes work on the reduces. Each of them may fetch
	// the bytes of several partitions at once; see shuffle.Shape.
	Holders int
}

// Work is what an attempt reads and writes.
type Work struct {
	Splits []plan.Split // that a sample reads, or the one split of a task that reads inputs
	plan.Work
}

// Run runs an attempt at a task, except planning. Grants may be nil for attempts that
// make no part.
func (e *Executor) Run(ctx context.Context, a Attempt, w Work, grants Granter) (*plan.Manifest, error) {
	step := e.cfg.Pipeline.Step(a.Task.Group())
	switch {
	case step == nil || a.Task.Phase == plan.Prepare:
		return nil, fmt.Errorf("task %v is not one that an executor runs", a.Task)
	case a.Task.Phase == plan.Sample:
		return e.Sample(ctx, a, step, w.Splits)
	case len(w.Observes) != len(step.Observes):
		return nil, fmt.Errorf("task %v: it needs the statistics of %d steps, and its attempt has those of %d", a.Task, len(step.Observes), len(w.Observes))
	case a.Task.Phase == plan.Decide:
		return e.decide(ctx, a, step, &w)
	case len(w.Writes) != len(step.Writes) || len(w.Sides) != len(step.Sides):
		return nil, fmt.Errorf("task %v: it writes %d exchanges and has %d side inputs, and its attempt has %d and %d",
			a.Task, len(step.Writes), len(step.Sides), len(w.Writes), len(w.Sides))
	}
	e.enter(step)
	x := &execution{exec: e, attempt: a, work: &w, step: step, grants: grants}
	defer x.close()
	m, err := x.run(ctx)
	if err != nil && step.Reads != plan.None {
		err = e.blame(ctx, e.exchange(step, w.Reads), w.Reads, err)
	}
	return m, err
}

// exchange returns the exchange that a task of a step reads. Which one has the result of
// a loop follows from the steps that wrote it.
func (e *Executor) exchange(step *pipeline.Step, from []plan.Results) int {
	if step.Last == 0 || len(from) == 0 {
		return step.Reads
	}
	for _, x := range e.graph.Loops[step.Last-1].States {
		if e.graph.Steps[e.graph.Exchanges[x].Writers[0]].Group == from[0].Group {
			return x
		}
	}
	return step.Reads
}

// Granter asks the scheduler for leave to make a part visible.
type Granter interface {
	// Grant returns nil when the attempt may make its part visible, at once.
	Grant(ctx context.Context, a Attempt) error
	// Granted returns all attempts of a task that the log has ever granted.
	Granted(ctx context.Context, task plan.TaskID) ([]plan.AttemptID, error)
}

// share acquires the memory of an attempt that reads no group.
func (e *Executor) share(ctx context.Context) (*shuffle.Grant, error) {
	defer e.groups.Yield()()
	return e.acquire(ctx, e.cfg.Share)
}

func (e *Executor) acquire(ctx context.Context, n int64) (*shuffle.Grant, error) {
	mem, err := e.cfg.Budget.Acquire(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("wait for %d bytes of memory: %w", n, err)
	}
	return mem, nil
}

// begin returns an attempt's empty manifest and the values common to all tasks.
func (e *Executor) begin(ctx context.Context, a Attempt, step *pipeline.Step) (*plan.Manifest, pipeline.Task) {
	m := &plan.Manifest{Job: e.cfg.Job, Task: a.Task, Attempt: a.ID}
	return m, pipeline.Task{Bad: e.cfg.Pipeline.Bad(step, e.cfg.Bad), Context: ctx, Job: e.cfg.Job, Name: e.cfg.Pipeline.Job, ID: a.Task, Attempt: a.ID,
		Log: e.cfg.Log.With("task", a.Task.String(), "attempt", a.ID.String()), Tally: &m.Tally, Progress: a.Progress, Files: e.cfg.Files}
}

// spec returns the layout of an exchange.
//
//go:noinline
func (e *Executor) spec(exchange, partitions int, memory int64) shuffle.Spec {
	x := &e.cfg.Pipeline.Exchanges[exchange]
	return shuffle.Spec{Layout: x.Layout, Partitions: partitions, SortValues: x.SortValues,
		Combiner: x.Combiner, KeyText: x.KeyText, Group: x.Group, Remote: e.cfg.Scratch.Remote(), Window: shuffle.Shape{Memory: memory}.Window()}
}

// cuts returns the keys at which the partitions of an exchange are cut, from the keys
// that were sampled. They are a function of the committed samples alone, so that every
// attempt finds the same keys.
func (e *Executor) cuts(ctx context.Context, w *plan.Write) ([][]byte, error) {
	var samples []sample
	for _, step := range w.Sampled {
		for i, id := range step.Attempts {
			m, err := e.manifest(ctx, step.Task(i), id)
			if err != nil {
				return nil, lost(step.Task(i), id, err)
			}
			samples = append(samples, sample{m.Keys, m.KeyStep})
		}
	}
	if len(samples) == 0 {
		return nil, nil
	}
	return pairs.Cuts(merged(samples), w.Partitions), nil
}

// manifest returns the manifest of a committed attempt.
func (e *Executor) manifest(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
	return e.manifests.get(id, func() (*plan.Manifest, error) { return e.ReadManifest(ctx, task, id) })
}
