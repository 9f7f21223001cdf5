package planner

import (
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/worker/executor"
)

// A Kind says what is wrong with a request.
type Kind int

// The kinds.
const (
	Usage    Kind = iota + 1 // the request is wrong: an input's name, a size, an output's place
	NotFound                 // an input does not exist
)

// Error says that a job cannot be planned as it was asked for. To try again is
// of no use.
type Error struct {
	Kind Kind
	Err  error
}

// Error returns the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// usagef makes an error of what was asked for.
func usagef(format string, args ...any) error { return &Error{Usage, fmt.Errorf(format, args...)} }

// Final tells whether no other attempt at planning would end otherwise.
func Final(err error) bool {
	_, asked := errors.AsType[*Error](err)
	return asked || executor.Judge(err).Final
}
