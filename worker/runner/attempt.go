package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/relay"
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/jobproc"
	"github.com/windrow-mr/windrow/worker/planner"
)

// attempt is an attempt on its process.
type attempt struct {
	runner  *Runner
	job     *job
	spec    *plan.Spec
	launch  cluster.Launch
	host    worker.Host
	notes   *attemptLog
	process *process
	part    string // the name that it may make

	mu      sync.Mutex
	refused error // why there was no grant
	bytes   int64 // last progress
	records int64
}

var _ jobproc.Host = (*attempt)(nil)

// Grant asks for the attempt's grant, and lets the process commit its part.
func (a *attempt) Grant(ctx context.Context) ([]plan.AttemptID, error) {
	a.process.waiting.Store(true)
	defer a.process.waiting.Store(false)
	all, err := a.host.Grant(ctx)
	if err != nil {
		a.mu.Lock()
		a.refused = err
		a.mu.Unlock()
		return nil, err
	}
	part := []string{literal.Replace(a.part)}
	a.process.policy.Set(jobproc.OutputRoot, relay.Grant{Parts: part, Granted: part})
	return all, nil
}

// Progress reports the attempt's progress.
func (a *attempt) Progress(bytes, records int64) {
	a.mu.Lock()
	more := bytes > a.bytes || records > a.records
	a.bytes, a.records = max(a.bytes, bytes), max(a.records, records)
	bytes, records = a.bytes, a.records
	a.mu.Unlock()
	if more {
		a.process.moved.Store(true)
		a.host.Progress(bytes, records)
		a.host.Spent(a.job.asked.Requests())
	}
}

// execute runs a task of the task table.
func (a *attempt) execute(ctx context.Context) (cluster.Outcome, error) {
	p := a.process
	p.waiting.Store(true)
	table, err := a.job.readTable(ctx, a.launch.Planned)
	if err != nil {
		return cluster.Outcome{}, err
	}
	run, err := a.run(ctx, table)
	if err != nil {
		return cluster.Outcome{}, err
	}
	if err := a.permit(ctx, run); err != nil {
		return cluster.Outcome{}, err
	}
	p.waiting.Store(false)
	ended, err := p.session.Run(ctx, *run, a)
	if err != nil {
		return cluster.Outcome{}, err
	}
	a.job.asked.Read(localScheme, ended.Reads.Gets, ended.Reads.Bytes)
	a.mu.Lock()
	refused := a.refused
	a.mu.Unlock()
	if ended.Verdict != nil && ended.Verdict.Stopped && ctx.Err() == nil && refused != nil {
		return cluster.Outcome{}, &hostError{fmt.Errorf("task %v got no grant: %w", a.launch.Task, refused)}
	}
	return a.outcome(run, ended), nil
}

// localScheme is the scheme of local stores: a process may read them without
// this process.
const localScheme = "file"

// run returns the order to the process.
func (a *attempt) run(ctx context.Context, table *attempts.Table) (*jobproc.Run, error) {
	task := a.launch.Task
	mem := planner.Memory{Bytes: a.process.budget.pairs, Attempts: 1}
	codecs, err := planner.ParseCodecs(a.spec.Compress, a.spec.Decompress, a.spec.MaxRatio, a.spec.MaxDecompressed)
	if err != nil {
		return nil, err
	}
	codecs.Limits.Window = mem.Window()
	run := &jobproc.Run{Job: a.launch.Job, Task: task, Attempt: a.launch.Attempt, Sampled: a.launch.Sampled, Marker: a.process.marker,
		Facts: jobproc.Facts{Partitions: table.Partitions, Compress: codecs.Output, Limits: codecs.Limits, Budget: mem.Bytes, Share: mem.Bytes}}
	counts, known := table.Counts(), 0
	switch task.Phase {
	case plan.Sample:
		known, run.Splits = counts.Samples, table.Samples
	case plan.Map:
		known = counts.Maps
		if task.Index < known {
			run.Splits = table.Splits[task.Index : task.Index+1]
		}
		if table.Partitions == 0 {
			run.Part = table.PartName(task, a.launch.Attempt, a.launch.Run)
		}
	case plan.Reduce:
		known = counts.Reduces
		run.Part = table.PartName(task, a.launch.Attempt, a.launch.Run)
		run.Holders = a.launch.Slots
		run.Maps, err = a.host.Maps(ctx)
		if err != nil {
			return nil, &hostError{err}
		}
		if len(run.Maps) != counts.Maps {
			return nil, fmt.Errorf("the master names %d map attempts for the %d map tasks of job %s", len(run.Maps), counts.Maps, a.launch.Job)
		}
	default:
	}
	if task.Index < 0 || task.Index >= known {
		return nil, final("job %s has no task %v: attempt %v planned it without", a.launch.Job, task, a.launch.Planned)
	}
	a.part = run.Part
	return run, nil
}

// literal makes a pattern of a name. The job chooses the ends of the names of
// its parts.
var literal = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

// permit lets the process reach what the attempt needs, and no more.
func (a *attempt) permit(ctx context.Context, run *jobproc.Run) error {
	inputs := make(map[string][]store.Object) // by URL of the root
	described := a.process.session.Plan().Inputs
	for i := range run.Splits {
		split := &run.Splits[i]
		if split.Input < 0 || split.Input >= len(described) {
			return final("the tasks of job %s have inputs that the job does not have", a.launch.Job)
		}
		if described[split.Input].Generate {
			continue
		}
		for j := range split.Sections {
			o := &split.Sections[j].Object
			inputs[o.Root] = append(inputs[o.Root], store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag})
		}
	}
	roots := make(map[string]*store.Root, len(inputs))
	grants := make(map[string]relay.Grant, len(inputs)+2)
	for url, objects := range inputs {
		root, err := a.runner.cfg.Roots.Get(ctx, url, false)
		if err != nil {
			return err
		}
		roots[jobproc.InputRoot+url] = root
		grants[jobproc.InputRoot+url] = relay.Grant{Inputs: objects}
	}
	task := run.Task.Key()
	grants[jobproc.ScratchRoot] = relay.Grant{
		Read:    []string{"x/**", "att/**"},
		Scratch: []string{fmt.Sprintf("x/*/%s.%v.*", task, run.Attempt), attempts.ManifestKey(run.Task, run.Attempt)},
	}
	if run.Part != "" {
		grants[jobproc.OutputRoot] = relay.Grant{Parts: []string{literal.Replace(run.Part)}}
	}
	a.process.permit(roots, grants)
	return nil
}

// permit replaces the permissions of the process.
func (p *process) permit(roots map[string]*store.Root, grants map[string]relay.Grant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.inputs {
		p.policy.Set(name, relay.Grant{})
	}
	p.inputs = roots
	for _, name := range []string{jobproc.ScratchRoot, jobproc.OutputRoot} {
		if _, ok := grants[name]; !ok {
			p.policy.Set(name, relay.Grant{})
		}
	}
	for name, g := range grants {
		p.policy.Set(name, g)
	}
}

// outcome returns the outcome of an attempt that has reported its end.
func (a *attempt) outcome(run *jobproc.Run, e *jobproc.Ended) cluster.Outcome {
	v := e.Verdict
	if v == nil {
		return cluster.Outcome{Result: cluster.Done, Winner: e.Winner, Digest: e.Digest, Sums: e.Sums}
	}
	o := cluster.Outcome{Result: cluster.Failed, Failure: v.Failure}
	switch s := v.LostMap; {
	case v.Stopped:
		o = cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: v.Text}}
	case s != nil && s.Task.Phase == plan.Map && slices.Contains(run.Maps, s.Attempt):
		i := slices.Index(run.Maps, s.Attempt)
		o = cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: v.Text},
			LostMap: &cluster.Ref{Job: run.Job, Task: plan.TaskID{Phase: plan.Map, Index: i}, Attempt: s.Attempt}}
	case v.Fingerprint == "":
		o.Text += a.runner.on() // another worker may succeed
	}
	o.Text = shorten(o.Text)
	return o
}

// on names the worker in the text of an error.
func (r *Runner) on() string { return " (on the worker " + r.cfg.Host + ")" }

// finalError says that every other attempt would fail too.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// unfitError says that this worker cannot run the job. It is about the machine, its
// disk or its build, and not about the job.
type unfitError struct{ err error }

func (e *unfitError) Error() string { return e.err.Error() }
func (e *unfitError) Unwrap() error { return e.err }

func unfit(format string, args ...any) error { return &unfitError{fmt.Errorf(format, args...)} }

func final(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }

// prepare plans the job: it finds the input and divides it into tasks.
func (a *attempt) prepare(ctx context.Context) (cluster.Outcome, error) {
	p, r := a.process, a.runner
	p.waiting.Store(true) // except while the process is asked
	codecs, err := planner.ParseCodecs(a.spec.Compress, a.spec.Decompress, a.spec.MaxRatio, a.spec.MaxDecompressed)
	if err != nil {
		return cluster.Outcome{}, &finalError{err}
	}
	table, err := planner.Make(ctx, a.described(), planner.Request{
		Job: a.launch.Job, Input: a.spec.Input, Output: a.spec.Output, Partitions: a.spec.Partitions, SplitSize: a.spec.SplitSize,
		Slots: max(r.cfg.Slots, a.launch.Slots), Memory: planner.Memory{Bytes: p.budget.pairs, Attempts: 1}, Codecs: codecs,
	}, r.cfg.Roots, a.notes.logger())
	if err != nil {
		if plan.KindOf(err) == plan.Invalid {
			err = &planner.Error{Kind: plan.Invalid, Err: err} // as run reports it
		}
		if planner.Final(err) {
			err = &finalError{err}
		}
		return cluster.Outcome{}, err
	}
	if err := table.Probe(ctx, p.output); err != nil {
		return cluster.Outcome{}, err
	}
	if err := table.Write(ctx, r.cfg.Root, a.launch.Attempt); err != nil {
		return cluster.Outcome{}, err
	}
	a.notes.note("planned: %s, %s, %s of input",
		plural.Of(len(table.Splits), "map task"), plural.Of(table.Partitions, "reduce task"), plural.Of(table.Input, "byte"))
	if table.LeftOut.Total() > 0 {
		a.notes.note("left out: %v", table.LeftOut)
	}
	return cluster.Outcome{Result: cluster.Done, Winner: a.launch.Attempt, Counts: table.Counts(), Digest: plan.Digest{In: table.Input}}, nil
}

// described returns the description of the job for planning, with the functions
// of the process.
func (a *attempt) described() planner.Job {
	d := a.process.session.Plan()
	out := planner.Job{Name: a.spec.Job, Shuffled: d.Shuffled, Ranges: d.Ranges, Ext: d.Ext, Compressible: d.Compressible}
	for i, in := range d.Inputs {
		input := planner.Input{Name: in.Name, Text: in.Text, Lines: in.Lines}
		if in.Cut {
			input.Cut = func(ctx context.Context, o plan.Object, target int64) ([]plan.Section, error) {
				defer a.asked()()
				return own(a.process.session.Cut(ctx, i, o, target))
			}
		}
		if in.Generate {
			input.Generate = func(ctx context.Context, slots int) ([]plan.Section, error) {
				defer a.asked()()
				return own(a.process.session.Generate(ctx, i, slots))
			}
		}
		out.Inputs = append(out.Inputs, input)
	}
	return out
}

// asked says that the process works on its own, until done.
func (a *attempt) asked() (done func()) {
	a.process.moved.Store(true)
	a.process.waiting.Store(false)
	return func() { a.process.waiting.Store(true) }
}

// own makes an error of the job's own function final: it would fail again.
func own(s []plan.Section, err error) ([]plan.Section, error) {
	if refused, ok := errors.AsType[*jobproc.Refusal](err); ok {
		err = &finalError{refused}
	}
	return s, err
}
