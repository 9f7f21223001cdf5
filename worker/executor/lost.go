package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
)

// LostOutput says that a reduce cannot continue because the output of a
// committed map attempt is gone or damaged. That is no failure of the reduce:
// the map must run again.
type LostOutput struct {
	Task    plan.TaskID // the map
	Attempt plan.AttemptID
	Err     error
}

// Error names the map and the cause.
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

// blame finds the map whose run could not be read. It blames no map for runs
// that the reduce made itself.
func (e *Executor) blame(ctx context.Context, maps []plan.AttemptID, err error) error {
	failed, ok := errors.AsType[*shuffle.RunError](err)
	if !ok || ctx.Err() != nil {
		return err
	}
	for i, id := range maps {
		m, manifestErr := e.mapManifest(ctx, i, id)
		if manifestErr != nil {
			return err
		}
		for j := range m.Runs {
			if m.Runs[j].Key == failed.Run {
				return lost(m.Task, id, err)
			}
		}
	}
	return err
}
