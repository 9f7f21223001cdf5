package master

import (
	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Sums are sums over the committed tasks of a job. Callers add the progress of
// running attempts.
type Sums struct {
	Input    int64 // bytes of the whole input; 0 until the job is planned
	LeftOut  plan.LeftOut
	Bytes    int64 // of input that maps have read
	Pairs    int64 // that maps have written
	Shuffled int64 // bytes of their runs
	Reduced  int64 // pairs that reduces have read
}

// Sum adds up the committed tasks of a job. The table is nil until the job is
// planned.
func Sum(s *scheduler.Job, table *attempts.Table) Sums {
	var c Sums
	for i := range s.Tasks(plan.Reduce) {
		c.Reduced += s.Task(plan.TaskID{Phase: plan.Reduce, Index: i}).Digest.In
	}
	if table == nil {
		return c
	}
	c.Input, c.LeftOut = table.Input, table.LeftOut
	for i := range s.Tasks(plan.Map) {
		t := s.Task(plan.TaskID{Phase: plan.Map, Index: i})
		if !t.Committed || i >= len(table.Splits) {
			continue
		}
		c.Bytes += table.Splits[i].Bytes()
		c.Pairs += t.Digest.Out
		if s.Tasks(plan.Reduce) > 0 {
			c.Shuffled += t.Digest.Bytes
		}
	}
	return c
}

// Fraction returns how much of a job is done, from 0 to 1: by bytes of input for
// maps, by pairs for reduces, half of the job each.
func (c *Sums) Fraction(s *scheduler.Job) float64 {
	read := share(c.Bytes, c.Input)
	switch {
	case s.Status == scheduler.Committing || s.Status == scheduler.Succeeded:
		return 1
	case s.Tasks(plan.Reduce) == 0:
		return read
	case s.Phase() == plan.Reduce:
		return (1 + share(c.Reduced, c.Pairs)) / 2
	default:
		return read / 2
	}
}

// share returns part of whole, from 0 to 1.
func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(float64(part)/float64(whole), 1)
}
