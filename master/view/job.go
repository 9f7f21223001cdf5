package view

import (
	"sync"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Job is a run that a leader drives, as users see it.
type Job struct {
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed when state changes
	tasks   map[plan.TaskID]*history
	retried int64
	meter   progress
	ledger  Ledger
	trouble error // why the run does not proceed at present
}

// State is the part of a job's state whose changes clients wait for.
type State struct {
	Status scheduler.Status
	Phase  plan.Phase
	Left   int // tasks of the phase that are not committed
}

// history is the leader's record of a task.
type history struct {
	attempts, failures, lost int
	attempt                  plan.AttemptID // the newest
	worker                   string         // on which that was placed
	started                  time.Time
	took                     time.Duration
	text                     string // why the newest attempt that did not do the task did not
}

// NewJob returns the view of a run without any history.
func NewJob() *Job {
	return &Job{changed: make(chan struct{}), tasks: make(map[plan.TaskID]*history)}
}

// history returns the history of a task. j.mu is held.
func (j *Job) history(id plan.TaskID) *history {
	h := j.tasks[id]
	if h == nil {
		h = new(history)
		j.tasks[id] = h
	}
	return h
}

// Launched takes the launch of an attempt.
func (j *Job) Launched(task plan.TaskID, id plan.AttemptID, worker string, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := j.history(task)
	h.attempts++
	h.attempt, h.worker, h.started = id, worker, now
}

// Ended takes the end of an attempt.
func (j *Job) Ended(worker string, o *cluster.Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := j.history(o.Task)
	if h.attempt == o.Attempt || h.worker == "" {
		h.attempt, h.worker, h.took = o.Attempt, worker, o.Took
	}
	switch o.Result {
	case cluster.Failed:
		h.failures++
		h.text = o.Text
		j.retried++
	case cluster.Lost:
		h.lost++
		h.text = o.Text
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
		if p := s.Phase(); p != 0 {
			d.Phase = p.String()
		}
	}
	running := make(map[plan.Phase]map[plan.TaskID]bool)
	workers := make(map[string]bool)
	for i := range r.Placed {
		p := &r.Placed[i]
		workers[p.Worker] = true
		if running[p.Task.Phase] == nil {
			running[p.Task.Phase] = make(map[plan.TaskID]bool)
		}
		running[p.Task.Phase][p.Task] = true
	}
	d.Workers = len(workers)
	d.Phases = phases(s)
	for i := range d.Phases {
		for p, tasks := range running {
			if p.String() == d.Phases[i].Phase {
				d.Phases[i].Running = len(tasks)
			}
		}
	}
	d.Progress = j.meter.read(s, &r)
	d.Progress.Retried = j.retried
	return d
}
