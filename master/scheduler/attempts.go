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
		s.spans.abandon(w)
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

// found takes over an attempt that runs already, if it can still do its task. A
// reduce that has read the output of a map before that was invalidated must not
// make a part: it starts again, unless the log has granted it.
func (s *State) found(now Time, e Found) {
	if s.attempts.get(e.Attempt) != nil {
		return
	}
	t := s.job.Task(e.Task)
	w := s.workers.byID[e.Worker]
	if t == nil || w == nil || !s.job.active() || s.job.Epoch != s.cfg.Epoch || s.abort != nil || e.Task.Phase != s.job.Phase() ||
		s.settled(e.Task) || s.task(e.Task).live > 0 || slices.Contains(t.Invalid, e.Attempt) ||
		e.Task.Phase == plan.Reduce && s.job.replaced() && !slices.Contains(t.Granted, e.Attempt) {
		s.do(Stop(e))
		return
	}
	s.enqueuePhase()
	s.task(e.Task).live++
	w.used++
	s.attempts.add(&attempt{id: e.Attempt, task: e.Task, worker: e.Worker, started: now})
}

// asked notes that an attempt asks for its grant. If the attempt has it, the grant
// is commanded again, because the first answer may be lost.
func (s *State) asked(now Time, e Asked) {
	a := s.attempts.get(e.Attempt)
	if a == nil || a.task != e.Task || !s.job.writes(e.Task.Phase) || s.job.Status != Running {
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
// counts again.
func (s *State) reported(now Time, e Reported) {
	if a := s.end(e.Task, e.Attempt); a != nil {
		s.workers.succeeded(a.worker)
		if e.Task.Phase == s.phase {
			s.took.add(now - a.started)
		}
	}
	t := s.job.Task(e.Task)
	if t == nil || t.Committed || s.task(e.Task).reported || !s.job.active() {
		return
	}
	if s.job.writes(e.Task.Phase) && !slices.Contains(t.Granted, e.Winner) || slices.Contains(t.Invalid, e.Winner) {
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
	if !s.job.replaceable(e.Task.Phase) || s.job.Status != Running || s.abort != nil || s.job.Task(e.Task) == nil || !s.settledBy(e.Task, e.Attempt) {
		return
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
	if w := s.workers.byID[a.worker]; w != nil && a.task.Phase == plan.Reduce {
		s.spans.ended(w, a.task.Index)
	}
	t := s.task(a.task)
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
	case t.live == 0 && !t.queued && a.task.Phase == s.phase: // tasks of other phases are queued when their phase comes again
		t.queued = true
		s.delayed = append(s.delayed, delayedTask{a.task.Index, now + s.cfg.Backoff<<min(t.failures-1, 5)})
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
	if t := s.task(id); id.Phase == s.phase && t.live == 0 && !t.queued && !s.settled(id) {
		t.queued = true
		s.queue.push(id.Index)
	}
}

// assign starts queued tasks on free slots.
func (s *State) assign(now Time) {
	if !s.job.active() || s.job.Epoch != s.cfg.Epoch || s.abort != nil || len(s.corrupt) > 0 {
		return // an attempt that reads an output which will be invalidated would be lost at once
	}
	s.enqueuePhase()
	s.enqueueDelayed(now)
	for {
		index, ok := s.queue.pop()
		if !ok {
			s.assignSpans(now)
			return
		}
		if !s.wants(index) {
			continue
		}
		id := plan.TaskID{Phase: s.phase, Index: index}
		w := s.workers.take(now, s.task(id).avoid)
		if w == nil {
			s.queue.unpop()
			s.wakeExcluded(now)
			return
		}
		s.launch(now, id, w)
	}
}

// assignSpans starts the tasks of spans on the slots that are left, and then second
// attempts.
func (s *State) assignSpans(now Time) {
	for s.spans.left > 0 {
		w := s.workers.take(now, "")
		if w == nil {
			s.wakeExcluded(now)
			return
		}
		index, ok := s.spans.pick(w)
		for ok && !s.wants(index) {
			s.spans.ended(w, index)
			index, ok = s.spans.pick(w)
		}
		if !ok {
			s.workers.release(w.id)
			break
		}
		s.launch(now, plan.TaskID{Phase: s.phase, Index: index}, w)
	}
	s.speculate(now)
}

// wants reports whether a task that was queued must still be started.
func (s *State) wants(index int) bool {
	id := plan.TaskID{Phase: s.phase, Index: index}
	t := s.task(id)
	t.queued = t.live == 0 && !s.settled(id)
	return t.queued
}

// wakeExcluded asks for a Tick when the first excluded worker may work again.
func (s *State) wakeExcluded(now Time) {
	if s.workers.shunned <= now {
		return
	}
	var next Time
	for _, w := range s.workers.byID {
		if w.until > now && w.used < w.slots && (next == 0 || w.until < next) {
			next = w.until
		}
	}
	s.wake(now, next)
}

func (s *State) launch(now Time, id plan.TaskID, w *worker) {
	t := s.task(id)
	t.queued = false
	t.live++
	s.issued++
	a := &attempt{id: plan.AttemptID{Epoch: s.cfg.Epoch, N: s.issued, Rand: s.cfg.Rand}, task: id, worker: w.id, started: now}
	s.attempts.add(a)
	s.do(Launch{a.worker, a.task, a.id})
}

// enqueuePhase queues the tasks of a phase that has just begun.
func (s *State) enqueuePhase() {
	p := s.job.Phase()
	if p == s.phase || p == 0 {
		return
	}
	for i := range s.tasks[s.phase] {
		s.tasks[s.phase][i].queued = false // the queue starts empty
	}
	s.phase, s.queue, s.delayed, s.took, s.lookAt = p, taskQueue{}, nil, durations{}, 0
	inSpans := s.enqueueSpans()
	for i := range s.tasks[p] {
		if !s.job.tasks[p][i].Committed {
			s.tasks[p][i].queued = true
			if !inSpans {
				s.queue.push(i)
			}
		}
	}
}

// enqueueSpans queues the reduces in spans, if Config.Adjacent asks for it.
func (s *State) enqueueSpans() bool {
	s.spans = spans{}
	slots := 0
	for _, w := range s.workers.byID {
		w.spans = nil
		slots += w.slots
	}
	if s.phase != plan.Reduce || s.cfg.Adjacent < 2 {
		return false
	}
	s.spans = newSpans(len(s.tasks[plan.Reduce]), s.cfg.Adjacent, slots)
	return true
}

// enqueueDelayed queues the tasks that have waited long enough, and asks for a Tick
// for the next one.
func (s *State) enqueueDelayed(now Time) {
	var next Time
	s.delayed = slices.DeleteFunc(s.delayed, func(d delayedTask) bool {
		if d.at <= now {
			s.queue.push(d.index)
			return true
		}
		if next == 0 || d.at < next {
			next = d.at
		}
		return false
	})
	s.wake(now, next)
}
