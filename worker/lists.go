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

// ErrStale says that the output of a map was revoked after the launch of a
// reduce that reads it. The reduce is lost, and starts again.
var ErrStale = errors.New("the output of a map has been revoked")

// lists remembers, for each job, which attempts' output its reduces read.
type lists struct {
	mu    sync.Mutex
	known map[plan.JobID]*list
}

// list is one generation; turn holds a token while a caller asks for it.
type list struct {
	generation uint64
	turn       chan struct{}
	attempts   []plan.AttemptID // nil until it is known; guarded by turn
}

func newLists() *lists { return &lists{known: make(map[plan.JobID]*list)} }

func (l *lists) forget(job plan.JobID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, job)
}

// get returns a generation of a job's list. It asks once for each generation.
func (l *lists) get(ctx context.Context, job plan.JobID, generation uint64,
	ask func(context.Context, *cluster.MapsQuery) (*cluster.MapsAnswer, error)) ([]plan.AttemptID, error) {
	l.mu.Lock()
	e := l.known[job]
	if e == nil || e.generation != generation {
		older := e != nil && e.generation > generation
		e = &list{generation: generation, turn: make(chan struct{}, 1)}
		if !older { // a late reduce must not make the others ask again
			l.known[job] = e
		}
	}
	l.mu.Unlock()
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if e.attempts != nil {
		return e.attempts, nil
	}
	a, err := ask(ctx, &cluster.MapsQuery{Version: cluster.Version, Job: job, Generation: generation})
	if err != nil {
		return nil, err
	}
	if a.Stale {
		return nil, ErrStale
	}
	if a.Attempts == nil {
		a.Attempts = []plan.AttemptID{}
	}
	e.attempts = a.Attempts
	return e.attempts, nil
}

// askAgain is how long a worker waits before it asks again after a failure.
const askAgain = 500 * time.Millisecond

// askMaps asks the leader until there is an answer.
func (w *worker) askMaps(ctx context.Context, q *cluster.MapsQuery) (*cluster.MapsAnswer, error) {
	for {
		w.mu.Lock()
		client := w.client
		w.mu.Unlock()
		err := errors.New("no master is known")
		if client != nil {
			var a *cluster.MapsAnswer
			asking, cancel := context.WithTimeout(ctx, w.cfg.Hearing)
			a, err = client.Maps(asking, q)
			cancel()
			if err == nil {
				return a, nil
			}
		}
		if pause(ctx, askAgain) != nil {
			return nil, fmt.Errorf("ask which maps to read: %w; last: %w", context.Cause(ctx), err)
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
