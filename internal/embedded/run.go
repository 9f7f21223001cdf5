package embedded

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/oklog/ulid/v2"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
	"github.com/windrow-mr/windrow/worker/planner"
)

// Run runs a job and commits its output. When ctx ends, Run stops within two
// seconds, and removes what it wrote as far as the store allows. It does not wait
// for a function of the job that ignores its context.
func Run(ctx context.Context, job *jobs.Job, o Options) (*Result, error) {
	result, _, err := RunPlanned(ctx, job, o, func(*Plan) {})
	return result, err
}

// RunPlanned is like Run, and calls show with the plan, once the output is reserved
// and before the first task begins. It also returns the requests of the run.
func RunPlanned(ctx context.Context, job *jobs.Job, o Options, show func(*Plan)) (*Result, *Receipt, error) {
	r, err := newRun(ctx, job, o)
	if err != nil {
		return nil, nil, err
	}
	defer r.roots.close()
	if err := r.prepare(ctx); err != nil {
		return nil, nil, classify(err)
	}
	r.planned = r.roots.requests()
	return r.execute(ctx, show)
}

// run is one run of a job.
type run struct {
	settings
	started time.Time
	roots   roots
	pipe    *pipeline.Pipeline
	id      plan.JobID

	out     *store.Root
	base    *store.Root // contains scratch
	scratch *store.Root
	table   *attempts.Table
	hold    *output.Hold
	planned plan.Requests                   // the requests of planning
	summed  atomic.Pointer[map[string]bool] // objects of the input with a checksum, by name
}

// prepare finds the input and plans the tasks. It writes only a probe.
func (r *run) prepare(ctx context.Context) error {
	var id ulid.ULID
	id, err := ulid.New(ulid.Timestamp(r.started), rand.Reader)
	if err != nil {
		return err
	}
	r.id = plan.JobID(id.String())
	if r.table, err = planner.Make(ctx, planner.Of(r.pipe), *r.request(r.id), &r.roots, r.Log); err != nil {
		return err
	}
	if r.out, err = r.roots.Get(ctx, r.Output, true); err != nil {
		return err
	}
	r.noteSums()
	return r.openScratch(ctx)
}

// openScratch opens the place for sorted runs and manifests.
func (r *run) openScratch(ctx context.Context) error {
	r.base = r.out
	if r.Root != "" {
		var err error
		if r.base, err = r.roots.Get(ctx, r.Root, true); err != nil {
			return err
		}
	}
	r.scratch = r.base.Sub(output.TmpKey(r.id))
	return nil
}

// execute reserves the output, runs the tasks and commits.
func (r *run) execute(ctx context.Context, show func(*Plan)) (*Result, *Receipt, error) {
	if err := r.reserve(ctx); err != nil {
		if ctx.Err() != nil {
			err = &Error{plan.Interrupted, fmt.Errorf("job %s was interrupted before it wrote anything; %s is unchanged", r.pipe.Job, r.out.URL())}
		}
		return nil, nil, classify(err)
	}
	planned := r.state(r.hold.Found())
	show(planned)
	p := r.newPool(ctx)
	defer p.stop()
	beat, stopBeat := context.WithCancelCause(ctx)
	defer stopBeat(nil)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := r.hold.Keep(beat); err != nil {
			stopBeat(err) // the output belongs to another job: to continue is useless
		}
	})
	w := &watcher{pool: p, started: r.started}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	if r.Progress != nil {
		keeping.Go(func() { w.report(watching, r.Progress) })
	}
	c := &committer{run: r, pool: p, written: new(written)}
	outcome, err := master.Run(beat, r.masterConfig(p, c, w))
	p.stop()
	lost := context.Cause(beat)
	if err != nil {
		err = r.settle(ctx, c, lost, outcome, err)
	} else if outcome.Status != scheduler.Succeeded {
		err = r.failed(ctx, lost, outcome.Cause)
	}
	stopWatching()
	stopBeat(nil)
	keeping.Wait()
	if c.manifest == nil {
		return nil, nil, err
	}
	if err != nil {
		r.Log.Warn("the output is committed, but the cleanup is not complete; the next run on the output completes it", "output", r.out.URL(), "error", err)
	}
	receipt := r.receipt(planned, c)
	return r.result(c, w, receipt.Counted.Total()), receipt, nil
}

// settleTime limits what is tried after the end of a run that went wrong.
const settleTime = 1500 * time.Millisecond

// settle ends a run that could neither commit nor clean up. The log shows whether
// it committed after all. Otherwise settle removes what it wrote, as far as
// possible. It returns the error for the user.
func (r *run) settle(ctx context.Context, c *committer, lost error, outcome master.Outcome, cause error) error {
	if c.manifest != nil {
		return cause
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	m, err := r.hold.Committed(ending)
	if m != nil {
		c.manifest = m
		return cause
	}
	left := err
	if err == nil {
		left = c.CleanUp(ending)
	}
	return r.unfinished(ctx, lost, outcome.Cause, cause, left)
}

// reserve makes this run the only writer of its output.
func (r *run) reserve(ctx context.Context) error {
	if err := r.table.Probe(ctx, r.out); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	r.hold, err = output.Reserve(ctx, r.out, output.Request{Job: r.id, Name: r.pipe.Job, Mode: r.mode, Replays: plan.JobID(r.Replay), Host: host,
		Scratch: r.elsewhere(),
		Waiting: func(h output.Holder, patience time.Duration) {
			r.Log.Warn(fmt.Sprintf("job %s on %s has not finished this output; waiting %v to see whether it is alive", h.Job, h.Host, patience))
		}})
	if err != nil {
		return err
	}
	if dead := r.hold.Dead(); dead != nil && dead.Scratch != "" && dead.Scratch != r.elsewhere() {
		r.Log.Warn(fmt.Sprintf("this run takes over from job %s, which kept temporary data in %s: remove its %s", dead.Job, dead.Scratch, output.TmpKey(dead.Job)))
	}
	if r.Root == "" {
		return nil
	}
	for _, before := range r.hold.Before() {
		// Earlier runs on this output left data below this root.
		if err := r.base.DeleteAll(ctx, output.TmpKey(before), nil); err != nil {
			return errors.Join(err, r.hold.Release(ctx))
		}
	}
	return nil
}

// elsewhere returns the URL of the root of temporary data, "" if that is in the
// output.
func (r *run) elsewhere() string {
	if r.Root == "" {
		return ""
	}
	return r.base.URL()
}

func (r *run) newPool(ctx context.Context) *pool {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	memory, limits := r.memory(), r.codecs.Limits
	limits.Window = memory.Window()
	exec := executor.New(executor.Config{
		Pipeline: r.pipe, Job: r.id,
		Open: r.roots.Opened, Scratch: r.scratch, Class: store.Scratch, Output: r.out,
		PartName: func(task plan.TaskID, id plan.AttemptID, output int) string {
			return r.table.PartName(task, id, output, 0)
		},
		Compress: r.codecs.Output, Limits: limits,
		Budget: shuffle.NewBudget(r.Memory), Share: r.share(), Turns: r.turns(), Bad: r.bad, Files: r.files, Log: r.Log,
	})
	return &pool{exec: exec, sums: sums.New(r.table), log: r.Log, events: master.NewMailbox(), pipe: r.pipe, hold: r.hold,
		table: r.table, life: work, cancel: cancel, slots: r.Slots, extra: r.extra(),
		running: make(map[plan.AttemptID]*running), granted: make(map[plan.TaskID][]plan.AttemptID)}
}

func (r *run) masterConfig(p *pool, c *committer, w *watcher) master.Config {
	p.events.Post(scheduler.Joined{Worker: thisProcess, Slots: r.Slots})
	cfg := scheduler.Config{Epoch: 1, Rand: random32(), MaxFailures: r.Attempts, Backoff: scheduler.Time(300 * time.Millisecond)}
	if r.table.Stages != nil {
		cfg.Graph = &r.table.Stages.Graph
	} else {
		cfg.Counts = r.table.Counts()
	}
	return master.Config{
		Scheduler: cfg,
		Journal:   master.MemoryJournal{}, Pool: p, Output: c, Events: p.events, Changed: w.changed,
		Sweep: func(ctx context.Context, all []plan.Results) {
			master.RemoveRuns(ctx, all, p.exec.ReadManifest, r.scratch.Delete)
		},
	}
}

// random32 returns a random number that distinguishes this process's attempts from
// all others.
func random32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// failed returns the error of a job that ended without output, and removed what it
// wrote.
func (r *run) failed(ctx context.Context, lost error, cause scheduler.Cause) error {
	conflict, taken := errors.AsType[*output.Conflict](lost)
	switch {
	case taken:
		return &Error{plan.Conflict, conflict}
	case cause.Kind == plan.Conflict:
		return &Error{plan.Conflict, fmt.Errorf("job %s (%s): %v", r.pipe.Job, r.id, cause)}
	case cause.Kind == plan.Cancelled && ctx.Err() != nil:
		return &Error{plan.Interrupted, fmt.Errorf("job %s (%s) was interrupted; what it wrote is removed, and %s is unchanged", r.pipe.Job, r.id, r.out.URL())}
	case cause.Kind == plan.Unmet:
		return &Error{plan.Unmet, fmt.Errorf("job %s (%s) failed: %v", r.pipe.Job, r.id, cause)}
	default:
		kind := plan.Failed
		if cause.Kind == plan.Denied || cause.Kind == plan.Invalid {
			kind = cause.Kind
		}
		return &Error{kind, fmt.Errorf("job %s (%s) failed: %v; nothing was committed", r.pipe.Job, r.id, cause)}
	}
}

// unfinished returns the error of a job that could neither commit nor clean up:
// first why it had to end, then what went wrong, then what is left.
func (r *run) unfinished(ctx context.Context, lost error, cause scheduler.Cause, err, left error) error {
	kind := plan.Failed
	conflict, taken := errors.AsType[*output.Conflict](lost)
	switch {
	case taken:
		return &Error{plan.Conflict, conflict}
	case ctx.Err() != nil:
		kind = plan.Interrupted
	}
	if cause.Kind != 0 && cause.Kind != plan.Cancelled {
		err = fmt.Errorf("%v; then: %w", cause, err)
	}
	if left == nil {
		return &Error{kind, fmt.Errorf("job %s (%s): %w; what it wrote is removed, and nothing was committed", r.pipe.Job, r.id, err)}
	}
	mode := r.mode
	if mode == output.Fail {
		mode = output.Replace
	}
	return &Error{kind, fmt.Errorf("job %s (%s): %w; nothing was committed, but parts of it may be left in %s: run it again with --on-exists %s", r.pipe.Job, r.id, err, r.out.URL(), mode)}
}

// committer commits and cleans up for the master.
type committer struct {
	run      *run
	pool     *pool
	manifest *output.Manifest
	tally    plan.Tally  // of committed attempts
	reduces  int         // tasks that read what others wrote
	added    []plan.Part // by this run
	written  *written
	skew     []plan.Skew
}

var _ master.Output = (*committer)(nil)

// Commit makes the committed attempts' parts the output's contents.
func (c *committer) Commit(ctx context.Context, job *scheduler.Job) error {
	c.written = new(written) // an earlier try can have read some manifests
	balance := master.NewBalance(job.Graph())
	read := func(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
		m, err := c.pool.exec.ReadManifest(ctx, task, id)
		if err == nil {
			c.written.note(m)
			balance.Take(m)
		}
		return m, err
	}
	parts, tally, err := master.Gather(ctx, job, read)
	if err != nil {
		return err
	}
	if err := master.CheckBad(c.run.bad, &tally); err != nil {
		return err
	}
	c.tally, c.added, c.skew = tally, parts, balance.Skew()
	for i, step := range job.Graph().Steps {
		if !step.FromInput() {
			c.reduces += job.Graph().TasksOf(i)
		}
	}
	m, err := c.run.hold.CommitIf(ctx, parts, func(earlier int64) error {
		return c.run.expect.Judge(plan.Outcome{Parts: parts, Tally: &tally, Earlier: earlier})
	})
	if m == nil {
		return err
	}
	// From here on the job has succeeded. If the cleanup fails, the next run on
	// this output completes it.
	c.manifest = m
	if err := errors.Join(err, c.run.hold.Clean(ctx), c.removeTmp(ctx)); err != nil {
		c.run.Log.Warn("the output is committed, but the cleanup is not complete; the next run on the output completes it", "output", c.run.out.URL(), "error", err)
	}
	return nil
}

// CleanUp removes what a job that failed wrote. It waits for attempts that are
// still ending, because they can be writing.
func (c *committer) CleanUp(ctx context.Context) error {
	c.pool.stop()
	return errors.Join(c.run.hold.Release(ctx), c.removeTmp(ctx))
}

func (c *committer) removeTmp(ctx context.Context) error {
	return c.run.scratch.DeleteAll(ctx, "", nil)
}
