package forecast

import "github.com/windrow-mr/windrow/plan"

// Foreseen reports whether a forecast has a step. How many rounds a loop runs is unknown:
// it has the first one.
func Foreseen(s *plan.Step) bool { return s.Round <= 1 }

// StepTasks returns the number of tasks of a step. Known is false where it follows from
// bytes that are not written yet: then it is an estimate from the size of the input.
//
//go:noinline
func StepTasks(g *plan.Graph, step int) (tasks int, known bool) {
	s := &g.Steps[step]
	if s.Reads == plan.None {
		return s.Tasks, true
	}
	x := &g.Exchanges[s.Reads]
	if x.Partitions > 0 {
		return x.Partitions, true
	}
	return plan.PartitionsFor(x.Estimate, g.Least, g.Most), false
}

// StepBytes returns the bytes that the tasks of a step read, if every step writes as
// many bytes as it reads.
func (j *Job) StepBytes(step int) int64 {
	g := &j.Table.Stages.Graph
	if s := &g.Steps[step]; s.Reads != plan.None {
		return g.Exchanges[s.Reads].Estimate
	}
	if g.Steps[step].Phase == plan.Decide {
		return 0
	}
	place := 0
	for i := range step {
		if g.Steps[i].FromInput() {
			place += g.Steps[i].Tasks
		}
	}
	var bytes int64
	for i := place; i < place+g.Steps[step].Tasks && i < len(j.Table.Splits); i++ {
		bytes += j.Table.Splits[i].Bytes()
	}
	return bytes
}

// stages adds the requests of the tasks of a job of several stages or outputs, with one
// round of each loop, except gets of what other tasks wrote.
func (j *Job) stages(r plan.Requests, s Sizes) {
	g := &j.Table.Stages.Graph
	place := 0
	for i := range g.Steps {
		if !g.Steps[i].FromInput() {
			continue
		}
		if Foreseen(&g.Steps[i]) {
			for read := range j.readings(j.Table.Splits[place:][:g.Steps[i].Tasks]) {
				add(r, read.store, plan.Usage{Gets: read.all()})
			}
		}
		place += g.Steps[i].Tasks
	}
	all := 0
	for i := range g.Steps {
		if !Foreseen(&g.Steps[i]) {
			continue
		}
		tasks, _ := StepTasks(g, i)
		all += tasks
		add(r, j.Scratch, times(tasks, j.Scratch.write(0))) // manifests
		for range g.Steps[i].Writes {
			add(r, j.Scratch, times(tasks, j.Scratch.write(j.StepBytes(i)/int64(max(tasks, 1)))))
		}
	}
	for _, n := range s.Parts {
		add(r, j.Output, j.Output.write(n))
	}
	add(r, j.Output, plan.Usage{Gets: 2, Deletes: 1}) // before the first part
	add(r, j.Scratch, plan.Usage{Gets: int64(all)})   // the commit reads all manifests
}

// stageParts returns the sizes of the parts of a job of several stages or outputs, if
// every task makes one of each output and writes as many bytes as it reads.
func (j *Job) stageParts() []int64 {
	var sizes []int64
	g := &j.Table.Stages.Graph
	for i := range g.Steps {
		if !g.Steps[i].Parts || !Foreseen(&g.Steps[i]) {
			continue
		}
		tasks, _ := StepTasks(g, i)
		for range tasks {
			sizes = append(sizes, j.StepBytes(i)/int64(tasks))
		}
	}
	return sizes
}
