// Package executor carries out one attempt of a task as a function: Sample, Map
// or Reduce, over stores. It keeps nothing between attempts but a cache of
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
	"time"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/shuffle/pairs"
	"github.com/windrow-mr/windrow/store"
)

// Config is common to all attempts of a job.
type Config struct {
	Pipeline   *pipeline.Pipeline
	Job        plan.JobID
	Partitions int // of the shuffle; 0 for a map-only job

	// Open returns the root of an input, by its URL in the plan.
	Open func(url string) (*store.Root, error)
	// Scratch holds runs and manifests. It is the job's own.
	Scratch *store.Root
	// Class is the storage class of runs and manifests.
	Class store.Class
	// Output holds the parts.
	Output *store.Root
	// PartName returns the name of a task's part. It is the same for all
	// attempts of a task, unless the store cannot create a big object once:
	// then it must be each attempt's own.
	PartName func(plan.TaskID, plan.AttemptID) string
	// Compress is the codec of whole parts.
	Compress compress.Codec
	// Limits bound the size of decompressed input.
	Limits compress.Limits

	Budget *shuffle.Budget
	Share  int64 // bytes of Budget for each attempt
	// Turns is how many reduce attempts may compute at once. The others fetch
	// what they will read, or make visible what they have made. 0: any number.
	Turns int
	// Files were shipped with the job; nil for none.
	Files *pipeline.Files
	Log   *slog.Logger
}

// Executor runs attempts of one job.
type Executor struct {
	cfg       Config
	manifests manifestCache
	groups    *shuffle.Groups
	gets      chan struct{} // a token for each request for a range of a run; nil where they cost little
	turns     chan struct{} // one for each reduce that computes; nil for any number
}

// New returns an executor for the job of cfg.
func New(cfg Config) *Executor {
	e := &Executor{cfg: cfg, manifests: manifestCache{known: make(map[plan.AttemptID]*plan.Manifest)},
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

// Work is the input of an attempt.
type Work struct {
	Splits  []plan.Split     // that a sample reads, or the one split of a map
	Sampled plan.AttemptID   // the sample whose keys cut the partitions of a map; zero where there is none
	Maps    []plan.AttemptID // the attempts whose output a reduce reads, by map task
}

// Run runs an attempt at a task of any phase except planning. Grants may be nil
// for attempts that make no part.
func (e *Executor) Run(ctx context.Context, a Attempt, w Work, grants Granter) (*plan.Manifest, error) {
	switch a.Task.Phase {
	case plan.Sample:
		return e.Sample(ctx, a, w.Splits)
	case plan.Map:
		if len(w.Splits) != 1 || w.Splits[0].Input < 0 || w.Splits[0].Input >= len(e.cfg.Pipeline.Inputs) {
			return nil, fmt.Errorf("task %v: a map attempt needs one split of an input of the job, and has %d", a.Task, len(w.Splits))
		}
		cuts, err := e.ranges(ctx, w.Sampled)
		if err != nil {
			return nil, err
		}
		return e.Map(ctx, a, w.Splits[0], cuts, grants)
	case plan.Reduce:
		return e.Reduce(ctx, a, w.Maps, grants)
	default:
		return nil, fmt.Errorf("task %v is not one that an executor runs", a.Task)
	}
}

// ranges returns the keys at which partitions are cut. They are a function of the
// committed sample alone, so that every attempt finds the same keys.
func (e *Executor) ranges(ctx context.Context, sampled plan.AttemptID) ([][]byte, error) {
	s := e.cfg.Pipeline.Shuffle
	if s == nil || !s.Ranges || sampled == (plan.AttemptID{}) {
		return nil, nil
	}
	return e.Cuts(ctx, sampled)
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
func (e *Executor) begin(ctx context.Context, a Attempt) (*plan.Manifest, pipeline.Task) {
	m := &plan.Manifest{Job: e.cfg.Job, Task: a.Task, Attempt: a.ID}
	return m, pipeline.Task{Context: ctx, Job: e.cfg.Job, Name: e.cfg.Pipeline.Job, ID: a.Task, Attempt: a.ID,
		Log: e.cfg.Log.With("task", a.Task.String(), "attempt", a.ID.String()), Tally: &m.Tally, Progress: a.Progress, Files: e.cfg.Files}
}

// spec returns the layout of the job's shuffle.
func (e *Executor) spec(partitions int) shuffle.Spec {
	s := e.cfg.Pipeline.Shuffle
	return shuffle.Spec{Layout: s.Layout, Partitions: partitions, SortValues: s.SortValues,
		Combiner: s.Combiner, Remote: e.cfg.Scratch.Remote(), Window: shuffle.Shape{Memory: e.cfg.Share}.Window()}
}

// Map runs a map attempt. In a map-only job it writes a part, for which it asks
// grants; otherwise grants may be nil.
func (e *Executor) Map(ctx context.Context, a Attempt, split plan.Split, cuts [][]byte, grants Granter) (*plan.Manifest, error) {
	started := time.Now()
	m, task := e.begin(ctx, a)
	sections, opened := e.sections(ctx, split, a.Progress, 0)
	defer opened.Close()
	t := &pipeline.MapTask{Task: task, Sections: sections, Cuts: cuts, Partitions: e.cfg.Partitions}
	run := e.cfg.Pipeline.Inputs[split.Input].Map
	var err error
	if e.cfg.Pipeline.Shuffle == nil {
		err = e.writePart(ctx, a, m, grants, func(p *part) error {
			t.Out = p
			err := run(t)
			if err == nil {
				m.Sums, err = opened.checkSums()
			}
			m.Tally.BytesIn, m.Took = opened.bytes.Load(), time.Since(started)
			return err
		})
	} else {
		m.Runs, m.Rows, err = e.mapRuns(ctx, t, m, run)
	}
	if err != nil {
		return nil, err
	}
	if e.cfg.Pipeline.Shuffle == nil {
		return m, nil // written with its part
	}
	if m.Sums, err = opened.checkSums(); err != nil {
		return nil, err
	}
	m.Tally.BytesIn = opened.bytes.Load()
	m.Took = time.Since(started)
	return m, e.writeManifest(ctx, m)
}

// mapRuns runs a map function into sorted runs.
func (e *Executor) mapRuns(ctx context.Context, t *pipeline.MapTask, m *plan.Manifest, run func(*pipeline.MapTask) error) ([]plan.Run, []int64, error) {
	mem, err := e.share(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer mem.Release()
	if e.cfg.Pipeline.Shuffle.Combiner != nil {
		// The table in front of the collector takes its memory from this grant.
		t.TableBytes = e.cfg.Share / 2
		mem.Charge(t.TableBytes)
	}
	runs := e.runStore(m.Task, m.Attempt)
	w, err := shuffle.NewMapWriter(ctx, e.spec(t.Partitions), mem, runs)
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	t.Pairs = w.Collector()
	if err := run(t); err != nil {
		return nil, nil, err
	}
	out, rows, err := w.Finish(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("task %v: %w", m.Task, err)
	}
	stats := w.Stats()
	m.Tally.PairsOut, m.Tally.Spills, m.Tally.SpillBytes, m.Tally.RunBytes = stats.Pairs, stats.Spills, stats.SpillBytes, stats.RunBytes
	m.Tally.PeakMemory = mem.Peak()
	return out, rows, nil
}

// Cuts returns the keys at which partitions are cut, from the keys that a sample
// found.
func (e *Executor) Cuts(ctx context.Context, sampled plan.AttemptID) ([][]byte, error) {
	m, err := e.manifests.get(sampled, func() (*plan.Manifest, error) {
		return e.ReadManifest(ctx, plan.TaskID{Phase: plan.Sample}, sampled)
	})
	if err != nil {
		return nil, err
	}
	return pairs.Cuts(m.Keys, e.cfg.Partitions), nil
}

// mapManifest returns the manifest of a committed map attempt.
func (e *Executor) mapManifest(ctx context.Context, index int, id plan.AttemptID) (*plan.Manifest, error) {
	return e.manifests.get(id, func() (*plan.Manifest, error) {
		return e.ReadManifest(ctx, plan.TaskID{Phase: plan.Map, Index: index}, id)
	})
}
