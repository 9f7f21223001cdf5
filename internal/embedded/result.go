package embedded

import (
	"time"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// Result describes a run that has committed. See windrow.Result.
type Result struct {
	Job      string
	ID       string
	Output   string
	Manifest *output.Manifest
	Parts    int
	Tally    plan.Tally
	Maps     int
	Reduces  int
	Slots    int
	Memory   int64
	Retried  int64
	LeftOut  plan.LeftOut
	Usage    plan.Usage
	Skew     []plan.Skew
	Elapsed  time.Duration
}

func (r *run) result(c *committer, w *watcher, usage plan.Usage) *Result {
	return &Result{
		Job: r.pipe.Job, ID: string(r.id), Output: r.out.URL(), Manifest: c.manifest, Parts: plan.DataParts(c.added), Tally: c.tally,
		Maps: len(r.table.Splits), Reduces: c.reduces, Slots: r.Slots, Memory: r.Memory,
		Retried: w.pool.retried.Load(), LeftOut: r.table.LeftOut, Usage: usage, Skew: c.skew, Elapsed: time.Since(r.started),
	}
}
