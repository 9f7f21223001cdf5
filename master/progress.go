package master

import (
	"slices"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Sums are sums over the committed tasks of a job. Callers add the progress of
// running attempts by Add.
type Sums struct {
	Input    int64 // bytes of the whole input; 0 until the job is planned
	LeftOut  plan.LeftOut
	Bytes    int64 // of input that tasks have read
	Shuffled int64 // bytes of runs
	steps    []stepSum
}

// stepSum is how far a step is: bytes of a step that reads inputs, pairs of another.
type stepSum struct {
	group     plan.Group
	inputs    bool
	open      bool // its tasks may run
	done, all int64
}

// Sum adds up the committed tasks of a job. The table is nil until the job is
// planned.
func Sum(s *scheduler.Job, table *attempts.Table) Sums {
	var c Sums
	if table == nil {
		return c
	}
	c.Input, c.LeftOut = table.Input, table.LeftOut
	g := s.Graph()
	wrote := make([]int64, len(g.Steps)) // pairs
	for k := range g.Steps {
		step := &g.Steps[k]
		if g.Over(k) {
			continue
		}
		sum := stepSum{group: step.Group, inputs: step.FromInput(), open: s.Open(step.Group)}
		for i := range s.Tasks(step.Group) {
			t := s.Task(step.Task(i))
			bytes := splitBytes(table, step.Task(i))
			if sum.inputs {
				sum.all += bytes
			}
			if !t.Committed {
				continue
			}
			if sum.inputs {
				sum.done += bytes
			} else {
				sum.done += t.Digest.In
			}
			if len(step.Writes) > 0 {
				wrote[k] += t.Digest.Out
				c.Shuffled += t.Digest.Bytes
			}
		}
		if sum.inputs {
			c.Bytes += sum.done
		} else if step.Reads != plan.None {
			for _, w := range g.Exchanges[step.Reads].Writers {
				sum.all += wrote[w] / int64(len(g.Steps[w].Writes))
			}
		}
		if step.Phase != plan.Sample && step.Phase != plan.Decide {
			c.steps = append(c.steps, sum)
		}
	}
	return c
}

// splitBytes returns the size of the split that a task reads, 0 if it reads none.
func splitBytes(table *attempts.Table, task plan.TaskID) int64 {
	if i, ok := table.Split(task); ok {
		return table.Splits[i].Bytes()
	}
	return 0
}

// Clone returns a copy, to which the progress of running attempts can be added.
func (c *Sums) Clone() Sums {
	copied := *c
	copied.steps = slices.Clone(c.steps)
	return copied
}

// Add adds the progress of a running attempt.
func (c *Sums) Add(task plan.TaskID, bytes, records int64) {
	for i := range c.steps {
		s := &c.steps[i]
		switch {
		case s.group != task.Group():
		case s.inputs:
			s.done += bytes
			c.Bytes += bytes
		default:
			s.done += records
		}
	}
}

// Fraction returns how much of a job is done, from 0 to 1: by bytes of input for
// steps that read it, by pairs for the others. Every step counts the same, also those of
// rounds of a loop that may come.
func (c *Sums) Fraction(s scheduler.Status) float64 {
	if s == scheduler.Committing || s == scheduler.Succeeded {
		return 1
	}
	var sum float64
	for i := range c.steps {
		sum += c.steps[i].share()
	}
	return sum / float64(max(len(c.steps), 1))
}

// share returns how much of a step is done, from 0 to 1. A step that has not begun is
// not done, also if nothing is known of what it will read.
func (c *stepSum) share() float64 {
	if c.all <= 0 || !c.inputs && !c.open {
		return 0
	}
	return min(float64(c.done)/float64(c.all), 1)
}
