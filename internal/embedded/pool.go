package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/executor"
)

// thisProcess is the only worker of an embedded run.
const thisProcess scheduler.WorkerID = "this process"

// pool runs attempts on goroutines of this process.
type pool struct {
	exec   *executor.Executor
	log    *slog.Logger
	events *master.Mailbox
	pipe   *pipeline.Pipeline
	table  *attempts.Table
	hold   *output.Hold

	life   context.Context // all attempts end with it
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	running map[plan.AttemptID]*running
	granted map[plan.TaskID][]plan.AttemptID

	reports sync.Mutex // guards sums, and the order of the events for attempts' ends
	sums    *sums.Checks

	retried atomic.Int64 // attempts that failed or were lost

	slots, extra int
	wider        sync.Once
}

// running is an attempt under way.
type running struct {
	executor.Attempt
	stop  context.CancelFunc
	grant chan struct{} // closed when the grant is logged
}

var _ master.Pool = (*pool)(nil)

// stopTime is how long attempts have to end after they are stopped: a function of
// the job can ignore its context.
const stopTime = time.Second

// stop stops all attempts and waits until they have ended, but at most stopTime.
func (p *pool) stop() {
	p.cancel()
	ended := make(chan struct{})
	go func() {
		p.done.Wait()
		close(ended)
	}()
	patience := time.NewTimer(stopTime)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
	}
}

// Launch starts an attempt.
func (p *pool) Launch(c scheduler.Launch, job *scheduler.Job) {
	ctx, stop := context.WithCancel(p.life)
	a := &running{Attempt: executor.Attempt{Task: c.Task, ID: c.Attempt, Progress: new(pipeline.Progress)}, stop: stop, grant: make(chan struct{})}
	p.mu.Lock()
	p.running[c.Attempt] = a
	p.mu.Unlock()
	p.log.Debug("attempt starts", "task", c.Task, "attempt", c.Attempt)
	p.widen(c.Task)
	work := p.work(c.Task, job)
	p.done.Go(func() {
		defer stop()
		var m *plan.Manifest
		// However this goroutine ends, the end of its attempt must be reported.
		err := pipeline.ErrGoexit
		defer func() {
			if v := recover(); v != nil {
				m, err = nil, fmt.Errorf("task %v: panic: %v", c.Task, v)
				p.log.Debug("stack of the panic", "task", c.Task, "stack", string(debug.Stack()))
			}
			p.mu.Lock()
			delete(p.running, c.Attempt)
			p.mu.Unlock()
			p.finish(ctx, a.Attempt, m, err)
		}()
		m, err = p.exec.Run(ctx, a.Attempt, work, grants{p})
	})
}

// work returns the work of a task. It reads the job now, because the job changes
// later.
func (p *pool) work(task plan.TaskID, job *scheduler.Job) executor.Work {
	w := executor.Work{Work: job.Work(task.Group())}
	if i, ok := p.table.Split(task); ok {
		w.Splits = p.table.Splits[i : i+1]
	}
	if task.Phase == plan.Sample {
		w.Splits = p.table.Samples
	}
	return w
}

// finish reports the end of an attempt. A task that reads input can reveal that an input object was
// misread: then every task that read some of it runs again. The sums and the
// scheduler see the reports in the same order.
func (p *pool) finish(ctx context.Context, a executor.Attempt, m *plan.Manifest, err error) {
	p.reports.Lock()
	defer p.reports.Unlock()
	var bad *sums.Misread
	if err == nil {
		bad = p.sums.Add(m.Task, m.Attempt, m.Sums)
	}
	if bad == nil {
		p.events.Post(p.outcome(ctx, a, m, err))
		return
	}
	p.retried.Add(1)
	p.log.Warn("an input object was misread; the tasks that read it run again", "error", bad.Err)
	g := p.table.Graph()
	at := g.Find(a.Task.Group())
	p.events.MisreadBy(a.Task, a.ID, bad, at != plan.None && len(g.Steps[at].Writes) > 0)
}

// outcome returns the event for the end of an attempt.
func (p *pool) outcome(ctx context.Context, a executor.Attempt, m *plan.Manifest, err error) scheduler.Event {
	if err == nil {
		p.log.Debug("attempt done", "task", a.Task, "took", m.Took, "in", m.Tally.RecordsIn, "out", m.Tally.RecordsOut+m.Tally.PairsOut, "spills", m.Tally.Spills)
		return scheduler.Reported{Task: a.Task, Attempt: a.ID, Winner: m.Attempt, Digest: m.Digest()}
	}
	p.retried.Add(1)
	p.log.Debug("attempt failed", "task", a.Task, "attempt", a.ID, "error", err)
	if ctx.Err() != nil {
		return scheduler.LostAttempt{Task: a.Task, Attempt: a.ID}
	}
	v := executor.Judge(err)
	if lost := v.Lost; lost != nil {
		p.log.Warn("the output of a task is lost; it runs again", "task", lost.Task, "error", lost.Err)
		p.events.Post(scheduler.Corrupt{Task: lost.Task, Attempt: lost.Attempt, Text: lost.Err.Error()})
		return scheduler.LostAttempt{Task: a.Task, Attempt: a.ID, ByMap: true}
	}
	if v.Stack != nil {
		p.log.Debug("stack of the panic", "task", a.Task, "stack", string(v.Stack))
	}
	return scheduler.FailedAttempt{Task: a.Task, Attempt: a.ID, Failure: v.Failure}
}

// Stop ends an attempt.
func (p *pool) Stop(c scheduler.Stop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.running[c.Attempt]; a != nil {
		a.stop()
	}
}

// Grant lets an attempt continue.
func (p *pool) Grant(c scheduler.Grant, _ *scheduler.Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.granted[c.Task], c.Attempt) {
		p.granted[c.Task] = append(p.granted[c.Task], c.Attempt)
	}
	if a := p.running[c.Attempt]; a != nil {
		select {
		case <-a.grant:
		default:
			close(a.grant)
		}
	}
}

// grants is the executor's side of the pool.
type grants struct{ *pool }

var _ executor.Granter = grants{}

// Grant waits until the log holds a grant of the attempt.
func (g grants) Grant(ctx context.Context, a executor.Attempt) error {
	g.mu.Lock()
	r := g.running[a.ID]
	g.mu.Unlock()
	if r == nil {
		return context.Canceled
	}
	g.events.Post(scheduler.Asked{Task: a.Task, Attempt: a.ID})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.grant:
		return g.hold.Begin(ctx)
	}
}

// Granted returns the attempts of a task that were granted.
func (g grants) Granted(_ context.Context, task plan.TaskID) ([]plan.AttemptID, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.granted[task]), nil
}
