package scheduler

import (
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// Check returns an error that names the first invariant that s breaks, nil if
// it breaks none. It looks at every task and attempt: for tests and simulations.
func (s *State) Check() error {
	if err := s.job.check(); err != nil {
		return err
	}
	used := make(map[WorkerID]int)
	live := make(map[plan.TaskID]int32)
	for id, a := range s.attempts.byID {
		if id != a.id {
			return fmt.Errorf("attempt %v is filed as %v", a.id, id)
		}
		if s.workers.byID[a.worker] == nil {
			return fmt.Errorf("attempt %v runs on worker %s, which is gone", a.id, a.worker)
		}
		if s.job.Task(a.task) == nil {
			return fmt.Errorf("attempt %v is of task %v, which does not exist", a.id, a.task)
		}
		used[a.worker]++
		live[a.task]++
	}
	for id, w := range s.workers.byID {
		if w.used != used[id] {
			return fmt.Errorf("worker %s counts %d of %d slots used, %d attempts run there", id, w.used, w.slots, used[id])
		}
		if w.used < w.slots && !slices.Contains(s.workers.free, w) {
			return fmt.Errorf("worker %s has a free slot and is not offered", id)
		}
	}
	return s.checkTasks(live)
}

func (s *State) checkTasks(live map[plan.TaskID]int32) error {
	running := s.job.active() && s.log != deposed && s.log != replaying && s.abort == nil
	for p := range min(len(s.lanes), len(s.job.groups)) { // there are no lanes before Lead
		l, mayRun := &s.lanes[p], s.job.open(p)
		for i := range l.tasks {
			id := s.job.groupAt(p).Task(i)
			t, done := &l.tasks[i], s.settled(id)
			if t.live != live[id] {
				return fmt.Errorf("task %v counts %d running attempts, there are %d", id, t.live, live[id])
			}
			if s.job.groups[p].tasks[i].Committed && t.live > 0 && s.log == idle {
				return fmt.Errorf("task %v is committed and still runs", id)
			}
			if t.queued && !l.has(i) {
				return fmt.Errorf("task %v says that it is queued, and is not", id)
			}
			if running && s.job.Epoch == s.cfg.Epoch && l.open && mayRun && !done && t.live == 0 && !t.queued {
				return fmt.Errorf("task %v is forgotten: neither done, nor running, nor queued", id)
			}
		}
	}
	return nil
}

// has reports whether a task is in a place where it will be found.
func (l *lane) has(index int) bool {
	return l.spans.has(index) || slices.Contains(l.queue.items[l.queue.head:], index) ||
		slices.ContainsFunc(l.delayed, func(d delayedTask) bool { return d.index == index })
}

// check returns an error that names the first invariant that j breaks.
func (j *Job) check() error {
	for p := range j.groups {
		left := 0
		for i := range j.groups[p].tasks {
			t := &j.groups[p].tasks[i]
			switch {
			case !t.Committed:
				left++
			case t.Fixed && t.Digest != t.Was:
				return fmt.Errorf("task %v was run again and gave other output than results or parts were made of", j.groupAt(p).Task(i))
			case j.writes(p) && !slices.Contains(t.Granted, t.Attempt):
				return fmt.Errorf("task %v committed attempt %v, which was never granted", j.groupAt(p).Task(i), t.Attempt)
			}
		}
		if left != j.groups[p].left {
			return fmt.Errorf("%v has %d tasks left, counted %d", j.groupAt(p), left, j.groups[p].left)
		}
	}
	if (j.Status == Committing || j.Status == Succeeded) && !j.Done() {
		return fmt.Errorf("job is %v with tasks left, or with exchanges of unknown size", j.Status)
	}
	return nil
}
