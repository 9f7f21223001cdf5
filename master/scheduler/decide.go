package scheduler

import (
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// mostEntries bounds a record: the object of a slot has a greatest size. The entries
// that are left follow in the next record.
const mostEntries = 1 << 14

// decide does everything that the state allows: it appends the entries that are
// wanted if no append is in flight, starts tasks, and ends the job.
func (s *State) decide(now Time) {
	if s.log == idle && !s.finished {
		if entries := s.wanted(now); len(entries) > 0 {
			entries = s.withUsed(entries[:min(len(entries), mostEntries)])
			s.inFlight = entries
			s.log = appending
			s.do(Append{Slot: s.job.Slots, Record: Record{Epoch: s.cfg.Epoch, Entries: entries}})
		}
	}
	s.assign(now)
	if s.log == idle {
		s.conclude(now)
	}
}

// wanted returns the entries that the log should have next, derived from Job and
// State.
func (s *State) wanted(now Time) []Entry {
	if s.job.Epoch < s.cfg.Epoch && (!s.job.Status.Ended() || s.reopen) {
		return []Entry{Fence{}}
	}
	switch s.job.Status {
	case Unplanned:
		if s.abort != nil {
			return []Entry{Aborted{*s.abort}}
		}
		return s.wantedPlan()
	case Running:
		return s.wantedRunning(now)
	case Committing:
		if s.refused {
			return []Entry{Aborted{*s.abort}}
		}
		if s.answered {
			return []Entry{Done{}}
		}
	case Aborting:
		if s.answered {
			return []Entry{Done{}}
		}
	case Failed:
		if s.reopen {
			return []Entry{Reopened{}}
		}
	default:
	}
	return nil
}

// wantedPlan fixes the tasks as soon as they are known.
func (s *State) wantedPlan() []Entry {
	planned := Planned{Counts: s.cfg.Counts, Graph: s.cfg.Graph}
	if s.cfg.Prepare {
		i := slices.IndexFunc(s.unlogged, func(r Reported) bool { return r.Task.Phase == plan.Prepare })
		if i < 0 {
			return nil
		}
		r := &s.unlogged[i]
		planned = Planned{r.Winner, r.Counts, r.Graph}
	}
	if planned.Graph != nil {
		if err := CheckGraph(planned.Graph); err != nil {
			s.abort = &Cause{Kind: plan.Failed, Text: fmt.Sprintf("the job was divided into steps that cannot be run: %v: this is a defect of the engine, please report it", err)}
			return []Entry{Aborted{*s.abort}}
		}
		planned.Counts = plan.Counts{}
	}
	return []Entry{planned}
}

func (s *State) wantedRunning(now Time) []Entry {
	if s.abort != nil {
		return []Entry{Aborted{*s.abort}}
	}
	var entries []Entry
	for _, r := range s.unlogged {
		if t := s.job.Task(r.Task); t.Fixed && t.Was != r.Digest {
			s.abort = &Cause{Kind: plan.Inconsistent, Task: r.Task, Text: s.changedText()}
			return []Entry{Aborted{*s.abort}}
		}
		entries = append(entries, Committed{r.Task, r.Winner, r.Digest})
	}
	for _, c := range s.corrupt {
		if s.job.Task(c.Task).Committed {
			entries = append(entries, s.invalidation(c))
		}
	}
	for _, e := range s.sizes {
		entries = append(entries, e)
	}
	if len(s.corrupt) == 0 {
		entries = s.wantedGrants(now, entries)
	}
	if len(entries) == 0 && s.job.Done() {
		if cause, ok := s.job.conserved(); !ok {
			s.abort = &cause
			return []Entry{Aborted{cause}}
		}
		return []Entry{Intent{}}
	}
	return entries
}

// changedText returns why a job fails in which a lost result was made again and is
// another one.
func (s *State) changedText() string {
	users, function := "later tasks", "a function"
	if s.job.plain() {
		users, function = "reduce tasks", "a map function"
	}
	return fmt.Sprintf("its output was lost, and when it ran again it gave another one, after %s had used the first: "+
		"%s must give the same for the same input; see jobs.Once, and jobstest.Strict", users, function)
}

// invalidation returns the entry that revokes a result.
func (s *State) invalidation(c Corrupt) Invalidated {
	i := Invalidated{Task: c.Task, Attempt: c.Attempt}
	if s.job.bars(s.job.place(c.Task.Group())) {
		i.Before = plan.AttemptID{Epoch: s.cfg.Epoch, N: s.issued}
	}
	return i
}

// wantedGrants grants each task's first asking attempt, unless the task has a
// grant that still holds.
func (s *State) wantedGrants(now Time, entries []Entry) []Entry {
	stamp := s.job.Slots + 1
	for _, a := range s.asking {
		if s.attempts.get(a.Attempt) == nil {
			continue
		}
		t := s.task(a.Task)
		if t.grantUntil > now {
			s.wake(now, t.grantUntil)
			continue
		}
		if t.proposed != stamp && !s.settled(a.Task) {
			t.proposed = stamp
			entries = append(entries, Granted(a))
		}
	}
	return entries
}

// granted commands the grant of an attempt, which the log has now.
func (s *State) granted(now Time, g Granted) {
	s.asking = slices.DeleteFunc(s.asking, func(a Asked) bool { return a.Attempt == g.Attempt })
	if s.attempts.get(g.Attempt) == nil || s.settled(g.Task) || !slices.Contains(s.job.Task(g.Task).Granted, g.Attempt) {
		return // the attempt ended meanwhile, and its grant with it
	}
	t := s.task(g.Task)
	t.grantee, t.grantUntil = g.Attempt, now+s.cfg.GrantTimeout
	s.do(Grant(g))
}

// planned stops the other attempts at planning.
func (s *State) planned() {
	if id := (plan.TaskID{Phase: plan.Prepare}); s.job.Task(id) != nil {
		s.stopAll(id)
	}
}

// committed stops the other attempts at a task whose result is in the log.
func (s *State) committed(c Committed) { s.stopAll(c.Task) }

func (s *State) stopAll(id plan.TaskID) {
	if s.task(id).live > 0 {
		for _, a := range s.attempts.those(func(a *attempt) bool { return a.task == id }) {
			s.do(Stop{a.worker, a.task, a.id})
			s.end(a.task, a.id)
		}
	}
}

// invalidated runs a task again. Attempts under way of the steps that read what it
// left have read its earlier output. Those that may have made a part continue, the
// others start again.
func (s *State) invalidated(i Invalidated) {
	if t := s.job.Task(i.Task); t == nil || t.Committed || s.job.graph == nil {
		return
	}
	readers := s.job.shape.readers[s.job.place(i.Task.Group())]
	for _, a := range s.attempts.those(func(a *attempt) bool { return slices.Contains(readers, a.place) }) {
		if !slices.Contains(s.job.Task(a.task).Granted, a.id) {
			s.do(Stop{a.worker, a.task, a.id})
			s.end(a.task, a.id)
		}
	}
	for _, p := range readers {
		s.shut(p) // all its tasks are queued when it opens again
	}
	s.again(i.Task)
}

// forget drops reports and questions that the log has answered, and those of
// attempts that are gone.
func (s *State) forget() {
	s.unlogged = slices.DeleteFunc(s.unlogged, func(r Reported) bool {
		done, outdated := s.job.Task(r.Task).Committed, s.job.outdated(r.Task, r.Winner)
		if done || outdated {
			s.task(r.Task).reported = false
			s.again(r.Task)
		}
		return done || outdated
	})
	s.corrupt = slices.DeleteFunc(s.corrupt, func(c Corrupt) bool { return !s.settledBy(c.Task, c.Attempt) })
	s.asking = slices.DeleteFunc(s.asking, func(a Asked) bool {
		return s.attempts.get(a.Attempt) == nil || s.job.Task(a.Task).Committed
	})
}

// drain stops every attempt of a job that is being aborted. An attempt that holds a
// grant may be making its part visible: the clean-up waits for its answer, or for
// the end of its grant. Grants of earlier masters, or of an earlier State of this
// one, are waited for as if they had been given when this State began.
func (s *State) drain(now Time) {
	if s.drained {
		return
	}
	s.drained = true
	for _, a := range s.attempts.those(func(*attempt) bool { return true }) {
		s.do(Stop{a.worker, a.task, a.id})
		if t := s.task(a.task); t.grantee == a.id && t.grantUntil > now {
			s.drainUntil = max(s.drainUntil, t.grantUntil)
		} else {
			s.end(a.task, a.id)
		}
	}
	for p := range s.job.groups {
		for i := range s.job.groups[p].tasks {
			t := &s.job.groups[p].tasks[i]
			foreign := slices.ContainsFunc(t.Granted, func(id plan.AttemptID) bool { return id.Epoch != s.cfg.Epoch || id.Rand != s.cfg.Rand })
			if foreign && !t.Committed {
				s.strangers = true
				s.drainUntil = max(s.drainUntil, s.began+s.cfg.GrantTimeout)
			}
		}
	}
}

// conclude commands the end of the job.
func (s *State) conclude(now Time) {
	switch s.job.Status {
	case Committing:
		if !s.commanded {
			s.commanded = true
			s.do(CommitOutput{})
		}
	case Aborting:
		s.drain(now)
		if s.refused {
			s.refused, s.commanded, s.answered = false, false, false
		}
		switch {
		case s.commanded:
		case (s.attempts.len() > 0 || s.strangers) && now < s.drainUntil:
			s.wake(now, s.drainUntil)
		default:
			s.commanded = true
			s.do(CleanUp{})
		}
	case Succeeded, Failed:
		if !s.finished && !s.reopen {
			s.finished = true
			s.do(Finish{s.job.Status, s.job.Cause})
		}
	default:
	}
}

// wake asks for a Tick at a time, unless an earlier one was asked for.
func (s *State) wake(now, at Time) {
	if at > now && (s.woken == 0 || at < s.woken) {
		s.woken = at
		s.do(Wake{at})
	}
}

//go:noinline
func (s *State) task(id plan.TaskID) *taskState { return &s.laneOf(id).tasks[id.Index] }
