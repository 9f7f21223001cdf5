package embedded

import (
	"context"
	"errors"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/worker/planner"
)

// A Kind says what kept a job from its output, as far as a caller can act on it.
type Kind int

// The kinds.
const (
	JobFailed   Kind = iota + 1 // a task, the store or the commit failed
	Usage                       // the request is wrong: job, parameter, option, URL
	NotFound                    // an input does not exist
	Denied                      // credentials or permissions do not allow it
	Conflict                    // the output belongs to other data or another job
	Interrupted                 // the caller's context ended
)

// Error is what Run returns when there is no output.
type Error struct {
	Kind Kind
	Err  error
}

// Error returns the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// classify gives an error the kind that its cause implies, or else that of a job
// which failed.
func classify(err error) error {
	kind := JobFailed
	var known *Error
	var asked *planner.Error
	var conflict *output.Conflict
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &asked):
		kind = Usage
		if asked.Kind == plan.NotFound {
			kind = NotFound
		}
	case errors.As(err, &conflict):
		kind = Conflict
	case errors.Is(err, output.ErrNotCommitted):
		kind = NotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		kind = Interrupted
	default:
		switch plan.KindOf(err) {
		case plan.NotFound:
			kind = NotFound
		case plan.Denied:
			kind = Denied
		case plan.Invalid:
			kind = Usage
		default:
		}
	}
	return &Error{kind, err}
}
