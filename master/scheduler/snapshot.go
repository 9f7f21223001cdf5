package scheduler

import (
	"errors"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// JobState is a Job as plain data, for snapshots. Tasks and Parts describe a job of
// one shuffle, Graph and Groups any other.
type JobState struct {
	Slots  uint64
	Epoch  uint64
	Status Status
	Cause  Cause
	Run    int
	Tasks  [plan.Reduce + 1][]TaskRecord // by phase
	Parts  bool                          // a task was granted in this run, so there may be parts
	Graph  *plan.Graph                   // nil in a job of one shuffle
	Groups []GroupState                  // planning, then the steps in the order of Graph
	Used   []Used                        // in the order of accounts
}

// GroupState is the state of a group's tasks in the log.
type GroupState struct {
	Tasks []TaskRecord
	Bar   plan.AttemptID // the newest attempt that may have read a result that was invalidated
	Blind bool           // such attempts are unknown
}

// State returns the job as plain data. It shares the job's memory: it must not be
// changed, and is valid until the job changes.
func (j *Job) State() *JobState {
	s := &JobState{Slots: j.Slots, Epoch: j.Epoch, Status: j.Status, Cause: j.Cause, Run: j.Run, Used: j.accounts()}
	if j.graph == nil || j.plain() && !slices.ContainsFunc(j.groups, func(g groupRecord) bool { return g.bar != plan.AttemptID{} }) {
		s.Tasks = j.byPhase()
		for p := range j.groups {
			s.Parts = s.Parts || j.writes(p) && j.groups[p].used
		}
		return s
	}
	s.Graph = j.graph
	for i := range j.groups {
		g := &j.groups[i]
		s.Groups = append(s.Groups, GroupState{g.tasks, g.bar, g.blind})
	}
	return s
}

// byPhase returns the tasks of a job of one shuffle.
func (j *Job) byPhase() (tasks [plan.Reduce + 1][]TaskRecord) {
	for p := range tasks {
		if g := j.group(plan.Group{Phase: plan.Phase(p)}); g != nil {
			tasks[p] = g.tasks
		} else if j.graph != nil {
			tasks[p] = []TaskRecord{}
		}
	}
	return tasks
}

// RestoreJob is the inverse of State. A state to which no log folds is an error.
func RestoreJob(s *JobState) (*Job, error) {
	j := &Job{Slots: s.Slots, Epoch: s.Epoch, Status: s.Status, Cause: s.Cause, Run: s.Run}
	if int(s.Status) >= len(statusNames) {
		return nil, fmt.Errorf("a job of status %d, which this version does not know", s.Status)
	}
	if err := j.restoreTasks(s); err != nil {
		return nil, err
	}
	for p := range j.groups {
		g := &j.groups[p]
		if g.tasks == nil {
			g.tasks = []TaskRecord{}
		}
		for i := range g.tasks {
			t := &g.tasks[i]
			if !t.Committed {
				g.left++
			}
			g.used = g.used || p > prepare && (t.Committed || len(t.Granted)+len(t.Invalid) > 0)
		}
	}
	for _, u := range s.Used {
		j.use(u)
	}
	return j, j.check()
}

func (j *Job) restoreTasks(s *JobState) error {
	if s.Graph == nil {
		return j.restorePlain(s)
	}
	if err := CheckGraph(s.Graph); err != nil {
		return err
	}
	if len(s.Groups) != 1+len(s.Graph.Steps) || len(s.Groups[prepare].Tasks) > 1 || s.Status == Unplanned {
		return fmt.Errorf("a job of %d steps with the tasks of %d groups", len(s.Graph.Steps), len(s.Groups))
	}
	j.setGraph(s.Graph)
	for p, g := range s.Groups {
		if p > prepare && len(g.Tasks) != s.Graph.TasksOf(p-1) {
			return fmt.Errorf("%v has %d tasks, its step has %d", j.groupAt(p), len(g.Tasks), s.Graph.TasksOf(p-1))
		}
		j.groups = append(j.groups, groupRecord{tasks: g.Tasks, bar: g.Bar, blind: g.Blind})
	}
	return nil
}

// restorePlain restores a job of one shuffle, or one that is not planned yet.
func (j *Job) restorePlain(s *JobState) error {
	planner := s.Tasks[plan.Prepare]
	c := plan.Counts{Samples: len(s.Tasks[plan.Sample]), Maps: len(s.Tasks[plan.Map]), Reduces: len(s.Tasks[plan.Reduce])}
	planned := c != plan.Counts{} || len(planner) > 0 && planner[0].Committed
	switch s.Status {
	case Running, Committing, Succeeded:
		planned = true
	case Unplanned:
		if planned {
			return errors.New("a job with tasks and without a plan")
		}
	case Aborting, Failed:
	}
	if len(planner) > 1 {
		return fmt.Errorf("a job with %d tasks that plan it", len(planner))
	}
	if !planned {
		if len(planner) > 0 {
			j.groups = []groupRecord{{tasks: planner}}
		}
		return nil
	}
	g := plan.OneShuffle(c)
	j.setGraph(&g)
	j.groups = make([]groupRecord, 1+len(g.Steps))
	j.groups[prepare].tasks = planner
	for i := range g.Steps {
		j.groups[placeOf(i)].tasks = s.Tasks[g.Steps[i].Phase]
	}
	for p := range j.groups {
		j.groups[p].used = s.Parts && j.writes(p)
		for _, before := range j.shape.waits[p] {
			j.groups[p].blind = j.groups[p].blind || slices.ContainsFunc(j.groups[before].tasks, func(t TaskRecord) bool { return len(t.Invalid) > 0 })
		}
	}
	return nil
}
