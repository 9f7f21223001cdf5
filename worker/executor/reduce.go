package executor

import (
	"context"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
)

// reduction is the reading of a partition. It waits for what it needs to compute
// in this order, so that attempts never wait in a circle: the group that its
// bytes are in, its memory, its turn. It releases them when it has read its last
// pair: making a part visible takes long on a remote store, and needs none of
// them.
type reduction struct {
	exec       *Executor
	exchange   int
	partitions int
	store      *runStore // of the attempt
	runs       []plan.Run
	rows       int64 // of the partition
	held       *shuffle.Held
	mem        *shuffle.Grant
	spare      []*shuffle.Grant // shares of the memory for what the attempt keeps and writes
	reader     *shuffle.Reader
	turn       bool // it has one
}

// find gathers the runs of the exchange.
func (r *reduction) find(ctx context.Context, partition int, from []plan.Results) error {
	e := r.exec
	writers := e.graph.Exchanges[r.exchange].Writers
	if len(from) != len(writers) {
		return fmt.Errorf("the attempt names %d steps that wrote what it reads, and the job has %d", len(from), len(writers))
	}
	for k, step := range from {
		place := slices.Index(e.cfg.Pipeline.Steps[writers[k]].Writes, r.exchange)
		for i, id := range step.Attempts {
			task := step.Task(i)
			m, err := e.manifest(ctx, task, id)
			if err != nil {
				return lost(task, id, err)
			}
			left := m.Left(place)
			held, err := attempts.RowsOf(task, left, partition, r.partitions)
			if err != nil {
				return err
			}
			r.runs = append(r.runs, left.Runs...)
			r.rows += held
		}
	}
	return nil
}

// shape returns the size of the reduction, from its runs.
func (r *reduction) shape(holders int) shuffle.Shape {
	cfg := &r.exec.cfg
	s := shuffle.Shape{Runs: len(r.runs), Partitions: r.partitions, Memory: cfg.Share, Holders: holders, Remote: cfg.Scratch.Remote()}
	for i := range r.runs {
		s.Bytes += r.runs[i].Size
	}
	return s
}

// open acquires the attempt's bytes, its memory and its turn. It sets aside so many
// shares of the memory for what the attempt keeps and writes.
func (r *reduction) open(ctx context.Context, a Attempt, shares int) error {
	e, shape, partition := r.exec, r.shape(a.Holders), a.Task.Index
	var err error
	size := shape.ReadGroup()
	if size > 1 {
		if r.held, err = e.groups.Take(ctx, size, partition, r.runs, r.store); err != nil {
			return fmt.Errorf("task %v: %w", a.Task, err)
		}
	}
	if (size > 1 || shape.Remote && e.turns != nil) && e.cfg.Share >= 2*shuffle.MinShare*int64(1+shares) {
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
	each := r.mem.Size() / int64(1+shares)
	for range shares {
		r.spare = append(r.spare, r.mem.Split(each))
	}
	if r.reader, err = shuffle.OpenHeld(ctx, e.spec(r.exchange, r.partitions, r.mem.Size()), partition, r.runs, r.held, r.store, r.mem); err != nil {
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
	m.Tally.Spills += stats.Spills
	m.Tally.SpillBytes += stats.SpillBytes
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
	if !reduced {
		for _, g := range r.spare {
			g.Release()
		}
	}
	r.held.Release(reduced)
	if r.turn {
		r.turn = false
		<-r.exec.turns
	}
}
