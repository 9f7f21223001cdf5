package scheduler

import (
	"cmp"
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// taskState is what a master knows of a task beyond the log.
type taskState struct {
	live        int32  // attempts running now
	failures    int16  // attempts that failed
	lost        int16  // attempts that were lost
	queued      bool   // in the queue or delayed
	reported    bool   // a success is among those that the log has not taken
	proposed    uint64 // slot+1 of the batch that last proposed a grant
	grantee     plan.AttemptID
	grantUntil  Time
	fingerprint string   // of the last failure
	avoid       WorkerID // where it failed last
}

// attempt is a running attempt that this master launched.
type attempt struct {
	id      plan.AttemptID
	task    plan.TaskID
	place   int // of the task's group
	worker  WorkerID
	started Time
}

// attemptTable holds the running attempts.
type attemptTable struct {
	byID map[plan.AttemptID]*attempt
}

func newAttemptTable() attemptTable {
	return attemptTable{byID: make(map[plan.AttemptID]*attempt)}
}

func (t *attemptTable) get(id plan.AttemptID) *attempt { return t.byID[id] }

func (t *attemptTable) add(a *attempt) { t.byID[a.id] = a }

func (t *attemptTable) remove(id plan.AttemptID) { delete(t.byID, id) }

func (t *attemptTable) len() int { return len(t.byID) }

// those returns the attempts that match, in the order of their launches. It looks
// at every running attempt, and is for rare events.
func (t *attemptTable) those(match func(*attempt) bool) []*attempt {
	var found []*attempt
	for _, a := range t.byID {
		if match(a) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *attempt) int { // attempts of two epochs can have one number
		return cmp.Or(cmp.Compare(a.id.Epoch, b.id.Epoch), cmp.Compare(a.id.N, b.id.N), cmp.Compare(a.id.Rand, b.id.Rand))
	})
	return found
}

// workerTable holds the workers, and those with free slots in the order in which
// the slots became free, so that all workers get tasks in turn.
type workerTable struct {
	byID    map[WorkerID]*worker
	free    []*worker
	shunned Time // until when any of them is excluded
	doubted int  // how many are
}

type worker struct {
	id      WorkerID
	slots   int
	used    int
	gone    bool
	doubted bool // other processes cannot reach it
	idle    bool // is in free
	failed  int  // attempts that failed there since the last success
	until   Time // it is excluded until then
	unfit   bool // because it cannot run the job
	spans   []heldSpan
}

func (t *workerTable) join(id WorkerID, slots int) {
	if t.byID == nil {
		t.byID = make(map[WorkerID]*worker)
	}
	w := t.byID[id]
	if w == nil {
		w = &worker{id: id}
		t.byID[id] = w
	}
	w.slots = max(slots, 0)
	t.offer(w)
}

func (t *workerTable) leave(id WorkerID) bool {
	w := t.byID[id]
	if w == nil {
		return false
	}
	t.doubt(id, false)
	w.gone = true
	delete(t.byID, id)
	return true
}

func (t *workerTable) offer(w *worker) {
	if !w.gone && !w.idle && w.used < w.slots {
		w.idle = true
		t.free = append(t.free, w)
	}
}

// Exclusion is a worker that gets no attempts of the job until some time, because
// attempts failed there in a row.
type Exclusion struct {
	Worker WorkerID
	Until  Time
	Unfit  bool // because it said that it cannot run the job
}

// Excluded returns the workers that are excluded, in the order of their ids.
func (s *State) Excluded(now Time) []Exclusion {
	if s.workers.shunned <= now {
		return nil
	}
	var all []Exclusion
	for _, id := range slices.Sorted(maps.Keys(s.workers.byID)) {
		if w := s.workers.byID[id]; w.until > now {
			all = append(all, Exclusion{id, w.until, w.unfit})
		}
	}
	return all
}

// A worker on which so many attempts fail in a row gets no task for a while, unless
// there is no other worker. Then one attempt shows whether it works again.
const (
	excludeAfter = 3
	excludeFor   = Time(60e9)
	// unfitFor is how long a worker gets no task that said that it cannot run the
	// job. Its disk may have room then.
	unfitFor = Time(600e9)
)

// take uses a slot of the worker that has waited longest, if possible a worker
// other than avoid, and none that is excluded. It returns nil when no slot is free,
// or only slots of excluded workers while other workers are busy.
func (t *workerTable) take(now Time, avoid WorkerID) *worker {
	best, rank := -1, 3
	for i := 0; i < len(t.free); i++ {
		w := t.free[i]
		if w.gone || w.used >= w.slots { // since it was offered
			w.idle = false
			t.free = slices.Delete(t.free, i, i+1)
			i--
			continue
		}
		r := 0
		switch {
		case w.until > now:
			r = 2
		case w.id == avoid:
			r = 1
		}
		if r < rank {
			best, rank = i, r
		}
		if rank == 0 {
			break
		}
	}
	if best < 0 || rank == 2 && t.othersLeft(now) {
		return nil
	}
	i := best
	w := t.free[i]
	t.free = slices.Delete(t.free, i, i+1)
	w.idle = false
	w.used++
	t.offer(w)
	return w
}

// othersLeft reports whether there are workers that are not excluded.
func (t *workerTable) othersLeft(now Time) bool {
	for _, w := range t.byID {
		if w.until <= now {
			return true
		}
	}
	return false
}

// unfit excludes a worker that cannot run the job. It reports whether other workers
// are left: then the failure does not count against its task.
func (t *workerTable) unfit(now Time, id WorkerID) bool {
	if w := t.byID[id]; w != nil {
		w.until, w.unfit = now+unfitFor, true
		t.shunned = max(t.shunned, w.until)
	}
	return t.othersLeft(now)
}

// failed counts a failure against a worker.
func (t *workerTable) failed(now Time, id WorkerID) {
	if w := t.byID[id]; w != nil {
		if w.failed++; w.failed >= excludeAfter {
			w.unfit = w.unfit && w.until > now
			w.until = max(w.until, now+excludeFor)
			t.shunned = max(t.shunned, w.until)
		}
	}
}

// succeeded resets the failures of a worker.
func (t *workerTable) succeeded(id WorkerID) {
	if w := t.byID[id]; w != nil {
		w.failed, w.until, w.unfit = 0, 0, false
	}
}

// release returns a slot.
func (t *workerTable) release(id WorkerID) {
	if w := t.byID[id]; w != nil && w.used > 0 {
		w.used--
		t.offer(w)
	}
}

// delayedTask is a task that failed and waits before it is retried.
type delayedTask struct {
	index int
	at    Time
}

// taskQueue is a queue of task indices of one group.
type taskQueue struct {
	items []int
	head  int
}

func (q *taskQueue) push(index int) { q.items = append(q.items, index) }

func (q *taskQueue) pop() (int, bool) {
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		return 0, false
	}
	q.head++
	return q.items[q.head-1], true
}

func (q *taskQueue) unpop() { q.head-- }

// doubt notes whether other processes can reach a worker.
func (t *workerTable) doubt(id WorkerID, doubt bool) {
	w := t.byID[id]
	switch {
	case w == nil || w.doubted == doubt:
		return
	case doubt:
		t.doubted++
	default:
		t.doubted--
	}
	w.doubted = doubt
}
