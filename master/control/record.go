package control

import (
	"context"
	"sync"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/history"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
)

// measure returns the parts and the counts of a job all of whose tasks are committed.
// On the way, the view learns what the manifests say of each task: an attempt may have
// ended under an earlier leader.
func (j *job) measure(ctx context.Context, s *scheduler.Job) ([]plan.Part, plan.Tally, error) {
	g, balance := gauge{graph: s.Graph(), read: make(map[plan.TaskID]int64)}, master.NewBalance(s.Graph())
	parts, tally, err := master.Gather(ctx, s, func(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
		m, err := j.manifest(ctx, task, id)
		if err == nil {
			g.take(m)
			balance.Take(m)
			j.view.Measured(task, m.Took, m.Tally.BytesIn)
		}
		return m, err
	})
	if err == nil {
		for task, n := range g.read {
			j.view.Measured(task, 0, n)
		}
		j.life.skew = balance.Skew()
	}
	return parts, tally, err
}

// gauge adds up the bytes that tasks read of exchanges, from the manifests of those that
// wrote them.
type gauge struct {
	graph *plan.Graph
	mu    sync.Mutex
	read  map[plan.TaskID]int64
}

func (g *gauge) take(m *plan.Manifest) {
	at := g.graph.Find(m.Task.Group())
	if at == plan.None {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for place, x := range g.graph.Steps[at].Writes {
		for i := range g.graph.Steps {
			if g.graph.Steps[i].Reads != x {
				continue
			}
			for _, run := range m.Left(place).Runs {
				for p, e := range run.Partitions {
					g.read[g.graph.Steps[i].Task(p)] += e.Length
				}
			}
		}
	}
}

// record keeps the record of the run's tasks with the job.
func (j *job) record(ctx context.Context, s *scheduler.Job) error {
	parts, err := history.Encode(j.view.Record(view.Rows(s)))
	if err != nil {
		return err
	}
	return journal.KeepTasks(ctx, j.lead.cfg.Root, j.run, parts)
}

// remember takes the record of the run before this one: its committed tasks count.
func (j *job) remember(ctx context.Context) error {
	if j.run.Number == 0 {
		return nil
	}
	tasks, err := j.lead.master.recorded(ctx, journal.Run{Job: j.id, Number: j.run.Number - 1})
	j.view.Remember(tasks)
	return err
}

// recorded returns the record of a run's tasks. A record that is damaged is left out:
// all that counts is in the log.
func (m *Master) recorded(ctx context.Context, run journal.Run) ([]history.Task, error) {
	parts, err := journal.Tasks(ctx, m.cfg.Root, run)
	if err != nil && !journal.Damaged(err) {
		return nil, err
	}
	var all []history.Task
	for _, part := range parts {
		var tasks []history.Task
		if tasks, err = history.Decode(part); err != nil {
			break
		}
		all = append(all, tasks...)
	}
	if err != nil {
		m.cfg.Log.Warn("the record of a job's tasks cannot be read; they are shown without times and workers", "job", run.Job, "run", run.Number, "error", err)
	}
	return all, nil
}
