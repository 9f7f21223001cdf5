package store

import (
	"strings"

	"github.com/windrow-mr/windrow/plan"
)

// Error is the error of every operation of this package.
type Error struct {
	Op   string // the operation: "get", "create-once", "list", …
	URL  string // the object or root, without secrets
	Kind plan.Kind
	Err  error // the cause; nil if the kind says it all
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
