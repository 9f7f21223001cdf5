package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/store"
)

// process can be killed or stopped at any moment: from then on none of its
// requests reaches the store or the network.
type process struct {
	name    string
	ctx     context.Context // its life
	kill    context.CancelCauseFunc
	handler http.Handler
	life    sync.WaitGroup
	world   *world
	quit    context.CancelFunc // ends a master in good order
	ahead   atomic.Int64       // how far its clock has jumped

	mu     sync.Mutex
	r      *rand.Rand
	thaw   chan struct{}   // closed when a stopped process continues; nil while it runs
	cutOff map[string]bool // processes that it cannot reach
}

func newProcess(name string, w *world) *process {
	p := &process{name: name, world: w, cutOff: make(map[string]bool), r: rand.New(rand.NewPCG(w.r.Uint64(), 7))}
	p.ctx, p.kill = context.WithCancelCause(context.Background())
	return p
}

func (p *process) draw() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.r.Uint32()
}

var errKilled = errors.New("killed")

// running waits while the process is stopped; it fails when it is dead.
func (p *process) running(ctx context.Context) error {
	for {
		p.mu.Lock()
		thaw := p.thaw
		p.mu.Unlock()
		if p.ctx.Err() != nil {
			return errKilled
		}
		if thaw == nil {
			return ctx.Err()
		}
		select {
		case <-thaw:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ctx.Done():
		}
	}
}

// freeze stops the process for a while, as SIGSTOP would.
func (p *process) freeze(d time.Duration) {
	thaw := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.thaw != nil || p.ctx.Err() != nil {
		return
	}
	p.thaw = thaw
	time.AfterFunc(d, func() {
		p.mu.Lock()
		p.thaw = nil
		p.mu.Unlock()
		close(thaw)
	})
}

func (p *process) reaches(other *process) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.cutOff[other.name]
}

// cut cuts the way to another process for a while.
func (p *process) cut(other string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutOff[other] = true
	time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.cutOff, other)
	})
}

// gate is the store as a process sees it. A request of a process that is killed
// or stopped may have arrived; the answer does not.
type gate struct {
	driver.Driver
	p *process
}

func (g *gate) pass(ctx context.Context, do func() error) error {
	if err := g.reach(ctx); err != nil {
		return err
	}
	if err := wait(ctx, g.late()); err != nil {
		return driver.Fail(plan.Interrupted, "%w", err)
	}
	err := do()
	if slow := wait(ctx, g.late()); slow != nil {
		return driver.Fail(plan.Interrupted, "%w", slow)
	}
	if after := g.p.running(ctx); after != nil {
		return driver.Fail(plan.Interrupted, "%w", after)
	}
	return err
}

// late is the travel time of a request, or its answer: some milliseconds, and
// sometimes seconds.
func (g *gate) late() time.Duration {
	draw := g.p.draw()
	if draw%100 == 0 {
		return time.Duration(draw/100%5000) * time.Millisecond
	}
	return time.Duration(draw/100%40) * time.Millisecond
}

const theStore = "the store"

func (g *gate) reach(ctx context.Context) error {
	if err := g.p.running(ctx); err != nil {
		return driver.Fail(plan.Interrupted, "%w", err)
	}
	g.p.mu.Lock()
	cut := g.p.cutOff[theStore]
	g.p.mu.Unlock()
	if cut || g.p.world.outage.Load() {
		return driver.Fail(plan.Unavailable, "it cannot be reached")
	}
	return nil
}

func (g *gate) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	return g.pass(ctx, func() error { return g.Driver.Put(ctx, key, body, o) })
}

func (g *gate) Stat(ctx context.Context, key string) (o store.Object, err error) {
	err = g.pass(ctx, func() error { o, err = g.Driver.Stat(ctx, key); return err })
	return o, err
}

func (g *gate) Delete(ctx context.Context, key string) error {
	return g.pass(ctx, func() error { return g.Driver.Delete(ctx, key) })
}

func (g *gate) Open(ctx context.Context, key, etag string) (r driver.Reader, err error) {
	err = g.pass(ctx, func() error { r, err = g.Driver.Open(ctx, key, etag); return err })
	return r, err
}

func (g *gate) Upload(ctx context.Context, key string, o store.CreateOptions) (u driver.Upload, err error) {
	err = g.pass(ctx, func() error { u, err = g.Driver.Upload(ctx, key, o); return err })
	return &gateUpload{u, g}, err
}

func (g *gate) List(prefix string) driver.Pager { return &gatePager{g.Driver.List(prefix), g} }

type gatePager struct {
	driver.Pager
	g *gate
}

func (p *gatePager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	err = p.g.pass(ctx, func() error { page, last, err = p.Pager.Next(ctx); return err })
	return page, last, err
}

type gateUpload struct {
	driver.Upload
	g *gate
}

func (u *gateUpload) Part(ctx context.Context, n int, body []byte) error {
	return u.g.pass(ctx, func() error { return u.Upload.Part(ctx, n, body) })
}

func (u *gateUpload) Commit(ctx context.Context) error {
	return u.g.pass(ctx, func() error { return u.Upload.Commit(ctx) })
}
