package executor

import (
	"context"
	"maps"
	"sync"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/plan"
)

func (e *Executor) writeManifest(ctx context.Context, m *plan.Manifest) error {
	err := attempts.WriteManifest(ctx, e.cfg.Scratch, m, e.cfg.Class)
	if err == nil {
		e.manifests.put(m)
	}
	return err
}

// ReadManifest returns the manifest of an attempt.
//
//go:noinline
func (e *Executor) ReadManifest(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
	return attempts.ReadManifest(ctx, e.cfg.Scratch, e.cfg.Job, task, id)
}

// manifestCache remembers the manifests that this process wrote or read.
type manifestCache struct {
	mu    sync.Mutex
	known map[plan.AttemptID]*plan.Manifest
}

func (c *manifestCache) put(m *plan.Manifest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[m.Attempt] = m
}

// forget removes the manifests of tasks.
func (c *manifestCache) forget(of func(plan.TaskID) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.known, func(_ plan.AttemptID, m *plan.Manifest) bool { return of(m.Task) })
}

func (c *manifestCache) get(id plan.AttemptID, read func() (*plan.Manifest, error)) (*plan.Manifest, error) {
	c.mu.Lock()
	m := c.known[id]
	c.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m, err := read()
	if err == nil {
		c.put(m)
	}
	return m, err
}
