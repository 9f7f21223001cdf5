package scheduler

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestFoldIsOnce folds entries that two masters may both have appended: the
// first one counts, and nothing counts twice.
func TestFoldIsOnce(t *testing.T) {
	t.Parallel()
	task := plan.TaskID{Phase: plan.Map}
	first, second := plan.AttemptID{Epoch: 1, N: 1}, plan.AttemptID{Epoch: 2, N: 1}
	var j Job
	for _, r := range []Record{
		{1, []Entry{Fence{}, Planned{Counts: plan.Counts{Maps: 2, Reduces: 1}}}},
		{1, []Entry{Planned{Counts: plan.Counts{Maps: 9}}}},
		{1, []Entry{Committed{Task: task, Attempt: first, Digest: Digest{Out: 7}}}},
		{2, []Entry{Fence{}, Committed{Task: task, Attempt: second, Digest: Digest{Out: 8}}}},
		{1, []Entry{Aborted{}}},
		{2, []Entry{Granted{Task: task, Attempt: second}, Intent{}, Done{}, Committed{Task: plan.TaskID{Phase: plan.Reduce, Index: 5}}}},
	} {
		j.Fold(r)
	}
	if err := j.check(); err != nil {
		t.Error(err)
	}
	got := j.Task(task)
	if !got.Committed || got.Attempt != first || got.Digest.Out != 7 || len(got.Granted) != 0 {
		t.Errorf("the task is %+v, the first commit counts", *got)
	}
	if j.Status != Running || j.Left(plan.Map) != 1 || j.Tasks(plan.Map) != 2 || j.Slots != 6 {
		t.Errorf("the job is %v with %d of %d maps left after %d slots", j.Status, j.Left(plan.Map), j.Tasks(plan.Map), j.Slots)
	}
}
