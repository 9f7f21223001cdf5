package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
)

// LostOutput says that a task cannot continue because what a committed attempt left
// for it is gone or damaged. That is no failure of the task: the other must run again.
type LostOutput struct {
	Task    plan.TaskID // that must run again
	Attempt plan.AttemptID
	Err     error
}

// Error names the lost task and the cause.
func (e *LostOutput) Error() string {
	return fmt.Sprintf("the output of task %v (attempt %v) is lost: %v", e.Task, e.Attempt, e.Err)
}

// Unwrap returns the cause.
func (e *LostOutput) Unwrap() error { return e.Err }

// lost makes a LostOutput of an error that means one, and returns others as
// they are: a store that fails has lost nothing yet.
func lost(task plan.TaskID, id plan.AttemptID, err error) error {
	if _, ok := errors.AsType[*store.Error](err); ok {
		switch plan.KindOf(err) {
		case plan.NotFound, plan.Changed, plan.Corrupt:
		default:
			return err
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &LostOutput{task, id, err}
}

// blame finds the task whose run could not be read. It blames none for runs
// that the attempt made itself.
func (e *Executor) blame(ctx context.Context, exchange int, from []plan.Results, err error) error {
	failed, ok := errors.AsType[*shuffle.RunError](err)
	if !ok || ctx.Err() != nil {
		return err
	}
	for k, step := range from {
		place := slices.Index(e.cfg.Pipeline.Steps[e.graph.Exchanges[exchange].Writers[k]].Writes, exchange)
		for i, id := range step.Attempts {
			m, manifestErr := e.manifest(ctx, step.Task(i), id)
			if manifestErr != nil {
				return err
			}
			for _, run := range m.Left(place).Runs {
				if run.Key == failed.Run {
					return lost(m.Task, id, err)
				}
			}
		}
	}
	return err
}
