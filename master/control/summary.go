package control

import (
	"cmp"
	"slices"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// history is what a reign has seen of a task, for people.
type history struct {
	attempts, failures, lost int
	attempt                  plan.AttemptID // the newest
	worker                   string         // that it was placed on
	started                  time.Time
	took                     time.Duration
	text                     string // why the newest that did not do it did not
}

// history returns a task's. j.mu is held.
func (j *job) history(id plan.TaskID) *history {
	h := j.tasks[id]
	if h == nil {
		h = new(history)
		j.tasks[id] = h
	}
	return h
}

var states = map[scheduler.Status]client.State{scheduler.Unplanned: client.Planning, scheduler.Running: client.Running,
	scheduler.Committing: client.Committing, scheduler.Aborting: client.Aborting, scheduler.Succeeded: client.Succeeded, scheduler.Failed: client.FailedJob}

var causes = map[plan.Kind]string{plan.Failed: "failed", plan.Cancelled: "cancelled", plan.Conflict: "conflict",
	plan.Inconsistent: "inconsistent", plan.Denied: "denied", plan.NotFound: "notFound", plan.Invalid: "usage"}

// outline returns what a spec says of a job.
func outline(s *plan.Spec) client.Job {
	return client.Job{ID: s.ID, Job: s.Job, Input: s.Input, Output: s.Output, OnExists: s.OnExists, Params: s.Params,
		Priority: s.Share(), Labels: s.Labels, State: client.Planning, Submitted: s.Submitted, Phases: []client.Phase{}}
}

// describe returns a job as the log has it, with what runs now.
func (j *job) describe(s *scheduler.Job) client.Job {
	placed := j.members.placedOf(j.id)
	j.account()
	j.mu.Lock()
	defer j.mu.Unlock()
	d := outline(j.spec)
	j.used.tell(&d)
	d.State, d.Run = states[s.Status], max(s.Run, j.run.Number)
	if s.Cause.Kind == plan.Cancelled && s.Status == scheduler.Failed {
		d.State = client.Cancelled
	}
	if s.Cause.Kind != 0 {
		d.Cause = &client.Cause{Kind: causes[s.Cause.Kind], Text: s.Cause.Text}
		if s.Cause.Task.Phase != 0 {
			d.Cause.Task = s.Cause.Task.String()
		}
	}
	if s.Status.Ended() && s.Run < j.run.Number { // it is to go on
		d.State, d.Cause = client.Planning, nil
	}
	if s.Status == scheduler.Running || s.Status == scheduler.Unplanned {
		if p := s.Phase(); p != 0 {
			d.Phase = p.String()
		}
	}
	running := make(map[plan.Phase]map[plan.TaskID]bool)
	workers := make(map[string]bool)
	for i := range placed {
		p := &placed[i]
		workers[p.worker] = true
		if running[p.Task.Phase] == nil {
			running[p.Task.Phase] = make(map[plan.TaskID]bool)
		}
		running[p.Task.Phase][p.Task] = true
	}
	d.Workers = len(workers)
	for p := plan.Prepare; p <= plan.Reduce; p++ {
		if n := s.Tasks(p); n > 0 {
			d.Phases = append(d.Phases, client.Phase{Phase: p.String(), Tasks: n, Committed: n - s.Left(p), Running: len(running[p])})
		}
	}
	d.Progress = j.progress(s, placed)
	return d
}

// progress tells how far the job has come, by bytes. What an attempt has read
// counts while it runs, and when the log has it; in between, and when it is made
// again, progress stands still. j.mu is held.
func (j *job) progress(s *scheduler.Job, placed []placement) client.Progress {
	p := client.Progress{Retried: j.retried}
	if j.sums.slots != s.Slots || j.sums.planner != j.planner {
		j.sums = j.addUp(s)
	}
	p.Bytes, p.Shuffled = j.sums.bytes, j.sums.shuffled
	pairs, reduced := j.sums.pairs, j.sums.reduced
	if j.table != nil {
		p.Input = j.table.Input
	}
	for i := range placed {
		switch placed[i].Task.Phase {
		case plan.Map:
			p.Bytes += placed[i].Bytes
		case plan.Reduce:
			reduced += placed[i].Records
		default:
		}
	}
	read := part(p.Bytes, p.Input)
	switch {
	case s.Status == scheduler.Committing || s.Status == scheduler.Succeeded:
		p.Fraction = 1
	case s.Tasks(plan.Reduce) == 0:
		p.Fraction = read
	case s.Phase() == plan.Reduce:
		p.Fraction = 0.5 + part(reduced, pairs)/2
	default:
		p.Fraction = read / 2
	}
	p.Bytes = min(max(p.Bytes, j.shown.Bytes), max(p.Input, p.Bytes))
	p.Fraction = max(p.Fraction, j.shown.Fraction)
	j.shown = p
	return p
}

// committedSums are what committed tasks come to, as of one state of the log: many
// may watch a job, and it may have many tasks.
type committedSums struct {
	slots                           uint64
	planner                         plan.AttemptID
	bytes, shuffled, pairs, reduced int64
}

// addUp adds up what committed tasks come to. j.mu is held.
func (j *job) addUp(s *scheduler.Job) committedSums {
	c := committedSums{slots: s.Slots, planner: j.planner}
	for i := range s.Tasks(plan.Reduce) {
		c.reduced += s.Task(plan.TaskID{Phase: plan.Reduce, Index: i}).Digest.In
	}
	if j.table == nil {
		return c
	}
	for i := range s.Tasks(plan.Map) {
		t := s.Task(plan.TaskID{Phase: plan.Map, Index: i})
		if !t.Committed || i >= len(j.table.Splits) {
			continue
		}
		c.bytes += j.table.Splits[i].Bytes()
		c.pairs += t.Digest.Out
		if s.Tasks(plan.Reduce) > 0 {
			c.shuffled += t.Digest.Bytes
		}
	}
	return c
}

func part(of, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(float64(of)/float64(whole), 1)
}

// placement is an attempt that runs.
type placement struct {
	cluster.Running
	worker string
	since  time.Duration
}

// placedOf returns what runs of a job, in the order of launches.
func (t *members) placedOf(id plan.JobID) []placement {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []placement
	for name, w := range t.workers {
		for ref, p := range w.placed {
			if ref.Job == id && !p.stop {
				r := p.Running
				r.Ref = ref
				all = append(all, placement{r, name, p.since})
			}
		}
	}
	slices.SortFunc(all, func(a, b placement) int {
		return cmp.Or(cmp.Compare(a.Attempt.Epoch, b.Attempt.Epoch), cmp.Compare(a.Attempt.N, b.Attempt.N))
	})
	return all
}

// row is a task as it was at some moment.
type row struct {
	id     plan.TaskID
	record scheduler.TaskRecord
	failed bool // the job, by it
}

// rows copies what the log says of all tasks. A job may have very many, so nothing
// is made of them here, on the shell's goroutine.
func rows(s *scheduler.Job) []row {
	var all []row
	for p := plan.Prepare; p <= plan.Reduce; p++ {
		all = slices.Grow(all, s.Tasks(p))
		for i := range s.Tasks(p) {
			id := plan.TaskID{Phase: p, Index: i}
			all = append(all, row{id, *s.Task(id), s.Status.Ended() && s.Cause.Task == id})
		}
	}
	return all
}

// list returns all tasks as they are now.
func (j *job) list(all []row, now time.Time) []client.Task {
	running := make(map[plan.TaskID]placement)
	for _, p := range j.members.placedOf(j.id) {
		running[p.Task] = p
	}
	j.mu.Lock()
	past := make(map[plan.TaskID]history, len(j.tasks))
	for id, h := range j.tasks {
		past[id] = *h
	}
	j.mu.Unlock()
	tasks := make([]client.Task, len(all))
	for i := range all {
		t := all[i].task()
		if h, ok := past[all[i].id]; ok {
			t.Attempts, t.Failures, t.Lost, t.Error = h.attempts, h.failures, h.lost, h.text
			t.Worker, t.Started, t.Seconds = h.worker, h.started, h.took.Seconds()
		}
		if r, ok := running[all[i].id]; ok && t.State == client.TaskWaiting {
			t.State, t.Attempt, t.Worker = client.TaskRunning, r.Attempt.String(), r.worker
			took := j.cfg.Clock() - r.since
			t.Started, t.Seconds = now.Add(-took), took.Seconds()
			t.Read = client.Amount{Records: r.Records, Bytes: r.Bytes}
		}
		tasks[i] = t
	}
	return tasks
}

// task returns what the log says of a task.
func (r *row) task() client.Task {
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
