package embedded

import (
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Reduce attempts on remote stores spend much of their time waiting: for the bytes
// that they will read, and for the store to accept their part. So there are more
// attempts than slots, of which as many compute at once as there are slots.
const (
	// openPart is the memory that a part needs while it is written: see
	// store.Transfer.Parts.
	openPart = 24 << 20
	// mostExtra is the largest number of additional attempts for each slot.
	mostExtra = 5
)

// extra returns the number of additional reduce attempts for each slot: none on
// local stores, otherwise as many as leave half of a slot's memory for pairs.
func (r *run) extra() int {
	if !r.base.Remote() && !r.out.Remote() {
		return 0
	}
	m := r.memory()
	spare := m.Share(true) - m.Each()/2
	return int(min(max(spare, 0)/openPart, mostExtra))
}

// turns returns how many reduce attempts can compute at once, or 0 if there are no
// additional attempts.
func (r *run) turns() int {
	if r.extra() == 0 {
		return 0
	}
	return r.Slots
}

// share returns the number of bytes for the pairs of one attempt.
func (r *run) share() int64 {
	return r.memory().Share(r.roots.anyRemote()) - openPart*int64(r.extra())
}

// widen makes room for the additional attempts when the reduces begin. They compute
// by turns.
func (p *pool) widen(task plan.TaskID) {
	if step := p.pipe.Step(task.Group()); step != nil && step.Reads != plan.None && p.extra > 0 {
		p.wider.Do(func() {
			p.events.Post(scheduler.Joined{Worker: thisProcess, Slots: p.slots * (1 + p.extra)})
		})
	}
}
