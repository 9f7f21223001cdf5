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
	for p := range s.tasks {
		for i := range s.tasks[p] {
			id := plan.TaskID{Phase: plan.Phase(p), Index: i}
			t, done := &s.tasks[p][i], s.settled(plan.TaskID{Phase: plan.Phase(p), Index: i})
			if t.live != live[id] {
				return fmt.Errorf("task %v counts %d running attempts, there are %d", id, t.live, live[id])
			}
			if s.job.tasks[p][i].Committed && t.live > 0 && s.log == idle {
				return fmt.Errorf("task %v is committed and still runs", id)
			}
			if t.queued && id.Phase == s.phase && !s.waits(id) {
				return fmt.Errorf("task %v says that it is queued, and is not", id)
			}
			if running && s.job.Epoch == s.cfg.Epoch && id.Phase == s.phase && !done && t.live == 0 && !t.queued {
				return fmt.Errorf("task %v is forgotten: neither done, nor running, nor queued", id)
			}
		}
	}
	return nil
}

// waits reports whether a task is in a place where it will be found.
func (s *State) waits(id plan.TaskID) bool {
	return id.Phase == plan.Reduce && s.spans.has(id.Index) || slices.Contains(s.queue.items[s.queue.head:], id.Index) ||
		slices.ContainsFunc(s.delayed, func(d delayedTask) bool { return d.index == id.Index })
}

// check returns an error that names the first invariant that j breaks.
func (j *Job) check() error {
	for p := range j.tasks {
		left := 0
		for i := range j.tasks[p] {
			t := &j.tasks[p][i]
			switch {
			case !t.Committed:
				left++
			case t.Fixed && t.Digest != t.Was:
				return fmt.Errorf("task %v/%d was run again and gave other output than parts were made of", plan.Phase(p), i)
			case j.writes(plan.Phase(p)) && !slices.Contains(t.Granted, t.Attempt):
				return fmt.Errorf("task %v/%d committed attempt %v, which was never granted", plan.Phase(p), i, t.Attempt)
			}
		}
		if left != j.left[p] {
			return fmt.Errorf("%v has %d tasks left, counted %d", plan.Phase(p), left, j.left[p])
		}
	}
	if (j.Status == Committing || j.Status == Succeeded) && j.Phase() != 0 {
		return fmt.Errorf("job is %v with %v tasks left", j.Status, j.Phase())
	}
	return nil
}
