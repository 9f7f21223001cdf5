package control

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// broken handles a run whose log cannot be read: an object is damaged or gone. The
// run waits until the object is restored. If a user cancels it, it ends without its
// log.
func (j *job) broken(ctx context.Context, cause error) error {
	if gone, err := j.concluded(ctx); err != nil || gone {
		return err
	}
	if !j.unwanted() {
		return &brokenLog{cause}
	}
	return j.abandon(ctx, cause)
}

// brokenLog is why a run with a damaged log does not proceed.
type brokenLog struct{ err error }

// Error returns the cause and the advice.
func (b *brokenLog) Error() string {
	return fmt.Sprintf("its log cannot be read (%v): restore the object, or cancel the job", b.err)
}

// Unwrap returns the cause.
func (b *brokenLog) Unwrap() error { return b.err }

// FailureKind returns Conflict: the state of the job does not allow the request, and
// asking again does not help.
func (b *brokenLog) FailureKind() plan.Kind { return plan.Conflict }

// abandon ends a run whose log cannot be read, because a user has cancelled it. The
// output's own log shows whether the run has committed. Other leaders find the record
// of the end, and do not drive the run again.
func (j *job) abandon(ctx context.Context, cause error) error {
	if err := j.lead.confirm(ctx); err != nil {
		return err
	}
	committed, left, err := j.giveBack(ctx)
	if err != nil {
		return err
	}
	spec, _ := j.spec.get()
	sum := view.Summary{Job: view.Outline(spec)}
	sum.Job.Run, sum.Job.Ended = j.run.Number, j.lead.cfg.Now().UTC()
	if committed {
		sum.Job.State = client.Succeeded
	} else {
		sum.Job.State = client.Cancelled
		sum.Job.Cause = &client.Cause{Kind: plan.Cancelled, Text: fmt.Sprintf("%s, and its log could not be read (%v)%s", cancelled().Text, cause, left)}
	}
	body, err := json.Marshal(&sum)
	if err != nil {
		return err
	}
	if err := journal.Conclude(ctx, j.lead.cfg.Root, j.run, body); err != nil {
		return err
	}
	j.lead.cfg.Log.Warn("a job ended without its log, which cannot be read", "job", j.id, "state", sum.Job.State, "error", cause)
	return journal.Deactivate(ctx, j.lead.cfg.Root, j.run)
}

// giveBack releases the output of a run that is abandoned, unless the run has
// committed it. left says what may be left there.
func (j *job) giveBack(ctx context.Context) (committed bool, left string, err error) {
	spec, _ := j.spec.get()
	if spec.Output == "" { // the specification cannot be read either
		return false, ": what it wrote to its output stays there until the next job on that output removes it", nil
	}
	out, err := j.lead.cfg.Roots.Get(ctx, spec.Output, true)
	if err == nil {
		var hold *output.Hold
		if hold, err = output.Resume(ctx, out, j.request(spec)); err == nil && hold != nil {
			m, failed := hold.Committed(ctx)
			if m != nil {
				return true, "", nil
			}
			if err = failed; err == nil {
				err = hold.Release(ctx)
			}
		}
	}
	cause, err := logCause(err)
	if cause != nil {
		return false, fmt.Sprintf(": what it wrote to its output may be left there (%s)", cause.Text), nil
	}
	return false, "", err
}

// recordless describes a job of which the record of the end is damaged or gone. Its
// log is all there is.
func (l *leadership) recordless(ctx context.Context, id plan.JobID, lost error) (client.Job, error) {
	d, s, err := l.atRest(ctx, id)
	if err != nil {
		return d, err
	}
	if s.Status.Ended() {
		d.State = view.StateOf(s)
	}
	return view.Broken(d, fmt.Sprintf("the record of its end cannot be read: %v", lost)), nil
}

// outline returns what is known of a job whose log cannot be read.
func (l *leadership) outline(ctx context.Context, id plan.JobID) client.Job {
	if spec, err := journal.ReadSpec(ctx, l.cfg.Root, id); err == nil {
		return view.Outline(spec)
	}
	return client.Job{ID: id, State: client.Planning, Phases: []client.Phase{}}
}

// abandoned reports whether a run is over although its log does not say so.
func (m *Master) abandoned(ctx context.Context, id plan.JobID, s *scheduler.Job) (bool, error) {
	if s.Status.Ended() || s.Slots == 0 {
		return false, nil
	}
	last, ended, err := journal.LastEnded(ctx, m.cfg.Root, id)
	return ended && last.Number >= s.Run, err
}
