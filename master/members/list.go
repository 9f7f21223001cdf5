package members

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// List returns the workers in the order of their ids. Now is the time on the
// master's clock, and day the same moment as a date.
func (t *Table) List(now time.Duration, day time.Time) []client.Worker {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := []client.Worker{}
	for _, id := range slices.Sorted(maps.Keys(t.workers)) {
		w := t.workers[id]
		c := client.Worker{ID: id, Host: w.info.Host, PID: w.info.PID, Build: w.info.Build, OS: w.info.OS, Arch: w.info.Arch,
			State: client.WorkerReady, Slots: w.info.Slots, Running: len(w.placed), Memory: w.info.Memory,
			Joined: day.Add(w.joined - now), Heard: (now - w.heard).Seconds(), Failures: w.failures}
		switch job, e := w.exclusion(now); {
		case w.draining || w.drain:
			c.State, c.Reason = client.WorkerDraining, "it finishes its attempts, and ends"
		case w.suspect || now-w.heard > 2*t.beat:
			c.State = client.WorkerSuspect
		case job != "":
			c.State = client.WorkerExcluded
			why := "attempts of job %s failed there in a row"
			if e.Unfit {
				why = "it cannot run attempts of job %s, as its log says"
			}
			c.Reason = fmt.Sprintf(why+": it gets none of them for %v", job, (time.Duration(e.Until) - now).Round(time.Second))
		}
		all = append(all, c)
	}
	return all
}

// exclusion returns the job whose attempts the worker does not get for the longest
// time, and until when and why.
func (w *member) exclusion(now time.Duration) (job plan.JobID, e scheduler.Exclusion) {
	e.Until = scheduler.Time(now)
	for _, id := range slices.Sorted(maps.Keys(w.excluded)) {
		if w.excluded[id].Until > e.Until {
			job, e = id, w.excluded[id]
		}
	}
	return job, e
}

// Slots returns how many slots all workers have.
func (t *Table) Slots() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		n += w.info.Slots
	}
	return n
}

// Placement is an attempt that is placed on a worker.
type Placement struct {
	cluster.Running
	Worker string
	Since  time.Duration // on the master's clock
}

// Placed returns the attempts of a job that are placed on workers, in the order of
// their launches.
func (t *Table) Placed(id plan.JobID) []Placement {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Placement
	for name, w := range t.workers {
		for ref, p := range w.placed {
			if ref.Job == id && !p.stop {
				r := p.Running
				r.Ref = ref
				all = append(all, Placement{r, name, p.since})
			}
		}
	}
	slices.SortFunc(all, func(a, b Placement) int {
		return cmp.Or(cmp.Compare(a.Attempt.Epoch, b.Attempt.Epoch), cmp.Compare(a.Attempt.N, b.Attempt.N))
	})
	return all
}

// matches reports whether a name is an id, or the end of it in any case.
func matches(id, name string) bool {
	return id == name || name != "" && strings.HasSuffix(strings.ToLower(id), strings.ToLower(name))
}
