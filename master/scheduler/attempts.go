package scheduler

import (
	"cmp"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// stepWorker adds a worker, or removes one with its attempts.
func (s *State) stepWorker(now Time, e Event) {
	switch e := e.(type) {
	case Joined:
		s.workers.join(e.Worker, e.Slots)
	case Doubted:
		s.workers.doubt(e.Worker, e.Doubt)
	case Left:
		w := s.workers.byID[e.Worker]
		if !s.workers.leave(e.Worker) {
			return
		}
		s.abandon(w)
		for _, a := range s.attempts.those(func(a *attempt) bool { return a.worker == e.Worker }) {
			s.lose(now, a)
		}
	default:
	}
}

// stepAttempt takes a report of an attempt, or of its worker.
func (s *State) stepAttempt(now Time, e Event) {
	switch e := e.(type) {
	case Reported:
		s.reported(now, e)
	case FailedAttempt:
		switch a := s.end(e.Task, e.Attempt); {
		case a == nil:
		case e.Unfit && s.workers.unfit(now, a.worker):
			s.again(a.task)
		default:
			s.workers.failed(now, a.worker)
			s.failed(now, a, e)
		}
	case LostAttempt:
		switch a := s.attempts.get(e.Attempt); {
		case a == nil || a.task != e.Task:
		case e.ByMap:
			s.end(a.task, a.id)
			s.again(a.task)
		default:
			s.lose(now, a)
		}
	case Found:
		s.found(now, e)
	case Asked:
		s.asked(now, e)
	case Corrupt:
		s.damaged(e)
	default:
	}
}

// found takes over an attempt that runs already, if it can still do its task. An
// attempt that may have read a result that was invalidated since must leave nothing:
// its task starts again, unless the log has granted it.
func (s *State) found(now Time, e Found) {
	if s.attempts.get(e.Attempt) != nil {
		return
	}
	t := s.job.Task(e.Task)
	w := s.workers.byID[e.Worker]
	if t == nil || w == nil || !s.job.active() || s.job.Epoch != s.cfg.Epoch || s.abort != nil || !s.job.Open(e.Task.Group()) ||
		s.settled(e.Task) || s.task(e.Task).live > 0 || slices.Contains(t.Invalid, e.Attempt) || s.job.outdated(e.Task, e.Attempt) ||
		s.job.group(e.Task.Group()).blind && !slices.Contains(t.Granted, e.Attempt) {
		s.do(Stop(e))
		return
	}
	s.openLanes()
	s.task(e.Task).live++
	w.used++
	s.attempts.add(&attempt{id: e.Attempt, task: e.Task, place: s.job.place(e.Task.Group()), worker: e.Worker, started: now})
}

// asked notes that an attempt asks for its grant. If the attempt has it, the grant
// is commanded again, because the first answer may be lost.
func (s *State) asked(now Time, e Asked) {
	a := s.attempts.get(e.Attempt)
	if a == nil || a.task != e.Task || !s.job.writes(s.job.place(e.Task.Group())) || s.job.Status != Running {
		return
	}
	if t := s.task(e.Task); t.grantee == e.Attempt && t.grantUntil > now {
		s.do(Grant(e))
		return
	}
	if !slices.Contains(s.asking, e) {
		s.asking = append(s.asking, e)
	}
}

// reported takes a success. The attempt need not be one that this master launched:
// work that finished under an earlier master counts too. An attempt that makes
// output counts only if the log granted it. A result that was invalidated never
// counts again, nor does one that may have been made of such a result.
func (s *State) reported(now Time, e Reported) {
	if a := s.end(e.Task, e.Attempt); a != nil {
		s.workers.succeeded(a.worker)
		if l := s.laneOf(e.Task); l.open {
			l.took.add(now - a.started)
		}
	}
	t := s.job.Task(e.Task)
	if t == nil || t.Committed || s.task(e.Task).reported || !s.job.active() {
		return
	}
	if s.job.writes(s.job.place(e.Task.Group())) && !slices.Contains(t.Granted, e.Winner) || slices.Contains(t.Invalid, e.Winner) || s.job.outdated(e.Task, e.Winner) {
		s.again(e.Task)
		return
	}
	s.unlogged = append(s.unlogged, e)
	s.task(e.Task).reported = true
}

// mostInvalid is how many outputs of a task may be lost or damaged. That is not the
// job's fault, so the job's number of attempts does not matter.
const mostInvalid = 4

// damaged notes that a result must be invalidated. It ignores an attempt that is
// not the task's result, in the log or on its way there.
func (s *State) damaged(e Corrupt) {
	if s.job.Status != Running || s.abort != nil || s.job.Task(e.Task) == nil || !s.job.replaceable(s.job.place(e.Task.Group())) || !s.settledBy(e.Task, e.Attempt) {
		return
	}
	if p := s.job.place(e.Task.Group()); p > prepare && s.job.Swept(p-1) && !s.job.graph.Steps[p-1].FromInput() {
		return // it was removed, or may be
	}
	if slices.ContainsFunc(s.corrupt, func(c Corrupt) bool { return c.Task == e.Task }) {
		return
	}
	if t := s.job.Task(e.Task); len(t.Invalid)-t.Before+1 >= mostInvalid {
		s.abort = &Cause{Kind: plan.Failed, Task: e.Task, Text: "its output was lost or damaged every time: " + e.Text}
		return
	}
	s.corrupt = append(s.corrupt, e)
}

// end removes an attempt from the running ones and frees its slot.
func (s *State) end(id plan.TaskID, attempt plan.AttemptID) *attempt {
	a := s.attempts.get(attempt)
	if a == nil || a.task != id {
		return nil
	}
	s.attempts.remove(a.id)
	s.workers.release(a.worker)
	l := &s.lanes[a.place]
	if w := s.workers.byID[a.worker]; w != nil {
		l.spans.ended(w, a.task.Index)
	}
	t := &l.tasks[a.task.Index]
	t.live--
	if t.grantee == a.id {
		t.grantUntil = 0
	}
	return a
}

// failed counts a failure and decides whether the task is retried.
func (s *State) failed(now Time, a *attempt, e FailedAttempt) {
	t := s.task(a.task)
	t.failures++
	t.avoid = a.worker
	repeated := e.Fingerprint != "" && e.Fingerprint == t.fingerprint
	t.fingerprint = e.Fingerprint
	if s.abort != nil || s.settled(a.task) {
		return
	}
	switch {
	case e.Kind == plan.Conflict:
		s.abort = &Cause{Kind: plan.Conflict, Text: e.Text}
	case e.Final || repeated || int(t.failures) >= s.cfg.MaxFailures:
		s.abort = &Cause{Kind: cmp.Or(e.Kind, plan.Failed), Task: a.task, Text: e.Text}
	case t.live == 0 && !t.queued && s.laneOf(a.task).open: // tasks of other lanes are queued when these open again
		t.queued = true
		l := s.laneOf(a.task)
		l.delayed = append(l.delayed, delayedTask{a.task.Index, now + s.cfg.Backoff<<min(t.failures-1, 5)})
	}
}

// lose counts a loss and queues the task again.
func (s *State) lose(_ Time, a *attempt) {
	s.end(a.task, a.id)
	t := s.task(a.task)
	t.lost++
	if s.abort == nil && int(t.lost) >= s.cfg.MaxLost && !s.settled(a.task) {
		s.abort = &Cause{Kind: plan.Failed, Task: a.task,
			Text: "its workers were lost every time it ran; it may need more memory than a worker has"}
		return
	}
	s.again(a.task)
}

// settled reports whether a task has a result, in the log or on its way there.
func (s *State) settled(id plan.TaskID) bool {
	return s.job.Task(id).Committed || s.task(id).reported
}

// settledBy reports whether the work of an attempt is a task's result, in the log
// or on its way there.
func (s *State) settledBy(id plan.TaskID, attempt plan.AttemptID) bool {
	if t := s.job.Task(id); t.Committed {
		return t.Attempt == attempt
	}
	return slices.ContainsFunc(s.unlogged, func(r Reported) bool { return r.Task == id && r.Winner == attempt })
}

// again queues a task that needs an attempt.
func (s *State) again(id plan.TaskID) {
	if l, t := s.laneOf(id), s.task(id); l.open && t.live == 0 && !t.queued && !s.settled(id) {
		t.queued = true
		l.queue.push(id.Index)
	}
}
