package pipeline

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrGoexit is the error of a function of the job that ended its goroutine in place of
// returning.
var ErrGoexit = errors.New("a function of the job ended its goroutine (runtime.Goexit; in a test: t.FailNow, t.Fatal or t.Skip)")

// ReaderError is an error that a Reader of the job made itself, about what it read.
// Errors of the store and of the engine, which a Reader passes on, are none.
type ReaderError struct{ Err error }

// Error returns the Reader's own words.
func (e *ReaderError) Error() string { return e.Err.Error() }

// Unwrap returns the Reader's error.
func (e *ReaderError) Unwrap() error { return e.Err }

// PanicError is the error of a function of the job that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the value of the panic.
func (e *PanicError) Error() string { return fmt.Sprintf("it panicked: %v", e.Value) }

// Guard calls a function of the job on a goroutine of its own, and waits for it. However
// the function ends, Guard returns: with ErrGoexit or a *PanicError if it did not
// return.
func Guard[T any](call func() (T, error)) (result T, err error) {
	ended := make(chan struct{})
	err = ErrGoexit
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{v, debug.Stack()}
			}
		}()
		result, err = call()
	}()
	<-ended
	return result, err
}
