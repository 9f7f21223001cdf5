package scheduler

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// MostName is the greatest length of a stage's name in the log, in bytes.
const MostName = 120

// CheckGraph returns an error unless the graph is one that can be run and logged. It
// may come from another process.
func CheckGraph(g *plan.Graph) error {
	for i := range g.Steps {
		if n := len(g.Steps[i].Stage); n > MostName {
			return fmt.Errorf("the name of a stage has %d bytes, at most %d are possible", n, MostName)
		}
	}
	return g.Check()
}

// The place of a group is the index of its tasks in Job and State. Planning comes
// first, then the steps in the order of the graph.
const prepare = 0

func placeOf(step int) int { return step + 1 }

// shape is what follows from a graph, whatever the sizes of its exchanges and the rounds
// of its loops that have come.
type shape struct {
	places  map[plan.Group]int
	unnamed [plan.LastPhase + 1]int // places of the groups without a stage, by phase
	waits   [][]int                 // places of the groups that must be done before, by place
	readers [][]int                 // places of the groups that read what it leaves, by place
}

func shapeOf(g *plan.Graph) *shape {
	s := &shape{places: make(map[plan.Group]int, len(g.Steps)), waits: make([][]int, 1+len(g.Steps)), readers: make([][]int, 1+len(g.Steps))}
	for phase := range s.unnamed {
		s.unnamed[phase] = plan.None
	}
	for i := range g.Steps {
		p, group := placeOf(i), g.Steps[i].Group
		s.places[group] = p
		if group.Stage == "" {
			s.unnamed[group.Phase] = p
		}
		for _, step := range g.Waits(i) {
			before := placeOf(step)
			s.waits[p] = append(s.waits[p], before)
			s.readers[before] = append(s.readers[before], p)
		}
	}
	return s
}

//go:noinline
func (j *Job) setGraph(g *plan.Graph) {
	j.graph, j.shape = g, nil
	if g != nil {
		j.shape = shapeOf(g)
	}
}

// Graph returns the graph of the job, with the sizes of exchanges and the rounds of loops
// that are known by now; it is empty before the plan. It must not be changed. It never
// changes: the job gets another one when an exchange gets its size, or a loop its next
// round.
func (j *Job) Graph() *plan.Graph {
	if j.graph == nil {
		return new(plan.Graph)
	}
	return j.graph
}

// place returns the place of a group, or None.
//
//go:noinline
func (j *Job) place(g plan.Group) int {
	switch {
	case g.Stage == "" && g.Phase == plan.Prepare:
		return prepare
	case j.shape == nil || g.Phase > plan.LastPhase:
		return plan.None
	case g.Stage == "":
		return j.shape.unnamed[g.Phase]
	}
	if p, ok := j.shape.places[g]; ok {
		return p
	}
	return plan.None
}

// group returns the tasks of a group, nil when there is no such group.
//
//go:noinline
func (j *Job) group(g plan.Group) *groupRecord {
	if p := j.place(g); p != plan.None && p < len(j.groups) {
		return &j.groups[p]
	}
	return nil
}

// Task returns the state of a task in the log, nil when there is no such task.
func (j *Job) Task(id plan.TaskID) *TaskRecord {
	g := j.group(id.Group())
	if g == nil || id.Index < 0 || id.Index >= len(g.tasks) {
		return nil
	}
	return &g.tasks[id.Index]
}

// Tasks returns the number of tasks of a group; 0 as long as it is not known.
//
//go:noinline
func (j *Job) Tasks(group plan.Group) int {
	if g := j.group(group); g != nil {
		return len(g.tasks)
	}
	return 0
}

// Left returns the number of a group's tasks that are not committed.
func (j *Job) Left(group plan.Group) int {
	if g := j.group(group); g != nil {
		return g.left
	}
	return 0
}

// Done reports whether the tasks of all steps are known and committed.
func (j *Job) Done() bool {
	if j.graph == nil {
		return false
	}
	if slices.ContainsFunc(j.groups, func(g groupRecord) bool { return g.left > 0 }) {
		return false
	}
	for x := range j.graph.Exchanges {
		if j.graph.Exchanges[x].Partitions == 0 && !j.graph.Unused(x) {
			return false
		}
	}
	return j.graph.Looped()
}

// Open reports whether tasks of a group may run now: every step that it waits for is
// done, and every exchange that it writes has its size.
func (j *Job) Open(group plan.Group) bool {
	p := j.place(group)
	return p != plan.None && j.open(p)
}

func (j *Job) open(p int) bool {
	if p == prepare {
		return j.graph == nil && len(j.groups) > 0 && j.groups[p].left > 0
	}
	if !j.ready(p) {
		return false
	}
	for _, x := range j.graph.Steps[p-1].Writes {
		if j.graph.Exchanges[x].Partitions == 0 {
			return false
		}
	}
	return true
}

// ready reports whether a group has tasks, and every step that it waits for is done.
func (j *Job) ready(p int) bool {
	if j.graph.Off(p - 1) {
		return false
	}
	for _, before := range j.shape.waits[p] {
		if !j.done(before) {
			return false
		}
	}
	return true
}

// done reports whether the tasks of a step are known and committed, or it never has
// any.
func (j *Job) done(p int) bool {
	if j.graph.Off(p - 1) {
		return j.graph.Over(p - 1)
	}
	reads := j.graph.Steps[p-1].Reads
	return j.groups[p].left == 0 && (reads == plan.None || j.graph.Exchanges[reads].Partitions > 0)
}

// Current returns the groups that have tasks which may run now and are not
// committed, in the order of the graph.
func (j *Job) Current() []plan.Group {
	var all []plan.Group
	for p := range j.groups {
		if j.groups[p].left > 0 && j.open(p) {
			all = append(all, j.groupAt(p))
		}
	}
	return all
}

// groupAt returns the name of the group at a place.
func (j *Job) groupAt(p int) plan.Group {
	if p == prepare {
		return plan.Group{Phase: plan.Prepare}
	}
	return j.graph.Steps[p-1].Group
}

// writes reports whether attempts of a group may make parts of the output.
func (j *Job) writes(p int) bool { return p > prepare && j.graph.Steps[p-1].Parts }

// replaceable reports whether results of a group can be invalidated: those that other
// tasks read.
func (j *Job) replaceable(p int) bool { return p > prepare && len(j.shape.readers[p]) > 0 }

// plain reports whether the graph is the one of a job of one shuffle. Its log and
// its snapshots have the form that they had before there were others.
func (j *Job) plain() bool {
	one := plan.OneShuffle(j.counts())
	return reflect.DeepEqual(*j.graph, one)
}

// counts returns the numbers of tasks by phase, for a job of one shuffle.
func (j *Job) counts() plan.Counts {
	count := func(p plan.Phase) int { return j.Tasks(plan.Group{Phase: p}) }
	return plan.Counts{Samples: count(plan.Sample), Maps: count(plan.Map), Reduces: count(plan.Reduce)}
}

// bars reports whether an invalidation of a group's result must say which attempts
// may have read it. In a job of one shuffle grants decide: only attempts that make
// parts read the result.
func (j *Job) bars(p int) bool {
	if !j.plain() {
		return true
	}
	for _, r := range j.shape.readers[p] {
		if !j.writes(r) {
			return true
		}
	}
	return false
}

// sizes returns the sizes of the exchanges that have none and get one now, because
// a step that writes them has what it waits for.
func (j *Job) sizes() []Sized {
	var all []Sized
	for x := range j.graph.Exchanges {
		if e := &j.graph.Exchanges[x]; e.Partitions == 0 {
			for _, step := range e.Writers {
				if j.ready(placeOf(step)) {
					all = append(all, Sized{x, plan.PartitionsFor(j.measured(x), j.graph.Least, j.graph.Most)})
					break
				}
			}
		}
	}
	return all
}

// measured returns the number of bytes of which an exchange is made: of those that
// its writers read, as far as they are made, and at least the estimate unless they
// are all made.
func (j *Job) measured(x int) int64 {
	var sum int64
	all := true
	counted := make(map[int]bool)
	e := &j.graph.Exchanges[x]
	for _, step := range e.Writers {
		reads := j.graph.Steps[step].Reads
		if reads == plan.None {
			all = false
			continue
		}
		for _, before := range j.graph.Exchanges[reads].Writers {
			p := placeOf(before)
			if all = all && j.done(p); counted[p] {
				continue
			}
			counted[p] = true
			for i := range j.groups[p].tasks {
				if t := &j.groups[p].tasks[i]; t.Committed {
					sum += t.Digest.Bytes
				}
			}
		}
	}
	if all {
		return sum
	}
	return max(sum, e.Estimate)
}
