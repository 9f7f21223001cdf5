package members

import (
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// muted is a job that receives nothing at present. Reports to it wait on the
// workers.
type muted struct{}

func (muted) Post(scheduler.Event)                {}
func (muted) Ended(string, *cluster.Outcome)      {}
func (muted) Missing(cluster.Ref)                 {}
func (muted) Spent(scheduler.Account, plan.Usage) {}

// Open makes a job known, so that its attempts on workers are not stopped. It is
// muted until it is attached.
func (t *Table) Open(id plan.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[id] == nil {
		t.jobs[id] = muted{}
	}
	for _, w := range t.workers {
		delete(w.over, id) // an earlier run of it has ended
	}
}

// Mute lets a job receive nothing until it is attached again. Reports wait on the
// workers.
func (t *Table) Mute(id plan.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs[id] = muted{}
}

// Attach lets a job receive reports. It receives the present state first: the
// attempts that run, then the slots that it has.
func (t *Table) Attach(id plan.JobID, job Job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs[id] = job
	names := slices.Sorted(maps.Keys(t.workers))
	for _, name := range names {
		w := t.workers[name]
		job.Post(scheduler.Joined{Worker: scheduler.WorkerID(name)})
		if s, ok := w.spent[id]; ok {
			postSpent(job, name, s)
		}
		for _, ref := range sortedRefs(w.placed) {
			switch p := w.placed[ref]; {
			case ref.Job != id:
			case p.confirmed && !p.stop:
				job.Post(scheduler.Found{Worker: scheduler.WorkerID(name), Task: ref.Task, Attempt: ref.Attempt})
			default:
				p.stop = true
				w.wake()
			}
		}
	}
	for _, name := range names {
		job.Post(scheduler.Joined{Worker: scheduler.WorkerID(name), Slots: t.workers[name].share[id]})
	}
}

// Close stops the attempts of a job, and lets workers forget it.
func (t *Table) Close(id plan.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, id)
	for _, w := range t.workers {
		delete(w.share, id)
		delete(w.spent, id)
		delete(w.excluded, id)
		w.over[id] = 0
		for ref, p := range w.placed {
			if ref.Job == id {
				p.stop = true
			}
		}
		w.wake()
	}
}

// Exclude takes the workers that get no attempts of a job for some time, because
// attempts failed there in a row, or because they cannot run it. It only lets List and
// Obstacle show them: the job's scheduler does not launch anything there.
func (t *Table) Exclude(id plan.JobID, excluded []scheduler.Exclusion) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		delete(w.excluded, id)
	}
	for _, e := range excluded {
		if w := t.workers[string(e.Worker)]; w != nil {
			w.excluded[id] = e
		}
	}
}

// Divide divides the slots among jobs, and posts each its share. It reports whether
// a job must wait for slots that others still use.
func (t *Table) Divide(demands []scheduler.Demand) (waiting bool) {
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
				job.Post(scheduler.Joined{Worker: c.Worker, Slots: n})
			}
		}
	}
	return waiting
}
