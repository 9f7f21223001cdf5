package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// sorter sorts values of an attempt in its memory and in runs of its own.
type sorter struct {
	x    *execution
	ctx  context.Context // of the attempt: a Sorter's methods have none
	spec shuffle.Spec
	mem  *shuffle.Grant
	w    *shuffle.MapWriter
	runs []plan.Run
}

var _ pipeline.Sorter = (*sorter)(nil)

// sorts reports whether the step has an output whose parts lie in directories.
func (x *execution) sorts() bool {
	for _, o := range x.step.Outputs {
		if x.exec.cfg.Pipeline.Outputs[o].Partitioned {
			return true
		}
	}
	return false
}

// sorter makes a sorter. Sorters share the memory: each gets half of what is left.
func (x *execution) sorter(ctx context.Context) (pipeline.Sorter, error) {
	if x.memory == nil {
		return nil, errors.New("the step has no output whose parts lie in directories")
	}
	mem := x.memory
	if len(x.sorters) > 0 || x.partitioned() > 1 {
		mem = x.memory.Split(x.memory.Left() / 2)
	}
	s := &sorter{x: x, ctx: ctx, mem: mem, spec: shuffle.Spec{Partitions: 1, Remote: x.exec.cfg.Scratch.Remote(), Window: shuffle.Shape{Memory: mem.Size()}.Window()}}
	x.sorters = append(x.sorters, s)
	var err error
	if s.w, err = shuffle.NewMapWriter(ctx, s.spec, mem, x.runs); err != nil {
		return nil, fmt.Errorf("task %v: sort by directories: %w", x.attempt.Task, err)
	}
	return s, nil
}

// partitioned returns how many outputs of the step have directories.
func (x *execution) partitioned() (n int) {
	for _, o := range x.step.Outputs {
		if x.exec.cfg.Pipeline.Outputs[o].Partitioned {
			n++
		}
	}
	return n
}

// Add takes a value.
func (s *sorter) Add(key, value []byte) error {
	c := s.w.Collector()
	c.Add(append(append(c.Room(), key...), value...), len(key), 0)
	return c.Err()
}

// All passes on the values in order of their keys.
func (s *sorter) All(yield func(key, value []byte) error) error {
	runs, _, err := s.w.Finish(s.ctx)
	if err != nil {
		return err
	}
	s.runs = runs
	stats, tally := s.w.Stats(), &s.x.m.Tally
	tally.Spills += stats.Spills
	tally.SpillBytes += stats.SpillBytes
	s.w.Close()
	r, err := shuffle.Open(s.ctx, s.spec, 0, runs, s.x.runs, s.mem)
	if err != nil {
		return err
	}
	defer r.Close()
	return pass(r, yield)
}

// pass passes on all pairs.
func pass(from pairs.Source, yield func(key, value []byte) error) error {
	for {
		key, value, ok := from.Next()
		if !ok {
			return from.Err()
		}
		if err := yield(key, value); err != nil {
			return err
		}
	}
}

// close removes what the sorter wrote. Runs that cannot be deleted are swept with the rest
// of the job's temporary data.
func (s *sorter) close() {
	if s.w != nil {
		s.w.Close()
	}
	for _, run := range s.runs {
		_ = s.x.runs.Delete(context.WithoutCancel(s.ctx), run.Key)
	}
	s.mem.Release()
}
