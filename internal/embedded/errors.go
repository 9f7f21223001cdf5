package embedded

import (
	"context"
	"errors"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/planner"
)

// Error is what Run returns when there is no output. See windrow.Error, which is
// the same.
type Error struct {
	Kind plan.Kind // Failed, Invalid, NotFound, Denied, Conflict or Interrupted
	Err  error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureKind returns e.Kind.
func (e *Error) FailureKind() plan.Kind { return e.Kind }

// classify gives an error the kind that its cause implies. When the cause implies
// none, the kind is Failed.
func classify(err error) error {
	kind := plan.Failed
	var known *Error
	var asked *planner.Error
	var conflict *output.Conflict
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &asked):
		kind = plan.Invalid
		if asked.Kind == plan.NotFound {
			kind = plan.NotFound
		}
	case errors.As(err, &conflict):
		kind = plan.Conflict
	case errors.Is(err, output.ErrNotCommitted):
		kind = plan.NotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		kind = plan.Interrupted
	default:
		if k := plan.KindOf(err); k == plan.NotFound || k == plan.Denied || k == plan.Invalid {
			kind = k
		}
	}
	return &Error{kind, err}
}
