package jobs

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// A RecordError says that a job's function failed on a record: it returned an
// error, or it panicked. The same record fails again on every attempt.
type RecordError struct {
	Stage  string // the operation and its function: "Map main.tokenize"
	Task   string // "map/17"; "" if pairs of several tasks were being combined
	Object string // input object of the record; "" in a reduce task
	Offset int64  // where in Object the record begins: see Position
	Key    string // the current key in a reduce task, as text
	Err    error  // the error that the function returned, or the value of its panic
	Stack  []byte // of a panic, else nil
	At     string // file and line of a panic, else ""

	where string // Offset and Object in words
}

// Error returns the place and the cause, without the stack.
func (e *RecordError) Error() string {
	var b strings.Builder
	if e.Task != "" {
		fmt.Fprintf(&b, "task %s: ", e.Task)
	}
	fmt.Fprintf(&b, "%s failed", e.Stage)
	if e.Object != "" {
		where := e.where
		if where == "" {
			where = fmt.Sprintf("byte %d of %s", e.Offset, e.Object)
		}
		b.WriteString(" on the record at " + where)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, " on key %s", e.Key)
	}
	if e.Stack != nil {
		b.WriteString(": panic")
	}
	if e.At != "" {
		b.WriteString(" at " + e.At)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the function's own error.
func (e *RecordError) Unwrap() error { return e.Err }

// recordError wraps the error of the function of c's node.
func (c *Context) recordError(err error) *RecordError {
	at := c.Position()
	e := &RecordError{
		Stage:  "reading records",
		Task:   c.task.ID.String(),
		Object: at.Object,
		Offset: at.Offset,
		Err:    err,
	}
	if c.section != nil && at.Object != "" {
		e.where = positionText(c.section, c.where)
	}
	if c.node != nil {
		e.Stage = c.node.stage()
	}
	if c.key != nil {
		e.Key = c.key()
	}
	return e
}

// reject fails the task because n's function returned err, or makes the record a bad
// one in a job that leaves these out.
func (c *Context) reject(n *node, err error) {
	c.node = n
	if e := c.recordError(err); !c.run.tolerance.reject(e) {
		c.fail(e)
	}
}

// panicSite returns file and line of the panic that is being recovered from:
// those of the first frame beneath the runtime's. It returns "" when they are
// unknown.
func panicSite() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	panicking := false
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicking && !inRuntime {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panicking = panicking || inRuntime
		if !more {
			return ""
		}
	}
}

// panicked takes a recovered value as the cause. The deferred function that recovered
// it calls panicked.
func (e *RecordError) panicked(r any) {
	err, ok := r.(error)
	if !ok {
		err = fmt.Errorf("%v", r)
	}
	e.Err = err
	if _, refused := errors.AsType[*OverflowError](err); refused {
		return // it is no defect of the function, whose place would only distract
	}
	e.Stack, e.At = debug.Stack(), panicSite()
}
