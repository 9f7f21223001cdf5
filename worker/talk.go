package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
)

// talk is the one goroutine that talks to the master. It sends a message when
// there is news, or when the previous one was answered. It handles only the
// answer to the newest message.
type talk struct {
	*worker
	leader   Leader
	seq      uint64
	taken    uint64 // the newest message whose answer was carried out
	met      Leader // the leader that answered last; no URL: none yet
	failures int
	sending  sync.WaitGroup
	newest   context.CancelFunc // of the message sent last
	older    context.CancelFunc // and of the one before

	asked    <-chan struct{}  // to drain; nil when that has begun
	ending   bool             // draining
	deadline <-chan time.Time // of draining
	late     bool             // attempts that had not ended were handed back
	leaving  bool             // nothing is left to report
}

// answer is the result of a message.
type answer struct {
	orders *cluster.Orders
	err    error
}

func (t *talk) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer t.sending.Wait()
	defer stop(errEnding)
	for {
		done, err := t.meet(ctx)
		if !done && err == nil {
			done, err = t.exchange(ctx)
		}
		if done || err != nil {
			return err
		}
	}
}

// meet finds a leader to talk to. It is done when the worker may end.
func (t *talk) meet(ctx context.Context) (done bool, err error) {
	for t.leader.URL == "" {
		if t.ending && t.failures > 0 && t.idle() {
			return true, nil // no master to report to, and nothing to report
		}
		if t.failures > 0 {
			if done, err := t.rest(ctx); done || err != nil {
				return done, err
			}
		}
		finding, cancel := context.WithTimeout(ctx, t.cfg.Hearing)
		l, err := t.cfg.Find(finding)
		cancel()
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case err != nil:
			t.failed("no master is found", err)
		case l.URL == "":
			t.failed("no master is found", errors.New("there is no leader yet"))
		default:
			// One of a lower epoch is asked as well. It obeys no more than other
			// masters, but it must learn that there were higher ones: the root may
			// have lost them.
			t.turnTo(Leader{max(l.Epoch, t.leader.Epoch), l.URL})
		}
	}
	return false, nil
}

func (t *talk) turnTo(l Leader) {
	t.leader = l
	t.taken = 0 // another master counts its own messages
	t.mu.Lock()
	t.client = &cluster.Client{URL: l.URL, HTTP: t.cfg.HTTP}
	t.mu.Unlock()
}

// patient is how many times in a row a master may say that it does not lead yet,
// before a worker that begins warns of it: about 10 seconds.
const patient = 8

// failed counts a failure. It logs the first of several in a row. A cluster that
// begins has no leader for some seconds, which is no failure.
func (t *talk) failed(what string, err error) {
	t.failures++
	_, leaderless := errors.AsType[*cluster.NotLeader](err)
	switch begins := leaderless && t.met.URL == ""; {
	case begins && t.failures == 1:
		t.cfg.Log.Info("waiting for a master to lead", "master", t.leader.URL)
	case !begins && t.failures == 1, begins && t.failures == patient:
		t.cfg.Log.Warn(what+"; attempts continue", "master", t.leader.URL, "error", err)
	}
	t.leader.URL = ""
}

// rest waits before the next try, longer after each failure: 0.1 s to 2 s.
// Draining cuts the wait short.
func (t *talk) rest(ctx context.Context) (done bool, err error) {
	d := min(100*time.Millisecond<<min(t.failures-1, 5), 2*time.Second)
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-t.asked:
			t.drain()
		case <-t.deadline:
			if t.handBack() {
				return true, nil
			}
		}
	}
}

// exchange sends one message and carries out the answer. It leaves the answer
// when there is news: the next message makes the master answer this one at once.
func (t *talk) exchange(ctx context.Context) (done bool, err error) {
	select {
	case <-t.changed:
	default:
	}
	t.seq++
	s := t.snapshot()
	s.Seq, s.Heard, s.Epoch, s.Leaving = t.seq, t.taken, t.leader.Epoch, t.leaving
	a := t.send(ctx, s)
	select {
	case a := <-a:
		return t.take(ctx, a, s)
	case <-t.changed:
	case l := <-t.cfg.Heard:
		if l.Epoch > t.leader.Epoch {
			t.turnTo(l)
		}
	case <-t.asked:
		t.drain()
	case <-t.deadline:
		return t.handBack(), nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	return false, nil
}

// send posts a message. One earlier message that is not answered yet may still be
// on its way.
func (t *talk) send(ctx context.Context, s *cluster.Sync) <-chan answer {
	if t.older != nil {
		t.older()
	}
	asking, cancel := context.WithTimeout(ctx, t.cfg.Hearing)
	t.older, t.newest = t.newest, cancel
	answered := make(chan answer, 1)
	client := &cluster.Client{URL: t.leader.URL, HTTP: t.cfg.HTTP}
	t.sending.Go(func() {
		defer cancel()
		o, err := client.Sync(asking, s)
		answered <- answer{o, err}
	})
	return answered
}

// take carries out the answer to s.
func (t *talk) take(ctx context.Context, a answer, s *cluster.Sync) (done bool, err error) {
	if other, ok := errors.AsType[*cluster.NotLeader](a.err); ok {
		t.failed("the master does not lead", a.err)
		if other.URL != "" {
			t.turnTo(Leader{t.leader.Epoch, other.URL})
			return t.rest(ctx)
		}
		return false, nil
	}
	if refused, ok := errors.AsType[*cluster.Refused](a.err); ok {
		return false, refused
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if a.err != nil {
		t.failed("the master does not answer", a.err)
		return false, nil //nolint:nilerr // another try, or another master, may do better
	}
	switch {
	case a.orders.Version != cluster.Version:
		return false, cluster.CheckVersions(cluster.Version, a.orders.Version)
	case a.orders.Epoch < t.leader.Epoch:
		t.failed("the master is deposed", fmt.Errorf("it answers for epoch %d, after %d", a.orders.Epoch, t.leader.Epoch))
		return false, nil
	}
	t.heard(a.orders.Epoch)
	if s.Leaving {
		return true, nil
	}
	t.carryOut(a.orders)
	t.taken = s.Seq
	if a.orders.Drain {
		t.drain()
	}
	t.leaving = t.ending && t.idle()
	return false, nil
}

// heard notes which leader answered.
func (t *talk) heard(epoch uint64) {
	t.leader.Epoch = epoch
	if t.failures > 0 || t.met != t.leader {
		t.met = t.leader
		t.cfg.Log.Info("a master answers", "master", t.leader.URL, "epoch", epoch)
		if t.cfg.Met != nil {
			t.cfg.Met(t.leader)
		}
	}
	t.failures = 0
}

// drain begins the end of the worker.
func (t *talk) drain() {
	t.asked = nil
	if t.ending {
		return
	}
	t.ending = true
	t.deadline = time.After(t.cfg.DrainTime)
	t.mu.Lock()
	t.draining = true
	n := len(t.attempts)
	t.mu.Unlock()
	t.cfg.Log.Info("draining: no more work is taken", "running", n, "for", t.cfg.DrainTime)
	t.wake()
}

// errDrained is why attempts end that take longer than the drain.
var errDrained = errors.New("the worker drains, and the drain time is over")

// handBack ends the attempts that have not ended in time. It waits for an
// unreachable master for one more answer; then the master finds out by itself.
func (t *talk) handBack() (done bool) {
	if t.late {
		return true
	}
	t.late = true
	t.deadline = time.After(t.cfg.Hearing)
	t.stopAll(errDrained)
	t.wake()
	return false
}
