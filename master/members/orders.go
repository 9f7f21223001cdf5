package members

import (
	"maps"
	"slices"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Orders returns the orders that a worker has not received yet, as far as its
// messages show; and a channel that is closed when there may be more. Orders are
// nil when a newer message of the worker was taken, or when the worker is gone.
func (t *Table) Orders(s *cluster.Sync) (*cluster.Orders, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.workers[s.Worker]
	if w == nil || w.seq != s.Seq {
		return nil, nil
	}
	o := &cluster.Orders{Version: cluster.Version, Epoch: t.epoch, Drain: w.drain}
	send := func(sent *uint64) bool {
		if *sent != 0 && *sent <= w.known {
			return false
		}
		*sent = w.seq
		return true
	}
	for _, ref := range sortedRefs(w.placed) {
		p := w.placed[ref]
		switch {
		case p.stop && !p.confirmed && p.launched == 0:
			delete(w.placed, ref) // the worker never received it
		case p.stop:
			if send(&p.stopped) {
				o.Stops = append(o.Stops, ref)
			}
		case !p.confirmed:
			if send(&p.launched) {
				o.Launches = append(o.Launches, p.launch)
			}
		case p.grant != nil && send(&p.granted):
			o.Grants = append(o.Grants, cluster.Grant{Ref: ref, All: p.grant})
		}
	}
	for _, ref := range sortedRefs(w.acks) {
		if sent := w.acks[ref]; send(&sent) {
			w.acks[ref] = sent
			o.Acks = append(o.Acks, ref)
		}
	}
	for _, job := range slices.Sorted(maps.Keys(w.over)) {
		if sent := w.over[job]; send(&sent) {
			w.over[job] = sent
			o.Ended = append(o.Ended, job)
		}
	}
	return o, w.changed
}

// Empty reports whether orders contain at most the order to drain.
func Empty(o *cluster.Orders) bool {
	return len(o.Launches)+len(o.Stops)+len(o.Grants)+len(o.Acks)+len(o.Ended) == 0
}

// Launch places an attempt on a worker. If the worker has left, the job has an
// event that says so.
func (t *Table) Launch(now time.Duration, worker scheduler.WorkerID, l cluster.Launch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.workers[string(worker)]; w != nil {
		w.placed[l.Ref] = &placed{launch: l, since: now, Running: cluster.Running{Ref: l.Ref}}
		w.wake()
	}
}

// Stop ends an attempt.
func (t *Table) Stop(worker scheduler.WorkerID, ref cluster.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.workers[string(worker)]; w != nil && w.placed[ref] != nil {
		w.placed[ref].stop = true
		w.wake()
	}
}

// Grant lets an attempt make its part visible, on the worker on which it runs. All
// are the attempts of its task that were ever granted.
func (t *Table) Grant(ref cluster.Ref, all []plan.AttemptID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		if p := w.placed[ref]; p != nil {
			p.grant, p.granted = all, 0
			w.wake()
		}
	}
}

// Drain lets a worker finish its attempts and end. The worker is named by its id or
// by the end of it. Drain reports whether exactly one worker has that name.
func (t *Table) Drain(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*member
	for id, w := range t.workers {
		if matches(id, name) {
			found = append(found, w)
		}
	}
	if len(found) != 1 {
		return false
	}
	found[0].drain = true
	found[0].wake()
	return true
}
