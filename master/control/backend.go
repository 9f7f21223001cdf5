package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/master"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Jobs returns all jobs that are older than before, the newest first. It looks
// ahead, at no more jobs at once than it has been asked for so far: who wants one
// page only does not pay for two.
func (m *Master) Jobs(ctx context.Context, before plan.JobID) iter.Seq2[client.Job, error] {
	return func(yield func(client.Job, error) bool) {
		if _, err := m.rules(); err != nil {
			yield(client.Job{}, err)
			return
		}
		ids, err := m.ids(ctx)
		if err != nil {
			yield(client.Job{}, storeError(err))
			return
		}
		if before != "" {
			end, _ := slices.BinarySearch(ids, before)
			ids = ids[:end]
		}
		slices.Reverse(ids)
		for n := 1; len(ids) > 0; n = min(2*n, reading) {
			next := ids[:min(n, len(ids))]
			ids = ids[len(next):]
			for _, look := range m.lookAt(ctx, next) {
				if !yield(look.job, look.err) || look.err != nil {
					return
				}
			}
		}
	}
}

// look is what was learned of a job.
type look struct {
	job client.Job
	err error
}

// lookAt looks at jobs side by side.
func (m *Master) lookAt(ctx context.Context, ids []plan.JobID) []look {
	all := make([]look, len(ids))
	var looks sync.WaitGroup
	for i, id := range ids {
		looks.Go(func() { all[i].job, all[i].err = m.Job(ctx, id) })
	}
	looks.Wait()
	return all
}

// ids returns all jobs in the order of their ids.
func (m *Master) ids(ctx context.Context) ([]plan.JobID, error) {
	all := make(map[plan.JobID]bool)
	for _, list := range []func() ([]journal.Run, error){
		func() ([]journal.Run, error) { return journal.Active(ctx, m.cfg.Root) },
		func() ([]journal.Run, error) { return journal.Ended(ctx, m.cfg.Root) },
	} {
		runs, err := list()
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			all[r.Job] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// Job returns a job as it is now.
func (m *Master) Job(ctx context.Context, id plan.JobID) (client.Job, error) {
	r, err := m.rules()
	if err != nil {
		return client.Job{}, err
	}
	j := r.job(id)
	if j != nil {
		var d client.Job
		if j.look(ctx, func(s *scheduler.Job) { d = j.describe(s) }) {
			d.State = unsettled(d.State)
			return d, nil
		}
	}
	sum, ended, err := m.summary(ctx, id)
	if err != nil {
		return client.Job{}, err
	}
	// A run that is put away while the summary is read is not told by that of the
	// run before it.
	if ended && (j == nil || j.run.Number <= sum.Job.Run) {
		return sum.Job, nil
	}
	d, err := r.atRest(ctx, id)
	if u, ok := errors.AsType[*unreadable](err); ok {
		return held(u), nil
	}
	if damaged(err) {
		// Others must be told of nevertheless, and people of this.
		return client.Job{ID: id, State: client.Planning, Phases: []client.Phase{},
			Cause: &client.Cause{Kind: causes[plan.Inconsistent], Text: err.Error()}}, nil
	}
	return d, jobError(id, err)
}

// summary returns what is kept of the newest run that has ended, if one has.
func (m *Master) summary(ctx context.Context, id plan.JobID) (s summary, ended bool, err error) {
	run, ok, err := journal.LastEnded(ctx, m.cfg.Root, id)
	if err != nil || !ok {
		return s, false, storeError(err)
	}
	body, err := journal.Conclusion(ctx, m.cfg.Root, run)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err == nil, storeError(err)
}

// atRest describes a job that nobody carries on just now, by its log.
func (r *reign) atRest(ctx context.Context, id plan.JobID) (client.Job, error) {
	spec, err := readSpec(ctx, r.cfg.Root, id)
	if err != nil {
		return client.Job{}, err
	}
	s, err := journal.Read(ctx, r.cfg.Root, id)
	if err != nil {
		return client.Job{}, err
	}
	d := outline(spec)
	d.State, d.Run = states[s.Status], s.Run
	j := r.job(id)
	usageOf(j, s).tell(&d)
	d.State = unsettled(d.State)
	if d.State == client.Aborting && s.Status.Ended() && j != nil && s.Run < j.run.Number { // it is to go on
		d.State = client.Planning
	}
	for p := plan.Prepare; p <= plan.Reduce; p++ {
		if n := s.Tasks(p); n > 0 {
			d.Phases = append(d.Phases, client.Phase{Phase: p.String(), Tasks: n, Committed: n - s.Left(p)})
		}
	}
	return d, nil
}

// unsettled is the state of a job that is carried on, or that nobody has put away:
// it has not ended before there is a summary, which has what it counted.
func unsettled(s client.State) client.State {
	switch s {
	case client.Succeeded:
		return client.Committing
	case client.FailedJob, client.Cancelled:
		return client.Aborting
	default:
		return s
	}
}

// Spec returns a job as it was submitted.
func (m *Master) Spec(ctx context.Context, id plan.JobID) (plan.Spec, error) {
	if _, err := m.rules(); err != nil {
		return plan.Spec{}, err
	}
	spec, err := readSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return plan.Spec{}, jobError(id, err)
	}
	return *spec, nil
}

// Changed returns a channel that is closed when there is news of a job.
func (m *Master) Changed(id plan.JobID) <-chan struct{} {
	r, err := m.leads()
	if err != nil {
		return nil
	}
	j := r.job(id)
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Tasks returns all tasks of a job.
func (m *Master) Tasks(ctx context.Context, id plan.JobID) ([]client.Task, error) {
	r, err := m.rules()
	if err != nil {
		return nil, err
	}
	if j := r.job(id); j != nil {
		var now []row // who looks too late writes to nobody
		if j.look(ctx, func(s *scheduler.Job) { now = rows(s) }) {
			return j.list(now, m.cfg.Now().UTC()), nil
		}
	}
	if _, err := readSpec(ctx, m.cfg.Root, id); err != nil {
		return nil, jobError(id, err)
	}
	s, err := journal.Read(ctx, m.cfg.Root, id)
	if err != nil {
		return nil, storeError(err)
	}
	all := rows(s)
	tasks := make([]client.Task, len(all))
	for i := range all {
		tasks[i] = all[i].task()
		if all[i].failed {
			tasks[i].Error = s.Cause.Text
		}
	}
	return tasks, nil
}

// Counters returns what committed tasks counted.
func (m *Master) Counters(ctx context.Context, id plan.JobID) (client.Counters, error) {
	r, err := m.rules()
	if err != nil {
		return client.Counters{}, err
	}
	if j := r.job(id); j != nil {
		s, err := journal.Read(ctx, m.cfg.Root, id)
		if err != nil {
			return client.Counters{}, storeError(err)
		}
		if s.Status != scheduler.Succeeded {
			tally, err := master.Count(ctx, s, j.manifest)
			return counters(&tally), storeError(err)
		}
	}
	sum, ended, err := m.summary(ctx, id)
	if err != nil {
		return client.Counters{}, err
	}
	if !ended {
		if _, err := readSpec(ctx, m.cfg.Root, id); err != nil {
			return client.Counters{}, jobError(id, err)
		}
	}
	return sum.Counters, nil
}

// Workers returns all workers.
func (m *Master) Workers(context.Context) ([]client.Worker, error) {
	r, err := m.rules()
	if err != nil {
		return nil, err
	}
	return r.members.list(r.cfg.Clock(), m.cfg.Now().UTC()), nil
}

// Drain makes a worker finish what it has, and end.
func (m *Master) Drain(_ context.Context, id string) error {
	r, err := m.rules()
	if err != nil {
		return err
	}
	if !r.members.send(id) {
		return client.Errorf(client.NotFound, "there is no worker %s: windrow workers ls shows those that there are", id)
	}
	r.divide()
	return nil
}

// Cluster tells about the cluster.
func (m *Master) Cluster(context.Context) (client.Cluster, error) {
	c := client.Cluster{Master: m.cfg.ID, Build: m.cfg.Build, Root: m.cfg.Root.Name("")}
	if l := m.leader.Load(); l != nil {
		c.Leader, c.Epoch = l.URL, l.Epoch
	}
	r, err := m.leads()
	if err != nil {
		return c, nil //nolint:nilerr // one that stands by tells what it knows
	}
	c.Since = m.cfg.Now().Add(-(r.cfg.Clock() - r.since)).UTC()
	for _, w := range r.members.list(r.cfg.Clock(), m.cfg.Now()) {
		c.Workers++
		c.Slots += w.Slots
		c.Running += w.Running
	}
	r.mu.Lock()
	c.Jobs = len(r.jobs)
	r.mu.Unlock()
	return c, nil
}

// Ready returns nil when this master leads, or stands by and can reach the store.
func (m *Master) Ready(ctx context.Context) error {
	if _, err := m.leads(); err == nil {
		return nil
	}
	if l, err := journal.Current(ctx, m.cfg.Root); err != nil || l.Epoch == 0 {
		return client.Errorf(client.Unavailable, "this master does not lead yet (%v)", err)
	}
	return nil
}

// matches tells whether a name is meant by another, which may be its end.
func matches(id, asked string) bool {
	return asked != "" && strings.HasSuffix(strings.ToLower(id), strings.ToLower(asked))
}

// parse reads a task and an attempt as they stand in the name of a log.
func parseLogName(name string) (plan.TaskID, plan.AttemptID, error) {
	key, id, ok := strings.Cut(name, ".")
	task, err := plan.ParseTaskKey(key)
	if !ok || err != nil {
		return task, plan.AttemptID{}, fmt.Errorf("%q is no log of an attempt", name)
	}
	attempt, err := plan.ParseAttemptID(id)
	return task, attempt, err
}
