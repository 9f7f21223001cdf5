package executor

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
)

// hashed is how many left prefixes runs are spread over. A store splits its
// load by prefix; without the spread a job's first requests would all go to one
// place.
const hashed = 64

// getsAtOnce is how many ranges of runs a process asks a remote store for at
// once: enough to fill its network, and few enough that each is answered soon.
const getsAtOnce = 64

// runStore keeps the runs of one attempt.
type runStore struct {
	root    *store.Root
	class   store.Class
	task    plan.TaskID
	attempt plan.AttemptID
	gets    chan struct{} // of the process; nil for any number
	n       int           // runs begun
}

var _ shuffle.RunStore = (*runStore)(nil)

func (e *Executor) runStore(task plan.TaskID, id plan.AttemptID) *runStore {
	return &runStore{root: e.cfg.Scratch, class: e.cfg.Class, task: task, attempt: id, gets: e.gets}
}

// Create begins a run under a name of the attempt's own.
func (s *runStore) Create(ctx context.Context) (shuffle.RunWriter, error) {
	key := fmt.Sprintf("x/%02x/%s.%s.%d", (s.task.Index*31+s.n)%hashed, s.task.Key(), s.attempt, s.n)
	s.n++
	w, err := s.root.Create(ctx, key, store.CreateOptions{Class: s.class})
	if err != nil {
		return nil, err
	}
	return &runWriter{w, key}, nil
}

// Open opens a committed run.
func (s *runStore) Open(ctx context.Context, key string, size int64) (shuffle.RunReader, error) {
	h, err := s.root.OpenKnown(ctx, store.Object{Key: key, Size: size})
	if err != nil || s.gets == nil {
		return h, err
	}
	return &gatedReader{h, s.gets}, nil
}

// gatedReader is a run whose reads wait while too many others are under way.
type gatedReader struct {
	*store.Handle
	gets chan struct{}
}

// ReadAt reads a range by one request.
func (r *gatedReader) ReadAt(ctx context.Context, p []byte, off int64) error {
	select {
	case r.gets <- struct{}{}:
		defer func() { <-r.gets }()
		return r.Handle.ReadAt(ctx, p, off)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Delete removes a run.
func (s *runStore) Delete(ctx context.Context, key string) error { return s.root.Delete(ctx, key) }

type runWriter struct {
	*store.Writer
	key string
}

// Key returns the run's key.
func (w *runWriter) Key() string { return w.key }
