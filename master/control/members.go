package control

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// members is the table of workers. What it does is a function of calls and of
// the time that they are given; it tells jobs by their inboxes, which do not
// block.
type members struct {
	epoch uint64
	beat  time.Duration // how often a worker is heard

	mu      sync.Mutex
	jobs    map[plan.JobID]inbox
	workers map[string]*member
	gone    map[string]gone // workers that left or were lost
}

// gone is what is remembered of a worker for as long as messages can be on their
// way: older ones must not bring it back.
type gone struct {
	seq  uint64 // its newest message
	when time.Duration
}

// messageLife is more than a message can be on its way.
const messageLife = 10 * time.Minute

// inbox is what members tell a job.
type inbox interface {
	post(e scheduler.Event)
	ended(worker string, o *cluster.Outcome) // an attempt's
	missing(ref cluster.Ref)                 // its worker does not know it any more
	spent(a scheduler.Account, u plan.Usage) // what a worker has asked stores for, for the job
}

// member is a worker.
type member struct {
	id       string
	info     cluster.Info
	joined   time.Duration // on the master's clock
	heard    time.Duration
	seq      uint64 // of the newest message
	known    uint64 // the newest message whose answer the worker has taken
	draining bool
	drain    bool // it is to be told to
	suspect  bool // others cannot reach it
	placed   map[cluster.Ref]*placed
	acks     map[cluster.Ref]uint64       // outcomes that were taken, and when that was told
	spent    map[plan.JobID]cluster.Spent // that the worker told last
	over     map[plan.JobID]uint64        // jobs that have ended, and when that was told
	share    map[plan.JobID]int           // slots
	changed  chan struct{}                // closed when there may be something to tell
	failures int                          // in a row
}

// placed is an attempt on a worker. What was told is the number of the message
// that was answered with it, 0 for not yet.
type placed struct {
	launch    cluster.Launch
	launched  uint64
	confirmed bool // the worker has told of it
	stop      bool
	stopped   uint64
	grant     []plan.AttemptID // that were granted; nil for not granted
	granted   uint64
	since     time.Duration
	cluster.Running
}

func newMembers(epoch uint64, beat time.Duration) *members {
	return &members{epoch: epoch, beat: beat, jobs: make(map[plan.JobID]inbox), workers: make(map[string]*member), gone: make(map[string]gone)}
}

// wake lets the answer that waits be made.
func (w *member) wake() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// news takes a message, unless it is older than one that was taken. It returns
// whether the worker was known, and whether slots came or went, or came free.
func (t *members) news(now time.Duration, s *cluster.Sync) (known, uneven bool) {
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
			over: make(map[plan.JobID]uint64), spent: make(map[plan.JobID]cluster.Spent), share: make(map[plan.JobID]int), changed: make(chan struct{})}
		t.workers[s.Worker] = w
	case s.Seq <= w.seq:
		return true, false
	default:
		known = true
	}
	uneven = !known || len(s.Outcomes) > 0 || s.Draining && !w.draining || s.Info.Slots != w.info.Slots
	w.seq, w.known, w.heard, w.info = s.Seq, 0, now, s.Info
	if s.Epoch == t.epoch { // else it has taken another reign's answers
		w.known = s.Heard
	}
	if w.suspect {
		w.suspect, uneven = false, true
		t.tellDoubt(w)
	}
	w.draining = w.draining || s.Draining
	t.spent(w, s) // the record that has an outcome is to have what it took
	w.wake()      // who waits with an older message is answered
	if s.Leaving {
		t.drop(now, w)
		return known, true
	}
	t.outcomes(w, s)
	t.running(now, w, s)
	for job, told := range w.over {
		if told != 0 && told <= w.known {
			delete(w.over, job)
		}
	}
	return known, uneven
}

// spent hands what a worker has asked stores for to the jobs that it was for. Of
// a job that has ended it need not count any more.
func (t *members) spent(w *member, s *cluster.Sync) {
	for _, now := range s.Spent {
		job := t.jobs[now.Job]
		if _, told := w.over[now.Job]; job == nil && !told {
			w.over[now.Job] = 0
		}
		if job != nil && !sameSpent(w.spent[now.Job], now) {
			w.spent[now.Job] = now
			tellSpent(job, w.id, now)
		}
	}
}

func sameSpent(a, b cluster.Spent) bool {
	return a.Account == b.Account && maps.Equal(a.Requests, b.Requests)
}

// tellSpent hands over what a worker has asked for.
func tellSpent(job inbox, worker string, s cluster.Spent) {
	name := fmt.Sprintf("%s.%d", worker, s.Account)
	for _, scheme := range slices.Sorted(maps.Keys(s.Requests)) {
		job.spent(scheduler.Account{Name: name, Scheme: scheme}, s.Requests[scheme])
	}
}

// outcomes hands ends of attempts to their jobs, each once.
func (t *members) outcomes(w *member, s *cluster.Sync) {
	told := make(map[cluster.Ref]bool, len(s.Outcomes))
	for i := range s.Outcomes {
		o := &s.Outcomes[i]
		told[o.Ref] = true
		job := t.jobs[o.Job]
		if _, waiting := job.(deaf); waiting {
			continue // the worker tells again
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
			job.ended(w.id, o)
		}
	}
	for ref := range w.acks {
		if !told[ref] {
			delete(w.acks, ref)
		}
	}
}

// running compares what a worker runs with what it should.
func (t *members) running(now time.Duration, w *member, s *cluster.Sync) {
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
				job.post(scheduler.Joined{Worker: scheduler.WorkerID(w.id), Slots: w.share[r.Job]})
				job.post(scheduler.Found{Worker: scheduler.WorkerID(w.id), Task: r.Task, Attempt: r.Attempt})
			}
		}
		p.confirmed, p.Running = true, *r
		switch {
		case !r.Asking || job == nil || p.stop:
		case p.grant == nil:
			// One that was taken for lost meanwhile would ask for ever.
			job.post(scheduler.Found{Worker: scheduler.WorkerID(w.id), Task: r.Task, Attempt: r.Attempt})
			job.post(scheduler.Asked{Task: r.Task, Attempt: r.Attempt})
		case p.granted <= w.known:
			p.granted = 0 // it was told, and has not heard
		}
	}
	for ref, p := range w.placed {
		if seen[ref] || !p.confirmed && (p.launched == 0 || p.launched > w.known) {
			continue
		}
		delete(w.placed, ref)
		if job := t.jobs[ref.Job]; job != nil && !p.stop {
			job.missing(ref)
		}
	}
}

// orders returns what a worker is to be told that it was not told yet, or not
// for sure; and a channel that is closed when there may be more. Nil orders say
// that a newer message has come, or that the worker is gone.
func (t *members) orders(s *cluster.Sync) (*cluster.Orders, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.workers[s.Worker]
	if w == nil || w.seq != s.Seq {
		return nil, nil
	}
	o := &cluster.Orders{Version: cluster.Version, Epoch: t.epoch, Drain: w.drain}
	tell := func(told *uint64) bool {
		if *told != 0 && *told <= w.known {
			return false
		}
		*told = w.seq
		return true
	}
	for _, ref := range sortedRefs(w.placed) {
		p := w.placed[ref]
		switch {
		case p.stop && !p.confirmed && p.launched == 0:
			delete(w.placed, ref) // nobody was told
		case p.stop:
			if tell(&p.stopped) {
				o.Stops = append(o.Stops, ref)
			}
		case !p.confirmed:
			if tell(&p.launched) {
				o.Launches = append(o.Launches, p.launch)
			}
		case p.grant != nil && tell(&p.granted):
			o.Grants = append(o.Grants, cluster.Grant{Ref: ref, All: p.grant})
		}
	}
	for _, ref := range sortedRefs(w.acks) {
		if told := w.acks[ref]; tell(&told) {
			w.acks[ref] = told
			o.Acks = append(o.Acks, ref)
		}
	}
	for _, job := range slices.Sorted(maps.Keys(w.over)) {
		if told := w.over[job]; tell(&told) {
			w.over[job] = told
			o.Ended = append(o.Ended, job)
		}
	}
	return o, w.changed
}

// empty tells whether orders say nothing.
func empty(o *cluster.Orders) bool {
	return len(o.Launches)+len(o.Stops)+len(o.Grants)+len(o.Acks)+len(o.Ended) == 0
}

func sortedRefs[V any](m map[cluster.Ref]V) []cluster.Ref {
	return slices.SortedFunc(maps.Keys(m), func(a, b cluster.Ref) int {
		return cmp.Or(cmp.Compare(a.Attempt.Epoch, b.Attempt.Epoch), cmp.Compare(a.Attempt.N, b.Attempt.N), cmp.Compare(a.Job, b.Job))
	})
}

// drop takes a worker away. t.mu is held.
func (t *members) drop(now time.Duration, w *member) {
	delete(t.workers, w.id)
	t.gone[w.id] = gone{w.seq, now}
	w.wake()
	for _, job := range t.jobs {
		job.post(scheduler.Left{Worker: scheduler.WorkerID(w.id)})
	}
}

// expire takes away the workers that have not been heard for so long, and
// returns their names.
func (t *members) expire(now, silence time.Duration) []string {
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

// launch places an attempt on a worker.
func (t *members) launch(now time.Duration, worker scheduler.WorkerID, l cluster.Launch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.workers[string(worker)]; w != nil {
		w.placed[l.Ref] = &placed{launch: l, since: now, Running: cluster.Running{Ref: l.Ref}}
		w.wake()
	} // else its job has been told that the worker left
}

// stop ends an attempt.
func (t *members) stop(worker scheduler.WorkerID, ref cluster.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.workers[string(worker)]; w != nil && w.placed[ref] != nil {
		w.placed[ref].stop = true
		w.wake()
	}
}

// grant lets an attempt, wherever it runs, make its part visible.
func (t *members) grant(ref cluster.Ref, all []plan.AttemptID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		if p := w.placed[ref]; p != nil {
			p.grant, p.granted = all, 0
			w.wake()
		}
	}
}

// open lets a job be known, so that what workers run of it is not stopped. It
// hears of that when it is introduced.
func (t *members) open(id plan.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[id] == nil {
		t.jobs[id] = deaf{}
	}
	for _, w := range t.workers {
		delete(w.over, id) // what ended was a run before
	}
}

// deafen lets a job be known, and hear of nothing until it is introduced again:
// what workers have to tell waits there.
func (t *members) deafen(id plan.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs[id] = deaf{}
}

// deaf is a job that does not listen just now.
type deaf struct{}

func (deaf) post(scheduler.Event)           {}
func (deaf) ended(string, *cluster.Outcome) {}
func (deaf) missing(cluster.Ref)            {}

func (deaf) spent(scheduler.Account, plan.Usage) {}

// close ends what is left of a job, and lets workers forget it.
func (t *members) close(id plan.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, id)
	for _, w := range t.workers {
		delete(w.share, id)
		delete(w.spent, id)
		w.over[id] = 0
		for ref, p := range w.placed {
			if ref.Job == id {
				p.stop = true
			}
		}
		w.wake()
	}
}

// pardon hears all workers as of now.
func (t *members) pardon(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		w.heard = now
	}
}

// divide shares slots out among jobs, and tells them. It returns whether
// somebody must wait for slots that others still use.
func (t *members) divide(demands []scheduler.Demand) (waiting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var workers []scheduler.Capacity
	for _, id := range slices.Sorted(maps.Keys(t.workers)) {
		c := scheduler.Capacity{Worker: scheduler.WorkerID(id)}
		if w := t.workers[id]; !w.draining && !w.drain && !w.suspect {
			c.Slots = w.info.Slots
		}
		workers = append(workers, c)
	}
	for i := range demands {
		d := &demands[i]
		d.Used, d.Has = make(map[scheduler.WorkerID]int), make(map[scheduler.WorkerID]int)
		for id, w := range t.workers {
			for ref := range w.placed {
				if ref.Job == d.Job {
					d.Used[scheduler.WorkerID(id)]++
				}
			}
			d.Has[scheduler.WorkerID(id)] = w.share[d.Job]
		}
	}
	for i, share := range scheduler.Share(workers, demands) {
		d := &demands[i]
		job := t.jobs[d.Job]
		if job == nil {
			continue
		}
		for _, c := range workers {
			w, n := t.workers[string(c.Worker)], share[c.Worker]
			waiting = waiting || d.Used[c.Worker] > n
			if w.share[d.Job] != n {
				w.share[d.Job] = n
				job.post(scheduler.Joined{Worker: c.Worker, Slots: n})
			}
		}
	}
	return waiting
}

// introduce tells a job that begins to hear who is there: first what runs
// already, then how many slots it has.
func (t *members) introduce(id plan.JobID, job inbox) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs[id] = job
	names := slices.Sorted(maps.Keys(t.workers))
	for _, name := range names {
		w := t.workers[name]
		job.post(scheduler.Joined{Worker: scheduler.WorkerID(name)})
		if s, ok := w.spent[id]; ok {
			tellSpent(job, name, s)
		}
		for _, ref := range sortedRefs(w.placed) {
			switch p := w.placed[ref]; {
			case ref.Job != id:
			case p.confirmed && !p.stop:
				job.post(scheduler.Found{Worker: scheduler.WorkerID(name), Task: ref.Task, Attempt: ref.Attempt})
			default:
				p.stop = true
				w.wake()
			}
		}
	}
	for _, name := range names {
		job.post(scheduler.Joined{Worker: scheduler.WorkerID(name), Slots: t.workers[name].share[id]})
	}
}

// list returns the workers, in the order of their ids.
func (t *members) list(now time.Duration, day time.Time) []client.Worker {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := []client.Worker{}
	for _, id := range slices.Sorted(maps.Keys(t.workers)) {
		w := t.workers[id]
		c := client.Worker{ID: id, Host: w.info.Host, PID: w.info.PID, Build: w.info.Build, OS: w.info.OS, Arch: w.info.Arch,
			State: client.WorkerReady, Slots: w.info.Slots, Running: len(w.placed), Memory: w.info.Memory,
			Joined: day.Add(w.joined - now), Heard: (now - w.heard).Seconds(), Failures: w.failures}
		switch {
		case w.draining || w.drain:
			c.State = client.WorkerDraining
		case w.suspect || now-w.heard > 2*t.beat:
			c.State = client.WorkerSuspect
		}
		all = append(all, c)
	}
	return all
}

// send tells a worker to drain; it may be named by the end of its id.
func (t *members) send(asked string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*member
	for id, w := range t.workers {
		if id == asked || matches(id, asked) {
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

// doubt says that others cannot reach a worker: it gets nothing new until it is
// heard.
func (t *members) doubt(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.workers[id]; w != nil && !w.suspect {
		w.suspect = true
		t.tellDoubt(w)
	}
}

// tellDoubt tells the jobs whose attempts a worker runs whether others can reach
// it. t.mu is held.
func (t *members) tellDoubt(w *member) {
	told := make(map[plan.JobID]bool)
	for _, ref := range sortedRefs(w.placed) {
		if job := t.jobs[ref.Job]; job != nil && !told[ref.Job] {
			told[ref.Job] = true
			job.post(scheduler.Doubted{Worker: scheduler.WorkerID(w.id), Doubt: w.suspect})
		}
	}
}

// slots returns how many slots all workers have.
func (t *members) slots() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		n += w.info.Slots
	}
	return n
}
