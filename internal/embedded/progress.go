package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Progress is the progress of a run.
type Progress struct {
	Phase   string // "plan", "sample", "map", "reduce", "commit"; in a job of several stages "sessions/reduce"
	Done    int    // tasks of the phase that are committed
	Tasks   int    // tasks of the phase
	Running int    // attempts
	Retried int64  // attempts that failed or were lost so far
	// Fraction is how much of the whole run is done, from 0 to 1, by bytes.
	Fraction float64
	Bytes    int64 // of input read so far
	Shuffled int64 // bytes of committed runs
	Elapsed  time.Duration
}

// watcher computes progress and reports it a few times a second.
type watcher struct {
	pool    *pool
	started time.Time

	mu     sync.Mutex
	looked time.Time
	shown  Progress // the largest values that were reported
	status scheduler.Status
	sums   master.Sums

	current     plan.Group // whose tasks run
	tasks, left int        // of that group
}

// lookEvery is the least time between two sums over all tasks: there can be many.
const lookEvery = 100 * time.Millisecond

// changed records the state after an entry of the log. It runs on the shell's
// goroutine.
func (w *watcher) changed(job *scheduler.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if job.Status == w.status && job.Front() == w.current && time.Since(w.looked) < lookEvery {
		return
	}
	w.looked = time.Now()
	w.status, w.current = job.Status, job.Front()
	w.tasks, w.left = job.Tasks(w.current), job.Left(w.current)
	w.sums = master.Sum(job, w.pool.table)
}

// read returns the progress now. An attempt counts while it runs, and once the log
// has it. In between, and when it runs again, progress does not change.
func (w *watcher) read() Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Progress{Phase: "plan", Tasks: w.tasks, Done: w.tasks - w.left, Retried: w.pool.retried.Load(), Elapsed: time.Since(w.started), Shuffled: w.sums.Shuffled}
	switch {
	case w.current.Phase != 0:
		p.Phase = w.current.String()
	case w.status >= scheduler.Committing:
		p.Phase = "commit"
	}
	now := w.sums.Clone()
	w.pool.mu.Lock()
	p.Running = len(w.pool.running)
	for _, a := range w.pool.running {
		now.Add(a.Task, a.Progress.Bytes.Load(), a.Progress.Records.Load())
	}
	w.pool.mu.Unlock()
	w.shown.Fraction, w.shown.Bytes = max(w.shown.Fraction, now.Fraction(w.status)), max(w.shown.Bytes, now.Bytes)
	p.Fraction, p.Bytes = w.shown.Fraction, w.shown.Bytes
	return p
}

// report calls f with the progress until ctx ends.
func (w *watcher) report(ctx context.Context, f func(Progress)) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f(w.read())
		}
	}
}
