package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// network carries requests between processes of one simulation.
type network struct {
	mu      sync.Mutex
	r       *rand.Rand
	trouble float64 // probability that a message is lost, late or repeated
	hosts   map[string]*process
	carried int // messages of workers
}

// draw returns numbers, one for each of n.
func (n *network) draw(who *process, count int) ([]float64, float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if who.name != clientName {
		n.carried++
	}
	all := make([]float64, count)
	for i := range all {
		all[i] = n.r.Float64()
	}
	return all, n.trouble
}

func (n *network) host(name string) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[name]
}

// from is the network as one process sees it.
type from struct {
	*network
	me *process
}

var errNetwork = errors.New("the network lost it")

// RoundTrip carries a request, or loses it or its answer, or carries it twice.
func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	d, trouble := f.draw(f.me, 6)
	if err := wait(r.Context(), delay(d[0], trouble)); err != nil {
		return nil, err
	}
	to := f.host(r.URL.Host)
	if to == nil || !f.me.reaches(to) || d[1] < trouble*0.1 {
		return nil, wait(r.Context(), 50*time.Millisecond, errNetwork)
	}
	if d[2] < trouble*0.1 { // a copy arrives later
		again := r.Clone(context.WithoutCancel(r.Context()))
		to.life.Go(func() {
			if wait(to.ctx, delay(d[3], 1)) == nil {
				_, _ = to.serve(again, body) //nolint:bodyclose // it is in memory
			}
		})
	}
	answer, err := to.serve(r, body)
	if err != nil {
		return nil, err
	}
	if !f.me.reaches(to) || d[4] < trouble*0.1 {
		return nil, wait(r.Context(), 50*time.Millisecond, errNetwork)
	}
	return answer, wait(r.Context(), delay(d[5], trouble))
}

// delay is mostly a millisecond, and sometimes seconds.
func delay(draw, trouble float64) time.Duration {
	if draw < trouble*0.05 {
		return time.Duration(draw / (trouble * 0.05) * float64(8*time.Second))
	}
	return time.Millisecond
}

// wait waits, and returns why it stopped early, or else the given error.
func wait(ctx context.Context, d time.Duration, then ...error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return errors.Join(then...)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve lets a process answer, unless it is dead or stopped.
func (p *process) serve(r *http.Request, body []byte) (*http.Response, error) {
	if err := p.running(r.Context()); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	defer context.AfterFunc(p.ctx, stop)()
	again := r.Clone(ctx)
	again.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, again)
	if err := p.running(r.Context()); err != nil {
		return nil, err
	}
	return w.Result(), r.Context().Err()
}
