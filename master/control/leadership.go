package control

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// leadership is the time in which a master leads.
type leadership struct {
	master  *Master
	cfg     *Config
	times   *times
	lease   *journal.Lease
	epoch   uint64
	members *members.Table
	since   time.Duration // when it began
	settled time.Duration // the time from which the attempts of all workers are known
	ctx     context.Context
	end     context.CancelCauseFunc
	running sync.WaitGroup // jobs, and work for them
	looked  time.Duration  // when it last looked for lost workers
	uneven  chan struct{}  // holds a token while slots must be divided again

	mu     sync.Mutex
	jobs   map[plan.JobID]*job
	doomed map[string]bool // keys that a collection of garbage may still delete

	ending sync.Mutex
	over   bool // no goroutine may begin; guarded by ending
}

func newLeadership(m *Master, lease *journal.Lease) *leadership {
	epoch := lease.Leader().Epoch
	return &leadership{master: m, cfg: &m.cfg, times: &m.times, lease: lease, epoch: epoch, members: members.New(epoch, m.times.beat), since: m.cfg.Clock(),
		uneven: make(chan struct{}, 1), jobs: make(map[plan.JobID]*job)}
}

// spawn runs f on a goroutine that the leadership waits for. It reports false, and
// runs nothing, when the leadership is over.
func (l *leadership) spawn(f func()) bool {
	l.ending.Lock()
	defer l.ending.Unlock()
	if !l.over {
		l.running.Go(f)
	}
	return !l.over
}

// finish ends the leadership, and waits for all its goroutines.
func (l *leadership) finish() {
	l.end(nil)
	l.ending.Lock()
	l.over = true
	l.ending.Unlock()
	l.running.Wait()
}

// Times of a leader's rounds.
const (
	roundEvery = 100 * time.Millisecond // slots are divided at most so often
	lookEvery  = time.Second            // for lost workers
	listEvery  = 30 * time.Second       // for runs that were activated elsewhere
)

// run drives all jobs until ctx ends or another master leads.
func (l *leadership) run(ctx context.Context) error {
	l.ctx, l.end = context.WithCancelCause(ctx)
	defer l.end(nil)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer l.finish()
	keeping.Go(func() {
		if err := l.lease.Keep(l.ctx); err != nil {
			l.end(err)
		}
	})
	if err := l.takeUp(); err != nil {
		return err
	}
	l.looked = l.cfg.Clock()
	l.master.leadership.Store(l)
	round, look, list := time.NewTicker(roundEvery), time.NewTicker(lookEvery), time.NewTicker(listEvery)
	defer round.Stop()
	defer look.Stop()
	defer list.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-round.C:
			l.round()
		case <-look.C:
			l.expire()
		case <-list.C:
			if err := l.list(); err != nil {
				l.cfg.Log.Warn("cannot list the jobs; trying again", "error", err)
			}
		}
	}
}

// takeUp begins to drive all jobs that have not ended. No worker is answered before
// that: the attempts that it runs would seem to be of unknown jobs.
func (l *leadership) takeUp() error {
	for {
		err := l.list()
		if err == nil {
			err = l.findDoomed()
		}
		if err == nil {
			break
		}
		l.cfg.Log.Warn("cannot list the jobs; trying again", "error", err)
		if err := pause(l.ctx, again); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled = l.since
	if len(l.jobs) > 0 {
		l.settled = l.cfg.Clock() + l.times.settle
	}
	return nil
}

// findDoomed finds the keys that collections of earlier leaders may still delete. A
// collection that records its keys later than that finds out that its master no
// longer leads.
func (l *leadership) findDoomed() error {
	doomed, err := journal.Doomed(l.ctx, l.cfg.Root)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doomed = doomed
	return nil
}

// copyOf returns the first copy of a program whose key may be used.
func (l *leadership) copyOf(digest string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for l.doomed[plan.BundleKey(digest, n)] {
		n++
	}
	return n
}

// list begins to drive the active runs that are not driven yet.
func (l *leadership) list() error {
	runs, err := journal.Active(l.ctx, l.cfg.Root)
	if err != nil {
		return err
	}
	for _, run := range runs {
		l.drive(run)
	}
	return nil
}

// drive begins to drive a run, unless one of the job is driven. While an earlier run
// is being concluded it does nothing: the next list finds this one.
func (l *leadership) drive(run journal.Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs[run.Job] != nil {
		return
	}
	j := newJob(l, run)
	began := l.spawn(func() {
		j.main(j.ctx)
		l.mu.Lock()
		delete(l.jobs, run.Job)
		l.members.Close(run.Job)
		l.mu.Unlock()
		j.view.Close()
		close(j.gone)
		l.divide()
	})
	if began {
		l.jobs[run.Job] = j
		l.members.Open(run.Job)
	}
}

// job returns a job that is driven, nil if it is not.
func (l *leadership) job(id plan.JobID) *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jobs[id]
}

// divide lets slots be divided again, soon.
func (l *leadership) divide() {
	select {
	case l.uneven <- struct{}{}:
	default:
	}
}

// round divides slots if there is reason to.
func (l *leadership) round() {
	if l.cfg.Clock() < l.settled {
		return
	}
	select {
	case <-l.uneven:
	default:
		return
	}
	l.mu.Lock()
	var demands []scheduler.Demand
	for id, j := range l.jobs {
		demands = append(demands, scheduler.Demand{Job: id, Weight: int(j.weight.Load()), Want: int(j.want.Load())})
	}
	l.mu.Unlock()
	slices.SortFunc(demands, func(a, b scheduler.Demand) int { return cmp.Compare(a.Job, b.Job) })
	if l.members.Divide(demands) {
		l.divide() // until the slots are free that other jobs still use
	}
}

// expire removes the workers that were silent for too long. A master that was
// stopped itself has received no message, and lets them report first.
func (l *leadership) expire() {
	now := l.cfg.Clock()
	stopped := now-l.looked > l.times.lost/2
	l.looked = now
	if stopped || !l.lease.Holds() {
		l.members.RefreshLeases(now)
		return
	}
	for _, id := range l.members.Expire(now, l.times.lost) {
		l.cfg.Log.Warn("a worker is lost: it was silent for too long", "worker", id, "for", l.times.lost)
		l.divide()
	}
}

// errOutnumbered says that this master leads by an epoch that is too low: the root
// has lost the traces of higher ones.
var errOutnumbered = errors.New("epochs higher than this master's are known, and no master has them: their objects were deleted")

// outnumbered handles a higher epoch than this master's that is known elsewhere, to a
// log or to a worker. Either another master leads, or the objects of higher epochs
// were deleted from the root: then this master must take one that is above them.
func (l *leadership) outnumbered(ctx context.Context, epoch uint64) error {
	leads, err := l.lease.Leads(ctx)
	switch {
	case err != nil:
		return err
	case !leads:
		return master.ErrDeposed
	}
	l.master.seen(epoch)
	return errOutnumbered
}

// confirm finds out, by a read begun now, whether this master still leads in the
// same epoch. If it does not, the error is a *cluster.NotLeader.
func (l *leadership) confirm(ctx context.Context) error {
	leads, err := l.lease.Leads(ctx)
	if err == nil && !leads {
		err = new(cluster.NotLeader)
	}
	return err
}
