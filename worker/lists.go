package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// ErrStale says that what an attempt reads was revoked after its launch. The attempt is
// lost, and its task starts again.
var ErrStale = errors.New("what the task reads has been revoked")

// lists remembers, for each job, what the tasks of its steps read.
type lists struct {
	mu    sync.Mutex
	known map[plan.JobID]map[plan.Group]*list
}

// list is one generation; turn holds a token while a caller asks for it.
type list struct {
	generation uint64
	turn       chan struct{}
	known      bool // guarded by turn, as work is
	work       plan.Work
}

func newLists() *lists { return &lists{known: make(map[plan.JobID]map[plan.Group]*list)} }

func (l *lists) forget(job plan.JobID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, job)
}

// get returns a generation of the list of a step. It asks once for each generation.
func (l *lists) get(ctx context.Context, job plan.JobID, group plan.Group, generation uint64,
	ask func(context.Context, *cluster.WorkQuery) (*cluster.WorkAnswer, error)) (plan.Work, error) {
	l.mu.Lock()
	if l.known[job] == nil {
		l.known[job] = make(map[plan.Group]*list)
	}
	e := l.known[job][group]
	if e == nil || e.generation != generation {
		older := e != nil && e.generation > generation
		e = &list{generation: generation, turn: make(chan struct{}, 1)}
		if !older { // a late attempt must not make the others ask again
			l.known[job][group] = e
		}
	}
	l.mu.Unlock()
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return plan.Work{}, context.Cause(ctx)
	}
	if e.known {
		return e.work, nil
	}
	a, err := ask(ctx, &cluster.WorkQuery{Version: cluster.Version, Job: job, Group: group, Generation: generation})
	if err != nil {
		return plan.Work{}, err
	}
	if a.Stale {
		return plan.Work{}, ErrStale
	}
	e.known, e.work = true, a.Work
	return e.work, nil
}

// askAgain is how long a worker waits before it asks again after a failure.
const askAgain = 500 * time.Millisecond

// askWork asks the leader until there is an answer.
func (w *worker) askWork(ctx context.Context, q *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
	for {
		w.mu.Lock()
		client := w.client
		w.mu.Unlock()
		err := errors.New("no master is known")
		if client != nil {
			var a *cluster.WorkAnswer
			asking, cancel := context.WithTimeout(ctx, w.cfg.Hearing)
			a, err = client.Work(asking, q)
			cancel()
			if err == nil {
				return a, nil
			}
		}
		if pause(ctx, askAgain) != nil {
			return nil, fmt.Errorf("ask what to read: %w; last: %w", context.Cause(ctx), err)
		}
	}
}

// pause waits for d, or returns why ctx ended.
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
