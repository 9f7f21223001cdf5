// Package planner makes a job's task table: it finds the input, inspects the
// objects that may be divided, and notes which task reads what.
//
// An embedded run calls it before it begins. In a cluster a worker calls it, in
// the attempt at the job's first task, and stores the table where the master and
// all later attempts read it. The job itself may be in another process: Job has
// everything that planning needs of it.
//
// Make asks stores for listings, metadata and the first and last bytes of
// objects, and writes nothing. Table.Probe writes to the output an object that
// it deletes. A wrong request is an *Error, an error of a store is a
// *store.Error. Make has ended its goroutines when it returns. A Table must not
// be changed while several goroutines use it. Sizes are bytes, of compressed
// objects at rest.
//
// It is part of the engine, and may change between minor versions.
package planner

import (
	"context"
	"log/slog"
	"slices"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
	"github.com/windrow-mr/windrow/worker/planner/splits"
)

// maxSplits bounds the tasks of a job that read inputs.
const maxSplits = 100_000

// Job is what planning must know of a job.
type Job struct {
	Name    string
	Inputs  []Input
	Graph   plan.Graph // without numbers of tasks and partitions
	Ranges  bool       // the partitions of its only exchange are ranges of keys
	Outputs []Output
}

// Output is one of a job's outputs. See pipeline.Output.
type Output struct {
	Name         string
	Ext          string // of parts, with its dot, before they are compressed
	Compressible bool   // parts may be compressed as a whole
	Partitioned  bool   // parts lie in directories that the records name
}

// outputs returns the names of the job's outputs of data.
func (j *Job) outputs() []string {
	var names []string
	for _, o := range j.Outputs {
		if o.Name != plan.QuarantineDir {
			names = append(names, o.Name)
		}
	}
	return names
}

// shuffled reports whether the job has reduces.
func (j *Job) shuffled() bool { return len(j.Graph.Exchanges) > 0 }

// staged reports whether the job has several stages or outputs, an output in a directory,
// a step without output that only checks, or a side input, whose number of partitions is
// known before.
func (j *Job) staged() bool {
	return len(j.Graph.Exchanges) > 1 || len(j.Outputs) > 1 || len(j.Outputs) > 0 && (j.Outputs[0].Partitioned || j.Outputs[0].Name != "") ||
		slices.ContainsFunc(j.Graph.Steps, func(s plan.Step) bool { return s.Stage != "" }) ||
		slices.ContainsFunc(j.Graph.Exchanges, func(x plan.Exchange) bool { return x.Partitions > 0 })
}

// Input is one of a job's inputs. See pipeline.Input.
type Input struct {
	Name        string
	Text, Lines bool
	Cut         func(ctx context.Context, o plan.Object, target int64) ([]plan.Section, error) // nil: any range of bytes is a section
	Generate    func(ctx context.Context, slots int) ([]plan.Section, error)                   // nil: objects are read
	NoReplay    string                                                                         // why its records cannot be replayed; "": they can
}

// Of returns the description of a job whose functions are in this process.
func Of(p *pipeline.Pipeline) Job {
	j := Job{Name: p.Job, Graph: p.Outline(), Ranges: p.Ranges()}
	for _, o := range p.Outputs {
		j.Outputs = append(j.Outputs, Output(o))
	}
	for i := range p.Inputs {
		in := &p.Inputs[i]
		of := Input{Name: in.Name, Text: in.Text, Lines: in.Lines, NoReplay: p.NoReplay(i)}
		if in.Split != nil {
			of.Cut = func(_ context.Context, o plan.Object, target int64) ([]plan.Section, error) {
				return pipeline.Guard(func() ([]plan.Section, error) { return in.Split(o, target) })
			}
		}
		if in.Generate != nil {
			of.Generate = func(_ context.Context, slots int) ([]plan.Section, error) {
				return pipeline.Guard(func() ([]plan.Section, error) { return in.Generate(slots) })
			}
		}
		j.Inputs = append(j.Inputs, of)
	}
	return j
}

// Request says what a job reads and writes, and what it may use.
type Request struct {
	Job        plan.JobID
	Input      []string // URLs, or NAME=URL
	Output     string   // URL
	Partitions int      // 0: as many as suit the input
	SplitSize  int64    // 0: as suits the input and the slots
	Trial      plan.Trial
	Expect     plan.Expectations
	Replay     plan.JobID // whose bad records are read, and nothing else; "" for none
	Slots      int        // that run tasks at once, in all processes
	Memory     Memory     // of one process
	Codecs     Codecs
}

// Check refuses invalid sizes. Make does so too; a caller that has a request
// from a user calls Check early.
func (r *Request) Check() error {
	switch {
	case r.Output == "":
		return invalidf("no output: say where it goes with --out")
	case r.Partitions < 0 || r.Partitions > attempts.MaxPartitions:
		return invalidf("partitions %d is not between 1 and %d (0 lets windrow choose)", r.Partitions, attempts.MaxPartitions)
	case r.SplitSize < 0:
		return invalidf("split size %d is negative", r.SplitSize)
	case r.Trial.Check() != nil:
		return invalidf("%w", r.Trial.Check())
	}
	return nil
}

// Make finds the input of a job and divides it. It refuses invalid outputs
// before it divides anything.
func Make(ctx context.Context, job Job, req Request, roots store.Roots, log *slog.Logger) (*attempts.Table, error) {
	if err := req.Check(); err != nil {
		return nil, err
	}
	m := &maker{job: job, req: &req, roots: roots, log: log}
	if err := m.resolve(ctx); err != nil {
		return nil, err
	}
	out, err := roots.Get(ctx, req.Output, true)
	if err != nil {
		return nil, err
	}
	if req.Replay != "" {
		if err := m.narrow(ctx, out); err != nil {
			return nil, err
		}
	}
	if err := refuseNested(m.readings, out); err != nil {
		return nil, err
	}
	if err := refuseInsideOutput(ctx, roots, req.Output, out); err != nil {
		return nil, err
	}
	m.table = attempts.Table{Job: req.Job, LeftOut: m.leftOut}
	if err := req.Expect.Names(job.outputs()); err != nil {
		return nil, invalidf("%w", err)
	}
	exts, err := m.extensions()
	if err != nil {
		return nil, err
	}
	m.table.Ext = exts[0].Ext
	if err := m.divide(ctx); err != nil {
		return nil, err
	}
	if job.staged() {
		if m.table.Stages, err = m.stages(exts); err != nil {
			return nil, err
		}
		m.table.Ext, m.table.Partitions = "", 0
	}
	return &m.table, nil
}

// extensions returns the outputs with the extensions of their parts. It refuses a codec
// that no output can have.
func (m *maker) extensions() ([]attempts.Output, error) {
	codec, packed := m.req.Codecs.Output, 0
	var all []attempts.Output
	for _, o := range m.job.Outputs {
		ext := o.Ext
		if o.Compressible {
			ext += codec.Ext()
			packed++
		}
		all = append(all, attempts.Output{Name: o.Name, Ext: ext, Partitioned: o.Partitioned})
	}
	if packed == 0 && codec != compress.None {
		return nil, invalidf("the parts of job %s (%s) are not text, and cannot be compressed as a whole: leave --compress out", m.job.Name, m.job.Outputs[0].Ext)
	}
	return all, nil
}

// maker is one call of Make.
type maker struct {
	job   Job
	req   *Request
	roots store.Roots
	log   *slog.Logger

	inputs    []splits.Input
	generated []plan.Split
	leftOut   plan.LeftOut
	readings  []reading
	table     attempts.Table
	replay    *replay // nil: all records are read
}

// divide makes the tasks.
func (m *maker) divide(ctx context.Context) error {
	t := &m.table
	m.limitObjects()
	size, all := m.target(), t.Input
	size = m.trialSize(size)
	if m.replay != nil {
		return m.divideReplay(ctx, size)
	}
	if n := all / size; n > maxSplits { // all of a trial's splits are made, too
		return invalidf("%s in splits of %d are %s, and %d are allowed; give a greater --split-size", plural.Of(all, "byte"), size, plural.Of(n, "map task"), maxSplits)
	}
	if m.job.shuffled() {
		t.Partitions = m.partitions(t.Input)
	}
	least := size
	if m.sampled() {
		_, bytes := executor.SampleSize(t.Input, t.Partitions)
		least = min(least, bytes)
	}
	if err := m.inspect(ctx, least); err != nil {
		return err
	}
	var err error
	if t.Splits, err = splits.Plan(m.inputs, size); err != nil {
		return err
	}
	m.warnOfWhole(size)
	t.Splits = append(t.Splits, m.generated...)
	m.sampleSplits()
	if !m.job.shuffled() {
		return nil
	}
	if err := m.fitIndex(); err != nil {
		return err
	}
	if !m.sampled() {
		return nil
	}
	sections, bytes := executor.SampleSize(t.Input, t.Partitions)
	if t.Samples, err = splits.Sample(m.inputs, sections, bytes); err != nil {
		return err
	}
	t.Samples = append(t.Samples, m.generated...)
	return nil
}

// target returns the size of splits, and notes that of the input.
//
//go:noinline
func (m *maker) target() int64 {
	for i := range m.inputs {
		m.table.Input += m.inputs[i].Bytes()
	}
	if m.req.SplitSize > 0 {
		return m.req.SplitSize
	}
	return splits.Target(m.table.Input, m.req.Slots)
}

// partitions returns how many partitions suit so many bytes of input.
//
//go:noinline
func (m *maker) partitions(input int64) int {
	if m.req.Partitions > 0 {
		return m.req.Partitions
	}
	return plan.PartitionsFor(input, m.req.Slots, 0)
}

// sampled reports whether the job first reads a sample of its input.
//
//go:noinline
func (m *maker) sampled() bool { return m.job.Ranges && !m.job.staged() && m.table.Partitions > 1 }

// warnOfWhole logs which objects make the longest tasks because they are
// compressed and cannot be split.
func (m *maker) warnOfWhole(target int64) {
	n, largest := 0, plan.Object{}
	for i := range m.table.Splits {
		for j := range m.table.Splits[i].Sections {
			s := &m.table.Splits[i].Sections[j]
			o := &s.Object
			if o.Codec != "" && !s.Part() && o.Size > 2*target {
				n++
				if o.Size > largest.Size {
					largest = *o
				}
			}
		}
	}
	if n > 0 {
		m.log.Warn("compressed objects are each read by one task, from end to end: only lines of bzip2, of BGZF (bgzip), and of zstd with a seek table, can be split", "objects", n, "largest", largest.Name(), "bytes", largest.Size)
	}
}

// fitIndex ensures that the index of the partitions is small compared to the
// memory. It lowers a number of partitions that was chosen here, and refuses
// one that a user gave.
func (m *maker) fitIndex() error {
	t := &m.table
	if m.job.staged() {
		return nil // see stages
	}
	most := m.req.Memory.partitions(len(t.Splits))
	switch {
	case int64(t.Partitions) <= most:
		return nil
	case m.req.Partitions == 0:
		t.Partitions = int(max(most, 1))
		return nil
	default:
		return m.tooMany(t.Partitions, most)
	}
}

// tooMany returns the error of more partitions than the memory has room for.
func (m *maker) tooMany(partitions int, most int64) error {
	return invalidf("%s of %s need more of %s memory for their index than is left for the data; at most %d fit: give fewer --partitions, a greater --split-size or more --memory",
		plural.Of(partitions, "partition"), plural.Of(len(m.table.Splits), "map task"), Bytes(m.req.Memory.Bytes), max(most, 1))
}
