package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/plan"
)

// Error is what every operation of this package returns when it fails.
type Error struct {
	Op   string // the operation: "get", "create-once", "list", …
	URL  string // the object or root, without secrets
	Kind plan.Kind
	Err  error // the cause; nil when the kind says it all
}

// Error returns operation, object, kind and cause in one line.
func (e *Error) Error() string {
	text := e.Op + " " + e.URL + ": " + e.Kind.String()
	if e.Kind == plan.Unknown && e.Err != nil {
		return e.Op + " " + e.URL + ": " + e.Err.Error()
	}
	if e.Err != nil && !strings.HasSuffix(e.Err.Error(), e.Kind.String()) {
		return text + ": " + e.Err.Error()
	}
	if e.Err != nil {
		return e.Op + " " + e.URL + ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureKind returns Kind.
func (e *Error) FailureKind() plan.Kind { return e.Kind }

// Fail makes an error of a kind for drivers; the portable layer adds operation
// and object. The format's %w verbs are kept.
func Fail(kind plan.Kind, format string, args ...any) error {
	return &failure{kind, fmt.Errorf(format, args...)}
}

// failure is a kind with a cause, on its way from a driver to the Root that
// knows the operation and the object's full name.
type failure struct {
	kind plan.Kind
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// FailureKind returns the kind.
func (f *failure) FailureKind() plan.Kind { return f.kind }

// causeOf returns the kind that a driver gave err, and err without the
// wrapping that would say the kind twice.
func causeOf(err error) (plan.Kind, error) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.kind, f.err
	}
	return plan.KindOf(err), err
}
