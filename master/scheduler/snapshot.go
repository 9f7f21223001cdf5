package scheduler

import (
	"fmt"

	"github.com/windrow-mr/windrow/plan"
)

// JobState is a Job as plain data, for snapshots.
type JobState struct {
	Slots  uint64
	Epoch  uint64
	Status Status
	Cause  Cause
	Run    int
	Tasks  [plan.Reduce + 1][]TaskRecord
	Parts  bool
	Used   []Used `msgpack:"-"` // in the order of accounts; a snapshot has it beside the others
}

// State returns the job as plain data. It shares the job's memory: it must not be
// changed, and is valid until the job changes.
func (j *Job) State() *JobState {
	return &JobState{j.Slots, j.Epoch, j.Status, j.Cause, j.Run, j.tasks, j.parts, j.accounts()}
}

// RestoreJob is the inverse of State. A state to which no log folds is an error.
func RestoreJob(s *JobState) (*Job, error) {
	j := &Job{Slots: s.Slots, Epoch: s.Epoch, Status: s.Status, Cause: s.Cause, Run: s.Run, tasks: s.Tasks, parts: s.Parts}
	for p := range j.tasks {
		for i := range j.tasks[p] {
			if !j.tasks[p][i].Committed {
				j.left[p]++
			}
		}
	}
	for _, u := range s.Used {
		j.use(u)
	}
	if int(s.Status) >= len(statusNames) {
		return nil, fmt.Errorf("a job of status %d, which this version does not know", s.Status)
	}
	return j, j.check()
}
