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
	// Planned fixes the graph of the job, which is that of one shuffle of Counts if
	// Graph is nil. Attempt is the one that divided the input; an embedded run has
	// none. The graph must not be changed afterwards.
	Planned struct {
		Attempt plan.AttemptID
		plan.Counts
		Graph *plan.Graph
	}
	// Sized fixes the partitions of an exchange for which the plan has none. The
	// tasks that read it exist from then on. The first one of an exchange counts.
	Sized struct{ Exchange, Partitions int }
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
	// Invalidated revokes the result of a task that other tasks read: its runs are
	// lost or damaged, or what it read was not the input. The task runs again.
	//
	// Before is the newest attempt that the master had issued; only its epoch and
	// its number count. Attempts up to it may have read the revoked result, so those
	// of the steps that read it leave no result from then on, unless they were
	// granted. Where Before is zero, grants alone decide.
	Invalidated struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		Before  plan.AttemptID
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
	// Reopened lets a job that has failed continue. Results stay, except those of
	// steps that make parts: parts are gone, and are made again under other names.
	Reopened struct{}
	// Used has the numbers of an account since it was opened.
	Used struct {
		Account Account
		Usage   plan.Usage
	}
)

func (Fence) entry()       {}
func (Planned) entry()     {}
func (Sized) entry()       {}
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

// groupRecord is the state of a group's tasks in the log.
type groupRecord struct {
	tasks []TaskRecord
	left  int // not committed

	// used says that a task of the group was granted or has had a result in this
	// run: results and parts may have been made of what the group reads.
	used bool
	// bar is the newest of the attempts that may have read a result that was
	// invalidated; zero if there was none. See Invalidated.Before.
	bar plan.AttemptID
	// blind says that a result that the group reads was invalidated, and that it is
	// unknown which attempts may have read it.
	blind bool
}

// Job is the fold over a job's log.
type Job struct {
	Slots  uint64 // records folded so far; the next slot's number
	Epoch  uint64 // the highest epoch that fenced
	Status Status
	Cause  Cause
	Run    int           // how often it was reopened
	graph  *plan.Graph   // nil before the plan
	shape  *shape        // of graph
	groups []groupRecord // by place; there are none in a job of which nothing is known
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
		if j.Status == Unplanned {
			j.plan(e)
		}
	case Sized:
		if j.Status == Running {
			j.size(e)
		}
	case Granted:
		if t := j.Task(e.Task); t != nil && j.Status == Running && !t.Committed && !j.outdated(e.Task, e.Attempt) {
			t.Granted = append(t.Granted, e.Attempt)
			j.group(e.Task.Group()).used = true
		}
	case Committed:
		if t := j.Task(e.Task); t != nil && j.Status == Running && !t.Committed && !slices.Contains(t.Invalid, e.Attempt) && !j.outdated(e.Task, e.Attempt) {
			t.Committed, t.Attempt, t.Digest = true, e.Attempt, e.Digest
			g := j.group(e.Task.Group())
			g.used = true
			g.left--
			if e.Task.Phase == plan.Decide {
				j.decide(j.place(e.Task.Group())-1, e.Digest.Out > 0)
			}
		}
	case Invalidated:
		if t := j.Task(e.Task); t != nil && j.Status == Running && t.Committed && t.Attempt == e.Attempt {
			j.invalidate(t, e)
		}
	case Intent:
		if j.Status == Running && j.Done() {
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

// plan fixes the graph of a job. A graph that cannot be run is ignored: no master
// appends one.
func (j *Job) plan(e Planned) {
	g := e.Graph
	switch {
	case g == nil:
		one := plan.OneShuffle(e.Counts)
		g = &one
	case CheckGraph(g) != nil:
		return
	}
	j.setGraph(g)
	j.groups = make([]groupRecord, 1+len(g.Steps))
	for p := range j.groups {
		j.groups[p].tasks = []TaskRecord{}
		if p > 0 {
			j.groups[p].setTasks(g.TasksOf(p - 1))
		}
	}
	if e.Attempt != (plan.AttemptID{}) {
		j.groups[prepare].tasks = []TaskRecord{{Committed: true, Attempt: e.Attempt}}
	}
	j.Status = Running
}

func (g *groupRecord) setTasks(n int) { g.tasks, g.left = make([]TaskRecord, n), n }

// size fixes the partitions of an exchange.
func (j *Job) size(e Sized) {
	if e.Exchange < 0 || e.Exchange >= len(j.graph.Exchanges) || j.graph.Exchanges[e.Exchange].Partitions != 0 ||
		e.Partitions < 1 || e.Partitions > plan.MostPartitions {
		return
	}
	g := *j.graph // others may read the graph as it was
	g.Exchanges = slices.Clone(g.Exchanges)
	g.Exchanges[e.Exchange].Partitions = e.Partitions
	j.graph = &g
	for i := range g.Steps {
		if g.Steps[i].Reads == e.Exchange {
			j.groups[placeOf(i)].setTasks(g.TasksOf(i))
		}
	}
}

// decide lets the next round of a loop come, or ends the loop. Only the first decision
// on a round counts; see Job.invalidate.
func (j *Job) decide(step int, goesOn bool) {
	g := j.graph.Decided(step, goesOn)
	if g == j.graph {
		return
	}
	j.setGraph(g)
	for i := range g.Steps {
		p := placeOf(i)
		if n := g.TasksOf(i); n != len(j.groups[p].tasks) {
			j.groups[p].setTasks(n)
		}
	}
}

// invalidate revokes the result of a task, if other tasks read it. Where results or
// parts may have been made of it, its digest is fixed.
func (j *Job) invalidate(t *TaskRecord, e Invalidated) {
	p := j.place(e.Task.Group())
	readers := j.shape.readers[p]
	if len(readers) == 0 {
		return
	}
	t.Committed = false
	t.Invalid = append(t.Invalid, e.Attempt)
	j.groups[p].left++
	for _, r := range readers {
		g := &j.groups[r]
		// A decision has its consequences at once.
		if (g.used || e.Task.Phase == plan.Decide) && !t.Fixed {
			t.Fixed, t.Was = true, t.Digest
		}
		switch {
		case e.Before == plan.AttemptID{}:
			g.blind = true
		case newer(e.Before, g.bar):
			g.bar = e.Before
		}
	}
}

// newer reports whether an attempt was issued after another one.
func newer(a, b plan.AttemptID) bool {
	return a.Epoch > b.Epoch || a.Epoch == b.Epoch && a.N > b.N
}

// outdated reports whether an attempt may have read a result that was invalidated
// since, and so must leave none. An attempt that was granted may have made a part:
// it counts, and what it has read must be made again as it was.
func (j *Job) outdated(id plan.TaskID, attempt plan.AttemptID) bool {
	bar := j.group(id.Group()).bar
	return bar != (plan.AttemptID{}) && !newer(attempt, bar) && !slices.Contains(j.Task(id).Granted, attempt)
}

// planned reports whether the tasks are fixed. A plan without tasks, which no
// attempt made, is made again.
func (j *Job) planned() bool {
	return j.graph != nil && (!j.plain() || slices.ContainsFunc(j.groups, func(g groupRecord) bool { return len(g.tasks) > 0 }))
}

// reopen begins the next run of a job. There are no parts of the run before.
func (j *Job) reopen() {
	j.Run++
	j.Status, j.Cause = Running, Cause{}
	if !j.planned() {
		j.Status = Unplanned
		j.setGraph(nil)
		j.groups = j.groups[:min(len(j.groups), 1)]
	}
	for p := range j.groups {
		if j.writes(p) {
			j.groups[p].used = false
		}
	}
	for p := range j.groups {
		g := &j.groups[p]
		for i := range g.tasks {
			t := &g.tasks[i]
			t.Before = len(t.Invalid)
			if j.writes(p) {
				g.left += j.restart(p, t)
			} else if !j.usedBy(p) && j.groupAt(p).Phase != plan.Decide {
				t.Fixed, t.Was = false, Digest{}
			}
		}
	}
}

// restart lets a task whose parts are gone start again, and returns by how many the
// tasks that are left grow. Where others may have read its result, it must be made
// again as it was.
func (j *Job) restart(p int, t *TaskRecord) int {
	var fresh TaskRecord
	read := len(j.shape.readers[p]) > 0
	switch {
	case read && t.Fixed:
		fresh.Fixed, fresh.Was = true, t.Was
	case read && t.Committed:
		fresh.Fixed, fresh.Was = true, t.Digest
	}
	grown := 0
	if t.Committed {
		grown = 1
	}
	*t = fresh
	return grown
}

// usedBy reports whether anything may have been made in this run of what a group
// left.
func (j *Job) usedBy(p int) bool {
	return j.shape != nil && slices.ContainsFunc(j.shape.readers[p], func(r int) bool { return j.groups[r].used })
}

// expectPlan gives a job that is not planned yet the task of planning.
func (j *Job) expectPlan() {
	if j.Status == Unplanned && len(j.groups) == 0 {
		j.groups = make([]groupRecord, 1)
	}
	if j.Status == Unplanned && len(j.groups[prepare].tasks) == 0 {
		j.groups[prepare].setTasks(1)
	}
}

// active reports whether tasks may run.
//
//go:noinline
func (j *Job) active() bool {
	return j.Status == Running || j.Status == Unplanned && j.open(prepare)
}

// conserved checks that every pair that a task passed on was read once. Pairs of side
// inputs are not counted: they have no step that reads them. Where an exchange is read by
// several steps, the numbers cannot be compared.
func (j *Job) conserved() (Cause, bool) {
	reads := make([]int, len(j.graph.Exchanges))
	var wrote, read int64
	for i := range j.graph.Steps {
		s := &j.graph.Steps[i]
		for _, t := range j.groups[placeOf(i)].tasks {
			if len(s.Writes) > 0 {
				wrote += t.Digest.Out
			}
			if s.Reads != plan.None {
				read += t.Digest.In
			}
		}
		if s.Reads != plan.None && !j.graph.Off(i) {
			reads[s.Reads]++
		}
	}
	if wrote == read || slices.ContainsFunc(reads, func(n int) bool { return n > 1 }) {
		return Cause{}, true
	}
	text := "map tasks wrote %d pairs but reduce tasks read %d"
	if !j.plain() {
		text = "the tasks of all stages wrote %d pairs for later ones, which read %d"
	}
	return Cause{Kind: plan.Inconsistent, Text: fmt.Sprintf(
		text+"; the output was not committed: this is a defect of the engine or of the store, please report it", wrote, read)}, false
}
