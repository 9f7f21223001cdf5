package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"
)

// Digest is the part of an attempt's work that the log keeps.
type Digest = plan.Digest

// Cause says why a job ends without output.
type Cause struct {
	Kind plan.Kind   // Unknown where there is no cause
	Task plan.TaskID // the zero TaskID where no task is to blame
	Text string
}

// String returns the cause as a sentence for users.
func (c Cause) String() string {
	name := fmt.Sprintf("task %v: ", c.Task)
	if c.Task.Phase == 0 || strings.HasPrefix(c.Text, name) {
		return c.Text
	}
	return name + c.Text
}

// Entry is an event in the life of a job, as the log keeps it.
type Entry interface{ entry() }

// The entries of the log.
type (
	// Fence is a new master's first entry. Records of lower epochs in later
	// slots count for nothing.
	Fence struct{}
	// Planned fixes the number of tasks of each phase. Attempt is the one that
	// divided the input; an embedded run has none.
	Planned struct {
		Attempt plan.AttemptID
		plan.Counts
	}
	// Granted allows an attempt to make its part visible.
	Granted struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Committed makes an attempt's work the task's result.
	Committed struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		Digest  Digest
	}
	// Invalidated revokes the result of a map task: its runs are lost or damaged,
	// or what it read was not the input. The task runs again.
	Invalidated struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Intent is the point of no return: every task is committed, and the
	// output will be.
	Intent struct{}
	// Aborted ends the job without output. After Intent it counts only when the
	// commit was refused for good: a user's wish (Cause.Kind Cancelled) comes too
	// late.
	Aborted struct{ Cause Cause }
	// Done says that the job has ended: the output is committed, or what the job
	// wrote is gone.
	Done struct{}
	// Reopened lets a job that has failed continue. The output of maps stays; parts
	// are gone, and are made again under other names.
	Reopened struct{}
	// Used has the numbers of an account since it was opened.
	Used struct {
		Account Account
		Usage   plan.Usage
	}
)

func (Fence) entry()       {}
func (Planned) entry()     {}
func (Granted) entry()     {}
func (Committed) entry()   {}
func (Invalidated) entry() {}
func (Intent) entry()      {}
func (Aborted) entry()     {}
func (Done) entry()        {}
func (Reopened) entry()    {}
func (Used) entry()        {}

// Record is one slot of the log: the entries that one master appended at once.
type Record struct {
	Epoch   uint64
	Entries []Entry
}

// Status is the state of a job in its life.
type Status uint8

// The statuses. A job goes down this list, from Running either to Committing
// or to Aborting, and ends Succeeded or Failed. From Failed it can be reopened.
const (
	Unplanned Status = iota
	Running
	Committing // Intent is logged
	Aborting   // Aborted is logged
	Succeeded
	Failed
)

var statusNames = [...]string{"unplanned", "running", "committing", "aborting", "succeeded", "failed"}

// String returns the status in lower case.
func (s Status) String() string { return statusNames[s] }

// Ended reports whether the job has ended.
func (s Status) Ended() bool { return s == Succeeded || s == Failed }

// TaskRecord is the state of a task in the log.
type TaskRecord struct {
	Committed bool
	Attempt   plan.AttemptID // the committed one
	Digest    Digest
	Granted   []plan.AttemptID // in order of their grants

	Invalid []plan.AttemptID // whose results were invalidated
	// Fixed says that parts may have been made of a result that was invalidated:
	// the result that replaces it must have the Digest Was.
	Fixed bool
	Was   Digest

	Before int // how many of Invalid are of earlier runs, which do not count against this one
}

// Job is the fold over a job's log.
type Job struct {
	Slots  uint64 // records folded so far; the next slot's number
	Epoch  uint64 // the highest epoch that fenced
	Status Status
	Cause  Cause
	Run    int // how often it was reopened
	tasks  [plan.Reduce + 1][]TaskRecord
	left   [plan.Reduce + 1]int // tasks not committed
	parts  bool                 // a reduce was granted, so there may be parts
	used   map[Account]plan.Usage
}

// Fold adds the record of the next slot. A record of a deposed master changes only
// the count of slots.
func (j *Job) Fold(r Record) {
	j.Slots++
	for _, e := range r.Entries {
		if _, ok := e.(Fence); ok && r.Epoch > j.Epoch {
			j.Epoch = r.Epoch
		}
		if r.Epoch == j.Epoch {
			j.fold(e)
		}
	}
}

func (j *Job) fold(e Entry) {
	switch e := e.(type) {
	case Planned:
		if j.Status != Unplanned {
			return
		}
		j.left = [plan.Reduce + 1]int{plan.Sample: e.Samples, plan.Map: e.Maps, plan.Reduce: e.Reduces}
		for p, n := range j.left {
			j.tasks[p] = make([]TaskRecord, n)
		}
		if e.Attempt != (plan.AttemptID{}) {
			j.tasks[plan.Prepare] = []TaskRecord{{Committed: true, Attempt: e.Attempt}}
		}
		j.Status = Running
	case Granted:
		if t := j.Task(e.Task); t != nil && j.Status == Running && !t.Committed {
			t.Granted = append(t.Granted, e.Attempt)
			j.parts = true
		}
	case Committed:
		if t := j.Task(e.Task); t != nil && j.Status == Running && !t.Committed && !slices.Contains(t.Invalid, e.Attempt) {
			t.Committed, t.Attempt, t.Digest = true, e.Attempt, e.Digest
			j.left[e.Task.Phase]--
		}
	case Invalidated:
		if t := j.Task(e.Task); t != nil && j.Status == Running && j.replaceable(e.Task.Phase) && t.Committed && t.Attempt == e.Attempt {
			t.Committed = false
			t.Invalid = append(t.Invalid, e.Attempt)
			if j.parts && !t.Fixed {
				t.Fixed, t.Was = true, t.Digest
			}
			j.left[e.Task.Phase]++
		}
	case Intent:
		if j.Status == Running && j.Phase() == 0 {
			j.Status = Committing
		}
	case Aborted:
		if j.Status == Unplanned || j.Status == Running || j.Status == Committing && e.Cause.Kind != plan.Cancelled {
			j.Status, j.Cause = Aborting, e.Cause
		}
	case Done:
		switch j.Status {
		case Committing:
			j.Status = Succeeded
		case Aborting:
			j.Status = Failed
		default:
		}
	case Reopened:
		if j.Status == Failed {
			j.reopen()
		}
	case Used:
		j.use(e)
	case Fence:
	}
}

// planned reports whether the tasks are fixed.
func (j *Job) planned() bool {
	return j.Tasks(plan.Prepare) > j.left[plan.Prepare] || j.Tasks(plan.Sample)+j.Tasks(plan.Map)+j.Tasks(plan.Reduce) > 0
}

// reopen begins the next run of a job. There are no parts of the run before.
func (j *Job) reopen() {
	j.Run++
	j.Status, j.Cause, j.parts = Running, Cause{}, false
	if !j.planned() {
		j.Status = Unplanned
	}
	for p := range j.tasks {
		for i := range j.tasks[p] {
			t := &j.tasks[p][i]
			t.Fixed, t.Was, t.Before = false, Digest{}, len(t.Invalid)
			if !j.writes(plan.Phase(p)) {
				continue
			}
			if t.Committed {
				j.left[p]++
			}
			*t = TaskRecord{}
		}
	}
}

// expectPlan gives a job that is not planned yet the task of planning.
func (j *Job) expectPlan() {
	if j.Status == Unplanned && j.Tasks(plan.Prepare) == 0 {
		j.tasks[plan.Prepare], j.left[plan.Prepare] = make([]TaskRecord, 1), 1
	}
}

// active reports whether tasks may run.
func (j *Job) active() bool {
	return j.Status == Running || j.Status == Unplanned && j.left[plan.Prepare] > 0
}

// Task returns the state of a task in the log, nil when there is no such task.
func (j *Job) Task(id plan.TaskID) *TaskRecord {
	if id.Phase < plan.Prepare || id.Phase > plan.Reduce || id.Index < 0 || id.Index >= len(j.tasks[id.Phase]) {
		return nil
	}
	return &j.tasks[id.Phase][id.Index]
}

// Tasks returns the number of tasks of a phase.
func (j *Job) Tasks(p plan.Phase) int { return len(j.tasks[p]) }

// Left returns the number of a phase's tasks that are not committed.
func (j *Job) Left(p plan.Phase) int { return j.left[p] }

// Phase returns the phase whose tasks may run now: the first one that has
// tasks left; 0 when none has.
func (j *Job) Phase() plan.Phase {
	for p := plan.Prepare; p <= plan.Reduce; p++ {
		if j.left[p] > 0 {
			return p
		}
	}
	return 0
}

// writes reports whether attempts of a phase make parts of the output: reduces do,
// and maps where there are no reduces.
func (j *Job) writes(p plan.Phase) bool {
	return p == plan.Reduce || p == plan.Map && len(j.tasks[plan.Reduce]) == 0
}

// replaceable reports whether results of a phase can be invalidated: those of maps,
// which only reduces read.
func (j *Job) replaceable(p plan.Phase) bool { return p == plan.Map && len(j.tasks[plan.Reduce]) > 0 }

// replaced reports whether the result of any map was invalidated.
func (j *Job) replaced() bool {
	return slices.ContainsFunc(j.tasks[plan.Map], func(t TaskRecord) bool { return len(t.Invalid) > 0 })
}

// conserved checks that every pair that a map wrote was read by a reduce.
func (j *Job) conserved() (Cause, bool) {
	if len(j.tasks[plan.Reduce]) == 0 {
		return Cause{}, true
	}
	var wrote, read int64
	for i := range j.tasks[plan.Map] {
		wrote += j.tasks[plan.Map][i].Digest.Out
	}
	for i := range j.tasks[plan.Reduce] {
		read += j.tasks[plan.Reduce][i].Digest.In
	}
	if wrote == read {
		return Cause{}, true
	}
	return Cause{Kind: plan.Inconsistent, Text: fmt.Sprintf(
		"map tasks wrote %d pairs but reduce tasks read %d; the output was not committed: this is a defect of the engine or of the store, please report it", wrote, read)}, false
}
