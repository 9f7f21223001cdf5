// Package executor carries out one attempt of a task as a function: Sample,
// Map or Reduce, over stores. It keeps nothing between attempts but a cache of
// manifests, and decides nothing: what runs, when, and what counts is the
// scheduler's.
//
// A worker calls it, in the process that holds the credentials. An Executor
// belongs to one job and may run any number of attempts at once; each takes a
// fixed share of the memory budget before it starts.
//
// An attempt that fails, or whose context ends, leaves nothing visible: runs
// under attempt-unique names that no manifest lists, and at most a part that
// was granted. Its manifest is written before it asks for the grant, so that a
// part can always be checked against what its attempt meant to write.
package executor

import (
	"context"
	"fmt"
	"hash/crc32"
	"log/slog"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/internal/pipeline"
	"github.com/windrow-mr/windrow/jobs/formats/compress"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Config is what all attempts of a job share.
type Config struct {
	Plan       *pipeline.Plan
	Job        plan.JobID
	Partitions int // of the shuffle; 0 for a map-only job

	// Open returns the root of an input, by its URL in the plan.
	Open func(url string) (*store.Root, error)
	// Scratch is where runs and manifests are kept. It is the job's own.
	Scratch *store.Root
	// Class is how runs and manifests are written.
	Class store.Class
	// Output is where parts are made.
	Output *store.Root
	// PartName returns the name of a task's part. It is the same for all
	// attempts of a task, unless the store cannot create a big object once:
	// then it must be each attempt's own.
	PartName func(plan.TaskID, plan.AttemptID) string
	// Compress is how parts are compressed as a whole.
	Compress compress.Codec
	// Limits bound what may come out of compressed input.
	Limits compress.Limits

	Budget *shuffle.Budget
	Share  int64 // bytes of Budget for each attempt
	Log    *slog.Logger
}

// Executor runs attempts of one job.
type Executor struct {
	cfg       Config
	manifests manifestCache
}

// New returns an executor for the job of cfg.
func New(cfg Config) *Executor {
	return &Executor{cfg: cfg, manifests: manifestCache{known: make(map[plan.AttemptID]*plan.Manifest)}}
}

// Attempt is one try at a task.
type Attempt struct {
	Task     plan.TaskID
	ID       plan.AttemptID
	Progress *pipeline.Progress
}

// Granter asks whoever decides for leave to make a part visible.
type Granter interface {
	// Grant returns nil when the attempt may go on, at once.
	Grant(ctx context.Context, a Attempt) error
	// Granted returns all attempts of a task that the log has ever granted.
	Granted(ctx context.Context, task plan.TaskID) ([]plan.AttemptID, error)
}

// share acquires the attempt's memory.
func (e *Executor) share(ctx context.Context) (*shuffle.Grant, error) {
	mem, err := e.cfg.Budget.Acquire(ctx, e.cfg.Share)
	if err != nil {
		return nil, fmt.Errorf("wait for %d bytes of memory: %w", e.cfg.Share, err)
	}
	return mem, nil
}

// begin makes an attempt's empty manifest and what is common to all tasks.
func (e *Executor) begin(ctx context.Context, a Attempt) (*plan.Manifest, pipeline.Task) {
	m := &plan.Manifest{Job: e.cfg.Job, Task: a.Task, Attempt: a.ID}
	return m, pipeline.Task{Context: ctx, Job: e.cfg.Job, Name: e.cfg.Plan.Job, ID: a.Task, Attempt: a.ID,
		Log: e.cfg.Log.With("task", a.Task.String(), "attempt", a.ID.String()), Tally: &m.Tally, Progress: a.Progress}
}

// spec returns how the job's shuffle is laid out.
func (e *Executor) spec(partitions int) shuffle.Spec {
	s := e.cfg.Plan.Shuffle
	return shuffle.Spec{Layout: s.Layout, Partitions: partitions, SortValues: s.SortValues,
		Combiner: s.Combiner, Remote: e.cfg.Scratch.Remote()}
}

// Map runs a map attempt. In a map-only job it writes a part, for which it
// asks grants; elsewhere grants may be nil.
func (e *Executor) Map(ctx context.Context, a Attempt, split plan.Split, cuts [][]byte, grants Granter) (*plan.Manifest, error) {
	started := time.Now()
	m, task := e.begin(ctx, a)
	sections, opened := e.sections(ctx, split, a.Progress, 0)
	defer opened.Close()
	t := &pipeline.MapTask{Task: task, Sections: sections, Cuts: cuts, Partitions: e.cfg.Partitions}
	run := e.cfg.Plan.Inputs[split.Input].Map
	var err error
	if e.cfg.Plan.Shuffle == nil {
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
	if e.cfg.Plan.Shuffle == nil {
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
	if e.cfg.Plan.Shuffle.Combiner != nil {
		// The table in front of the collector takes what it holds of this.
		t.TableBytes = e.cfg.Share / 2
		mem.Charge(t.TableBytes)
	}
	runs := &runStore{root: e.cfg.Scratch, class: e.cfg.Class, task: m.Task, attempt: m.Attempt}
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

// Reduce runs a reduce attempt: it merges partition a.Task.Index of the maps'
// runs and writes a part.
func (e *Executor) Reduce(ctx context.Context, a Attempt, maps []plan.AttemptID, grants Granter) (*plan.Manifest, error) {
	started := time.Now()
	m, task := e.begin(ctx, a)
	var runs []plan.Run
	var rows int64
	for i, id := range maps {
		from, err := e.mapManifest(ctx, i, id)
		if err != nil {
			return nil, lost(plan.TaskID{Phase: plan.Map, Index: i}, id, err)
		}
		held, err := rowsOf(from, a.Task.Index)
		if err != nil {
			return nil, err
		}
		runs = append(runs, from.Runs...)
		rows += held
	}
	mem, err := e.share(ctx)
	if err != nil {
		return nil, err
	}
	defer mem.Release()
	store := &runStore{root: e.cfg.Scratch, class: e.cfg.Class, task: a.Task, attempt: a.ID}
	r, err := shuffle.Open(ctx, e.spec(e.cfg.Partitions), a.Task.Index, runs, store, mem)
	if err != nil {
		return nil, e.blame(ctx, maps, fmt.Errorf("task %v: %w", a.Task, err))
	}
	defer r.Close()
	err = e.writePart(ctx, a, m, grants, func(p *part) error {
		if err := e.cfg.Plan.Shuffle.Reduce(&pipeline.ReduceTask{Task: task, Source: r, Out: p}); err != nil {
			return err
		}
		// What is counted as read was read: the source is at its end, and has
		// compared what it delivered with what the runs hold.
		_, _, more := r.Next()
		switch err := r.Err(); {
		case err != nil:
			return fmt.Errorf("task %v: %w", a.Task, err)
		case more:
			return fmt.Errorf("task %v: the reduce function ended before its pairs did", a.Task)
		}
		stats := r.Stats()
		m.Tally.RecordsIn = rows
		m.Tally.Spills, m.Tally.SpillBytes = stats.Spills, stats.SpillBytes
		m.Tally.PeakMemory = mem.Peak()
		m.Took = time.Since(started)
		return nil
	})
	if err != nil {
		return nil, e.blame(ctx, maps, err)
	}
	return m, nil
}

// mapManifest returns what a committed map attempt left behind.
func (e *Executor) mapManifest(ctx context.Context, index int, id plan.AttemptID) (*plan.Manifest, error) {
	return e.manifests.get(id, func() (*plan.Manifest, error) {
		return e.ReadManifest(ctx, plan.TaskID{Phase: plan.Map, Index: index}, id)
	})
}

// rowsOf returns how many pairs a map attempt's runs hold of a partition, and
// checks that it is as many as the attempt says it wrote.
func rowsOf(m *plan.Manifest, partition int) (int64, error) {
	var rows int64
	for i := range m.Runs {
		if len(m.Runs[i].Partitions) != len(m.Rows) {
			return 0, fmt.Errorf("task %v: run %s has %d partitions, the task %d", m.Task, m.Runs[i].Key, len(m.Runs[i].Partitions), len(m.Rows))
		}
		rows += m.Runs[i].Partitions[partition].Rows
	}
	if rows != m.Rows[partition] {
		return 0, fmt.Errorf("task %v: its runs hold %d pairs of partition %d, it wrote %d", m.Task, rows, partition, m.Rows[partition])
	}
	return rows, nil
}

// manifestCache remembers the manifests that this process wrote or read.
type manifestCache struct {
	mu    sync.Mutex
	known map[plan.AttemptID]*plan.Manifest
}

func (c *manifestCache) put(m *plan.Manifest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[m.Attempt] = m
}

func (c *manifestCache) get(id plan.AttemptID, read func() (*plan.Manifest, error)) (*plan.Manifest, error) {
	c.mu.Lock()
	m := c.known[id]
	c.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m, err := read()
	if err == nil {
		c.put(m)
	}
	return m, err
}
