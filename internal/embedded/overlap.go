package embedded

import (
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Reduce attempts on remote stores spend much of their time waiting: for the
// bytes that they will read, and for the store to take their part. So more of
// them are begun than there are slots, and as many compute at once as there are.
const (
	// openPart is what a part on its way holds: see store.Transfer.Parts.
	openPart = 24 << 20
	// mostExtra is how many attempts are begun for each slot, beside one.
	mostExtra = 5
)

// extra returns how many reduce attempts are begun for each slot beside the one
// that computes: none on stores at hand, and as many as leave half of a slot's
// memory for pairs.
func (r *run) extra() int {
	if !r.base.Remote() && !r.out.Remote() {
		return 0
	}
	m := r.memory()
	spare := m.Share(true) - m.Each()/2
	return int(min(max(spare, 0)/openPart, mostExtra))
}

// turns returns how many reduce attempts may compute at once, 0 when there are no
// more than that.
func (r *run) turns() int {
	if r.extra() == 0 {
		return 0
	}
	return r.Slots
}

// share returns how many bytes are for the pairs of one attempt.
func (r *run) share() int64 {
	return r.memory().Share(r.roots.anyRemote()) - openPart*int64(r.extra())
}

// widen makes room for more attempts when the reduces begin: what they need is
// taken by turns.
func (p *pool) widen(task plan.TaskID) {
	if task.Phase == plan.Reduce && p.extra > 0 {
		p.wider.Do(func() {
			p.events.Post(scheduler.Joined{Worker: thisProcess, Slots: p.slots * (1 + p.extra)})
		})
	}
}
