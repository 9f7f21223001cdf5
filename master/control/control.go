package control

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/gc"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
)

// times are the times of the workers' protocol and of leading.
type times struct {
	beat   time.Duration // how long an answer is held back at most
	again  time.Duration // until a worker whose connection ended has sent its next message
	lost   time.Duration // of silence, after which a worker is lost
	settle time.Duration // for workers to find a new leader, before it launches attempts that they may be running
	slow   time.Duration // an attempt that has run for less is no straggler
	lease  journal.Times
}

func timesOf(haste int) times {
	t := times{beat: 3 * time.Second, again: time.Second, lost: 15 * time.Second, settle: 4 * time.Second, slow: 10 * time.Second, lease: journal.LeaseTimes()}
	for _, d := range []*time.Duration{&t.beat, &t.again, &t.lost, &t.settle, &t.slow, &t.lease.Renew, &t.lease.Act, &t.lease.Patience, &t.lease.Look} {
		*d /= time.Duration(haste)
	}
	return t
}

// Config describes a master.
type Config struct {
	// ID is the process's own, and no earlier process had it. URL is where other
	// processes reach its API.
	ID, URL string
	// Gossip is the address at which this process takes part in gossip; "" where
	// it does not.
	Gossip string
	// Host and Build are shown to users.
	Host, Build string
	// Root is the cluster's.
	Root *store.Root
	// Roots are the roots that jobs may read and write.
	Roots store.Roots
	// Allows returns an error that says why a job may not use a URL; nil allows
	// it.
	Allows func(url string) error
	// Clock measures leases: journal.BootClock except in tests.
	Clock journal.Clock
	// Now is the time of day. Nil: time.Now.
	Now func() time.Time
	// Draw returns a random number. Nil: from crypto/rand.
	Draw func() uint32
	// Leads is called with the leader each time that it changes. It must be
	// quick. Nil: it is not called.
	Leads func(journal.Leader)
	// Keep is the age from which on the leftovers of jobs are collected. 0: 24 h.
	Keep time.Duration
	// Haste divides the times after which a silent master or worker is taken for
	// lost, for tests with real processes. All masters of a cluster must have the
	// same. 0: 1.
	Haste int
	// Log receives the events of the master. Nil: nothing is logged.
	Log *slog.Logger
}

// Master stands by, and leads when it is elected.
type Master struct {
	cfg        Config
	times      times
	leadership atomic.Pointer[leadership]     // nil while it does not lead
	leads      atomic.Pointer[journal.Leader] // the leader; nil while it is unknown
	began      time.Time
	highest    atomic.Uint64 // epoch that logs and workers have shown

	submitting *semaphore.Weighted // all of it is held while programs are collected
	garbage    *gc.Collector
}

// submissions is how many may be under way at once.
const submissions = 1 << 20

var _ cluster.Master = (*Master)(nil)

// New returns a master that does nothing yet.
func New(cfg Config) (*Master, error) {
	if cfg.ID == "" || cfg.URL == "" || cfg.Root == nil || cfg.Roots == nil || cfg.Clock == nil {
		return nil, errors.New("control: ID, URL, Root, Roots and Clock are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Draw == nil {
		cfg.Draw = func() uint32 {
			var b [4]byte
			_, _ = rand.Read(b[:]) // never fails
			return binary.BigEndian.Uint32(b[:])
		}
	}
	if cfg.Allows == nil {
		cfg.Allows = func(string) error { return nil }
	}
	if cfg.Keep == 0 {
		cfg.Keep = 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Master{cfg: cfg, times: timesOf(max(cfg.Haste, 1)), began: cfg.Now(), submitting: semaphore.NewWeighted(submissions)}
	m.garbage = gc.New(gc.Config{Root: cfg.Root, Roots: cfg.Roots, Allows: cfg.Allows, Jobs: jobsOf{m}, Keep: cfg.Keep, Log: cfg.Log})
	return m, nil
}

// Check finds out whether the store can keep the log of a cluster: it must be able
// to create an object once. It writes a probe, and removes it.
func Check(ctx context.Context, root *store.Root) error {
	if _, err := root.Probe(ctx); err != nil {
		return fmt.Errorf("a cluster cannot be led on this store: %w", err)
	}
	return nil
}

// again is how long a master waits before it repeats a request that failed.
const again = time.Second

// Run stands by and leads, in turn, until ctx ends. Then it resigns, so that other
// masters need not wait.
func (m *Master) Run(ctx context.Context) {
	for ctx.Err() == nil {
		me := journal.Leader{Epoch: m.highest.Load(), Master: m.cfg.ID, URL: m.cfg.URL, Gossip: m.cfg.Gossip}
		lease, err := journal.Elect(ctx, m.cfg.Root, me, m.cfg.Clock, m.times.lease, m.standBy)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			m.cfg.Log.Warn("cannot find out which master leads; trying again", "error", err)
			if pause(ctx, again) != nil {
				break
			}
			continue
		}
		m.lead(ctx, lease)
	}
}

// mostEpoch bounds the epochs that are believed: there must be higher ones.
const mostEpoch = 1 << 62

// seen notes an epoch that a log or a worker knows.
func (m *Master) seen(epoch uint64) {
	for epoch < mostEpoch {
		if before := m.highest.Load(); before >= epoch || m.highest.CompareAndSwap(before, epoch) {
			return
		}
	}
}

// standBy notes that another master leads.
func (m *Master) standBy(l journal.Leader) {
	if before := m.leads.Swap(&l); before == nil || before.Epoch != l.Epoch {
		m.cfg.Log.Info("another master leads; standing by", "master", l.URL, "epoch", l.Epoch)
		if m.cfg.Leads != nil {
			m.cfg.Leads(l)
		}
	}
}

// resignTime bounds the time for resigning.
const resignTime = 3 * time.Second

// lead leads for as long as this master has the lease.
func (m *Master) lead(ctx context.Context, lease *journal.Lease) {
	me := lease.Leader()
	m.leads.Store(&me)
	m.cfg.Log.Info("leading the cluster", "epoch", me.Epoch, "root", m.cfg.Root.Name(""))
	if m.cfg.Leads != nil {
		m.cfg.Leads(me)
	}
	err := newLeadership(m, lease).run(ctx)
	m.leadership.Store(nil)
	if errors.Is(err, errOutnumbered) {
		m.cfg.Log.Warn("taking a higher epoch", "epoch", me.Epoch, "error", err)
	}
	if !errors.Is(err, journal.ErrDeposed) {
		resigning, cancel := context.WithTimeout(context.WithoutCancel(ctx), resignTime)
		defer cancel()
		if err := lease.Resign(resigning); err != nil {
			m.cfg.Log.Warn("could not resign: another master will wait until this one is taken for dead", "error", err)
		}
		return
	}
	m.cfg.Log.Warn("deposed; standing by", "epoch", me.Epoch, "error", err)
}

// leader returns the leadership of this master. If it does not lead, the error is a
// *cluster.NotLeader that names the leader.
func (m *Master) leader() (*leadership, error) {
	if l := m.leadership.Load(); l != nil && l.lease.Holds() {
		return l, nil
	}
	e := new(cluster.NotLeader)
	if l := m.leads.Load(); l != nil && l.URL != m.cfg.URL {
		e.URL = l.URL
	}
	return nil, e
}

// Doubt says that other processes cannot reach a worker. It gets no new attempts
// until its next message; only silence makes it lost.
func (m *Master) Doubt(worker string) {
	if l := m.leadership.Load(); l != nil {
		l.members.Doubt(worker)
		l.divide()
	}
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
