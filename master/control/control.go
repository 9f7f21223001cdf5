package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
)

// Times of the workers' protocol.
type times struct {
	beat   time.Duration // how long an answer is held back at most
	lost   time.Duration // a worker that was not heard for so long
	settle time.Duration // for workers to find a new master, before it launches what they may run
	slow   time.Duration // an attempt that has run for less is no straggler
	lease  journal.Times
}

func timesOf(haste int) times {
	t := times{beat: 3 * time.Second, lost: 15 * time.Second, settle: 4 * time.Second, slow: 10 * time.Second, lease: journal.LeaseTimes()}
	for _, d := range []*time.Duration{&t.beat, &t.lost, &t.settle, &t.slow, &t.lease.Renew, &t.lease.Act, &t.lease.Patience, &t.lease.Look} {
		*d /= time.Duration(haste)
	}
	return t
}

// Config says what a master is.
type Config struct {
	// ID is the process's own, and of no process before it. URL is where its API
	// is, for others.
	ID, URL string
	// Gossip is where this process takes part in gossip; "" where it does not.
	Gossip string
	// Host and Build are told to those who ask.
	Host, Build string
	// Root is the cluster's.
	Root *store.Root
	// Roots are what jobs may read and write.
	Roots store.Roots
	// Allows says why a job may not use a URL; nil allows it.
	Allows func(url string) error
	// Clock is what leases are measured by: journal.BootClock but in tests.
	Clock journal.Clock
	// Now is the time of day. Nil: time.Now.
	Now func() time.Time
	// Draw returns a random number. Nil: a good one.
	Draw func() uint32
	// Leads is told who leads, each time that this changes. It must be quick.
	// Nil: nobody.
	Leads func(journal.Leader)
	// Grace is how old what is left of jobs must be to be collected. 0: 24 h.
	Grace time.Duration
	// Haste divides the times after which a silent master or worker is taken for
	// lost: for tests with real processes. All masters of a cluster must have the
	// same. 0: 1.
	Haste int
	// Log takes what goes on. Nil: nobody does.
	Log *slog.Logger
}

// Master stands by, and leads when it is its turn.
type Master struct {
	cfg    Config
	times  times
	reign  atomic.Pointer[reign]          // nil while it does not lead
	leader atomic.Pointer[journal.Leader] // who does, as far as it is known
	began  time.Time

	submitting *semaphore.Weighted // all of it is held while programs are collected
	deleting   *semaphore.Weighted // held while a prefix is swept: package store deletes side by side as it is
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
			return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}
	}
	if cfg.Allows == nil {
		cfg.Allows = func(string) error { return nil }
	}
	if cfg.Grace == 0 {
		cfg.Grace = 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Master{cfg: cfg, times: timesOf(max(cfg.Haste, 1)), began: cfg.Now(), submitting: semaphore.NewWeighted(submissions), deleting: semaphore.NewWeighted(1)}, nil
}

// Check makes sure that the store can keep a cluster's truth: it must create an
// object once. It writes a probe, and removes it.
func Check(ctx context.Context, root *store.Root) error {
	if _, err := root.Probe(ctx); err != nil {
		return fmt.Errorf("a cluster cannot be led on this store: %w", err)
	}
	return nil
}

// again is how long a master waits before it tries again what the store failed.
const again = time.Second

// Run stands by and leads, in turn, until ctx ends. Then it resigns, so that
// others need not wait.
func (m *Master) Run(ctx context.Context) {
	for ctx.Err() == nil {
		me := journal.Leader{Master: m.cfg.ID, URL: m.cfg.URL, Gossip: m.cfg.Gossip}
		lease, err := journal.Elect(ctx, m.cfg.Root, me, m.cfg.Clock, m.times.lease, m.heardOf)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			m.cfg.Log.Warn("cannot find out who leads; trying again", "error", err)
			if pause(ctx, again) != nil {
				break
			}
			continue
		}
		m.lead(ctx, lease)
	}
}

// heardOf notes who leads.
func (m *Master) heardOf(l journal.Leader) {
	if before := m.leader.Swap(&l); before == nil || before.Epoch != l.Epoch {
		m.cfg.Log.Info("another master leads; standing by", "master", l.URL, "epoch", l.Epoch)
		if m.cfg.Leads != nil {
			m.cfg.Leads(l)
		}
	}
}

// resignTime bounds what is done for others at the end.
const resignTime = 3 * time.Second

// lead reigns for as long as the lease is this master's.
func (m *Master) lead(ctx context.Context, lease *journal.Lease) {
	me := lease.Leader()
	m.leader.Store(&me)
	m.cfg.Log.Info("leading the cluster", "epoch", me.Epoch, "root", m.cfg.Root.Name(""))
	if m.cfg.Leads != nil {
		m.cfg.Leads(me)
	}
	r := newReign(m, lease)
	err := r.run(ctx)
	m.reign.Store(nil)
	if !errors.Is(err, journal.ErrDeposed) {
		resigning, cancel := context.WithTimeout(context.WithoutCancel(ctx), resignTime)
		defer cancel()
		if err := lease.Resign(resigning); err != nil {
			m.cfg.Log.Warn("could not resign: another master will wait until this one is taken for dead", "error", err)
		}
		return
	}
	m.cfg.Log.Warn("deposed: another master leads; standing by", "epoch", me.Epoch)
}

// leads returns the reign, or an error that says who leads.
func (m *Master) leads() (*reign, error) {
	if r := m.reign.Load(); r != nil && r.lease.Holds() {
		return r, nil
	}
	e := new(cluster.NotLeader)
	if l := m.leader.Load(); l != nil && l.URL != m.cfg.URL {
		e.URL = l.URL
	}
	return nil, e
}

// Sync answers a worker, at once if there is something to tell it.
func (m *Master) Sync(ctx context.Context, s *cluster.Sync) (*cluster.Orders, error) {
	r, err := m.leads()
	if err != nil {
		return nil, err
	}
	if s.Epoch > r.epoch {
		return nil, new(cluster.NotLeader) // the worker has met the next one
	}
	return r.sync(ctx, s)
}

// Doubt says that others cannot reach a worker. It gets nothing new until it is
// heard; that it is lost, only silence says.
func (m *Master) Doubt(worker string) {
	if r := m.reign.Load(); r != nil {
		r.members.doubt(worker)
		r.divide()
	}
}

// Maps answers a worker that is to run reduces.
func (m *Master) Maps(_ context.Context, q *cluster.MapsQuery) (*cluster.MapsAnswer, error) {
	r, err := m.leads()
	if err != nil {
		return nil, err
	}
	j := r.job(q.Job)
	if j == nil {
		return &cluster.MapsAnswer{Stale: true}, nil
	}
	list, known := j.mapsOf(q.Generation)
	if !known {
		return nil, fmt.Errorf("job %s: this master has not read so far which maps its reduces read: ask again", q.Job)
	}
	return &cluster.MapsAnswer{Stale: list == nil, Attempts: list}, nil
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
