package planner

import (
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/worker/executor"
)

// Error says that a job cannot be planned as requested. Another attempt does not
// help. Kind is Invalid when the request is wrong (the name of an input, a size,
// the place of the output), NotFound when an input does not exist.
type Error struct {
	Kind plan.Kind
	Err  error
}

// Error returns the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureKind returns Kind.
func (e *Error) FailureKind() plan.Kind { return e.Kind }

// invalidf returns an error about the request.
func invalidf(format string, args ...any) error {
	return &Error{plan.Invalid, fmt.Errorf(format, args...)}
}

// Final reports whether every other attempt at planning would fail too.
func Final(err error) bool {
	_, asked := errors.AsType[*Error](err)
	return asked || executor.Judge(err).Final
}
