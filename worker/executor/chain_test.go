package executor_test

import (
	"context"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/executor"
)

// chain is an executor of a job of one shuffle, or of none.
type chain struct {
	*executor.Executor
	pipe       *pipeline.Pipeline
	partitions int
}

func newChain(cfg executor.Config, partitions int) chain {
	return chain{executor.New(cfg), cfg.Pipeline, partitions}
}

// Map runs an attempt at a map.
func (c chain) Map(ctx context.Context, a executor.Attempt, split plan.Split, grants executor.Granter) (*plan.Manifest, error) {
	w := executor.Work{Splits: []plan.Split{split}}
	for range c.pipe.Exchanges {
		w.Writes = append(w.Writes, plan.Write{Partitions: c.partitions})
	}
	return c.Run(ctx, a, w, grants)
}

// Reduce runs an attempt at a reduce.
func (c chain) Reduce(ctx context.Context, a executor.Attempt, maps []plan.AttemptID, grants executor.Granter) (*plan.Manifest, error) {
	read := plan.Results{Group: plan.Group{Phase: plan.Map}, Attempts: maps}
	return c.Run(ctx, a, executor.Work{Work: plan.Work{Reads: []plan.Results{read}, Partitions: c.partitions}}, grants)
}

// Sample runs an attempt at a sample.
func (c chain) Sample(ctx context.Context, a executor.Attempt, splits []plan.Split) (*plan.Manifest, error) {
	return c.Run(ctx, a, executor.Work{Splits: splits}, nil)
}
