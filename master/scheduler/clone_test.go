package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"
)

func cloneJob(j *Job) *Job {
	c := *j
	c.used = maps.Clone(j.used)
	c.groups = slices.Clone(j.groups)
	for p := range c.groups {
		tasks := slices.Clone(j.groups[p].tasks)
		for i := range tasks {
			tasks[i].Granted = slices.Clone(tasks[i].Granted)
			tasks[i].Invalid = slices.Clone(tasks[i].Invalid)
		}
		c.groups[p].tasks = tasks
	}
	return &c
}

func cloneState(s *State) *State {
	c := *s
	c.job = *cloneJob(&s.job)
	c.ledger = ledger{reported: maps.Clone(s.ledger.reported), due: slices.Clone(s.ledger.due)}
	c.inFlight = slices.Clone(s.inFlight)
	c.lanes = slices.Clone(s.lanes)
	for p := range c.lanes {
		l := &c.lanes[p]
		l.tasks = slices.Clone(l.tasks)
		l.queue.items = slices.Clone(l.queue.items)
		l.delayed = slices.Clone(l.delayed)
		l.spans.rest, l.spans.orphans = slices.Clone(l.spans.rest), slices.Clone(l.spans.orphans)
	}
	c.openNow, c.sizes = slices.Clone(s.openNow), slices.Clone(s.sizes)
	c.unlogged = slices.Clone(s.unlogged)
	c.asking = slices.Clone(s.asking)
	c.corrupt = slices.Clone(s.corrupt)
	c.attempts.byID = maps.Clone(s.attempts.byID) // attempts never change
	c.workers = workerTable{byID: make(map[WorkerID]*worker, len(s.workers.byID))}
	for id, w := range s.workers.byID {
		copied := *w
		copied.spans = slices.Clone(w.spans)
		c.workers.byID[id] = &copied
	}
	for _, w := range s.workers.free {
		c.workers.free = append(c.workers.free, c.workers.byID[w.id])
	}
	c.out = nil
	return &c
}

func jobKey(j *Job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %d|", j.Slots, j.Epoch, j.Status)
	for p := range j.groups {
		g := &j.groups[p]
		fmt.Fprintf(&b, "%d %d.%d %v %v|", g.left, g.bar.Epoch, g.bar.N, g.used, g.blind)
		for i := range g.tasks {
			t := &g.tasks[i]
			fmt.Fprintf(&b, "%v %d.%d %v %v %v;", t.Committed, t.Attempt.Epoch, t.Attempt.N, attemptsKey(t.Granted), attemptsKey(t.Invalid), t.Fixed)
		}
	}
	for _, u := range j.accounts() {
		fmt.Fprintf(&b, "%s:%d,", u.Account.Name, u.Usage.Gets)
	}
	return b.String()
}

func attemptsKey(ids []plan.AttemptID) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%d.%d,", id.Epoch, id.N)
	}
	return b.String()
}
