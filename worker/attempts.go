package worker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// worker is the state of a worker.
type worker struct {
	cfg     Config
	work    context.Context // all attempts end with it
	running sync.WaitGroup
	slots   chan struct{} // holds a token for each attempt that runs
	changed chan struct{} // holds one while there is news for the master
	lists   *lists

	mu       sync.Mutex
	draining bool
	attempts map[cluster.Ref]*attempt
	outcomes map[cluster.Ref]cluster.Outcome
	accounts map[plan.JobID]*account
	opened   uint64          // accounts so far
	client   *cluster.Client // of the master that was found last; nil for none
}

// account counts requests to stores for a job. It is closed when the worker
// forgets the job: later requests count for no job.
type account struct {
	number   uint64
	requests plan.Requests // guarded by worker.mu
}

// attempt is an attempt that has not ended.
type attempt struct {
	launch         cluster.Launch
	worker         *worker
	account        *account
	stop           context.CancelCauseFunc
	bytes, records atomic.Int64

	asking  bool // guarded by worker.mu
	grant   chan struct{}
	granted []plan.AttemptID // after grant is closed
}

var _ Host = (*attempt)(nil)

// errStopped is why an attempt ends that the master no longer wants.
var errStopped = errors.New("the master no longer needs it")

// wake wakes the talk with the master.
func (w *worker) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// snapshot returns the next message to the master: the worker's whole state.
func (w *worker) snapshot() *cluster.Sync {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &cluster.Sync{Version: cluster.Version, Worker: w.cfg.ID, Info: w.cfg.Info, Draining: w.draining}
	for ref, a := range w.attempts {
		s.Running = append(s.Running, cluster.Running{Ref: ref, Bytes: a.bytes.Load(), Records: a.records.Load(), Asking: a.asking})
	}
	for _, o := range w.outcomes {
		s.Outcomes = append(s.Outcomes, o)
	}
	for _, job := range slices.Sorted(maps.Keys(w.accounts)) {
		if a := w.accounts[job]; len(a.requests) > 0 {
			s.Spent = append(s.Spent, cluster.Spent{Job: job, Account: a.number, Requests: a.requests})
		}
	}
	slices.SortFunc(s.Running, func(a, b cluster.Running) int { return compare(a.Ref, b.Ref) })
	slices.SortFunc(s.Outcomes, func(a, b cluster.Outcome) int { return compare(a.Ref, b.Ref) })
	return s
}

// compare orders attempts by their launch.
func compare(a, b cluster.Ref) int {
	return cmp.Or(cmp.Compare(a.Attempt.Epoch, b.Attempt.Epoch), cmp.Compare(a.Attempt.N, b.Attempt.N), cmp.Compare(a.Job, b.Job))
}

// carryOut carries out a master's orders.
func (w *worker) carryOut(o *cluster.Orders) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range o.Acks {
		delete(w.outcomes, ref)
	}
	for _, ref := range o.Stops {
		if a := w.attempts[ref]; a != nil {
			a.stop(errStopped)
		}
	}
	for _, g := range o.Grants {
		if a := w.attempts[g.Ref]; a != nil && a.asking {
			a.asking, a.granted = false, g.All
			close(a.grant)
		}
	}
	for _, l := range o.Launches {
		w.launch(l)
	}
	for _, job := range o.Ended {
		w.lists.forget(job)
		delete(w.accounts, job)
		w.cfg.Runner.Forget(job)
	}
	w.draining = w.draining || o.Drain
}

// launch starts an attempt, which first waits for a slot. The caller holds
// w.mu.
func (w *worker) launch(l cluster.Launch) {
	if _, ended := w.outcomes[l.Ref]; ended || w.attempts[l.Ref] != nil {
		return
	}
	ctx, stop := context.WithCancelCause(w.work)
	a := &attempt{launch: l, worker: w, stop: stop, grant: make(chan struct{}), account: w.accounts[l.Job]}
	if a.account == nil {
		w.opened++
		a.account = &account{number: w.opened}
		w.accounts[l.Job] = a.account
	}
	w.attempts[l.Ref] = a
	w.running.Go(func() {
		defer stop(nil)
		o := a.run(ctx)
		o.Ref = l.Ref
		w.cfg.Log.Debug("attempt ended", "job", l.Job, "task", l.Task, "attempt", l.Attempt, "result", o.Result, "text", o.Text)
		w.mu.Lock()
		delete(w.attempts, l.Ref)
		w.outcomes[l.Ref] = o
		w.mu.Unlock()
		w.wake()
	})
}

// run carries out the attempt when there is a slot.
func (a *attempt) run(ctx context.Context) cluster.Outcome {
	select {
	case a.worker.slots <- struct{}{}:
		defer func() { <-a.worker.slots }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: context.Cause(ctx).Error()}}
	}
	a.worker.cfg.Log.Debug("attempt starts", "job", a.launch.Job, "task", a.launch.Task, "attempt", a.launch.Attempt)
	return a.worker.cfg.Runner.Run(ctx, a.launch, a)
}

// stopAll ends all attempts. Their outcomes are still reported.
func (w *worker) stopAll(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.attempts {
		a.stop(why)
	}
}

// idle reports whether nothing runs and the master has every outcome.
func (w *worker) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.attempts) == 0 && len(w.outcomes) == 0
}

// Grant asks the master with the next message, and waits.
func (a *attempt) Grant(ctx context.Context) ([]plan.AttemptID, error) {
	a.worker.mu.Lock()
	select {
	case <-a.grant:
	default:
		a.asking = true
	}
	a.worker.mu.Unlock()
	a.worker.wake()
	select {
	case <-a.grant:
		return a.granted, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Progress reports to the master with the next message.
func (a *attempt) Progress(bytes, records int64) {
	a.bytes.Store(bytes)
	a.records.Store(records)
}

// Spent reports to the master with the next message. Calls may overtake one another.
func (a *attempt) Spent(r plan.Requests) {
	a.worker.mu.Lock()
	defer a.worker.mu.Unlock()
	sum := maps.Clone(a.account.requests) // a message that is being sent may hold it
	if sum == nil {
		sum = make(plan.Requests, len(r))
	}
	for scheme, u := range r {
		sum[scheme] = u.Max(sum[scheme])
	}
	a.account.requests = sum
}

// Work asks the master, unless the answer is known.
func (a *attempt) Work(ctx context.Context) (plan.Work, error) {
	if a.launch.Work != 0 {
		return a.worker.lists.get(ctx, a.launch.Job, a.launch.Task.Group(), a.launch.Work, a.worker.askWork)
	}
	return plan.Work{Writes: a.launch.Writes}, nil
}
