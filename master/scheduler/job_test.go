package scheduler

import (
	"fmt"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// group returns the group of a phase in a job of one shuffle.
func group(p plan.Phase) plan.Group { return plan.Group{Phase: p} }

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
	if j.Status != Running || j.Left(group(plan.Map)) != 1 || j.Tasks(group(plan.Map)) != 2 || j.Slots != 6 {
		t.Errorf("the job is %v with %d of %d maps left after %d slots", j.Status, j.Left(group(plan.Map)), j.Tasks(group(plan.Map)), j.Slots)
	}
}

// TestAbortAfterIntent verifies that a commit which was refused for good ends the
// job, whatever the reason, and that the wish of a user comes too late.
func TestAbortAfterIntent(t *testing.T) {
	t.Parallel()
	for kind, want := range map[plan.Kind]Status{plan.Conflict: Failed, plan.Failed: Failed, plan.Inconsistent: Failed, plan.Cancelled: Succeeded} {
		var j Job
		j.Fold(Record{1, []Entry{Fence{}, Planned{}, Intent{}}})
		j.Fold(Record{1, []Entry{Aborted{Cause{Kind: kind}}}})
		j.Fold(Record{1, []Entry{Done{}}})
		if j.Status != want {
			t.Errorf("aborted by %v it has %v, want %v", kind, j.Status, want)
		}
	}
}

// TestRecordsAreBounded verifies that the commits of very many tasks at once come in
// several records: one record must fit into one request.
func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	const tasks = 3*mostEntries/2 + 1
	s := New(Config{Epoch: 1, Counts: plan.Counts{Maps: tasks, Reduces: 1}})
	s.Step(0, Lead{})
	s.Step(0, Appended{}) // the fence
	s.Step(0, Appended{}) // the plan
	for i := range tasks {
		s.Step(0, Reported{Task: plan.TaskID{Phase: plan.Map, Index: i}, Attempt: plan.AttemptID{N: uint32(i)}, Winner: plan.AttemptID{N: uint32(i)}})
	}
	records := 0
	for records < 10 && s.Job().Left(group(plan.Map)) > 0 {
		records++
		for _, c := range s.Step(0, Appended{}) {
			if a, ok := c.(Append); ok && len(a.Record.Entries) > mostEntries {
				t.Errorf("a record has %d entries", len(a.Record.Entries))
			}
		}
	}
	if left := s.Job().Left(group(plan.Map)); left > 0 {
		t.Errorf("after %d records %d tasks are left", records, left)
	}
}

// TestLostMapsCountForTheMaps verifies that a reduce may find the output of any
// number of maps gone, one after the other, and that what was lost in an earlier run
// of the job does not count in this one.
func TestLostMapsCountForTheMaps(t *testing.T) {
	t.Parallel()
	const maps = 40
	reduce := plan.TaskID{Phase: plan.Reduce}
	s := New(Config{Epoch: 1, Counts: plan.Counts{Maps: maps, Reduces: 1}})
	job := new(Job)
	r := Record{1, []Entry{Fence{}, Planned{Counts: plan.Counts{Maps: maps, Reduces: 1}}}}
	for i := range maps {
		task := plan.TaskID{Phase: plan.Map, Index: i}
		r.Entries = append(r.Entries, Committed{Task: task, Attempt: plan.AttemptID{Epoch: 1, N: uint32(i)}})
	}
	job.Fold(r)
	const runs = 9
	for range runs { // each of which has lost a map's output once
		first := plan.TaskID{Phase: plan.Map}
		lost := job.Task(first).Attempt
		again := lost
		again.Rand++
		job.Fold(Record{1, []Entry{Invalidated{Task: first, Attempt: lost}, Committed{Task: first, Attempt: again}, Aborted{Cause{Kind: plan.Failed}}, Done{}, Reopened{}}})
	}
	if job.Run != runs || job.Status != Running || fmt.Sprint(job.Current()) != "[reduce]" {
		t.Fatalf("run %d is %v in phase %v", job.Run, job.Status, job.Current())
	}
	commands := s.Step(0, Lead{Job: job})
	commands = append([]Command(nil), commands...)
	commands = append(commands, s.Step(0, Joined{Worker: "w", Slots: 1})...)
	lost := 0
	for range 10 * maps {
		var next []Command
		for _, c := range commands {
			switch c := c.(type) {
			case Append:
				next = append(next, s.Step(0, Appended{})...)
			case CheckEpoch:
				next = append(next, s.Step(0, Checked{Leads: true})...)
			case Launch:
				if c.Task != reduce {
					next = append(next, s.Step(0, Reported{Task: c.Task, Attempt: c.Attempt, Winner: c.Attempt})...)
					continue
				}
				if lost == maps {
					return
				}
				id := plan.TaskID{Phase: plan.Map, Index: lost}
				lost++
				next = append(next, s.Step(0, Corrupt{id, s.Job().Task(id).Attempt, "gone"})...)
				next = append(next, s.Step(0, LostAttempt{Task: c.Task, Attempt: c.Attempt, ByMap: true})...)
			}
		}
		commands = next
	}
	t.Errorf("after %d lost maps the job is %v: %v", lost, s.Job().Status, s.Job().Cause)
}
