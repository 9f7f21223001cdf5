package control

import (
	"context"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Retry lets a job that failed continue, in a new run. The run is in the index before
// any master acts on it. Next is the number of the run, 0 for any: a job that has had it is
// not reopened.
func (m *Master) Retry(ctx context.Context, id plan.JobID, next int) error {
	l, err := m.leader()
	if err != nil {
		return answer(err)
	}
	if err := m.submitting.Acquire(ctx, 1); err != nil {
		return err
	}
	defer m.submitting.Release(1)
	if under, err := l.underWay(ctx, id); err != nil || under {
		return err
	}
	spec, err := journal.ReadSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return answerOf(id, err)
	}
	if b, err := l.lacks(ctx, spec); err != nil || b != nil {
		if err == nil {
			err = client.Errorf(plan.Conflict, "the program of job %s has been removed: submit it again", id)
		}
		return err
	}
	state, err := journal.Read(ctx, m.cfg.Root, id)
	if err != nil {
		return answerOf(id, err)
	}
	if over, err := m.abandoned(ctx, id, state); err != nil || over {
		if over {
			err = client.Errorf(plan.Conflict, "job %s was cancelled while its log could not be read: rerun makes a new job of it", id)
		}
		return answer(err)
	}
	if next > 0 && state.Run >= next {
		return nil // a copy of a request that was carried out; the job may have been cancelled since
	}
	if state.Status == scheduler.Succeeded {
		return client.Errorf(plan.Conflict, "job %s succeeded: there is nothing to retry; rerun makes a new job of it", id)
	}
	if state.Status == scheduler.Failed && state.Cause.Kind == plan.Unmet {
		return client.Errorf(plan.Conflict, "job %s is done, and would make the same output again: publish or discard what it has staged", id)
	}
	run := journal.Run{Job: id, Number: state.Run}
	if state.Status == scheduler.Failed {
		run.Number++
	}
	if err := journal.Activate(ctx, m.cfg.Root, run); err != nil {
		return answer(err)
	}
	if err := l.confirm(ctx); err != nil {
		return answer(err)
	}
	l.drive(run)
	return nil
}

// underWay reports whether a run of the job is driven. It waits for a run that is
// failing, until that is concluded.
func (l *leadership) underWay(ctx context.Context, id plan.JobID) (bool, error) {
	j := l.job(id)
	if j == nil {
		return false, nil
	}
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	s, run, err := j.status(waiting)
	if err != nil {
		return false, answerOf(id, err)
	}
	if run < j.run.Number || !s.Ended() && s != scheduler.Aborting {
		return true, nil
	}
	select {
	case <-j.gone:
		return false, nil
	case <-waiting.Done():
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, j.stuck("its earlier run has not been concluded; ask again")
	}
}
