package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/worker"
)

// world is one simulation.
type world struct {
	*network
	t        *testing.T
	r        *rand.Rand
	mem      *store.MemSpace
	faults   *fault.Injector
	log      *slog.Logger
	library  map[string]*jobs.Job
	names    int
	life     sync.WaitGroup
	live     []*process
	outage   atomic.Bool // of the store, for all
	me       *process    // the process that makes the requests of users
	truth    *store.Root // the cluster's root, which no trouble befalls
	data     *store.Root // inputs and outputs, too
	wanted   []*wanted
	requests sync.WaitGroup

	mu       sync.Mutex // guards the fields below, and the state of the wanted jobs
	launched map[cluster.Ref]bool
	broken   error // the first promise that was broken
}

// breach notes that a promise was broken.
func (w *world) breach(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

// end kills all processes that are left.
func (w *world) end() {
	for _, p := range w.live {
		p.kill(errKilled)
	}
	w.life.Wait()
	for _, p := range w.live {
		p.life.Wait()
	}
	w.requests.Wait()
}

// open opens the store for users.
func (w *world) open() error {
	w.me = newProcess(clientName, w)
	w.live = append(w.live, w.me)
	var err error
	if w.truth, err = store.Open(w.me.ctx, "mem://cluster", store.Options{Mem: w.mem}); err != nil {
		return err
	}
	w.data, err = store.Open(w.me.ctx, "mem://data", store.Options{Mem: w.mem})
	return err
}

// begin starts a cluster, and submits a job.
func (w *world) begin() error {
	if err := w.open(); err != nil {
		return err
	}
	for range 1 + w.r.IntN(2) {
		if err := w.startMaster(); err != nil {
			return err
		}
	}
	for range 1 + w.r.IntN(3) {
		if err := w.startWorker(); err != nil {
			return err
		}
	}
	return w.submit()
}

// options are those of a root as a process sees it.
func (w *world) options(p *process) store.Options {
	return store.Options{Mem: w.mem, Wrap: func(d driver.Driver) driver.Driver { return &gate{w.faults.Wrap(d), p} }}
}

// newProcess adds a process with its view of the store.
func (w *world) newProcess(kind string) (*process, *store.Root, *allow.List, error) {
	w.names++
	p := newProcess(fmt.Sprintf("%s%d", kind, w.names), w)
	root, err := store.Open(p.ctx, "mem://cluster", w.options(p))
	if err != nil {
		return nil, nil, nil, err
	}
	roots, err := allow.New([]string{"mem://data"}, w.options(p))
	w.network.mu.Lock()
	w.hosts[p.name] = p
	w.network.mu.Unlock()
	w.live = append(w.live, p)
	return p, root, roots, err
}

func (w *world) startMaster() error {
	p, root, roots, err := w.newProcess("master")
	if err != nil {
		return err
	}
	began := time.Now()
	m, err := control.New(control.Config{ID: p.name, URL: "http://" + p.name, Host: p.name, Root: root, Roots: roots, Allows: roots.Allows,
		Clock: func() time.Duration { return time.Since(began) + time.Duration(p.ahead.Load()) },
		Draw:  p.draw, Keep: keepTime, Log: w.log.With("process", p.name)})
	if err != nil {
		return err
	}
	p.handler = serve(m)
	ctx, quit := context.WithCancel(p.ctx)
	p.quit = quit
	w.life.Go(func() {
		m.Run(ctx)
		p.kill(errKilled)
	})
	return nil
}

func (w *world) startWorker() error {
	p, root, roots, err := w.newProcess("worker")
	if err != nil {
		return err
	}
	run := &runner{root: root, roots: roots, jobs: w.library, r: rand.New(rand.NewPCG(w.r.Uint64(), 6)), began: func(ref cluster.Ref) {
		w.mu.Lock()
		again := w.launched[ref]
		w.launched[ref] = true
		w.mu.Unlock()
		if again {
			w.breach("attempt %v was begun twice", ref)
		}
	}}
	cfg := worker.Config{ID: p.name, Info: cluster.Info{Host: p.name, Slots: 1 + w.r.IntN(3)}, Runner: run, HTTP: from{w.network, p},
		Log: w.log.With("process", p.name), Find: func(ctx context.Context) (worker.Leader, error) {
			l, err := journal.Current(ctx, root)
			return worker.Leader{Epoch: l.Epoch, URL: l.URL}, err
		}}
	w.life.Go(func() {
		if err := worker.Run(p.ctx, cfg); err == nil {
			p.kill(errKilled) // it has drained
		}
	})
	return nil
}

// quiet checks that no process talks without end: a worker has news now and
// then, and a heartbeat every few seconds.
func (w *world) quiet(began time.Time) error {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	most := 500*len(w.wanted) + int(time.Since(began).Seconds())*len(w.live)*2
	if w.carried > most {
		return fmt.Errorf("%d messages in %v", w.carried, time.Since(began))
	}
	return nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// masters returns the names of all masters that live.
func (w *world) masters() (names []string) {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	for name, p := range w.hosts {
		if strings.HasPrefix(name, "master") && p.ctx.Err() == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// alive returns the processes of a kind that live.
func (w *world) alive(kind string) (all []*process) {
	for _, p := range w.live {
		if p.ctx.Err() == nil && p != w.me && strings.HasPrefix(p.name, kind) {
			all = append(all, p)
		}
	}
	return all
}
