package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// quiet is how long the writer of an output may show no sign of life: longer than
// the cluster needs to elect another leader.
const quiet = time.Minute

// reserve makes the run the only writer of its output, or finds that it is. A
// cause says why it never can be.
func (j *job) reserve(ctx context.Context, s *scheduler.Job, reopen bool) (*scheduler.Cause, error) {
	if j.life.hold != nil {
		return nil, nil
	}
	spec, unread := j.spec.get()
	if unread != nil {
		return givenUp(unread), nil
	}
	var err error
	if j.life.out, err = j.lead.cfg.Roots.Get(ctx, spec.Output, true); err != nil {
		return asCause(err)
	}
	req := j.request(spec)
	j.life.refused = nil
	var refusal error
	j.life.hold, refusal = output.Resume(ctx, j.life.out, req)
	cause, err := logCause(refusal)
	if err != nil || j.life.hold != nil {
		return nil, err
	}
	if s.Status == scheduler.Committing {
		j.life.past, err = output.Committed(ctx, j.life.out, j.id, j.run.Number)
	}
	switch {
	case err != nil || j.life.past:
		return nil, err
	case cause != nil && cause.Kind == plan.Denied && s.Status == scheduler.Committing:
		return nil, refusal // whether it was committed is unknown until the log can be read
	case cause != nil:
		j.life.refused = cause
		return cause, nil
	case s.Status == scheduler.Aborting, j.unwanted(): // it needs no output
		return nil, nil
	case s.Slots > 0 && !reopen:
		return &scheduler.Cause{Kind: plan.Conflict, Text: fmt.Sprintf("output %s: another job took it over while no master was there", j.life.out.Name(""))}, nil
	}
	reserving, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(j.wanted, stop)()
	j.life.hold, err = output.Reserve(reserving, j.life.out, req)
	if err != nil && j.unwanted() && ctx.Err() == nil {
		j.life.hold, err = output.Resume(ctx, j.life.out, req) // the reservation may have been made
	}
	return logCause(err)
}

// request returns the request for the output of the run.
func (j *job) request(spec *plan.Spec) output.Request {
	mode := output.Fail
	if spec.OnExists != "" {
		mode = output.Mode(spec.OnExists)
	}
	return output.Request{Job: j.id, Name: spec.Job, Run: j.run.Number, Mode: mode, Replays: spec.Replay, Host: j.lead.cfg.Host, Quiet: quiet,
		Scratch: j.scratch.Name(""), Resumed: true,
		Waiting: func(h output.Holder, patience time.Duration) {
			j.lead.cfg.Log.Warn("another job has not finished this output; waiting to see whether it is alive", "job", j.id, "other", h.Job, "host", h.Host, "for", patience)
		}}
}

// asCause makes the cause of a job's end of an error that will not pass, and returns
// other errors as they are.
func asCause(err error) (*scheduler.Cause, error) {
	if err == nil {
		return nil, nil
	}
	if conflict, ok := errors.AsType[*output.Conflict](err); ok {
		return &scheduler.Cause{Kind: plan.Conflict, Text: conflict.Error()}, nil
	}
	switch kind := plan.KindOf(err); kind {
	case plan.Denied, plan.Invalid:
		return &scheduler.Cause{Kind: kind, Text: err.Error()}, nil
	case plan.TooLarge:
		return &scheduler.Cause{Kind: plan.Failed, Text: err.Error()}, nil
	default:
		return nil, err
	}
}

// logCause is asCause for an error of the output's log, which may also be damaged.
func logCause(err error) (*scheduler.Cause, error) {
	cause, err := asCause(err)
	if journal.Damaged(err) {
		return &scheduler.Cause{Kind: plan.Inconsistent, Text: err.Error() + "; restore the object and retry the job, or use another output"}, nil
	}
	return cause, err
}

// keep shows signs of life, and aborts the job when its output was taken over.
func (j *job) keep(ctx context.Context, box *master.Mailbox) {
	if err := j.life.hold.Keep(ctx); err != nil {
		box.Post(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Conflict, Text: err.Error()}})
	}
}

// givenUp is the cause of the end of a job whose specification cannot be read: a
// user has cancelled it. The place of its output is unknown.
func givenUp(u *journal.UnreadableSpec) *scheduler.Cause {
	return &scheduler.Cause{Kind: plan.Cancelled, Text: fmt.Sprintf("%s, and its specification could not be read (%v): "+
		"what it wrote to its output stays there until the next job on that output removes it", cancelled().Text, u.Err)}
}
