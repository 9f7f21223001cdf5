package scheduler

import (
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// lane is what a master knows of the tasks of a group beyond the log. While it is
// open, those that must be started wait in it.
type lane struct {
	tasks   []taskState
	open    bool
	queue   taskQueue // of tasks that may start now
	spans   spans     // of tasks that may start now, too
	delayed []delayedTask
	took    durations // of attempts that succeeded since the lane was opened
	lookAt  Time      // when slow attempts are looked for again
}

//go:noinline
func (s *State) laneOf(id plan.TaskID) *lane { return &s.lanes[s.job.place(id.Group())] }

// abandon leaves the spans of a worker that is gone to other workers.
func (s *State) abandon(w *worker) {
	for _, h := range w.spans {
		orphans := &s.lanes[h.place].spans.orphans
		*orphans = append(*orphans, h.number)
	}
	w.spans = nil
}

// openLanes opens the lanes of steps that may run now and have tasks left, and shuts
// the others.
func (s *State) openLanes() {
	if !s.stale {
		return
	}
	s.openNow = s.openNow[:0]
	for p := range s.lanes {
		switch wanted := p < len(s.job.groups) && s.job.groups[p].left > 0 && s.job.open(p); {
		case !wanted:
			s.shut(p)
			continue
		case !s.lanes[p].open:
			s.openLane(p)
		}
		s.openNow = append(s.openNow, p)
	}
	s.stale = false
}

// openLane queues the tasks of a group that may run from now on.
func (s *State) openLane(p int) {
	l := &s.lanes[p]
	l.open, l.took, l.lookAt = true, durations{}, 0
	inSpans := s.enqueueSpans(p)
	for i := range l.tasks {
		if !s.job.groups[p].tasks[i].Committed {
			l.tasks[i].queued = true
			if !inSpans {
				l.queue.push(i)
			}
		}
	}
}

// shut empties a lane.
func (s *State) shut(p int) {
	l := &s.lanes[p]
	if !l.open {
		return
	}
	s.stale = true
	for i := range l.tasks {
		l.tasks[i].queued = false
	}
	l.open, l.queue, l.delayed, l.spans = false, taskQueue{}, nil, spans{}
	for _, w := range s.workers.byID {
		w.spans = slices.DeleteFunc(w.spans, func(h heldSpan) bool { return h.place == p })
	}
}

// enqueueSpans queues the tasks of a step that reads an exchange in spans, if
// Config.Adjacent asks for it.
func (s *State) enqueueSpans(p int) bool {
	if p == prepare || s.job.graph.Steps[p-1].Reads == plan.None || s.cfg.Adjacent < 2 {
		return false
	}
	slots := 0
	for _, w := range s.workers.byID {
		slots += w.slots
	}
	s.lanes[p].spans = newSpans(len(s.lanes[p].tasks), s.cfg.Adjacent, slots)
	s.lanes[p].spans.place = p
	return true
}

// assign starts queued tasks on free slots. The open lanes get slots in turn.
func (s *State) assign(now Time) {
	if !s.job.active() || s.job.Epoch != s.cfg.Epoch || s.abort != nil || len(s.corrupt) > 0 {
		return // an attempt that reads an output which will be invalidated would be lost at once
	}
	s.openLanes()
	for _, p := range s.openNow {
		s.enqueueDelayed(now, &s.lanes[p])
	}
	at, _ := slices.BinarySearch(s.openNow, s.served+1)
	for empty := 0; empty < len(s.openNow); at++ {
		p := s.openNow[at%len(s.openNow)]
		switch started, full := s.startNext(now, p); {
		case full:
			s.wakeExcluded(now)
			return
		case started:
			s.served, empty = p, 0
		default:
			empty++
		}
	}
	s.speculate(now)
}

// startNext starts the next task of a lane. It reports whether there was one, and
// whether there is no slot for one.
func (s *State) startNext(now Time, p int) (started, full bool) {
	l := &s.lanes[p]
	for {
		index, ok := l.queue.pop()
		if !ok {
			return s.startSpan(now, p)
		}
		if !s.wants(p, index) {
			continue
		}
		w := s.workers.take(now, l.tasks[index].avoid)
		if w == nil {
			l.queue.unpop()
			return false, true
		}
		s.launch(now, s.job.groupAt(p).Task(index), w)
		return true, false
	}
}

// startSpan starts the next task of a lane's spans.
func (s *State) startSpan(now Time, p int) (started, full bool) {
	l := &s.lanes[p]
	if l.spans.left == 0 {
		return false, false
	}
	w := s.workers.take(now, "")
	if w == nil {
		return false, true
	}
	index, ok := l.spans.pick(w)
	for ok && !s.wants(p, index) {
		l.spans.ended(w, index)
		index, ok = l.spans.pick(w)
	}
	if !ok {
		s.workers.release(w.id)
		return false, false
	}
	s.launch(now, s.job.groupAt(p).Task(index), w)
	return true, false
}

// wants reports whether a task that was queued must still be started.
func (s *State) wants(p, index int) bool {
	t := &s.lanes[p].tasks[index]
	t.queued = t.live == 0 && !t.reported && !s.job.groups[p].tasks[index].Committed
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
	p := s.job.place(id.Group())
	t := &s.lanes[p].tasks[id.Index]
	t.queued = false
	t.live++
	s.issued++
	a := &attempt{id: plan.AttemptID{Epoch: s.cfg.Epoch, N: s.issued, Rand: s.cfg.Rand}, task: id, place: p, worker: w.id, started: now}
	s.attempts.add(a)
	s.do(Launch{a.worker, a.task, a.id})
}

// enqueueDelayed queues the tasks that have waited long enough, and asks for a Tick
// for the next one.
func (s *State) enqueueDelayed(now Time, l *lane) {
	var next Time
	l.delayed = slices.DeleteFunc(l.delayed, func(d delayedTask) bool {
		if d.at <= now {
			l.queue.push(d.index)
			return true
		}
		if next == 0 || d.at < next {
			next = d.at
		}
		return false
	})
	s.wake(now, next)
}
