package view

import (
	"slices"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/history"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Row is a task, as the log had it at some moment.
type Row struct {
	id     plan.TaskID
	record scheduler.TaskRecord
	failed bool // it made the job fail
}

// Rows copies the log's records of all tasks. It only copies, because it runs on
// the goroutine of the job's shell, and a job may have very many tasks.
func Rows(s *scheduler.Job) []Row {
	var all []Row
	for _, g := range s.Groups() {
		all = slices.Grow(all, s.Tasks(g))
		for i := range s.Tasks(g) {
			id := g.Task(i)
			all = append(all, Row{id, *s.Task(id), s.Status.Ended() && s.Cause.Task == id})
		}
	}
	return all
}

// Tasks returns tasks by the log and by the record of a run that has ended. The text
// is the cause of the job's end.
func Tasks(all []Row, text string, recorded []history.Task) []client.Task {
	known := make(map[plan.TaskID]*history.Task, len(recorded))
	for i := range recorded {
		known[recorded[i].ID] = &recorded[i]
	}
	tasks := make([]client.Task, len(all))
	for i := range all {
		tasks[i] = all[i].task()
		if h := known[all[i].id]; h != nil {
			addRecord(&tasks[i], h)
		}
		if all[i].failed {
			tasks[i].Error = text
		}
	}
	return tasks
}

// Tasks returns tasks as they are now: by the log, by this leader's own record of
// them, and by the attempts that are placed. Clock and now are the same moment, on
// the master's clock and as a date.
func (j *Job) Tasks(all []Row, placed []members.Placement, clock time.Duration, now time.Time) []client.Task {
	running := make(map[plan.TaskID]members.Placement)
	for _, p := range placed {
		running[p.Task] = p
	}
	known := j.records()
	tasks := make([]client.Task, len(all))
	for i := range all {
		t := all[i].task()
		if h, ok := known[all[i].id]; ok {
			addRecord(&t, &h)
		}
		if r, ok := running[all[i].id]; ok && t.State == client.TaskWaiting {
			t.State, t.Attempt, t.Worker = client.TaskRunning, r.Attempt.String(), r.Worker
			took := clock - r.Since
			t.Started, t.Seconds = now.Add(-took), took.Seconds()
			t.Read = client.Amount{Records: r.Records, Bytes: r.Bytes}
		}
		tasks[i] = t
	}
	return tasks
}

// addRecord adds the record of a task to its description by the log.
func addRecord(t *client.Task, h *history.Task) {
	t.Attempts, t.Failures, t.Lost, t.Error = h.Attempts, h.Failures, h.Lost, h.Text
	t.Worker, t.Started, t.Seconds, t.Read.Bytes = h.Worker, h.Started, h.Took.Seconds(), h.Read
}

// records returns a copy of the records of tasks.
func (j *Job) records() map[plan.TaskID]history.Task {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make(map[plan.TaskID]history.Task, len(j.tasks))
	for id, h := range j.tasks {
		all[id] = h.Task
	}
	return all
}

// task returns a task by the log.
func (r *Row) task() client.Task {
	t := client.Task{Task: r.id.String(), State: client.TaskWaiting}
	switch {
	case r.record.Committed:
		t.State, t.Attempt, t.Attempts = client.TaskCommitted, r.record.Attempt.String(), 1
		t.Read.Records = r.record.Digest.In
		t.Written = client.Amount{Records: r.record.Digest.Out, Bytes: r.record.Digest.Bytes}
	case r.failed:
		t.State = client.TaskFailed
	}
	return t
}
