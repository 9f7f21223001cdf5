package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/store"
)

// Times are a lease's times, the same for all masters of a cluster. A holder
// whose renewals fail stops acting long before a standby may take over.
type Times struct {
	Renew    time.Duration // between two renewals
	Act      time.Duration // after the last acknowledged renewal was sent
	Patience time.Duration // without a change before a standby takes over
	Look     time.Duration // of a standby, between two looks
}

// LeaseTimes are the times of every cluster except those of tests.
func LeaseTimes() Times {
	return Times{Renew: 3 * time.Second, Act: 10 * time.Second, Patience: 15 * time.Second, Look: time.Second}
}

// ErrDeposed says that a higher epoch exists, or that the own one is gone.
var ErrDeposed = errors.New("another master leads the cluster, or the record of this one's epoch was deleted from the root")

// Leader is the process that took an epoch.
type Leader struct {
	Epoch  uint64 `msgpack:"-"`
	Master string // the process, by an id of its own; "" where the record is lost
	URL    string // where its API is
	Gossip string // HOST:PORT of its gossip; "" where it has none
}

// beat is the object that a holder overwrites.
type beat struct {
	Count    uint64
	Resigned bool // the holder has ended: a standby need not wait
}

// Clock is a clock that continues while the machine is suspended. Only
// differences count.
type Clock func() time.Duration

// Lease is an epoch that this process has taken.
type Lease struct {
	root   *store.Root
	leader Leader
	clock  Clock
	times  Times

	renewed atomic.Int64 // when the last acknowledged renewal was sent
	count   uint64       // of beats; owned by Keep
}

// highest returns the highest epoch of which the root has a trace, and whether the
// object that says who took it is there: a rule of the bucket, or a user, may have
// deleted that, and left the counter beside it. 0 means that there is no trace.
func highest(ctx context.Context, root *store.Root) (epoch uint64, recorded bool, err error) {
	for o, err := range root.List(ctx, leaders) {
		if err != nil {
			return 0, false, err
		}
		key, isBeat := strings.CutSuffix(o.Key, beatSuffix)
		n, ok := numberOf(key, leaders)
		switch {
		case !ok || n < epoch:
		case n > epoch:
			epoch, recorded = n, !isBeat
		default:
			recorded = recorded || !isBeat
		}
	}
	return epoch, recorded, nil
}

// Current returns the process that took the highest epoch. Epoch 0 means that
// there never was a leader. A Leader with an epoch alone means that the object which
// says who took it is gone or damaged.
func Current(ctx context.Context, root *store.Root) (Leader, error) {
	epoch, recorded, err := highest(ctx, root)
	if err != nil || !recorded {
		return Leader{Epoch: epoch}, err
	}
	l, err := readLeader(ctx, root, epoch)
	if plan.KindOf(err) == plan.NotFound || Damaged(err) {
		return Leader{Epoch: epoch}, nil
	}
	return l, err
}

func readLeader(ctx context.Context, root *store.Root, epoch uint64) (Leader, error) {
	l := Leader{Epoch: epoch}
	body, err := root.ReadOnce(ctx, leaderKey(epoch))
	if err != nil {
		return Leader{}, err
	}
	if err := unmarshal(body, &l); err != nil {
		return Leader{}, fmt.Errorf("%s: damaged: %w", root.Name(leaderKey(epoch)), err)
	}
	l.Epoch = epoch
	return l, nil
}

// Elect waits until this process leads: at once where there is no leader, else
// when the leader has resigned, or has not changed its counter for
// Times.Patience. On standby it calls changed each time that the leader
// changes. The new epoch is above all of which the root has a trace, and above
// me.Epoch, the highest that the process has seen elsewhere.
func Elect(ctx context.Context, root *store.Root, me Leader, clock Clock, times Times, changed func(Leader)) (*Lease, error) {
	above := me.Epoch
	for {
		current, err := Current(ctx, root)
		if err != nil {
			return nil, err
		}
		if current.Epoch > 0 {
			if changed != nil && current.Master != "" {
				changed(current)
			}
			if err := watch(ctx, root, current.Epoch, clock, times); err != nil {
				return nil, err
			}
		}
		lease, err := take(ctx, root, me, max(current.Epoch, above)+1, clock, times)
		if err != nil {
			return nil, err
		}
		if lease == nil {
			continue
		}
		// Epochs may have gaps, so that another process may have taken a higher one.
		switch top, _, err := highest(ctx, root); {
		case err != nil:
			return nil, err
		case top <= lease.leader.Epoch:
			return lease, nil
		}
	}
}

// watch returns when it is time to try for the epoch after this one: its holder
// has resigned or stopped renewing, or another process has taken that epoch
// already.
func watch(ctx context.Context, root *store.Root, epoch uint64, clock Clock, times Times) error {
	var last beat
	heard := clock() // a holder that never renewed counts as one that did once
	for {
		b, err := readBeat(ctx, root, epoch)
		switch {
		case plan.KindOf(err) == plan.Interrupted && ctx.Err() != nil:
			return err
		case err != nil:
			// A store that does not answer shows nothing of the holder.
			heard = clock()
		case b.Resigned:
			return nil
		case b != last:
			last, heard = b, clock()
		case clock()-heard >= times.Patience:
			return nil
		}
		if _, err := root.ReadOnce(ctx, leaderKey(epoch+1)); err == nil || Damaged(err) {
			return nil
		}
		if err := wait(ctx, times.Look); err != nil {
			return err
		}
	}
}

// readBeat returns the counter of an epoch; the zero beat where there is none, or
// only a damaged one: a holder that lives writes it again.
func readBeat(ctx context.Context, root *store.Root, epoch uint64) (beat, error) {
	var b beat
	body, err := root.Get(ctx, beatKey(epoch), 1<<10)
	if err == nil {
		err = unmarshal(body, &b)
	}
	switch {
	case plan.KindOf(err) == plan.NotFound:
		// Does the store answer at all? A listing that is complete is an answer.
		_, _, err = highest(ctx, root)
		return beat{}, err
	case Damaged(err):
		return beat{}, nil
	default:
		return b, err
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take creates an epoch. It returns nil when another process has it, perhaps by an
// object that is damaged.
func take(ctx context.Context, root *store.Root, me Leader, epoch uint64, clock Clock, times Times) (*Lease, error) {
	body, err := msgpack.Marshal(&me)
	if err != nil {
		return nil, err
	}
	sent := clock()
	won, _, err := root.CreateOnce(ctx, leaderKey(epoch), body)
	if Damaged(err) {
		return nil, nil
	}
	if err != nil || !won {
		return nil, err
	}
	me.Epoch = epoch
	l := &Lease{root: root, leader: me, clock: clock, times: times}
	l.renewed.Store(int64(sent))
	return l, nil
}

// Leader returns the Leader that this process is.
func (l *Lease) Leader() Leader { return l.leader }

// Holds reports whether this process may act: the last renewal that the store
// acknowledged was sent less than Times.Act ago.
func (l *Lease) Holds() bool { return l.clock()-time.Duration(l.renewed.Load()) < l.times.Act }

// lookAround is how many renewals pass between two looks at all epochs.
const lookAround = 10

// Keep renews the lease until ctx ends, and then returns nil, or until this process
// no longer leads, and then returns ErrDeposed. It continues through failures of
// the store: the standbys decide whether to take over meanwhile.
func (l *Lease) Keep(ctx context.Context) error {
	for n := 1; ; n++ {
		l.renew(ctx)
		leads, err := l.Leads(ctx)
		if err == nil && leads && n%lookAround == 0 {
			// Where epochs have gaps, the next one shows nothing of those above it.
			var top uint64
			top, _, err = highest(ctx, l.root)
			leads = top <= l.leader.Epoch
		}
		if err == nil && !leads {
			return fmt.Errorf("epoch %d: %w", l.leader.Epoch, ErrDeposed)
		}
		if wait(ctx, l.times.Renew) != nil {
			return nil //nolint:nilerr // the caller ended it
		}
	}
}

// renew overwrites the counter. A failed renewal shows in Holds.
func (l *Lease) renew(ctx context.Context) {
	l.count++
	sent := l.clock()
	ctx, cancel := context.WithTimeout(ctx, l.times.Act)
	defer cancel()
	if err := l.write(ctx, beat{Count: l.count}); err == nil {
		l.renewed.Store(int64(sent))
	}
}

func (l *Lease) write(ctx context.Context, b beat) error {
	body, err := msgpack.Marshal(&b)
	if err != nil {
		return err
	}
	return l.root.Put(ctx, beatKey(l.leader.Epoch), body, store.Heartbeat)
}

// Resign lets a standby take over at once. Keep must have returned.
func (l *Lease) Resign(ctx context.Context) error {
	l.renewed.Store(int64(l.clock() - l.times.Act))
	return l.write(ctx, beat{Count: l.count + 1, Resigned: true})
}

// Leads reports, by reads begun after the call, whether this process leads: there is
// no next epoch, and this one is its own. A process whose epoch is gone or another's
// does not lead. No other process could find it, and another may take the same
// number.
func (l *Lease) Leads(ctx context.Context) (bool, error) {
	_, err := l.root.ReadOnce(ctx, leaderKey(l.leader.Epoch+1))
	switch {
	case err == nil, Damaged(err):
		return false, nil
	case plan.KindOf(err) != plan.NotFound:
		return false, err
	}
	// That the next one is absent counts if this one can be read.
	own, err := readLeader(ctx, l.root, l.leader.Epoch)
	switch {
	case err == nil:
		return own == l.leader, nil
	case Damaged(err):
		return false, nil
	case plan.KindOf(err) != plan.NotFound:
		return false, err
	}
	// A listing that is complete shows that the store answers.
	top, recorded, listErr := highest(ctx, l.root)
	if listErr == nil && recorded && top == l.leader.Epoch {
		return false, err // the listing and the read do not agree
	}
	return false, listErr
}
