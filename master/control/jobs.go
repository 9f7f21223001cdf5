package control

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/gc"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
)

// Jobs returns all jobs that are older than before, the newest first. It reads
// ahead, at most as many jobs at once as were asked for so far, so that a client
// that wants one page does not pay for two.
func (m *Master) Jobs(ctx context.Context, before plan.JobID) iter.Seq2[client.Job, error] {
	return func(yield func(client.Job, error) bool) {
		if _, err := m.leader(); err != nil {
			yield(client.Job{}, answer(err))
			return
		}
		ids, err := m.ids(ctx)
		if err != nil {
			yield(client.Job{}, answer(err))
			return
		}
		if before != "" {
			end, _ := slices.BinarySearch(ids, before)
			ids = ids[:end]
		}
		slices.Reverse(ids)
		for n := 1; len(ids) > 0; n = min(2*n, readsAtOnce) {
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

// look is the result of a look at a job.
type look struct {
	job client.Job
	err error
}

// lookAt looks at jobs side by side.
func (m *Master) lookAt(ctx context.Context, ids []plan.JobID) []look {
	all := make([]look, len(ids))
	var looks sync.WaitGroup
	for i, id := range ids {
		looks.Go(func() {
			all[i].job, _, all[i].err = m.outline(ctx, id)
			all[i].job.Skew = nil
		})
	}
	looks.Wait()
	return all
}

// ids returns the ids of all jobs, in order.
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
	d, counted, err := m.outline(ctx, id)
	d.Counters, d.Stats = counted.Counts, counted.Stats
	return d, err
}

// outline returns a job as it is now. The counters of a job that has ended are beside
// it: they may be many, and a list of jobs does not show them.
func (m *Master) outline(ctx context.Context, id plan.JobID) (d client.Job, counted client.Counters, err error) {
	l, err := m.leader()
	if err != nil {
		return d, counted, answer(err)
	}
	j := l.job(id)
	if j != nil {
		var seen client.Job // a look that comes too late writes it when it is no longer read
		if j.look(ctx, func(s *scheduler.Job) { seen = j.describe(s) }) {
			seen.State = view.Unsettled(seen.State)
			return seen, counted, nil
		}
	}
	sum, ended, lost := m.summary(ctx, id)
	if lost != nil && !journal.Damaged(lost) && plan.KindOf(lost) != plan.NotFound {
		return d, counted, answer(lost)
	}
	// While a run is being concluded, the summary may be that of the run before it.
	if ended && (j == nil || j.run.Number <= sum.Job.Run) {
		return sum.Job, sum.Counters, nil
	}
	if lost != nil {
		d, err = l.recordless(ctx, id, lost)
	} else {
		d, _, err = l.atRest(ctx, id)
	}
	if u, ok := errors.AsType[*journal.UnreadableSpec](err); ok {
		return view.Broken(view.Outline(u.Spec), u.Error()+", or cancel the job"), counted, nil
	}
	if journal.Damaged(err) {
		// The job is listed with its cause; lists of other jobs must not fail.
		return view.Broken(l.outline(ctx, id), (&brokenLog{err}).Error()), counted, nil
	}
	return d, counted, answerOf(id, err)
}

// summary returns the summary of the newest run of a job that has ended, if one
// has.
func (m *Master) summary(ctx context.Context, id plan.JobID) (s view.Summary, ended bool, err error) {
	run, ok, err := journal.LastEnded(ctx, m.cfg.Root, id)
	if err != nil || !ok {
		return s, false, err
	}
	body, err := journal.Conclusion(ctx, m.cfg.Root, run)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err == nil, err
}

// atRest describes a job by its log, when no shell runs for it.
func (l *leadership) atRest(ctx context.Context, id plan.JobID) (client.Job, *scheduler.Job, error) {
	spec, err := journal.ReadSpec(ctx, l.cfg.Root, id)
	if err != nil {
		return client.Job{}, nil, err
	}
	s, err := journal.Read(ctx, l.cfg.Root, id)
	if err != nil {
		return client.Job{}, nil, err
	}
	ledger := new(view.Ledger)
	ledger.Recall(s)
	j := l.job(id)
	if j != nil {
		for _, spent := range j.view.Accounts() {
			ledger.Add(spent.Account, spent.Usage)
		}
	}
	d := view.AtRest(spec, s, ledger, j != nil && s.Run < j.run.Number)
	if j != nil && !d.State.Ended() {
		d.Waits = waitsFor(j.view.Trouble())
	}
	return d, s, nil
}

// Spec returns a job as it was submitted.
func (m *Master) Spec(ctx context.Context, id plan.JobID) (plan.Spec, error) {
	if _, err := m.leader(); err != nil {
		return plan.Spec{}, answer(err)
	}
	spec, err := journal.ReadSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return plan.Spec{}, answerOf(id, err)
	}
	return *spec, nil
}

// Changed returns a channel that is closed when the state of a job changes.
func (m *Master) Changed(id plan.JobID) <-chan struct{} {
	l, err := m.leader()
	if err != nil {
		return nil
	}
	j := l.job(id)
	if j == nil {
		return nil
	}
	return j.view.Changed()
}

// Tasks returns all tasks of a job.
func (m *Master) Tasks(ctx context.Context, id plan.JobID) ([]client.Task, error) {
	l, err := m.leader()
	if err != nil {
		return nil, answer(err)
	}
	if j := l.job(id); j != nil {
		var now []view.Row // a look that comes too late writes it when it is no longer read
		if j.look(ctx, func(s *scheduler.Job) { now = view.Rows(s) }) {
			return j.view.Tasks(now, l.members.Placed(id), m.cfg.Clock(), m.cfg.Now().UTC()), nil
		}
	}
	if _, err := journal.ReadSpec(ctx, m.cfg.Root, id); err != nil {
		return nil, answerOf(id, err)
	}
	s, err := journal.Read(ctx, m.cfg.Root, id)
	if err != nil {
		return nil, answerOf(id, err)
	}
	recorded, err := m.recorded(ctx, journal.Run{Job: id, Number: s.Run})
	if err != nil {
		return nil, answer(err)
	}
	return view.Tasks(view.Rows(s), s.Cause.Text, recorded), nil
}

// Counters returns the counters of committed tasks.
func (m *Master) Counters(ctx context.Context, id plan.JobID) (client.Counters, error) {
	l, err := m.leader()
	if err != nil {
		return client.Counters{}, answer(err)
	}
	if j := l.job(id); j != nil {
		s, err := journal.Read(ctx, m.cfg.Root, id)
		if err != nil {
			return client.Counters{}, answerOf(id, err)
		}
		if s.Status != scheduler.Succeeded {
			balance := master.NewBalance(s.Graph())
			tally, err := master.Count(ctx, s, func(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
				m, err := j.manifest(ctx, task, id)
				if err == nil {
					balance.Take(m)
				}
				return m, err
			})
			counters := view.Counters(&tally)
			counters.Skew = balance.Skew()
			return counters, answer(err)
		}
	}
	sum, ended, err := m.summary(ctx, id)
	if journal.Damaged(err) {
		return client.Counters{}, client.Errorf(plan.Conflict, "the record of the end of job %s cannot be read, and it has the counters: %v", id, err)
	}
	if err != nil {
		return client.Counters{}, answer(err)
	}
	if !ended {
		if _, err := journal.ReadSpec(ctx, m.cfg.Root, id); err != nil {
			return client.Counters{}, answerOf(id, err)
		}
	}
	sum.Counters.Skew = sum.Job.Skew
	return sum.Counters, nil
}

// Collect removes what no job needs any longer. See package gc.
func (m *Master) Collect(ctx context.Context, dryRun bool) (client.Garbage, error) {
	if _, err := m.leader(); err != nil {
		return client.Garbage{DryRun: dryRun, Jobs: []client.GarbageItem{}}, answer(err)
	}
	g, err := m.garbage.Collect(ctx, dryRun)
	return g, answer(err)
}

// jobsOf answers the questions of a collection of garbage.
type jobsOf struct{ *Master }

var _ gc.Jobs = jobsOf{}

// Busy reports whether a job is driven at present.
func (m jobsOf) Busy(id plan.JobID) bool {
	l := m.leadership.Load()
	return l != nil && l.job(id) != nil
}

// IDs returns the ids of all jobs.
func (m jobsOf) IDs(ctx context.Context) ([]plan.JobID, error) { return m.ids(ctx) }

// Summary returns the summary of a job that has ended.
func (m jobsOf) Summary(ctx context.Context, id plan.JobID) (view.Summary, bool, error) {
	return m.summary(ctx, id)
}

// Confirm returns an error unless this master leads.
func (m jobsOf) Confirm(ctx context.Context) error {
	l, err := m.leader()
	if err != nil {
		return err
	}
	return l.confirm(ctx)
}

// HoldBack keeps submissions and retries waiting.
func (m jobsOf) HoldBack(ctx context.Context) (release func(), err error) {
	if err := m.submitting.Acquire(ctx, submissions); err != nil {
		return nil, err
	}
	return func() { m.submitting.Release(submissions) }, nil
}
