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

// Plan is what a run would do.
type Plan struct {
	Job        string
	Text       string // canonical text of the job: see jobs.Job
	Output     string // URL
	OnExists   output.Mode
	Input      int64 // bytes
	Objects    int   // of the input that are read
	LeftOut    plan.LeftOut
	Replay     string // the job whose bad records are read, and nothing else
	Replayed   int    // how many these are
	Maps       int
	Split      int64         // bytes of the largest map task
	Samples    int           // sections to sample; 0 for none
	Partitions int           // 0 for a map-only job
	Combined   bool          // values of a key are combined before they are shuffled
	Steps      []PlannedStep // of a job of several stages or outputs; else nil
	Group      int           // adjacent partitions that one request reads; 0 for a map-only job
	Slots      int
	Memory     int64          // bytes for all tasks
	Share      int64          // bytes for the pairs of a task
	Found      output.Found   // what the output holds
	Held       *output.Holder // the job that is writing the output, or was killed while it did
	// Requests is the forecast of the run's requests.
	Requests plan.Requests
	// Whole says that Requests has all gets. Otherwise those of the shuffle are
	// left out: on files they depend on its batches.
	Whole bool
	// Assumed lists the assumptions behind Requests, for users.
	Assumed []string

	cut bool // lines of an object are divided among tasks
	// Scattered says that columns of objects are read, and that Requests have none of
	// the gets for them.
	Scattered bool
	loops     int
}

// PlannedStep is a step of a job of several stages.
type PlannedStep struct {
	Name  string // such as "sessions/reduce"
	Tasks int
	Known bool  // the number of tasks is fixed; else it follows from what is measured
	Bytes int64 // that its tasks read, if every step writes as many bytes as it reads
	// Rounds is how many rounds a loop may have, of the step that decides after the first
	// whether another one follows; 0 for others. Steps of later rounds are left out.
	Rounds int
}

// Receipt has the requests of a run that has ended: as planned, as predicted once
// all sizes are known, and as counted. They are equal if nothing was repeated,
// except heartbeats and hedged requests, which depend on time.
type Receipt struct {
	Planned *Plan
	Known   plan.Requests
	Counted plan.Requests
}

// Look plans a run without writing anything or making a directory. It fails as Run
// would before the run begins, with one exception: if the output belongs to another
// job, which can be dead, Plan.Held names it.
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
	found, held, err := output.Look(ctx, r.out, output.Request{Job: r.id, Name: r.pipe.Job, Mode: r.mode, Replays: plan.JobID(r.Replay)})
	if err != nil {
		return nil, classify(err)
	}
	// This is what a probe would find if the store does all that it should.
	r.table.PartOnce = true
	p := r.state(found)
	p.Held = held
	return p, nil
}

// newRun checks the options and builds the job's pipeline.
func newRun(ctx context.Context, job *jobs.Job, o Options) (*run, error) {
	s, err := o.check()
	if err != nil {
		return nil, &Error{plan.Invalid, err}
	}
	r := &run{settings: s, started: time.Now(), roots: roots{opts: s.Stores}}
	r.wrapInFaults()
	if r.pipe, err = job.Build(s.Params, pipeline.TrialOf(ctx).Once); err != nil {
		return nil, &Error{plan.Invalid, err}
	}
	if r.expect, err = plan.ParseExpectations(plan.AllExpected(r.pipe.Text, s.Expect)); err != nil {
		return nil, &Error{plan.Invalid, err}
	}
	if r.pipe, err = r.pipe.Tolerant(r.bad); err != nil {
		return nil, &Error{plan.Invalid, err}
	}
	return r, nil
}

// state returns the plan of a run whose output holds what was found.
func (r *run) state(found output.Found) *Plan {
	t := r.table
	p := &Plan{Job: r.pipe.Job, Text: r.pipe.Text, Output: r.out.URL(), OnExists: r.mode, Input: t.Input, LeftOut: t.LeftOut, Replay: r.Replay, Replayed: planner.Replayed(t.Splits),
		Maps: len(t.Splits), Partitions: t.Partitions, Combined: len(r.pipe.Exchanges) == 1 && r.pipe.Exchanges[0].Combiner != nil,
		Slots: r.Slots, Memory: r.Memory, Share: r.share(), Found: found}
	objects := make(map[plan.Object]bool)
	for i := range t.Splits {
		p.Split = max(p.Split, t.Splits[i].Bytes())
		for j := range t.Splits[i].Sections {
			s := &t.Splits[i].Sections[j]
			if s.Object.Key != "" {
				objects[s.Object] = true
			}
			in := &r.pipe.Inputs[t.Splits[i].Input]
			p.cut = p.cut || s.Offset > 0 && (in.Lines || in.Headed || in.Probing)
			p.Scattered = p.Scattered || in.Scattered
		}
	}
	p.Objects = len(objects)
	for i := range t.Samples {
		p.Samples += len(t.Samples[i].Sections)
	}
	j := r.forecast(found)
	sizes := j.Estimate()
	if p.Partitions > 0 {
		p.Group = j.Shape(sizes).ReadGroup()
	}
	if t.Stages != nil {
		g := &t.Stages.Graph
		for i := range g.Steps {
			s := &g.Steps[i]
			if !forecast.Foreseen(s) {
				continue
			}
			step := PlannedStep{Name: s.String(), Bytes: j.StepBytes(i)}
			step.Tasks, step.Known = forecast.StepTasks(g, i)
			if s.Phase == plan.Decide {
				step.Rounds = len(g.Loops[s.Loop-1].States)
			}
			p.Steps = append(p.Steps, step)
		}
		p.loops = len(g.Loops)
	}
	p.Requests, p.Whole = j.Foresee(sizes), j.Whole()
	p.assume()
	return p
}

// assume sets the assumptions behind the numbers of requests.
func (p *Plan) assume() {
	say := func(format string, args ...any) { p.Assumed = append(p.Assumed, fmt.Sprintf(format, args...)) }
	switch {
	case p.Steps != nil:
		say("every step writes as many bytes as it reads; the tasks of a step that reads another's pairs follow from the bytes that are measured")
	case p.Combined:
		say("maps write as many bytes as they read, and so do reduces; combined values take less")
	case p.Partitions > 0:
		say("maps write as many bytes as they read, and so do reduces")
	default:
		say("parts are as large as the input of their tasks")
	}
	if p.loops > 0 {
		say("each loop runs one round; every further one adds what the steps of the first do")
	}
	if p.Partitions > 0 && p.Split > p.Share {
		say("pairs fit into the %s of a task, for which they may need more memory or smaller splits", planner.Bytes(p.Share))
	}
	if p.cut {
		say("the last line of a split ends less than 64 KiB after it")
	}
	if p.Scattered {
		say("objects whose columns are read make one request a section, for the footer; those for the columns follow from what is in the objects, and are not included")
	}
	if !p.Whole {
		say("gets of the shuffle are not included: on files they cost nothing, and depend on its batches")
	}
}

// forecast returns what the requests of the run depend on.
func (r *run) forecast(found output.Found) *forecast.Job {
	scratch := r.Output
	if r.Root != "" {
		scratch = r.Root
	}
	j := &forecast.Job{Table: r.table, Input: r.roots.kind, Output: r.roots.kind(r.Output), Scratch: r.roots.kind(scratch), Apart: r.Root != "",
		Mode: r.mode, Found: found, PartOnce: r.table.PartOnce, Memory: r.share(), Planning: r.planned}
	for i := range r.pipe.Inputs {
		in := &r.pipe.Inputs[i]
		j.Inputs = append(j.Inputs, forecast.Input{Lines: in.Lines, Headed: in.Headed, Probing: in.Probing, Scattered: in.Scattered})
	}
	return j
}

// receipt compares the requests of a run that has committed with its plan.
func (r *run) receipt(planned *Plan, c *committer) *Receipt {
	j := r.forecast(planned.Found)
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
	// The looks whether this run still holds the output depend on time, like the
	// heartbeats that include them.
	out := r.roots.kind(r.Output).Scheme
	looks := r.hold.Looks()
	counted[out] = counted[out].Plus(plan.Usage{Gets: -looks, Heartbeats: looks})
	return &Receipt{Planned: planned, Known: j.Foresee(sizes), Counted: counted}
}

// written collects the sizes of the sorted runs of a run's map tasks.
type written struct {
	mu   sync.Mutex
	runs []int64
	// held is the number of ranges of the shuffle that hold pairs, if a range has
	// one partition, two neighbours, four, and so on.
	held [maxLevels]int64
}

// maxLevels is larger than the number of doublings of a group of partitions.
const maxLevels = 20

// note adds the runs of a map task.
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

// empty returns the share of the ranges that hold no pairs, if each has group
// partitions, a power of two.
func (w *written) empty(partitions, group int) float64 {
	all := float64(len(w.runs)) * float64((partitions+group-1)/group)
	return 1 - float64(w.held[bits.TrailingZeros(uint(group))])/all
}
