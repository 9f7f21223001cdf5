package control

import (
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/plan"
)

// input is the leader's knowledge of a job's tasks: the task table, the checksums
// of the input as maps have read it, and the maps that reduces read. Its lock also
// keeps reports of attempts, and the misreads that they reveal, in one order: see
// job.take.
type input struct {
	mu     sync.Mutex
	tables map[plan.AttemptID]*attempts.Table // that were read, by the attempt that made them
	made   plan.AttemptID                     // the attempt whose table is the job's
	table  *attempts.Table                    // that table; nil until the job is planned
	sums   *sums.Checks
	works  map[plan.Group]*work
}

// work is what the tasks of a step read, in one generation.
type work struct {
	plan.Work
	gen    uint64
	looked bool // it was examined for lost output
}

// read takes a table that was read.
func (in *input) read(id plan.AttemptID, t *attempts.Table) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.tables == nil {
		in.tables = make(map[plan.AttemptID]*attempts.Table)
	}
	in.tables[id] = t
}

// forget lets the sums of the input be made again, from the next read on.
func (in *input) forget() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.made = plan.AttemptID{}
}

// follow takes the table that the log names. Attempts that were late may have made
// others.
func (in *input) follow(s *scheduler.Job) {
	in.mu.Lock()
	defer in.mu.Unlock()
	t := s.Task(plan.TaskID{Phase: plan.Prepare})
	if t == nil || !t.Committed || in.made == t.Attempt || in.tables[t.Attempt] == nil {
		return
	}
	in.made, in.table = t.Attempt, in.tables[t.Attempt]
	in.sums = sums.New(in.table)
	clear(in.tables)
	in.tables[in.made] = in.table
}

// planned returns the job's table and the attempt that made it; nil before it is
// planned.
func (in *input) planned() (*attempts.Table, plan.AttemptID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.table, in.made
}

// planOf returns the result of planning, from a table that was read.
func (in *input) planOf(id plan.AttemptID) (plan.Counts, *plan.Graph) {
	in.mu.Lock()
	defer in.mu.Unlock()
	t := in.tables[id]
	if t.Stages != nil {
		return plan.Counts{}, &t.Stages.Graph
	}
	return t.Counts(), nil
}

// replaceable reports whether the result of a task can be invalidated: other tasks read
// it, so that it is no part of the output. in.mu is held.
func (in *input) replaceable(task plan.TaskID) bool {
	g := in.table.Graph()
	at := g.Find(task.Group())
	return at != plan.None && len(g.Steps[at].Writes) > 0
}

// needs reports whether the bytes that a map has read must be compared with the
// checksum of an object.
func (in *input) needs(id plan.TaskID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.sums.Needs(id)
}

// followWork takes what the tasks that may run now read.
func (in *input) followWork(s *scheduler.Job) {
	for _, g := range s.Current() {
		in.workFor(s, g)
	}
}

// workFor returns the generation of what the tasks of an open group read; 0 if they read
// no results of other tasks.
func (in *input) workFor(s *scheduler.Job, g plan.Group) uint64 {
	gen := s.Generation(g)
	if gen == 0 {
		return 0
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if w := in.works[g]; w != nil && w.gen == gen {
		return gen
	}
	if in.works == nil {
		in.works = make(map[plan.Group]*work)
	}
	in.works[g] = &work{Work: s.Work(g), gen: gen}
	return gen
}

// suspect returns the results that the tasks of a group read, if one of them is that
// attempt and they were not examined yet; else nil.
func (in *input) suspect(g plan.Group, lost plan.AttemptID) []plan.Results {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := in.works[g]
	if w == nil || w.looked {
		return nil
	}
	all := w.Inputs()
	if !slices.ContainsFunc(all, func(r plan.Results) bool { return slices.Contains(r.Attempts, lost) }) {
		return nil
	}
	w.looked = true
	return all
}

// workOf returns a generation of what the tasks of a group read; stale if there is a
// newer one. A generation is not known if this leader has not read so far in the log.
func (in *input) workOf(g plan.Group, generation uint64) (w plan.Work, stale, known bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch now := in.works[g]; {
	case now == nil:
		return plan.Work{}, false, false
	case now.gen != generation:
		return plan.Work{}, true, generation < now.gen
	default:
		return now.Work, false, true
	}
}
