package embedded

import (
	"context"
	"errors"

	"github.com/windrow-mr/windrow/plan"
)

// Error is the error of a run without output. windrow.Error is the same.
type Error struct {
	Kind plan.Kind // Failed, Unmet, Invalid, NotFound, Denied, Conflict or Interrupted
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
	if _, known := errors.AsType[*Error](err); known || err == nil {
		return err
	}
	kind := plan.KindOf(err)
	switch kind {
	case plan.Invalid, plan.NotFound, plan.Denied, plan.Conflict, plan.Interrupted:
	default:
		kind = plan.Failed
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			kind = plan.Interrupted
		}
	}
	return &Error{kind, err}
}
