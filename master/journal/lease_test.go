package journal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/store"
)

// master is a process that competes to lead, in virtual time.
type master struct {
	lease *journal.Lease
	at    time.Duration // when it began to lead
	kept  chan error    // what Keep returned
	stop  context.CancelFunc
}

// clock returns the bubble's time.
func clock() journal.Clock {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// start elects a master and keeps its lease until it is stopped.
func start(t *testing.T, root *store.Root, name string, clock journal.Clock) chan *master {
	t.Helper()
	elected := make(chan *master, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		lease, err := journal.Elect(ctx, root, journal.Leader{Master: name, URL: "http://" + name}, clock, journal.LeaseTimes(), nil)
		if err != nil {
			cancel()
			close(elected)
			return
		}
		m := &master{lease: lease, at: clock(), kept: make(chan error, 1), stop: cancel}
		elected <- m
		m.kept <- lease.Keep(ctx)
	}()
	t.Cleanup(cancel)
	return elected
}

func TestTheFirstMasterLeadsAtOnceAndTheSecondAfterItsDeath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		first := <-start(t, root, "a", now)
		if first.at != 0 || first.lease.Leader().Epoch != 1 {
			t.Errorf("leads after %v with epoch %d", first.at, first.lease.Leader().Epoch)
		}
		second := start(t, root, "b", now)
		time.Sleep(time.Hour)
		if len(second) > 0 {
			t.Fatal("a standby took over from a leader that lives")
		}
		first.stop() // at once, as by kill -9
		<-first.kept
		died := now()
		m := <-second
		if waited := m.at - died; waited < 10*time.Second || waited > 20*time.Second {
			t.Errorf("took over after %v", waited)
		}
		if m.lease.Leader().Epoch != 2 {
			t.Errorf("epoch %d", m.lease.Leader().Epoch)
		}
		leader, err := journal.Current(t.Context(), root)
		if err != nil || leader.Master != "b" || leader.URL != "http://b" || leader.Epoch != 2 {
			t.Errorf("the leader is %+v, %v", leader, err)
		}
		if leads, err := first.lease.Leads(t.Context()); leads || err != nil {
			t.Errorf("the first still leads: %v, %v", leads, err)
		}
		if first.lease.Holds() {
			t.Error("the first would still act")
		}
		m.stop()
		<-m.kept
	})
}

func TestAResignedLeaderIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		first := <-start(t, root, "a", now)
		second := start(t, root, "b", now)
		time.Sleep(time.Minute)
		first.stop()
		<-first.kept
		if err := first.lease.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first.lease.Holds() {
			t.Error("it would still act")
		}
		resigned := now()
		m := <-second
		if waited := m.at - resigned; waited > 2*time.Second {
			t.Errorf("took over after %v", waited)
		}
		m.stop()
		<-m.kept
	})
}

func TestMastersThatStartTogetherHaveOneLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		a, b, c := start(t, root, "a", now), start(t, root, "b", now), start(t, root, "c", now)
		time.Sleep(time.Minute)
		if n := len(a) + len(b) + len(c); n != 1 {
			t.Errorf("%d masters lead", n)
		}
	})
}

// A leader that was suspended for long stops acting before it continues.
func TestASuspendedLeaderStopsActing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		var asleep atomic.Int64 // how far this master's boot clock is ahead
		first := <-start(t, root, "a", func() time.Duration { return now() + time.Duration(asleep.Load()) })
		synctest.Wait()
		if !first.lease.Holds() {
			t.Error("a leader that has just renewed does not hold its lease")
		}
		asleep.Store(int64(11 * time.Second))
		if first.lease.Holds() {
			t.Error("a leader acts 11 s after its last renewal")
		}
		first.stop()
		<-first.kept
	})
}

// cut is a store that can be cut off.
type cut struct {
	driver.Driver
	off *atomic.Bool
}

var errCut = driver.Fail(plan.Denied, "cut off")

func (c *cut) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	if c.off.Load() {
		return errCut
	}
	return c.Driver.Put(ctx, key, body, o)
}

func (c *cut) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	if c.off.Load() {
		return nil, errCut
	}
	return c.Driver.Open(ctx, key, etag)
}

// losing is a store that carries out requests, and whose answers are lost.
type losing struct {
	cut
	puts *atomic.Int64
}

func (l *losing) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	err := l.Driver.Put(ctx, key, body, o)
	l.puts.Add(1)
	if l.off.Load() {
		return errCut
	}
	return err
}

// A master recognizes its own append whose answer was lost in an outage, when the
// store answers again. It does not take another master's for its own.
func TestAnAppendOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			space := new(store.MemSpace)
			near := open(t, store.Options{Mem: space})
			if _, _, err := journal.CreateJob(t.Context(), near, job, nil); err != nil {
				t.Fatal(err)
			}
			theirs := scheduler.Record{Epoch: 2, Entries: []scheduler.Entry{scheduler.Fence{}}}
			if other {
				if won, _, err := journal.Open(near, job, nil).Append(t.Context(), 0, theirs); !won || err != nil {
					t.Fatal(won, err)
				}
			}
			var off atomic.Bool
			var puts atomic.Int64
			off.Store(true)
			far := open(t, store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver { return &losing{cut{d, &off}, &puts} }})
			time.AfterFunc(time.Minute, func() { off.Store(false) })
			began := time.Now()
			won, taken, err := journal.Open(far, job, nil).Append(t.Context(), 0, scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Fence{}}})
			if err != nil || won == other || other && taken.Epoch != 2 {
				t.Errorf("another's there: %v; won %v, taken %+v, %v", other, won, taken, err)
			}
			if time.Since(began) < time.Minute || puts.Load() < 3 {
				t.Errorf("it took %v and %d tries", time.Since(began), puts.Load())
			}
		})
	}
}

// A leader that gets no answer from the store stops acting within 10 s, and a
// standby takes over. When the store answers again the leader knows that it is
// deposed.
func TestALeaderThatIsCutOffIsDeposed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		space, now := new(store.MemSpace), clock()
		var off atomic.Bool
		far := open(t, store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver { return &cut{d, &off} }})
		first := <-start(t, far, "a", now)
		second := start(t, open(t, store.Options{Mem: space}), "b", now)
		time.Sleep(time.Minute)
		off.Store(true)
		time.Sleep(10*time.Second + time.Millisecond)
		if first.lease.Holds() {
			t.Error("it would still act")
		}
		if _, err := first.lease.Leads(t.Context()); err == nil {
			t.Error("it takes a failed read for an answer")
		}
		m := <-second
		off.Store(false)
		if err := <-first.kept; !errors.Is(err, journal.ErrDeposed) {
			t.Errorf("error is %v", err)
		}
		m.stop()
		<-m.kept
	})
}
