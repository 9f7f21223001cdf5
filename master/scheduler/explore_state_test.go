//go:build !race

package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
