package executor

import (
	"errors"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
)

// Verdict is the meaning of an attempt's error for its task.
type Verdict struct {
	plan.Failure
	// Lost is set when the attempt is not to blame: the output of a map attempt,
	// which it read, is gone or damaged.
	Lost  *LostOutput
	Stack []byte // of a panic in a function of the job
}

// Judge returns the verdict on an attempt's error. The caller must check itself
// whether the attempt's context ended.
func Judge(err error) Verdict {
	v := Verdict{Failure: plan.Failure{Text: err.Error()}}
	if lost, ok := errors.AsType[*LostOutput](err); ok {
		v.Lost = lost
		return v
	}
	_, conflict := errors.AsType[*output.Conflict](err)
	_, uncounted := errors.AsType[*plan.TallyError](err)
	_, bad := errors.AsType[*plan.BadRecordsError](err)
	failed, record := errors.AsType[*jobs.RecordError](err)
	_, input := errors.AsType[*InputError](err)
	_, reader := errors.AsType[*pipeline.ReaderError](err)
	if record {
		v.Stack = failed.Stack
	}
	_, overflow := errors.AsType[*jobs.OverflowError](err)
	switch kind := plan.KindOf(err); {
	case uncounted, overflow, bad:
		v.Final = true // another attempt counts the same
	case conflict:
		v.Kind = plan.Conflict
	case record || input || reader || kind == plan.NotFound || errors.Is(err, pipeline.ErrGoexit):
		v.Fingerprint = v.Text // the same again would be the record's fault
	case kind == plan.Changed || kind == plan.Denied || kind == plan.Invalid:
		v.Final = true
		if _, format := errors.AsType[*FormatError](err); format || kind == plan.Denied {
			v.Kind = kind
		}
	}
	return v
}
