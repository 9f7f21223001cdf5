package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/members"
)

// Sync answers a message of a worker, at once if there are new orders.
func (m *Master) Sync(ctx context.Context, s *cluster.Sync) (*cluster.Orders, error) {
	l, err := m.leader()
	if err != nil {
		return nil, err
	}
	if s.Epoch > l.epoch { // the worker knows a later leader
		if err := l.outnumbered(ctx, s.Epoch); errors.Is(err, errOutnumbered) {
			l.end(fmt.Errorf("worker %s: %w", s.Worker, err))
		}
		return nil, new(cluster.NotLeader)
	}
	return l.sync(ctx, s)
}

// Work answers a worker that will run tasks which read results of others.
func (m *Master) Work(_ context.Context, q *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
	l, err := m.leader()
	if err != nil {
		return nil, err
	}
	j := l.job(q.Job)
	if j == nil {
		return &cluster.WorkAnswer{Stale: true}, nil
	}
	work, stale, known := j.input.workOf(q.Group, q.Generation)
	if !known {
		return nil, fmt.Errorf("job %s: this master has not read so far what the tasks %v read: ask again", q.Job, q.Group)
	}
	return &cluster.WorkAnswer{Stale: stale, Work: work}, nil
}

// hungUp notes that the connection of a worker ended before its message was answered.
// The system ends the connections of a process that dies, long before its silence
// shows it. A worker that lives sends its next message soon.
func (l *leadership) hungUp(worker string, seq uint64) {
	time.AfterFunc(l.times.again, func() {
		if l.members.DoubtAfter(worker, seq) {
			l.divide()
		}
	})
}

// sync takes a message of a worker. It answers when there are orders, or when the
// worker must get a sign of life.
func (l *leadership) sync(ctx context.Context, s *cluster.Sync) (*cluster.Orders, error) {
	known, uneven := l.members.Take(l.cfg.Clock(), s)
	if !known {
		l.cfg.Log.Info("a worker has joined", "worker", s.Worker, "host", s.Info.Host, "pid", s.Info.PID, "slots", s.Info.Slots)
	}
	if uneven {
		l.divide()
	}
	hold := time.NewTimer(l.times.beat)
	defer hold.Stop()
	for late := false; ; {
		o, changed := l.members.Orders(s)
		switch {
		case o == nil:
			return &cluster.Orders{Version: cluster.Version, Epoch: l.epoch}, nil
		case late || !members.Empty(o) || o.Drain && !s.Draining:
			return o, nil
		case s.Draining && len(s.Running)+len(s.Outcomes) == 0:
			return o, nil // it has nothing to wait for, and may leave
		}
		select {
		case <-changed:
		case <-hold.C:
			late = true
		case <-ctx.Done():
			l.hungUp(s.Worker, s.Seq)
			return nil, context.Cause(ctx)
		case <-l.ctx.Done():
			return nil, errors.Join(new(cluster.NotLeader), context.Cause(l.ctx))
		}
	}
}
