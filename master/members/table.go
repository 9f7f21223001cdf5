package members

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Job receives the table's news for a job.
type Job interface {
	// Post takes an event for the job's scheduler.
	Post(e scheduler.Event)
	// Ended takes the end of an attempt, once.
	Ended(worker string, o *cluster.Outcome)
	// Missing says that a worker no longer knows an attempt, and has not
	// reported its end.
	Missing(ref cluster.Ref)
	// Spent takes the requests to stores that a worker has made for the job.
	Spent(a scheduler.Account, u plan.Usage)
}

// Table is the table of workers.
type Table struct {
	epoch uint64
	beat  time.Duration // between two messages of a worker, at most

	mu      sync.Mutex
	jobs    map[plan.JobID]Job
	workers map[string]*member
	gone    map[string]gone // workers that left or were lost
}

// gone is the memory of a worker for as long as its messages can be on their
// way: they must not bring it back.
type gone struct {
	seq  uint64 // of its newest message
	when time.Duration
}

// messageLife is longer than a message can be on its way.
const messageLife = 10 * time.Minute

// member is a worker.
type member struct {
	id       string
	info     cluster.Info
	joined   time.Duration // on the master's clock
	heard    time.Duration
	seq      uint64 // of the newest message
	known    uint64 // the newest message whose answer the worker has received
	draining bool   // the worker says so
	drain    bool   // it must be sent the order
	suspect  bool   // other processes cannot reach it
	placed   map[cluster.Ref]*placed
	acks     map[cluster.Ref]uint64             // outcomes that were taken, and the message that was answered with that
	spent    map[plan.JobID]cluster.Spent       // the newest of each job
	over     map[plan.JobID]uint64              // jobs that have ended, and the message that was answered with that
	share    map[plan.JobID]int                 // slots
	changed  chan struct{}                      // closed when there may be new orders
	failures int                                // in a row
	excluded map[plan.JobID]scheduler.Exclusion // until when, on the master's clock, it gets no attempts of a job
}

// placed is an attempt on a worker. Orders are repeated until the worker has
// received them, so that each has the number of the message that it answered; 0 is
// for not sent.
type placed struct {
	launch    cluster.Launch
	launched  uint64
	confirmed bool // the worker has reported that it runs
	stop      bool
	stopped   uint64
	grant     []plan.AttemptID // all that were granted; nil when this one is not
	granted   uint64
	since     time.Duration
	cluster.Running
}

// New returns an empty table of the leader of an epoch. Workers send a message at
// least once in every beat.
func New(epoch uint64, beat time.Duration) *Table {
	return &Table{epoch: epoch, beat: beat, jobs: make(map[plan.JobID]Job), workers: make(map[string]*member), gone: make(map[string]gone)}
}

// wake makes the answer that the worker waits for be sent.
func (w *member) wake() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// Take takes a message of a worker, unless a newer one was taken. It reports
// whether the worker was known, and whether slots must be divided again: some were
// added, removed or freed.
func (t *Table) Take(now time.Duration, s *cluster.Sync) (known, uneven bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.workers[s.Worker]
	switch {
	case w == nil && s.Seq <= t.gone[s.Worker].seq:
		return true, false
	case w == nil && s.Leaving:
		return true, false
	case w == nil:
		w = &member{id: s.Worker, joined: now, placed: make(map[cluster.Ref]*placed), acks: make(map[cluster.Ref]uint64),
			over: make(map[plan.JobID]uint64), spent: make(map[plan.JobID]cluster.Spent), share: make(map[plan.JobID]int),
			excluded: make(map[plan.JobID]scheduler.Exclusion), changed: make(chan struct{})}
		t.workers[s.Worker] = w
	case s.Seq <= w.seq:
		return true, false
	default:
		known = true
	}
	uneven = !known || len(s.Outcomes) > 0 || s.Draining && !w.draining || s.Info.Slots != w.info.Slots
	w.seq, w.known, w.heard, w.info = s.Seq, 0, now, s.Info
	if s.Epoch == t.epoch { // the answers that it has received are those of this leader
		w.known = s.Heard
	}
	if w.suspect {
		w.suspect, uneven = false, true
		t.postDoubt(w)
	}
	w.draining = w.draining || s.Draining
	t.takeSpent(w, s) // before outcomes: the record of an outcome includes its requests
	w.wake()          // a call that waits with an older message returns
	if s.Leaving {
		t.drop(now, w)
		return known, true
	}
	t.takeOutcomes(w, s)
	t.takeRunning(now, w, s)
	for job, sent := range w.over {
		if sent != 0 && sent <= w.known {
			delete(w.over, job)
		}
	}
	return known, uneven
}

// takeSpent hands the requests of a worker to the jobs for which it made them. The
// worker gets the order to forget a job that has ended.
func (t *Table) takeSpent(w *member, s *cluster.Sync) {
	for _, now := range s.Spent {
		job := t.jobs[now.Job]
		if _, listed := w.over[now.Job]; job == nil && !listed {
			w.over[now.Job] = 0
		}
		if job != nil && !sameSpent(w.spent[now.Job], now) {
			w.spent[now.Job] = now
			postSpent(job, w.id, now)
		}
	}
}

func sameSpent(a, b cluster.Spent) bool {
	return a.Account == b.Account && maps.Equal(a.Requests, b.Requests)
}

// postSpent hands the requests of a worker to a job, by the scheme of the stores.
func postSpent(job Job, worker string, s cluster.Spent) {
	name := fmt.Sprintf("%s.%d", worker, s.Account)
	for _, scheme := range slices.Sorted(maps.Keys(s.Requests)) {
		job.Spent(scheduler.Account{Name: name, Scheme: scheme}, s.Requests[scheme])
	}
}

// takeOutcomes hands the ends of attempts to their jobs, each once.
func (t *Table) takeOutcomes(w *member, s *cluster.Sync) {
	reported := make(map[cluster.Ref]bool, len(s.Outcomes))
	for i := range s.Outcomes {
		o := &s.Outcomes[i]
		reported[o.Ref] = true
		job := t.jobs[o.Job]
		if _, waiting := job.(muted); waiting {
			continue // the worker reports it again
		}
		if _, taken := w.acks[o.Ref]; taken {
			continue
		}
		w.acks[o.Ref] = 0
		delete(w.placed, o.Ref)
		switch o.Result {
		case cluster.Failed:
			w.failures++
		case cluster.Done:
			w.failures = 0
		default:
		}
		if job != nil {
			job.Ended(w.id, o)
		}
	}
	for ref := range w.acks {
		if !reported[ref] {
			delete(w.acks, ref)
		}
	}
}

// takeRunning compares the attempts that a worker runs with those that are placed
// on it.
func (t *Table) takeRunning(now time.Duration, w *member, s *cluster.Sync) {
	seen := make(map[cluster.Ref]bool, len(s.Running))
	for i := range s.Running {
		r := &s.Running[i]
		seen[r.Ref] = true
		p := w.placed[r.Ref]
		job := t.jobs[r.Job]
		if p == nil {
			p = &placed{since: now, stop: job == nil}
			w.placed[r.Ref] = p
			if job != nil {
				job.Post(scheduler.Joined{Worker: scheduler.WorkerID(w.id), Slots: w.share[r.Job]})
				job.Post(scheduler.Found{Worker: scheduler.WorkerID(w.id), Task: r.Task, Attempt: r.Attempt})
			}
		}
		p.confirmed, p.Running = true, *r
		switch {
		case !r.Asking || job == nil || p.stop:
		case p.grant == nil:
			// Without Found, an attempt that was taken for lost meanwhile would
			// ask forever.
			job.Post(scheduler.Found{Worker: scheduler.WorkerID(w.id), Task: r.Task, Attempt: r.Attempt})
			job.Post(scheduler.Asked{Task: r.Task, Attempt: r.Attempt})
		case p.granted <= w.known:
			p.granted = 0 // the grant was sent, and did not arrive
		}
	}
	for ref, p := range w.placed {
		if seen[ref] || !p.confirmed && (p.launched == 0 || p.launched > w.known) {
			continue
		}
		delete(w.placed, ref)
		if job := t.jobs[ref.Job]; job != nil && !p.stop {
			job.Missing(ref)
		}
	}
}

// drop removes a worker. t.mu is held.
func (t *Table) drop(now time.Duration, w *member) {
	delete(t.workers, w.id)
	t.gone[w.id] = gone{w.seq, now}
	w.wake()
	for _, job := range t.jobs {
		job.Post(scheduler.Left{Worker: scheduler.WorkerID(w.id)})
	}
}

// Expire removes the workers that were silent for longer than silence, and returns
// their ids.
func (t *Table) Expire(now, silence time.Duration) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.gone, func(_ string, g gone) bool { return now-g.when > messageLife })
	var lost []string
	for _, w := range t.workers {
		if now-w.heard > silence {
			lost = append(lost, w.id)
		}
	}
	slices.Sort(lost)
	for _, id := range lost {
		t.drop(now, t.workers[id])
	}
	return lost
}

// RefreshLeases counts all workers as heard at now. A master that was stopped
// itself calls it, because it has received no messages meanwhile.
func (t *Table) RefreshLeases(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		w.heard = now
	}
}

// Doubt says that other processes cannot reach a worker. It gets no new attempts
// until its next message.
func (t *Table) Doubt(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubt(t.workers[id])
}

// DoubtAfter says that the connection of a worker ended before its message was
// answered. It reports whether the worker is in doubt: it has sent no newer message.
func (t *Table) DoubtAfter(id string, seq uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.workers[id]
	if w == nil || w.seq != seq {
		return false
	}
	t.doubt(w)
	return true
}

// doubt lets a worker, if there is one, get no new attempts. The caller holds t.mu.
func (t *Table) doubt(w *member) {
	if w != nil && !w.suspect {
		w.suspect = true
		t.postDoubt(w)
	}
}

// postDoubt reports to the jobs of a worker's attempts whether other processes can reach
// the worker. The caller holds t.mu.
func (t *Table) postDoubt(w *member) {
	posted := make(map[plan.JobID]bool)
	for _, ref := range sortedRefs(w.placed) {
		if job := t.jobs[ref.Job]; job != nil && !posted[ref.Job] {
			posted[ref.Job] = true
			job.Post(scheduler.Doubted{Worker: scheduler.WorkerID(w.id), Doubt: w.suspect})
		}
	}
}

func sortedRefs[V any](m map[cluster.Ref]V) []cluster.Ref {
	return slices.SortedFunc(maps.Keys(m), func(a, b cluster.Ref) int {
		return cmp.Or(cmp.Compare(a.Attempt.Epoch, b.Attempt.Epoch), cmp.Compare(a.Attempt.N, b.Attempt.N), cmp.Compare(a.Job, b.Job))
	})
}
