package control

import (
	"context"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
)

// Workers returns all workers.
func (m *Master) Workers(context.Context) ([]client.Worker, error) {
	l, err := m.leader()
	if err != nil {
		return nil, answer(err)
	}
	return l.members.List(m.cfg.Clock(), m.cfg.Now().UTC()), nil
}

// Drain lets a worker finish its attempts and end.
func (m *Master) Drain(_ context.Context, id string) error {
	l, err := m.leader()
	if err != nil {
		return answer(err)
	}
	if !l.members.Drain(id) {
		return client.Errorf(plan.NotFound, "there is no worker %s: windrow workers ls lists the workers", id)
	}
	l.divide()
	return nil
}

// Cluster describes the cluster. A master on standby answers with what it
// knows.
func (m *Master) Cluster(context.Context) (client.Cluster, error) {
	c := client.Cluster{Master: m.cfg.ID, Build: m.cfg.Build, Root: m.cfg.Root.Name("")}
	if l := m.leads.Load(); l != nil {
		c.Leader, c.Epoch = l.URL, l.Epoch
	}
	l, err := m.leader()
	if err != nil {
		return c, nil //nolint:nilerr // it stands by
	}
	c.Since = m.cfg.Now().Add(-(m.cfg.Clock() - l.since)).UTC()
	for _, w := range l.members.List(m.cfg.Clock(), m.cfg.Now()) {
		c.Workers++
		c.Slots += w.Slots
		c.Running += w.Running
	}
	l.mu.Lock()
	c.Jobs = len(l.jobs)
	l.mu.Unlock()
	return c, nil
}

// Ready returns nil when this master leads, or stands by and can reach the store.
func (m *Master) Ready(ctx context.Context) error {
	if _, err := m.leader(); err == nil {
		return nil
	}
	switch l, err := journal.Current(ctx, m.cfg.Root); {
	case err != nil:
		return client.Errorf(plan.Unavailable, "this master does not lead, and cannot read which one does: %v", err)
	case l.Epoch == 0:
		return client.Errorf(plan.Unavailable, "this master does not lead yet, and no other one does")
	default:
		return nil
	}
}
