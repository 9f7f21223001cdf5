package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"
)

// clone copies a world deeply, so that the two share nothing that changes.
func (w *world) clone() *world {
	c := *w
	c.slots = slices.Clone(w.slots)
	c.requests = slices.Clone(w.requests)
	c.history = *cloneJob(&w.history)
	c.masters = make([]*model, len(w.masters))
	for i, m := range w.masters {
		copied := *m
		copied.answers = slices.Clone(m.answers)
		copied.s = cloneState(m.s)
		c.masters[i] = &copied
	}
	c.attempts = make([]*try, len(w.attempts))
	for i, a := range w.attempts {
		copied := *a
		c.attempts[i] = &copied
	}
	return &c
}

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

// key returns a text that distinguishes worlds: two with equal keys have equal
// futures.
func (w *world) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v %v %s %v %v|%s|", w.b, w.passed, w.collected, w.output, w.manifest, w.part, jobKey(&w.history))
	for _, r := range w.slots {
		fmt.Fprintf(&b, "%d%+v;", r.Epoch, r.Entries)
	}
	for _, r := range w.requests {
		fmt.Fprintf(&b, "r%d %d%+v;", r.master, r.slot, r.record)
	}
	for _, a := range w.attempts {
		fmt.Fprintf(&b, "a%+v;", *a)
	}
	for _, m := range w.masters {
		s := m.s
		fmt.Fprintf(&b, "m%v%v%v%v%v%v%+v|%s|%d%d%+v%+v%+v%d%v%v%v%v%v%v|", m.alive, m.ended, m.checking, m.commit, m.cleanup, m.waits, m.answers,
			jobKey(&s.job), s.log, s.checked, s.inFlight, s.unlogged, s.asking, s.issued, s.commanded, s.answered, s.refused, s.drained, s.strangers, s.abort != nil)
		for _, a := range slices.SortedFunc(maps.Keys(s.ledger.reported), Account.Compare) {
			fmt.Fprintf(&b, "u%s%+v", a.Name, s.ledger.reported[a])
		}
		for p := range s.lanes {
			l := &s.lanes[p]
			for i := range l.tasks {
				fmt.Fprintf(&b, "t%+v", l.tasks[i])
			}
			fmt.Fprintf(&b, "q%v%v%+v", l.open, l.queue.items[l.queue.head:], l.spans)
		}
		fmt.Fprintf(&b, "o%d%v%v%v", s.served, s.openNow, s.stale, s.corrupt)
		for _, w := range s.workers.free { // in their order: it decides which is next
			fmt.Fprintf(&b, "w%s%v", w.id, w.spans)
		}
		for _, a := range s.attempts.those(func(*attempt) bool { return true }) {
			fmt.Fprintf(&b, "l%+v", *a)
		}
	}
	return b.String()
}
