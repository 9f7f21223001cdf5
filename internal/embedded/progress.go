package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Progress is how far a run has come.
type Progress struct {
	Phase   string // "plan", "sample", "map", "reduce", "commit"
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
	shown  Progress // the greatest that was reported
	job    scheduler.Job
	sums   master.Sums
}

// lookEvery is how often the tasks are added up at most: there may be many.
const lookEvery = 100 * time.Millisecond

// changed takes the state that the log has now. It runs on the shell's goroutine.
func (w *watcher) changed(job *scheduler.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if job.Status == w.job.Status && job.Phase() == w.job.Phase() && time.Since(w.looked) < lookEvery {
		return
	}
	w.looked = time.Now()
	w.job = *job // the counts of tasks; the tasks themselves are not read later
	w.sums = master.Sum(job, w.pool.table)
}

// read returns the progress now. An attempt counts while it runs, and when the log
// has it; in between, and when it is made again, progress stands still.
func (w *watcher) read() Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	phase := w.job.Phase()
	p := Progress{Phase: "plan", Tasks: w.job.Tasks(phase), Retried: w.pool.retried.Load(), Elapsed: time.Since(w.started), Shuffled: w.sums.Shuffled}
	p.Done = p.Tasks - w.job.Left(phase)
	switch {
	case phase != 0:
		p.Phase = phase.String()
	case w.job.Status >= scheduler.Committing:
		p.Phase = "commit"
	}
	now := w.sums
	w.pool.mu.Lock()
	p.Running = len(w.pool.running)
	for _, a := range w.pool.running {
		if a.Task.Phase == plan.Map {
			now.Bytes += a.Progress.Bytes.Load()
		} else {
			now.Reduced += a.Progress.Records.Load()
		}
	}
	w.pool.mu.Unlock()
	w.shown.Fraction, w.shown.Bytes = max(w.shown.Fraction, now.Fraction(&w.job)), max(w.shown.Bytes, now.Bytes)
	p.Fraction, p.Bytes = w.shown.Fraction, w.shown.Bytes
	return p
}

// report hands progress to f until ctx ends.
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
