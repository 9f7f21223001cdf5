package view

import (
	"sync"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/history"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Job is a run that a leader drives, as users see it.
type Job struct {
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed when state changes
	tasks   map[plan.TaskID]*past
	retried int64
	failure string // of the newest attempt that failed
	meter   progress
	ledger  Ledger
	trouble error // why the run does not proceed at present
}

// State is the part of a job's state whose changes clients wait for.
type State struct {
	Status scheduler.Status
	Phase  plan.Group
	Left   int // tasks that may run now and are not committed
}

// past is the leader's record of a task.
type past struct {
	history.Task
	attempt plan.AttemptID // the newest
}

// NewJob returns the view of a run without any history.
func NewJob() *Job {
	return &Job{changed: make(chan struct{}), tasks: make(map[plan.TaskID]*past)}
}

// past returns the record of a task. j.mu is held.
func (j *Job) past(id plan.TaskID) *past {
	h := j.tasks[id]
	if h == nil {
		h = &past{Task: history.Task{ID: id}}
		j.tasks[id] = h
	}
	return h
}

// Remember takes the record of an earlier run of the job. It counts until this run
// has its own of a task.
func (j *Job) Remember(tasks []history.Task) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range tasks {
		if _, known := j.tasks[tasks[i].ID]; !known {
			j.tasks[tasks[i].ID] = &past{Task: tasks[i]}
		}
	}
}

// Measured takes the time and the bytes of an attempt that counts, by its manifest.
// It may have ended under another leader.
func (j *Job) Measured(id plan.TaskID, took time.Duration, read int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := j.past(id)
	h.Attempts = max(h.Attempts, 1)
	h.Read = max(h.Read, read)
	if h.Took == 0 {
		h.Took = took
	}
}

// Record returns the record of all tasks that were tried, in the order of the rows.
func (j *Job) Record(rows []Row) []history.Task {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []history.Task
	for i := range rows {
		if h := j.tasks[rows[i].id]; h != nil {
			all = append(all, h.Task)
		}
	}
	return all
}

// Launched takes the launch of an attempt.
func (j *Job) Launched(task plan.TaskID, id plan.AttemptID, worker string, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := j.past(task)
	h.Attempts++
	h.attempt, h.Worker, h.Started, h.Took = id, worker, now, 0
}

// Ended takes the end of an attempt.
func (j *Job) Ended(worker string, o *cluster.Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := j.past(o.Task)
	if h.attempt == o.Attempt || h.Worker == "" {
		h.attempt, h.Worker, h.Took = o.Attempt, worker, o.Took
	}
	switch o.Result {
	case cluster.Failed:
		h.Failures++
		h.Text, j.failure = o.Text, o.Text
		j.retried++
	case cluster.Lost:
		h.Lost++
		h.Text = o.Text
		j.retried++
	default:
	}
}

// Misread takes the discovery that an input object was misread.
func (j *Job) Misread() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.retried++
}

// Retried returns how many attempts failed, were lost, or read damaged input.
func (j *Job) Retried() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.retried
}

// LastFailure returns why the newest attempt that failed did; "" when none has.
func (j *Job) LastFailure() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// Proceed takes the reason why the run does not proceed at present; nil when it
// does.
func (j *Job) Proceed(trouble error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trouble = trouble
}

// Trouble returns why the run does not proceed at present; nil when it does.
func (j *Job) Trouble() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.trouble
}

// Follow takes the state that the log has now, and wakes the clients that wait
// for a change.
func (j *Job) Follow(now State) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now == j.state {
		return
	}
	j.state = now
	close(j.changed)
	j.changed = make(chan struct{})
}

// Changed returns a channel that is closed when the state changes.
func (j *Job) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Close wakes the clients that wait, when the run is no longer driven. Follow must
// not be called after it.
func (j *Job) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
}

// Run is the part of a description that a Job does not know: the caller has it
// from elsewhere.
type Run struct {
	Spec   *plan.Spec
	Number int                 // of the run, counted from 0
	Table  *attempts.Table     // nil until the job is planned
	Made   plan.AttemptID      // the attempt that made the table
	Placed []members.Placement // attempts that run
}

// Describe returns the job by its log and its running attempts. A job that has
// ended is described as one that is ending: its counters exist only with its
// summary.
func (j *Job) Describe(s *scheduler.Job, r Run) client.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := Outline(r.Spec)
	j.ledger.Describe(&d)
	d.State, d.Run = StateOf(s), max(s.Run, r.Number)
	if s.Cause.Kind != plan.Unknown {
		d.Cause = causeOf(&s.Cause)
	}
	if s.Status.Ended() && s.Run < r.Number { // the log does not have the new run yet
		d.State, d.Cause = client.Planning, nil
	}
	if s.Status == scheduler.Running || s.Status == scheduler.Unplanned {
		if g := s.Front(); g.Phase != 0 {
			d.Phase = g.String()
		}
	}
	running := make(map[string]map[plan.TaskID]bool) // by group
	workers := make(map[string]bool)
	for i := range r.Placed {
		p := &r.Placed[i]
		workers[p.Worker] = true
		group := p.Task.Group().String()
		if running[group] == nil {
			running[group] = make(map[plan.TaskID]bool)
		}
		running[group][p.Task] = true
	}
	d.Workers = len(workers)
	d.Phases = phases(s)
	for i := range d.Phases {
		d.Phases[i].Running = len(running[d.Phases[i].Phase])
	}
	d.Progress = j.meter.read(s, &r)
	d.Progress.Retried = j.retried
	return d
}
