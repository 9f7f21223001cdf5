package runner

import (
	"context"
	"errors"
	"fmt"
	"path"
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
	parts   []string // the names that it may make, by output

	directories []bool // by output: whether they may lie in any directory

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
	parts := a.patterns()
	a.process.policy.Set(jobproc.OutputRoot, relay.Grant{Parts: parts, Granted: parts})
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
	run := &jobproc.Run{Job: a.launch.Job, Task: task, Attempt: a.launch.Attempt, Marker: a.process.marker,
		Facts: jobproc.Facts{Compress: codecs.Output, Limits: codecs.Limits, Budget: mem.Bytes, Share: mem.Bytes}}
	if task == (plan.TaskID{Phase: plan.Sample}) && len(table.Samples) > 0 {
		run.Splits = table.Samples
		return run, nil
	}
	graph := table.Graph()
	place := graph.Find(task.Group())
	if place == plan.None || task.Index < 0 {
		return nil, a.noTask()
	}
	step := &graph.Steps[place]
	if run.Work, err = a.host.Work(ctx); err != nil {
		return nil, &hostError{err}
	}
	switch {
	case step.FromInput():
		i, known := table.Split(task)
		if !known {
			return nil, a.noTask()
		}
		run.Splits = table.Splits[i : i+1]
	case step.Reads != plan.None:
		run.Holders = a.launch.Slots
		if task.Index >= run.Work.Partitions {
			return nil, a.noTask()
		}
	}
	if step.Parts {
		outputs := 1
		if table.Stages != nil {
			outputs = len(table.Stages.Outputs)
		}
		for i := range outputs {
			run.Parts = append(run.Parts, table.PartName(task, a.launch.Attempt, i, a.launch.Run))
			a.directories = append(a.directories, table.Stages != nil && table.Stages.Outputs[i].Partitioned)
		}
	}
	a.parts = run.Parts
	return run, nil
}

// noTask returns the error of a task that the table does not have.
func (a *attempt) noTask() error {
	return final("job %s has no task %v: attempt %v planned it without", a.launch.Job, a.launch.Task, a.launch.Planned)
}

// patterns returns the names of the parts that the attempt may make.
func (a *attempt) patterns() []string {
	var all []string
	for i, name := range a.parts {
		dir, file := path.Split(name)
		all = append(all, literal.Replace(name))
		if a.directories[i] {
			all = append(all, literal.Replace(dir)+"**/"+literal.Replace(file))
		}
	}
	return all
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
	if len(run.Parts) > 0 {
		grants[jobproc.OutputRoot] = relay.Grant{Parts: a.patterns()}
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
	switch s := v.Lost; {
	case v.Stopped:
		o = cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: v.Text}}
	case s != nil && reads(&run.Work, s):
		o = cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: v.Text},
			LostInput: &cluster.Ref{Job: run.Job, Task: s.Task, Attempt: s.Attempt}}
	case v.Fingerprint == "":
		o.Text += a.runner.on() // another worker may succeed
	}
	o.Text = shorten(o.Text)
	return o
}

// reads reports whether an attempt reads the output of another: a job process may say
// what it likes.
func reads(w *plan.Work, lost *jobproc.LostInput) bool {
	return slices.ContainsFunc(w.Inputs(), func(r plan.Results) bool {
		i := lost.Task.Index
		return r.Group == lost.Task.Group() && i >= 0 && i < len(r.Attempts) && r.Attempts[i] == lost.Attempt
	})
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
	expected, err := plan.ParseExpectations(a.spec.Expect)
	if err != nil {
		return cluster.Outcome{}, &finalError{err}
	}
	table, err := planner.Make(ctx, a.described(), planner.Request{
		Job: a.launch.Job, Input: a.spec.Input, Output: a.spec.Output, Partitions: a.spec.Partitions, SplitSize: a.spec.SplitSize, Trial: a.spec.Trial, Replay: a.spec.Replay,
		Slots: max(r.cfg.Slots, a.launch.Slots), Memory: planner.Memory{Bytes: p.budget.pairs, Attempts: 1}, Codecs: codecs, Expect: expected,
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
	o := cluster.Outcome{Result: cluster.Done, Winner: a.launch.Attempt, Digest: plan.Digest{In: table.Input}}
	if table.Stages != nil {
		o.Graph = &table.Stages.Graph
		a.notes.note("planned: %s, %s that read input, %s of input",
			plural.Of(len(o.Graph.Steps), "step"), plural.Of(len(table.Splits), "task"), plural.Of(table.Input, "byte"))
	} else {
		o.Counts = table.Counts()
		a.notes.note("planned: %s, %s, %s of input",
			plural.Of(len(table.Splits), "map task"), plural.Of(table.Partitions, "reduce task"), plural.Of(table.Input, "byte"))
	}
	if table.LeftOut.Total() > 0 {
		a.notes.note("left out: %v", table.LeftOut)
	}
	return o, nil
}

// described returns the description of the job for planning, with the functions
// of the process.
func (a *attempt) described() planner.Job {
	d := a.process.session.Plan()
	out := planner.Job{Name: a.spec.Job, Graph: d.Graph, Ranges: d.Ranges}
	for _, o := range d.Outputs {
		out.Outputs = append(out.Outputs, planner.Output(o))
	}
	for i, in := range d.Inputs {
		input := planner.Input{Name: in.Name, Text: in.Text, Lines: in.Lines, NoReplay: in.NoReplay}
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
