package executor

import (
	"context"
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
)

// reduction is a reduce attempt under way. It waits for what it needs to compute
// in this order, so that attempts never wait in a circle: the group that its
// bytes are in, its memory, its turn. It releases them when it has read its last
// pair: making the part visible takes long on a remote store, and needs none of
// them.
type reduction struct {
	exec   *Executor
	runs   []plan.Run
	rows   int64 // of the partition
	held   *shuffle.Held
	mem    *shuffle.Grant
	reader *shuffle.Reader
	turn   bool // it has one
}

// Reduce runs a reduce attempt: it merges partition a.Task.Index of the maps'
// runs and writes a part.
func (e *Executor) Reduce(ctx context.Context, a Attempt, maps []plan.AttemptID, grants Granter) (*plan.Manifest, error) {
	started := time.Now()
	m, task := e.begin(ctx, a)
	r := &reduction{exec: e}
	if err := r.find(ctx, a.Task.Index, maps); err != nil {
		return nil, err
	}
	defer r.end(false)
	if err := r.open(ctx, a); err != nil {
		return nil, e.blame(ctx, maps, err)
	}
	err := e.writePart(ctx, a, m, grants, func(p *part) error {
		if err := e.cfg.Pipeline.Shuffle.Reduce(&pipeline.ReduceTask{Task: task, Source: r.reader, Out: p}); err != nil {
			return err
		}
		if err := r.count(a.Task, m); err != nil {
			return err
		}
		m.Took = time.Since(started)
		r.end(true)
		return nil
	})
	if err != nil {
		return nil, e.blame(ctx, maps, err)
	}
	return m, nil
}

// find gathers the runs of the maps.
func (r *reduction) find(ctx context.Context, partition int, maps []plan.AttemptID) error {
	for i, id := range maps {
		from, err := r.exec.mapManifest(ctx, i, id)
		if err != nil {
			return lost(plan.TaskID{Phase: plan.Map, Index: i}, id, err)
		}
		held, err := attempts.RowsOf(from, partition)
		if err != nil {
			return err
		}
		r.runs = append(r.runs, from.Runs...)
		r.rows += held
	}
	return nil
}

// shape returns the size of the reduction, from the runs of the maps.
func (r *reduction) shape(holders int) shuffle.Shape {
	cfg := &r.exec.cfg
	s := shuffle.Shape{Runs: len(r.runs), Partitions: cfg.Partitions, Memory: cfg.Share, Holders: holders, Remote: cfg.Scratch.Remote()}
	for i := range r.runs {
		s.Bytes += r.runs[i].Size
	}
	return s
}

// open acquires the attempt's bytes, its memory and its turn.
func (r *reduction) open(ctx context.Context, a Attempt) error {
	e, shape, partition := r.exec, r.shape(a.Holders), a.Task.Index
	store := e.runStore(a.Task, a.ID)
	var err error
	size := shape.ReadGroup()
	if size > 1 {
		if r.held, err = e.groups.Take(ctx, size, partition, r.runs, store); err != nil {
			return fmt.Errorf("task %v: %w", a.Task, err)
		}
	}
	if (size > 1 || shape.Remote && e.turns != nil) && e.cfg.Share >= 2*shuffle.MinShare {
		// The other half is for groups, or for attempts that read ahead.
		r.mem, err = e.acquire(ctx, e.cfg.Share/2)
	} else {
		r.mem, err = e.share(ctx)
	}
	if err == nil && r.held != nil {
		err = r.takeTurn(ctx) // others have to fetch first
	}
	if err != nil {
		return err
	}
	if r.reader, err = shuffle.OpenHeld(ctx, e.spec(e.cfg.Partitions), partition, r.runs, r.held, store, r.mem); err != nil {
		return fmt.Errorf("task %v: %w", a.Task, err)
	}
	return r.takeTurn(ctx)
}

// takeTurn waits until the attempt may compute.
func (r *reduction) takeTurn(ctx context.Context) error {
	if r.turn || r.exec.turns == nil {
		return nil
	}
	select {
	case r.exec.turns <- struct{}{}:
		r.turn = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// count verifies that all pairs were read, and counts them.
func (r *reduction) count(id plan.TaskID, m *plan.Manifest) error {
	// All counted pairs were read: the source is at its end, and has compared
	// the pairs that it delivered with the runs' own counts.
	_, _, more := r.reader.Next()
	switch err := r.reader.Err(); {
	case err != nil:
		return fmt.Errorf("task %v: %w", id, err)
	case more:
		return fmt.Errorf("task %v: the reduce function ended before its pairs did", id)
	}
	stats := r.reader.Stats()
	m.Tally.RecordsIn = r.rows
	m.Tally.Spills, m.Tally.SpillBytes = stats.Spills, stats.SpillBytes
	m.Tally.PeakMemory = r.mem.Peak() + r.held.Bytes()
	return nil
}

// end releases what the attempt computed with. It may be called again.
func (r *reduction) end(reduced bool) {
	if r.reader != nil {
		_ = r.reader.Close() // it was read to its end, or there is another error
		r.reader = nil
	}
	if r.mem != nil {
		r.mem.Release()
	}
	r.held.Release(reduced)
	if r.turn {
		r.turn = false
		<-r.exec.turns
	}
}
