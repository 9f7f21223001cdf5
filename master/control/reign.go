package control

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// reign is the time for which a master leads.
type reign struct {
	*Master
	lease   *journal.Lease
	epoch   uint64
	members *members
	since   time.Duration // when it began
	settled time.Duration // when what workers run is known
	ctx     context.Context
	end     context.CancelCauseFunc
	running sync.WaitGroup // jobs, and what is done for them
	looked  time.Duration  // when it was last looked for lost workers
	uneven  chan struct{}  // holds a token while slots are to be divided anew

	mu   sync.Mutex
	jobs map[plan.JobID]*job

	ending sync.Mutex
	over   bool // nothing may begin any more; guarded by ending
}

// spawn runs f on a goroutine that the reign waits for, but not when it is over.
func (r *reign) spawn(f func()) bool {
	r.ending.Lock()
	defer r.ending.Unlock()
	if !r.over {
		r.running.Go(f)
	}
	return !r.over
}

// finish ends the reign, and waits for all that it has begun.
func (r *reign) finish() {
	r.end(nil)
	r.ending.Lock()
	r.over = true
	r.ending.Unlock()
	r.running.Wait()
}

func newReign(m *Master, lease *journal.Lease) *reign {
	epoch := lease.Leader().Epoch
	return &reign{Master: m, lease: lease, epoch: epoch, members: newMembers(epoch, m.times.beat), since: m.cfg.Clock(),
		uneven: make(chan struct{}, 1), jobs: make(map[plan.JobID]*job)}
}

// Times of a reign's rounds.
const (
	roundEvery = 100 * time.Millisecond // slots are divided at most so often
	lookEvery  = time.Second            // for lost workers
	listEvery  = 30 * time.Second       // for runs that were activated elsewhere
)

// run carries all jobs on until ctx ends or another master leads.
func (r *reign) run(ctx context.Context) error {
	r.ctx, r.end = context.WithCancelCause(ctx)
	defer r.end(nil)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer r.finish()
	keeping.Go(func() {
		if err := r.lease.Keep(r.ctx); err != nil {
			r.end(err)
		}
	})
	if err := r.takeUp(); err != nil {
		return err
	}
	r.looked = r.cfg.Clock()
	r.reign.Store(r)
	round, look, list := time.NewTicker(roundEvery), time.NewTicker(lookEvery), time.NewTicker(listEvery)
	defer round.Stop()
	defer look.Stop()
	defer list.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		case <-round.C:
			r.round()
		case <-look.C:
			r.expire()
		case <-list.C:
			if err := r.list(); err != nil {
				r.cfg.Log.Warn("cannot list the jobs; trying again", "error", err)
			}
		}
	}
}

// takeUp begins with all jobs that have not ended. Before that no worker is
// answered: what it runs would be taken for nobody's.
func (r *reign) takeUp() error {
	for {
		err := r.list()
		if err == nil {
			break
		}
		r.cfg.Log.Warn("cannot list the jobs; trying again", "error", err)
		if err := pause(r.ctx, again); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = r.since
	if len(r.jobs) > 0 {
		r.settled = r.cfg.Clock() + r.times.settle
	}
	return nil
}

// list takes up the runs that are active and that this reign does not know.
func (r *reign) list() error {
	runs, err := journal.Active(r.ctx, r.cfg.Root)
	if err != nil {
		return err
	}
	for _, run := range runs {
		r.carry(run)
	}
	return nil
}

// carry begins to carry a run on, unless that is under way. While an earlier run
// of the job is still being put away it does nothing: the next list finds this one.
func (r *reign) carry(run journal.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs[run.Job] != nil {
		return
	}
	j := newJob(r, run)
	began := r.spawn(func() {
		j.main(j.ctx)
		r.mu.Lock()
		delete(r.jobs, run.Job)
		r.members.close(run.Job)
		r.mu.Unlock()
		j.mu.Lock()
		close(j.changed)
		j.mu.Unlock()
		close(j.gone)
		r.divide()
	})
	if began {
		r.jobs[run.Job] = j
		r.members.open(run.Job)
	}
}

func (r *reign) job(id plan.JobID) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs[id]
}

// divide asks for slots to be divided anew, soon.
func (r *reign) divide() {
	select {
	case r.uneven <- struct{}{}:
	default:
	}
}

// round divides slots if there is reason to.
func (r *reign) round() {
	if r.cfg.Clock() < r.settled {
		return
	}
	select {
	case <-r.uneven:
	default:
		return
	}
	r.mu.Lock()
	var demands []scheduler.Demand
	for id, j := range r.jobs {
		want, weight := j.demand()
		demands = append(demands, scheduler.Demand{Job: id, Weight: weight, Want: want})
	}
	r.mu.Unlock()
	slices.SortFunc(demands, func(a, b scheduler.Demand) int { return cmp.Compare(a.Job, b.Job) })
	if r.members.divide(demands) {
		r.divide() // slots that others still use are waited for
	}
}

// expire takes away the workers that were not heard in time. A master that was
// stopped itself has heard nobody, and lets them speak first.
func (r *reign) expire() {
	now := r.cfg.Clock()
	stopped := now-r.looked > r.times.lost/2
	r.looked = now
	if stopped || !r.lease.Holds() {
		r.members.pardon(now)
		return
	}
	for _, id := range r.members.expire(now, r.times.lost) {
		r.cfg.Log.Warn("a worker is lost: it was not heard", "worker", id, "for", r.times.lost)
		r.divide()
	}
}

// sync takes what a worker tells, and answers.
func (r *reign) sync(ctx context.Context, s *cluster.Sync) (*cluster.Orders, error) {
	known, news := r.members.news(r.cfg.Clock(), s)
	if !known {
		r.cfg.Log.Info("a worker has come", "worker", s.Worker, "host", s.Info.Host, "pid", s.Info.PID, "slots", s.Info.Slots)
	}
	if news {
		r.divide()
	}
	hold := time.NewTimer(r.times.beat)
	defer hold.Stop()
	for late := false; ; {
		o, changed := r.members.orders(s)
		switch {
		case o == nil:
			return &cluster.Orders{Version: cluster.Version, Epoch: r.epoch}, nil
		case late || !empty(o) || o.Drain && !s.Draining:
			return o, nil
		case s.Draining && len(s.Running)+len(s.Outcomes) == 0:
			return o, nil // there is nothing to wait for: it may leave
		}
		select {
		case <-changed:
		case <-hold.C:
			late = true
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-r.ctx.Done():
			return nil, errors.Join(new(cluster.NotLeader), context.Cause(r.ctx))
		}
	}
}
