package jobproc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

// reportEvery is how often progress is reported, when there is some.
const reportEvery = 500 * time.Millisecond

// engine runs attempts, one at a time.
type engine struct {
	process *process
	exec    *executor.Executor
	job     plan.JobID
	facts   Facts
	parts   []string // that the running attempt may make, by output

	mu    sync.Mutex
	roots map[string]*store.Root // by name
}

func newEngine(p *process) *engine { return &engine{process: p, roots: make(map[string]*store.Root)} }

// running is the attempt that runs.
type running struct {
	process *process
	attempt executor.Attempt
	cancel  context.CancelCauseFunc
	granted chan struct{} // closed with all
	all     []plan.AttemptID
	once    sync.Once
}

var _ executor.Granter = (*running)(nil)

var errStopped = errors.New("the worker stopped the attempt")

func (r *running) stop() { r.cancel(errStopped) }

func (r *running) grant(all []plan.AttemptID) {
	r.once.Do(func() {
		r.all = all
		close(r.granted)
	})
}

// Grant asks the worker, and waits.
func (r *running) Grant(ctx context.Context, a executor.Attempt) error {
	if err := r.process.send(kindAsk, ask{a.ID}); err != nil {
		return err
	}
	select {
	case <-r.granted:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Granted returns the attempts of the answer to Grant.
func (r *running) Granted(context.Context, plan.TaskID) ([]plan.AttemptID, error) { return r.all, nil }

// begin starts an attempt on a goroutine of its own.
func (p *process) begin(ctx context.Context, run *Run) error {
	r := &running{process: p, granted: make(chan struct{}),
		attempt: executor.Attempt{Task: run.Task, ID: run.Attempt, Progress: new(pipeline.Progress), Holders: run.Holders}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return fmt.Errorf("attempt %v cannot start, %v has not ended", run.Attempt, p.running.attempt.ID)
	}
	p.running = r
	ctx, r.cancel = context.WithCancelCause(ctx)
	p.work.Go(func() { p.execute(ctx, r, run) })
	return nil
}

// current returns the attempt that runs, if it is this one.
func (p *process) current(id plan.AttemptID) *running {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil || p.running.attempt.ID != id {
		return nil
	}
	return p.running
}

// execute runs an attempt and reports its end, which is its last message.
func (p *process) execute(ctx context.Context, r *running, run *Run) {
	defer r.cancel(nil)
	started := time.Now()
	reporting, stopReporting := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() { p.report(reporting, r.attempt.Progress) })
	before := p.engine.reads()
	var m *plan.Manifest
	err := pipeline.ErrGoexit // unless run returns
	defer func() {
		if v := recover(); v != nil {
			panic(v) //nolint:forbidigo // a defect of the engine: the process ends, and its output has the stack
		}
		stopReporting()
		reporter.Wait()
		e := Ended{Attempt: run.Attempt, Took: time.Since(started),
			Bytes: r.attempt.Progress.Bytes.Load(), Records: r.attempt.Progress.Records.Load()}
		after := p.engine.reads()
		e.Reads = Reads{after.Gets - before.Gets, after.Bytes - before.Bytes}
		if err != nil {
			e.Verdict = p.judge(ctx, err)
		} else {
			e.Winner, e.Digest = m.Attempt, m.Digest()
			if m.Attempt == run.Attempt {
				e.Sums = m.Sums
			}
		}
		p.end(run, e)
	}()
	m, err = p.engine.run(ctx, r, run)
}

// end reports the end of an attempt.
func (p *process) end(run *Run, e Ended) {
	fmt.Fprint(p.cfg.Stdout, run.Marker)
	fmt.Fprint(p.cfg.Stderr, run.Marker)
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	if err := p.send(kindEnded, e); err != nil {
		_ = p.conn.Close() // an end that was not received did not happen
	}
}

// judge returns the verdict on an attempt that is not done.
func (p *process) judge(ctx context.Context, err error) *Verdict {
	if ctx.Err() != nil {
		return &Verdict{Failure: plan.Failure{Text: context.Cause(ctx).Error()}, Stopped: true}
	}
	j := executor.Judge(err)
	v := &Verdict{Failure: j.Failure, Panic: j.Stack != nil}
	v.Text, v.Fingerprint = shorten(j.Text), shorten(j.Fingerprint)
	if j.Lost != nil {
		v.Lost = &LostInput{j.Lost.Task, j.Lost.Attempt}
	}
	if j.Stack != nil {
		fmt.Fprintf(p.cfg.Stderr, "%s\n%s", j.Text, j.Stack)
	}
	return v
}

// report reports progress until ctx ends.
func (p *process) report(ctx context.Context, of *pipeline.Progress) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var last progress
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := progress{of.Bytes.Load(), of.Records.Load()}
		if now == last {
			continue
		}
		last = now
		if p.send(kindProgress, now) != nil {
			return // the receiver also sees the error
		}
	}
}

// run runs an attempt by the executor.
func (e *engine) run(ctx context.Context, r *running, run *Run) (*plan.Manifest, error) {
	if err := e.prepare(ctx, run); err != nil {
		return nil, err
	}
	return e.exec.Run(ctx, r.attempt, executor.Work{Splits: run.Splits, Work: run.Work}, r)
}

// prepare makes the executor, which lasts until the job changes.
func (e *engine) prepare(ctx context.Context, run *Run) error {
	e.parts = run.Parts
	if e.exec != nil && e.job == run.Job && e.facts == run.Facts {
		return nil
	}
	scratch, err := e.root(ctx, ScratchRoot)
	if err != nil {
		return err
	}
	out, err := e.root(ctx, OutputRoot)
	if err != nil {
		return err
	}
	p, f := e.process, run.Facts
	e.job, e.facts = run.Job, f
	e.exec = executor.New(executor.Config{
		Pipeline: p.pipeline, Job: run.Job,
		// The context of an input is the process's: the executor does not pass an attempt's context
		// here.
		Open:    func(url string) (*store.Root, error) { return e.root(context.WithoutCancel(ctx), InputRoot+url) },
		Scratch: scratch, Class: store.Durable, Output: out,
		PartName: func(_ plan.TaskID, _ plan.AttemptID, output int) string { return e.parts[output] },
		Compress: f.Compress, Limits: f.Limits,
		Budget: shuffle.NewBudget(f.Budget), Share: f.Share, Bad: p.bad, Files: e.shipped(ctx), Log: p.log,
	})
	return nil
}

// shipped returns the files that were shipped with the job. The worker has checked their
// bytes.
func (e *engine) shipped(ctx context.Context) *pipeline.Files {
	if len(e.process.files) == 0 {
		return nil
	}
	byName := make(map[string]plan.File, len(e.process.files))
	var names []string
	for _, f := range e.process.files {
		byName[f.Name], names = f, append(names, f.Name)
	}
	life := context.WithoutCancel(ctx)
	return pipeline.NewFiles(names, func(ctx context.Context, name string) ([]byte, error) {
		f := byName[name]
		if f.Size == 0 {
			return nil, nil
		}
		root, err := e.root(life, FilesRoot)
		if err != nil {
			return nil, err
		}
		return root.Get(ctx, f.Digest, f.Size)
	})
}

// root opens a root of the worker's once.
func (e *engine) root(ctx context.Context, name string) (*store.Root, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.roots[name]; r != nil {
		return r, nil
	}
	r, err := e.process.client.Open(ctx, name, store.Options{Log: e.process.log, Transfer: store.Transfer{Range: e.process.ranges, Unhedged: true}})
	if err != nil {
		return nil, fmt.Errorf("the %s of the job: %w", strings.TrimSpace(name), err)
	}
	e.roots[name] = r
	return r, nil
}

// reads returns the reads of local stores so far, of all attempts.
func (e *engine) reads() (sum Reads) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.roots {
		if !r.Remote() {
			u := r.Usage()
			sum.Gets += u.Gets
			sum.Bytes += u.BytesDown
		}
	}
	return sum
}
