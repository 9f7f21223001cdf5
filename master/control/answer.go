package control

import (
	"errors"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
)

// answer makes the error that a client of the API receives. A temporary failure
// of a store is Unavailable. The end of the caller's context stays as it is.
func answer(err error) error {
	if _, ok := errors.AsType[*client.Error](err); ok || err == nil {
		return err
	}
	if other, ok := errors.AsType[*cluster.NotLeader](err); ok {
		e := client.Errorf(plan.NotLeader, "%v", other)
		e.Leader = other.URL
		return e
	}
	if u, ok := errors.AsType[*journal.UnreadableSpec](err); ok { // asking again does not help
		return client.Errorf(plan.Conflict, "job %s: %v", u.Spec.ID, u)
	}
	switch kind := plan.KindOf(err); kind {
	case plan.Denied, plan.Invalid, plan.NotFound, plan.TooLarge:
		return client.Errorf(kind, "%v", err)
	case plan.Interrupted:
		return err
	default:
		return client.Errorf(plan.Unavailable, "%v", err)
	}
}

// answerOf is answer for an error of reading the objects of a job: if its
// specification does not exist, there is no such job.
func answerOf(id plan.JobID, err error) error {
	if plan.KindOf(err) == plan.NotFound {
		return client.Errorf(plan.NotFound, "there is no job %s: windrow ls lists the jobs", id)
	}
	if _, unread := errors.AsType[*journal.UnreadableSpec](err); !unread && journal.Damaged(err) {
		return client.Errorf(plan.Conflict, "job %s cannot proceed: %v", id, &brokenLog{err})
	}
	return answer(err)
}
