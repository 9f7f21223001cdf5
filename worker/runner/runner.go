package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/meter"
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/workdir"
)

// Runner runs attempts in job processes.
type Runner struct {
	cfg     Config
	pid     int
	bundles *bundles
	files   *store.Root  // the directory of bundles, with the files that are shipped with jobs
	work    *workdir.Dir // of job processes
	pool    *pool

	ctx    context.Context // of all processes
	cancel context.CancelCauseFunc
	logs   sync.WaitGroup // logs of ended attempts, on their way
	slots  chan struct{}  // one for each of them

	mu   sync.Mutex
	jobs map[plan.JobID]*job
}

var _ worker.Runner = (*Runner)(nil)

// New returns a runner without any process.
func New(cfg Config) (*Runner, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, pid: os.Getpid(), jobs: make(map[plan.JobID]*job), slots: make(chan struct{}, logsAtOnce)}
	var err error
	if r.bundles, err = openBundles(cfg.Root, filepath.Join(cfg.CacheDir, "bundles"), cfg.CacheBytes, cfg.Log); err != nil {
		return nil, err
	}
	if r.files, err = store.Open(context.Background(), filepath.Join(cfg.CacheDir, "bundles"), store.Options{Log: cfg.Log}); err != nil {
		return nil, err
	}
	if r.work, err = workdir.New(os.TempDir(), "windrow-worker-"); err != nil {
		_ = r.files.Close()
		return nil, fmt.Errorf("make a directory for job processes: %w", err)
	}
	r.pool = newPool(cfg.Slots)
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	return r, nil
}

var errClosed = errors.New("the worker ends")

// Close ends all processes.
func (r *Runner) Close() error {
	r.cancel(errClosed)
	r.pool.close()
	r.logs.Wait()
	return errors.Join(r.files.Close(), r.work.Remove())
}

// Forget ends the processes of a job that has ended, and forgets the job.
func (r *Runner) Forget(id plan.JobID) {
	r.mu.Lock()
	delete(r.jobs, id)
	r.mu.Unlock()
	r.pool.forget(id)
}

// job returns the state of a job.
func (r *Runner) job(id plan.JobID) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[id]
	if j == nil {
		j = &job{id: id, root: r.cfg.Root, turn: make(chan struct{}, 1)}
		r.jobs[id] = j
	}
	return j
}

// Run carries out an attempt.
func (r *Runner) Run(ctx context.Context, l cluster.Launch, h worker.Host) cluster.Outcome {
	started := time.Now()
	j := r.job(l.Job)
	ctx = meter.With(ctx, &j.asked)
	notes := r.newLog(l.Ref)
	refreshing, stop := context.WithCancel(ctx)
	var refresher sync.WaitGroup
	refresher.Go(func() { notes.refresh(refreshing, r.cfg.LogEvery) })
	o, err := r.attempt(ctx, j, l, h, notes)
	stop()
	refresher.Wait()
	if err != nil {
		o = r.fault(ctx, err)
	}
	if o.Unfit {
		j.unfit.Do(func() { r.cfg.Log.Warn("this worker cannot run a job; others may", "job", j.id, "error", o.Text) })
	}
	o.Ref, o.Took = l.Ref, time.Since(started)
	notes.finish(&o)
	r.keepLog(ctx, notes, o.Result, func() { h.Spent(j.asked.Requests()) })
	h.Spent(j.asked.Requests())
	return o
}

// keepLog writes the log of an ended attempt, and then reports the requests, those
// for the log included. A user who sees that an attempt has failed looks into its log, and should
// find it; for others the caller need not wait.
func (r *Runner) keepLog(ctx context.Context, notes *attemptLog, result cluster.Result, report func()) {
	ctx = context.WithoutCancel(ctx)
	write := func() {
		if err := notes.write(ctx); err != nil {
			r.cfg.Log.Warn("the log of an attempt could not be written", "error", err)
		}
		report()
	}
	if result == cluster.Failed {
		write()
		return
	}
	r.slots <- struct{}{}
	r.logs.Go(func() {
		defer func() { <-r.slots }()
		write()
	})
}

// attempt carries out an attempt as far as it goes.
func (r *Runner) attempt(ctx context.Context, j *job, l cluster.Launch, h worker.Host, notes *attemptLog) (cluster.Outcome, error) {
	spec, err := j.readSpec(ctx)
	if err != nil {
		return cluster.Outcome{}, err
	}
	p, err := r.acquire(ctx, j, spec, l.Task, notes)
	if err != nil {
		return cluster.Outcome{}, err
	}
	p.last = l.Task
	a := &attempt{runner: r, job: j, spec: spec, launch: l, host: h, notes: notes, process: p}
	var o cluster.Outcome
	if l.Task.Phase == plan.Prepare {
		o, err = a.prepare(ctx)
	} else {
		o, err = a.execute(ctx)
	}
	if err != nil {
		err = p.explain(ctx, err, notes)
	}
	healthy := err == nil && o.Result != cluster.Failed
	p.endAttempt(err == nil && l.Task.Phase != plan.Prepare)
	r.pool.release(p, healthy && r.known(j))
	return o, err
}

// known reports whether a job has not ended.
func (r *Runner) known(j *job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs[j.id] == j
}

// acquire returns an idle process of the job.
func (r *Runner) acquire(ctx context.Context, j *job, spec *plan.Spec, task plan.TaskID, notes *attemptLog) (*process, error) {
	p, err := r.pool.acquire(ctx, j.id, task)
	if err != nil {
		return nil, err
	}
	if p == nil {
		if p, err = r.start(ctx, j, spec, notes); err != nil {
			r.pool.release(nil, false)
			return nil, err
		}
		notes.note("job process %d started", p.sandbox.PID())
		return p, nil
	}
	p.beginAttempt(notes)
	notes.note("job process %d, as before", p.sandbox.PID())
	return p, nil
}
