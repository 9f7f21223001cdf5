package embedded

import (
	"context"
	"sync"
	"time"

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

// watcher gathers progress and hands it on a few times a second.
type watcher struct {
	pool    *pool
	started time.Time
	input   int64 // bytes

	mu       sync.Mutex
	looked   time.Time
	shown    Progress // the most that was told
	phase    plan.Phase
	status   scheduler.Status
	done     int
	tasks    int
	bytes    int64 // input bytes of committed maps
	pairs    int64 // that committed maps wrote
	reduced  int64 // pairs that committed reduces read
	shuffled int64
	reduces  int
}

// lookEvery is how often the tasks are counted at most: there may be many.
const lookEvery = 100 * time.Millisecond

// changed takes over what the log says now. It runs on the shell's goroutine.
func (w *watcher) changed(job *scheduler.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if job.Status == w.status && job.Phase() == w.phase && time.Since(w.looked) < lookEvery {
		return
	}
	w.looked = time.Now()
	w.status, w.phase = job.Status, job.Phase()
	w.tasks = job.Tasks(w.phase)
	w.done = w.tasks - job.Left(w.phase)
	w.reduces = job.Tasks(plan.Reduce)
	w.bytes, w.pairs, w.reduced, w.shuffled = 0, 0, 0, 0
	for i := range job.Tasks(plan.Map) {
		if t := job.Task(plan.TaskID{Phase: plan.Map, Index: i}); t.Committed {
			w.bytes += w.pool.table.Splits[i].Bytes()
			w.pairs += t.Digest.Out
			if w.reduces > 0 {
				w.shuffled += t.Digest.Bytes
			}
		}
	}
	for i := range w.reduces {
		w.reduced += job.Task(plan.TaskID{Phase: plan.Reduce, Index: i}).Digest.In
	}
}

// read returns the progress now.
func (w *watcher) read() Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Progress{Phase: "plan", Done: w.done, Tasks: w.tasks, Bytes: w.bytes, Shuffled: w.shuffled,
		Retried: w.pool.retried.Load(), Elapsed: time.Since(w.started)}
	reduced := w.reduced
	w.pool.mu.Lock()
	p.Running = len(w.pool.running)
	for _, a := range w.pool.running {
		if a.Task.Phase == plan.Map {
			p.Bytes += a.Progress.Bytes.Load()
		} else {
			reduced += a.Progress.Records.Load()
		}
	}
	w.pool.mu.Unlock()
	maps, reduces := share(p.Bytes, w.input), share(reduced, w.pairs)
	switch {
	case w.phase != 0:
		p.Phase = w.phase.String()
	case w.status >= scheduler.Committing:
		p.Phase = "commit"
	}
	switch {
	case p.Phase == "commit":
		p.Fraction = 1
	case w.reduces == 0:
		p.Fraction = maps
	case p.Phase == "reduce":
		p.Fraction = 0.5 + reduces/2
	default:
		p.Fraction = maps / 2
	}
	// An attempt that has ended counts again when the log has it; until then,
	// and when it is made again, progress stands still.
	w.shown.Fraction, w.shown.Bytes = max(w.shown.Fraction, p.Fraction), max(w.shown.Bytes, p.Bytes)
	p.Fraction, p.Bytes = w.shown.Fraction, w.shown.Bytes
	return p
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(float64(part)/float64(whole), 1)
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
