package sim

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/executor"
	"github.com/windrow-mr/windrow/worker/planner"
)

// runner runs attempts in this process, by the real executor, with delays.
type runner struct {
	root  *store.Root
	roots store.Roots
	jobs  map[string]*jobs.Job

	mu sync.Mutex
	r  *rand.Rand
	// began is called with every attempt.
	began func(cluster.Ref)
}

var _ worker.Runner = (*runner)(nil)

func (*runner) Forget(plan.JobID) {}
func (*runner) Close() error      { return nil }

// take delays an attempt by up to some seconds.
func (r *runner) take(ctx context.Context, most time.Duration) error {
	r.mu.Lock()
	d := time.Duration(r.r.Int64N(int64(most)))
	r.mu.Unlock()
	return wait(ctx, d)
}

func (r *runner) Run(ctx context.Context, l cluster.Launch, h worker.Host) cluster.Outcome {
	o := cluster.Outcome{Ref: l.Ref, Result: cluster.Done, Winner: l.Attempt}
	r.began(l.Ref)
	err := r.take(ctx, 3*time.Second)
	if err == nil {
		err = r.run(ctx, l, h, &o)
	}
	if err == nil {
		err = r.take(ctx, time.Second)
	}
	if err != nil {
		o.Result, o.Text = cluster.Lost, err.Error()
		if ctx.Err() != nil || errors.Is(err, worker.ErrStale) {
			return o
		}
		v := executor.Judge(err)
		o.Result, o.Failure = cluster.Failed, v.Failure
		if v.Lost != nil {
			o.Result = cluster.Lost
			o.LostInput = &cluster.Ref{Job: l.Job, Task: v.Lost.Task, Attempt: v.Lost.Attempt}
		}
	}
	return o
}

const memory = 512 << 20 // a step may write many exchanges

func (r *runner) run(ctx context.Context, l cluster.Launch, h worker.Host, o *cluster.Outcome) error {
	body, err := r.root.ReadOnce(ctx, plan.SpecKey(l.Job))
	if err != nil {
		return err
	}
	var spec plan.Spec
	if err := json.Unmarshal(body, &spec); err != nil {
		return err
	}
	p, err := r.jobs[spec.Job].Build(spec.Params, spec.Once)
	if err != nil {
		return err
	}
	if l.Task.Phase == plan.Prepare {
		return r.prepare(ctx, &spec, p, l, o)
	}
	table, err := attempts.ReadTable(ctx, r.root, l.Job, l.Planned)
	if err != nil {
		return err
	}
	out, err := r.roots.Get(ctx, spec.Output, true)
	if err != nil {
		return err
	}
	exec := executor.New(executor.Config{Pipeline: p, Job: l.Job, Open: r.roots.Opened,
		Scratch: r.root.Sub(plan.ScratchPrefix(l.Job)), Output: out,
		PartName: func(t plan.TaskID, id plan.AttemptID, output int) string { return table.PartName(t, id, output, l.Run) },
		Budget:   shuffle.NewBudget(memory), Share: memory / 4, Log: slog.New(slog.DiscardHandler)})
	for i := range table.Splits {
		for _, s := range table.Splits[i].Sections {
			if _, err := r.roots.Get(ctx, s.Object.Root, false); err != nil {
				return err
			}
		}
	}
	a := executor.Attempt{Task: l.Task, ID: l.Attempt, Progress: new(pipeline.Progress)}
	var work executor.Work
	if l.Task.Phase == plan.Sample {
		work.Splits = table.Samples
	} else if work.Work, err = h.Work(ctx); err != nil {
		return err
	}
	if i, ok := table.Split(l.Task); ok {
		work.Splits = table.Splits[i : i+1]
	}
	m, err := exec.Run(ctx, a, work, &granter{host: h, runner: r})
	if err != nil {
		return err
	}
	h.Progress(m.Tally.BytesIn, m.Tally.RecordsIn)
	o.Winner, o.Digest, o.Sums = m.Attempt, m.Digest(), m.Sums
	return nil
}

func (r *runner) prepare(ctx context.Context, spec *plan.Spec, p *pipeline.Pipeline, l cluster.Launch, o *cluster.Outcome) error {
	codecs, err := planner.ParseCodecs(spec.Compress, spec.Decompress, spec.MaxRatio, spec.MaxDecompressed)
	if err != nil {
		return err
	}
	table, err := planner.Make(ctx, planner.Of(p), planner.Request{Job: l.Job, Input: spec.Input, Output: spec.Output, Partitions: spec.Partitions,
		SplitSize: spec.SplitSize, Slots: max(l.Slots, 1), Memory: planner.Memory{Bytes: memory, Attempts: 1}, Codecs: codecs}, r.roots, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	out, err := r.roots.Get(ctx, spec.Output, true)
	if err == nil {
		err = table.Probe(ctx, out)
	}
	if err == nil {
		err = table.Write(ctx, r.root, l.Attempt)
	}
	if table.Stages != nil {
		o.Graph = &table.Stages.Graph
	} else {
		o.Counts = table.Counts()
	}
	return err
}

// granter asks the worker.
type granter struct {
	host   worker.Host
	runner *runner
	all    []plan.AttemptID
}

func (g *granter) Grant(ctx context.Context, _ executor.Attempt) (err error) {
	if g.all, err = g.host.Grant(ctx); err == nil {
		err = g.runner.take(ctx, time.Second)
	}
	return err
}

func (g *granter) Granted(context.Context, plan.TaskID) ([]plan.AttemptID, error) { return g.all, nil }
