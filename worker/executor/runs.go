package executor

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
)

// hashed is how many left prefixes runs are spread over: a store splits its
// load by prefix, and a job's first requests would else meet in one place.
const hashed = 64

// runStore keeps the runs of one attempt.
type runStore struct {
	root    *store.Root
	class   store.Class
	task    plan.TaskID
	attempt plan.AttemptID
	n       int // runs begun
}

var _ shuffle.RunStore = (*runStore)(nil)

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
	return s.root.OpenKnown(ctx, store.Object{Key: key, Size: size})
}

// Delete removes a run.
func (s *runStore) Delete(ctx context.Context, key string) error { return s.root.Delete(ctx, key) }

type runWriter struct {
	*store.Writer
	key string
}

// Key returns the run's key.
func (w *runWriter) Key() string { return w.key }
