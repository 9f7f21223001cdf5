package worker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker"
)

// desk is a master as one worker sees it: every answer has all that was put on
// it, until the worker shows that it has received it.
type desk struct {
	mu       sync.Mutex
	epoch    uint64
	version  int
	launches []cluster.Launch
	grants   map[cluster.Ref][]plan.AttemptID
	ended    []plan.JobID
	stops    []cluster.Ref
	drain    bool
	forget   bool // outcomes are not acknowledged
	leader   string
	work     func(*cluster.WorkQuery) (*cluster.WorkAnswer, error)

	heard    []*cluster.Sync
	outcomes map[cluster.Ref]cluster.Outcome
	asked    int // for work
}

func newDesk(epoch uint64, launches ...cluster.Launch) *desk {
	return &desk{epoch: epoch, version: cluster.Version, launches: launches, grants: make(map[cluster.Ref][]plan.AttemptID), outcomes: make(map[cluster.Ref]cluster.Outcome)}
}

func (d *desk) Sync(ctx context.Context, s *cluster.Sync) (*cluster.Orders, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, s)
	if d.leader != "" {
		return nil, &cluster.NotLeader{URL: d.leader}
	}
	o := &cluster.Orders{Version: d.version, Epoch: d.epoch, Ended: d.ended, Stops: d.stops, Drain: d.drain}
	for i := range s.Outcomes {
		d.outcomes[s.Outcomes[i].Ref] = s.Outcomes[i]
		if !d.forget {
			d.launches = slices.DeleteFunc(slices.Clone(d.launches), func(l cluster.Launch) bool { return l.Ref == s.Outcomes[i].Ref })
			o.Acks = append(o.Acks, s.Outcomes[i].Ref)
		}
	}
	for i := range s.Running {
		if all := d.grants[s.Running[i].Ref]; s.Running[i].Asking && all != nil {
			o.Grants = append(o.Grants, cluster.Grant{Ref: s.Running[i].Ref, All: all})
		}
	}
	o.Launches = d.launches
	if len(o.Acks)+len(o.Grants) > 0 || s.Leaving {
		return o, nil
	}
	d.mu.Unlock()
	err := rest(ctx, time.Second)
	d.mu.Lock()
	return o, err
}

func (d *desk) Work(_ context.Context, q *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.work(q)
}

// last returns the newest message; a zero one before there is any.
func (d *desk) last() *cluster.Sync {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.heard) == 0 {
		return new(cluster.Sync)
	}
	return d.heard[len(d.heard)-1]
}

func (d *desk) outcome(l cluster.Launch) cluster.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.outcomes[l.Ref]
}

// change changes what the desk says in later answers.
func (d *desk) change(f func(d *desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// wire carries requests to desks by their names, in memory.
type wire map[string]*desk

var errNobody = errors.New("no host answers there")

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	d := w[r.URL.Host]
	if d == nil {
		return nil, errNobody
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := rest(r.Context(), time.Millisecond); err != nil {
		return nil, err
	}
	served := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	served.Header = r.Header
	answer := httptest.NewRecorder()
	cluster.Handler(d).ServeHTTP(answer, served)
	return answer.Result(), r.Context().Err()
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hands runs attempts as a test says, and counts them.
type hands struct {
	do func(ctx context.Context, l cluster.Launch, h worker.Host) cluster.Outcome

	mu        sync.Mutex
	begun     map[cluster.Ref]int
	now, most int // at once
	forgotten []plan.JobID
}

func (h *hands) Run(ctx context.Context, l cluster.Launch, host worker.Host) cluster.Outcome {
	h.mu.Lock()
	if h.begun == nil {
		h.begun = make(map[cluster.Ref]int)
	}
	h.begun[l.Ref]++
	h.now++
	h.most = max(h.most, h.now)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.now--
	}()
	return h.do(ctx, l, host)
}

func (h *hands) Forget(id plan.JobID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgotten = append(h.forgotten, id)
}

func (*hands) Close() error { return nil }

// seen returns how many jobs are forgotten, how many attempts run now, and the
// most that ran at once.
func (h *hands) seen() (forgotten, now, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.forgotten), h.now, h.most
}

// times returns how often an attempt was begun.
func (h *hands) times(l cluster.Launch) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun[l.Ref]
}

// takes returns work that takes some time.
func takes(d time.Duration) func(context.Context, cluster.Launch, worker.Host) cluster.Outcome {
	return func(ctx context.Context, _ cluster.Launch, _ worker.Host) cluster.Outcome {
		if err := rest(ctx, d); err != nil {
			return cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: context.Cause(ctx).Error()}}
		}
		return cluster.Outcome{Result: cluster.Done}
	}
}

func launch(n uint32) cluster.Launch {
	return cluster.Launch{Ref: cluster.Ref{Job: "01JOB", Task: plan.TaskID{Phase: plan.Map, Index: int(n)}, Attempt: plan.AttemptID{Epoch: 1, N: n}}}
}

// finds returns a search that finds one master.
func finds(epoch uint64, host string) func(context.Context) (worker.Leader, error) {
	return func(context.Context) (worker.Leader, error) {
		return worker.Leader{Epoch: epoch, URL: "http://" + host}, nil
	}
}

// start runs a worker until the test ends. The channel it returns receives the
// result of Run.
func start(t *testing.T, cfg worker.Config) <-chan error {
	t.Helper()
	if cfg.ID == "" {
		cfg.ID = "w1"
	}
	if cfg.Info.Slots == 0 {
		cfg.Info.Slots = 2
	}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	var life sync.WaitGroup
	life.Go(func() { ended <- worker.Run(ctx, cfg) })
	t.Cleanup(func() {
		stop()
		life.Wait()
	})
	return ended
}

// dying is a wire on which no host answers after some time.
type dying struct {
	wire
	dead time.Time
}

func (d dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if time.Now().After(d.dead) {
		return nil, errNobody
	}
	return d.wire.RoundTrip(r)
}

// switching is a wire on which the host "leads" dies at some time.
type switching struct {
	wire
	at time.Time
}

func (s switching) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "leads" && time.Now().After(s.at) {
		return nil, errNobody
	}
	return s.wire.RoundTrip(r)
}
