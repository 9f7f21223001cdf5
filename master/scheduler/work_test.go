package scheduler

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestReopenedJobsHaveNewWork verifies that the work of a step changes its number when a
// job is reopened: attempts of the run before must not count in it.
func TestReopenedJobsHaveNewWork(t *testing.T) {
	t.Parallel()
	g := &plan.Graph{
		Steps: []plan.Step{
			{Group: plan.Group{Phase: plan.Map}, Tasks: 1, Reads: plan.None, Writes: []int{0}, Parts: true},
			{Group: plan.Group{Stage: "a", Phase: plan.Reduce}, Reads: 0, Parts: true},
		},
		Exchanges: []plan.Exchange{{Writers: []int{0}, Partitions: 1}},
	}
	id := plan.AttemptID{Epoch: 1, N: 1}
	read := plan.TaskID{Phase: plan.Map}
	j := new(Job)
	j.Fold(Record{1, []Entry{Fence{}, Planned{Graph: g}, Granted{read, id}, Committed{Task: read, Attempt: id}}})
	reduce := plan.Group{Stage: "a", Phase: plan.Reduce}
	before := j.Generation(reduce)
	if before == 0 || j.Generation(read.Group()) != 0 {
		t.Errorf("the work of the reduce has number %d, that of the map %d", before, j.Generation(read.Group()))
	}
	if w := j.Work(reduce); len(w.Reads) != 1 || w.Reads[0].Attempts[0] != id || w.Partitions != 1 {
		t.Errorf("the reduce reads %+v", w)
	}
	j.Fold(Record{1, []Entry{Aborted{Cause{Kind: plan.Failed, Text: "no luck"}}, Done{}, Reopened{}}})
	if after := j.Generation(reduce); after == before {
		t.Errorf("a reopened job has the work %d again", after)
	}
	if w := j.Work(reduce); w.Reads[0].Attempts[0] != (plan.AttemptID{}) {
		t.Errorf("the part is gone, and the reduce reads the run of the attempt that made it: %+v", w)
	}
}
