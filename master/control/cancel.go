package control

import (
	"context"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// patience bounds how long a request waits for a job that cannot proceed at present.
const patience = 10 * time.Second

// Cancel aborts a job. It returns when the log has the abort, so that it holds
// whatever happens to this master. A job that cannot proceed at present is aborted
// when it can.
func (m *Master) Cancel(ctx context.Context, id plan.JobID) error {
	l, err := m.leader()
	if err != nil {
		return answer(err)
	}
	j := l.job(id)
	if j == nil {
		job, err := m.Job(ctx, id)
		switch {
		case err != nil:
			return err
		case job.State == client.Cancelled:
			return nil
		case !job.State.Ended():
			return client.Errorf(plan.Unavailable, "job %s is being taken up: ask again", id)
		}
		return client.Errorf(plan.Conflict, "job %s has ended: it %s", id, job.State)
	}
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	for asked := false; ; {
		changed := m.Changed(id)
		s, run, err := j.status(waiting)
		switch {
		case journal.Damaged(err) && !asked: // it ends without its log
			asked = true
			j.cancel()
		case err != nil && !asked && waiting.Err() == nil:
			return answer(err)
		case err != nil:
		case run >= j.run.Number && (s == scheduler.Aborting || s == scheduler.Failed):
			return nil
		case (s == scheduler.Committing || s == scheduler.Succeeded) && !j.unreadable():
			return client.Errorf(plan.Conflict, "job %s can no longer be cancelled: its output is being committed", id)
		case !asked:
			asked = true
			j.cancel()
		}
		select {
		case <-changed:
		case <-j.gone:
			return m.Cancel(ctx, id)
		case <-waiting.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return j.stuck("it is aborted as soon as it can proceed, if this master leads then; ask again")
		}
	}
}

// status returns the status that the log has, and of which run. It asks the shell,
// or reads the log if none runs.
func (j *job) status(ctx context.Context) (s scheduler.Status, run int, err error) {
	seen := make(chan func(), 1)
	if j.look(ctx, func(job *scheduler.Job) {
		status, n := job.Status, job.Run
		seen <- func() { s, run = status, n }
	}) {
		(<-seen)()
		return s, run, nil
	}
	job, err := journal.Read(ctx, j.lead.cfg.Root, j.id)
	if err != nil {
		return 0, 0, err
	}
	return job.Status, job.Run, nil
}

// unreadable reports whether the job does not proceed because its specification
// cannot be read.
func (j *job) unreadable() bool {
	_, unread := j.spec.get()
	return unread != nil
}

// stuck returns an error that says why a job does not proceed.
func (j *job) stuck(advice string) error {
	why := "its master has not got so far"
	if trouble := j.view.Trouble(); trouble != nil {
		why = trouble.Error()
	}
	return client.Errorf(plan.Unavailable, "job %s cannot proceed at present (%s): %s", j.id, why, advice)
}
