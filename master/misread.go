package master

import (
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/plan"
)

// Misread invalidates the work on an input object that was misread: every task that
// has read some of it runs again.
func (m *Mailbox) Misread(bad *sums.Misread) {
	for _, other := range bad.Others {
		m.Post(scheduler.Corrupt{Task: other.Task, Attempt: other.Attempt, Text: bad.Err.Error()})
	}
}

// MisreadBy is Misread when the sums of a finished attempt have shown it. The attempt
// fails. If no other tasks read what its step leaves, that is final: it wrote a part,
// which cannot be invalidated.
func (m *Mailbox) MisreadBy(task plan.TaskID, id plan.AttemptID, bad *sums.Misread, replaceable bool) {
	m.Misread(bad)
	m.Post(scheduler.FailedAttempt{Task: task, Attempt: id, Failure: plan.Failure{Text: bad.Err.Error(), Final: !replaceable}})
}
