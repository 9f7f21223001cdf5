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
	maps   []plan.AttemptID // that reduces read; nil until all are committed
	gen    uint64           // the generation of maps
	looked uint64           // the generation that was examined for lost output
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
	in.sums = sums.New(in.table.Splits)
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

// counts returns the counts of tasks in a table that was read.
func (in *input) counts(id plan.AttemptID) plan.Counts {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.tables[id].Counts()
}

// partitions returns the number of partitions of the job's shuffle.
func (in *input) partitions() int {
	t, _ := in.planned()
	if t == nil {
		return 0
	}
	return t.Partitions
}

// needs reports whether the bytes that a map has read must be compared with the
// checksum of an object.
func (in *input) needs(id plan.TaskID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.sums.Needs(id)
}

// followMaps takes the maps that reduces read, and returns their generation.
func (in *input) followMaps(s *scheduler.Job) uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	gen := generation(s)
	if in.maps != nil && in.gen == gen {
		return gen
	}
	in.gen = gen
	in.maps = make([]plan.AttemptID, s.Tasks(plan.Map))
	for i := range in.maps {
		in.maps[i] = s.Task(plan.TaskID{Phase: plan.Map, Index: i}).Attempt
	}
	return gen
}

// suspect returns the list of maps that reduces read, if one of them has lost its
// output and the list was not examined yet; else nil.
func (in *input) suspect(lost plan.AttemptID) []plan.AttemptID {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.looked == in.gen || !slices.Contains(in.maps, lost) {
		return nil
	}
	in.looked = in.gen
	return in.maps
}

// generation counts how often the output of a map was invalidated. It numbers the
// lists of maps in the same way under every leader.
func generation(s *scheduler.Job) uint64 {
	n := uint64(1)
	for i := range s.Tasks(plan.Map) {
		n += uint64(len(s.Task(plan.TaskID{Phase: plan.Map, Index: i}).Invalid))
	}
	return n
}

// mapsOf returns the list of a generation; nil if there is a newer one. A
// generation is not known if this leader has not read so far in the log.
func (in *input) mapsOf(generation uint64) (list []plan.AttemptID, known bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gen != generation {
		return nil, generation < in.gen
	}
	return in.maps, true
}
