package executor

import (
	"errors"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
)

// Verdict says what the error of an attempt means for its task.
type Verdict struct {
	Text string
	// Fingerprint is the same for failures that have the same cause in the
	// task's input: another one would say that trying again is of no use. It is
	// empty for causes that may pass.
	Fingerprint string
	Final       bool // trying again is of no use
	Conflict    bool // the output is another job's by now
	Denied      bool // a store refused access
	// Spoilt is set when the attempt is not to blame: what it read of a map
	// attempt is gone or damaged.
	Spoilt *LostOutput
	Stack  []byte // of a panic in a function of the job
}

// Judge says what the error of an attempt means. That its context ended is for
// the caller to know.
func Judge(err error) Verdict {
	v := Verdict{Text: err.Error()}
	if lost, ok := errors.AsType[*LostOutput](err); ok {
		v.Spoilt = lost
		return v
	}
	_, conflict := errors.AsType[*output.Conflict](err)
	failed, record := errors.AsType[*jobs.RecordError](err)
	_, input := errors.AsType[*InputError](err)
	if record {
		v.Stack = failed.Stack
	}
	switch kind := plan.KindOf(err); {
	case conflict:
		v.Conflict = true
	case record || input || kind == plan.NotFound:
		v.Fingerprint = v.Text // the same again would be the record's fault
	case kind == plan.Changed || kind == plan.Denied || kind == plan.Invalid:
		v.Final, v.Denied = true, kind == plan.Denied
	}
	return v
}
