package scheduler

import (
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// Groups returns the groups of tasks that the job has, in the order in which they wait
// for each other: planning first, where a task does it. Rounds of loops are among them
// when they have come.
func (j *Job) Groups() []plan.Group {
	var all []plan.Group
	if planning := (plan.Group{Phase: plan.Prepare}); j.Tasks(planning) > 0 {
		all = append(all, planning)
	}
	g := j.Graph()
	for i := range g.Steps {
		if !g.Off(i) {
			all = append(all, g.Steps[i].Group)
		}
	}
	return all
}

// Front returns the first group that has tasks which may run now and are not committed;
// the zero Group when there is none.
func (j *Job) Front() plan.Group {
	if all := j.Current(); len(all) > 0 {
		return all[0]
	}
	return plan.Group{}
}

// Waiting returns how many tasks may run now and are not committed.
func (j *Job) Waiting() int {
	n := 0
	for _, g := range j.Current() {
		n += j.Left(g)
	}
	return n
}

// Results returns the attempts that count of a step, by task. A task that is not
// committed has the zero id.
func (j *Job) Results(step int) plan.Results {
	group := j.Graph().Steps[step].Group
	r := plan.Results{Group: group, Attempts: make([]plan.AttemptID, j.Tasks(group))}
	for i := range r.Attempts {
		if t := j.Task(group.Task(i)); t.Committed {
			r.Attempts[i] = t.Attempt
		}
	}
	return r
}

// Work returns what the tasks of a group read and write. It is whole when the group is
// open.
func (j *Job) Work(group plan.Group) plan.Work {
	g := j.Graph()
	at := g.Find(group)
	if at == plan.None {
		return plan.Work{}
	}
	var w plan.Work
	step := &g.Steps[at]
	if step.Reads != plan.None {
		w.Partitions = g.Exchanges[step.Reads].Partitions
		for _, writer := range g.Exchanges[step.Reads].Writers {
			w.Reads = append(w.Reads, j.Results(writer))
		}
	}
	for _, before := range step.Observes {
		w.Observes = append(w.Observes, j.Results(before))
	}
	for _, x := range step.Sides {
		var from plan.Side
		for _, writer := range g.Exchanges[x].Writers {
			from.Reads = append(from.Reads, j.Results(writer))
		}
		w.Sides = append(w.Sides, from)
	}
	for _, x := range step.Writes {
		to := plan.Write{Partitions: g.Exchanges[x].Partitions}
		for _, sampled := range g.Exchanges[x].Sampled {
			to.Sampled = append(to.Sampled, j.Results(sampled))
		}
		w.Writes = append(w.Writes, to)
	}
	return w
}

// Generation numbers the work of a group: it changes when a result that its tasks read
// was invalidated, or was given up because the job was reopened. It is the same under
// every leader, and 0 for a group whose tasks read no results.
func (j *Job) Generation(group plan.Group) uint64 {
	g := j.Graph()
	at := g.Find(group)
	if at == plan.None {
		return 0
	}
	waits := g.Waits(at)
	if len(waits) == 0 {
		return 0
	}
	n := uint64(j.Run)<<32 + 1
	for _, step := range waits {
		from := g.Steps[step].Group
		for i := range j.Tasks(from) {
			n += uint64(len(j.Task(from.Task(i)).Invalid))
		}
	}
	return n
}

// Swept reports whether the runs of a step can be removed: only tasks of rounds read
// them, and these have ended, with a round after them. One round more is kept, so that
// what is lost needs no more than that to be made again.
func (j *Job) Swept(step int) bool {
	g := j.Graph()
	if j.Status != Running || len(g.Steps[step].Writes) == 0 || len(g.Loops) == 0 {
		return false
	}
	for _, p := range j.shape.readers[placeOf(step)] {
		r := &g.Steps[p-1]
		if r.Loop == 0 || r.Round+1 >= g.Loops[r.Loop-1].Round || !j.done(p) {
			return false
		}
	}
	return true
}

// Writes reports whether attempts of a group make parts of the output.
func (j *Job) Writes(group plan.Group) bool {
	g := j.Graph()
	at := g.Find(group)
	return at != plan.None && g.Steps[at].Parts
}

// Stages reports whether the job has several stages or outputs.
func (j *Job) Stages() bool {
	return slices.ContainsFunc(j.Graph().Steps, func(s plan.Step) bool { return s.Stage != "" }) || len(j.Graph().Exchanges) > 1
}
