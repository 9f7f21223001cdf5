package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/internal/forecast"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/planner"
)

// Plan is what a run is about to do.
type Plan struct {
	Job        string
	Text       string // the job, canonical: see jobs.Job
	Output     string // URL
	OnExists   output.Mode
	Input      int64 // bytes
	Objects    int   // of the input that are read
	LeftOut    int   // objects that are not read, their names beginning with _ or .
	Maps       int
	Split      int64 // bytes of the largest map task
	Samples    int   // sections that are sampled; 0 where nothing is
	Partitions int   // 0 for a job that only maps
	Combined   bool  // values of a key are combined before they are shuffled
	Group      int   // adjacent partitions that one request reads; 0 for a job that only maps
	Slots      int
	Memory     int64          // bytes that all tasks may hold
	Share      int64          // of each for pairs
	Found      output.Found   // what the output holds
	Held       *output.Holder // who is writing the output, or was when it was killed
	// Requests are what the run is foreseen to ask of stores.
	Requests plan.Requests
	// Whole says that all gets are foreseen. Otherwise those of the shuffle are
	// left out: on files they go by its batches.
	Whole bool
	// Assumed says, in words, what the numbers of requests rest on.
	Assumed []string

	cut bool // lines of an object are divided among tasks
}

// Receipt has the requests of a run that has ended: as they were planned, as they
// are foreseen now that all sizes are known, and as they were counted. They are
// equal when nothing had to be repeated, but for heartbeats and hedges, which go by
// time.
type Receipt struct {
	Planned *Plan
	Known   plan.Requests
	Counted plan.Requests
}

// Look plans a run and writes nothing, nor makes a directory. It fails as Run
// would before the run begins; only that the output is another job's, which may
// be dead, is told by Plan.Held.
func Look(ctx context.Context, job *jobs.Job, o Options) (*Plan, error) {
	r, err := newRun(ctx, job, o)
	if err != nil {
		return nil, err
	}
	defer r.roots.close()
	r.roots.look = true
	if err := r.prepare(ctx); err != nil {
		return nil, classify(err)
	}
	r.planned = r.roots.requests()
	found, held, err := output.Look(ctx, r.out, output.Request{Job: r.id, Name: r.plan.Job, Mode: r.mode})
	if err != nil {
		return nil, classify(err)
	}
	// What a probe would find out: that the store does all that it should.
	r.table.PartOnce = true
	p := r.state(found)
	p.Held = held
	return p, nil
}

// newRun checks what was asked for and builds the job.
func newRun(ctx context.Context, job *jobs.Job, o Options) (*run, error) {
	s, err := o.check()
	if err != nil {
		return nil, &Error{plan.Invalid, err}
	}
	r := &run{settings: s, started: time.Now(), roots: roots{opts: s.Stores}}
	r.wrapInFaults()
	if r.plan, err = job.Build(s.Params, pipeline.TrialOf(ctx).Once); err != nil {
		return nil, &Error{plan.Invalid, err}
	}
	return r, nil
}

// state tells the plan of a run whose output holds what was found.
func (r *run) state(found output.Found) *Plan {
	t := r.table
	p := &Plan{Job: r.plan.Job, Text: r.plan.Text, Output: r.out.URL(), OnExists: r.mode, Input: t.Input, LeftOut: t.LeftOut,
		Maps: len(t.Splits), Partitions: t.Partitions, Combined: r.plan.Shuffle != nil && r.plan.Shuffle.Combiner != nil,
		Slots: r.Slots, Memory: r.Memory, Share: r.share(), Found: found}
	objects := make(map[plan.Object]bool)
	for i := range t.Splits {
		p.Split = max(p.Split, t.Splits[i].Bytes())
		for j := range t.Splits[i].Sections {
			s := &t.Splits[i].Sections[j]
			if s.Object.Key != "" {
				objects[s.Object] = true
			}
			p.cut = p.cut || s.Offset > 0 && r.plan.Inputs[t.Splits[i].Input].Lines
		}
	}
	p.Objects = len(objects)
	for i := range t.Samples {
		p.Samples += len(t.Samples[i].Sections)
	}
	j := r.bill(found)
	sizes := j.Estimate()
	if p.Partitions > 0 {
		p.Group = j.Shape(sizes).ReadGroup()
	}
	p.Requests, p.Whole = j.Foresee(sizes), j.Whole()
	p.assume()
	return p
}

// assume says what the numbers of requests rest on.
func (p *Plan) assume() {
	say := func(format string, args ...any) { p.Assumed = append(p.Assumed, fmt.Sprintf(format, args...)) }
	switch {
	case p.Combined:
		say("the maps leave as many bytes as they read, and parts are as large; what is combined is less")
	case p.Partitions > 0:
		say("the maps leave as many bytes as they read, and parts are as large")
	default:
		say("parts are as large as what their tasks read")
	}
	if p.Partitions > 0 && p.Split > p.Share {
		say("pairs fit into the %s of a task: more memory or smaller splits would see to it", planner.Bytes(p.Share))
	}
	if p.cut {
		say("the last line of a split goes on behind it, by less than 64 KiB")
	}
	if !p.Whole {
		say("gets of the shuffle are left out: on files they cost nothing, and go by its batches")
	}
}

// bill returns what the requests of the run depend on.
func (r *run) bill(found output.Found) *forecast.Job {
	scratch := r.Output
	if r.Root != "" {
		scratch = r.Root
	}
	j := &forecast.Job{Table: r.table, Input: r.roots.kind, Output: r.roots.kind(r.Output), Scratch: r.roots.kind(scratch), Apart: r.Root != "",
		Mode: r.mode, Found: found, PartOnce: r.table.PartOnce, Memory: r.share(), Planning: r.planned}
	for i := range r.plan.Inputs {
		j.Lines = append(j.Lines, r.plan.Inputs[i].Lines)
	}
	return j
}

// receipt compares the requests of a run that has committed with its plan.
func (r *run) receipt(planned *Plan, c *committer) *Receipt {
	j := r.bill(planned.Found)
	sizes := j.Estimate()
	sizes.Runs, sizes.Parts = c.written.runs, nil
	for i := range c.added {
		sizes.Parts = append(sizes.Parts, c.added[i].Size)
	}
	if body, err := json.Marshal(c.manifest); err == nil {
		sizes.Manifest = int64(len(body))
	}
	if c.tally.RecordsIn > 0 {
		sizes.Record = max(1, c.tally.BytesIn/c.tally.RecordsIn)
	}
	if p := j.Table.Partitions; p > 0 && len(sizes.Runs) > 0 {
		sizes.Empty = c.written.empty(p, j.Shape(sizes).ReadGroup())
	}
	counted := r.roots.requests()
	// What asks whether the output is still held goes by time, as the signs of
	// life do with which it comes.
	out := r.roots.kind(r.Output).Scheme
	looks := r.hold.Looks()
	counted[out] = counted[out].Plus(plan.Usage{Gets: -looks, Heartbeats: looks})
	return &Receipt{Planned: planned, Known: j.Foresee(sizes), Counted: counted}
}

// written gathers the sizes of what the maps of a run have left.
type written struct {
	mu   sync.Mutex
	runs []int64
	// held says how many ranges of the shuffle hold pairs, if a range is of one
	// partition, of two neighbours, of four, and so on.
	held [maxLevels]int64
}

// maxLevels is more than a group of partitions has doublings.
const maxLevels = 20

// note takes the runs of a map task.
func (w *written) note(m *plan.Manifest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range m.Runs {
		w.runs = append(w.runs, m.Runs[i].Size)
		last := -1
		for p, e := range m.Runs[i].Partitions {
			if e.Rows == 0 {
				continue
			}
			for level := range maxLevels {
				if last >= 0 && p>>level == last>>level {
					break // and so in all larger groups
				}
				w.held[level]++
			}
			last = p
		}
	}
}

// empty returns the share of the ranges that hold no pairs, where each is of
// group partitions, a power of two.
func (w *written) empty(partitions, group int) float64 {
	all := float64(len(w.runs)) * float64((partitions+group-1)/group)
	return 1 - float64(w.held[bits.TrailingZeros(uint(group))])/all
}
