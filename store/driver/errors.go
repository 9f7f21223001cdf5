package driver

import (
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
)

// Fail returns an error of a kind. The portable layer adds operation and
// object. The format's %w verbs are kept.
func Fail(kind plan.Kind, format string, args ...any) error {
	return &failure{kind, fmt.Errorf(format, args...)}
}

// failure is a kind with a cause, between a driver and the Root that knows the
// operation and the object's full name.
type failure struct {
	kind plan.Kind
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// FailureKind returns the kind.
func (f *failure) FailureKind() plan.Kind { return f.kind }

// Cause returns the kind of an error of a driver, and the error without the
// wrapping of Fail, which a text that names the kind does not need.
func Cause(err error) (plan.Kind, error) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.kind, f.err
	}
	return plan.KindOf(err), err
}
