package view

import (
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// progress computes how far a job is. Many clients may watch a job that has many
// tasks, so that it keeps the sums of one state of the log.
type progress struct {
	shown client.Progress // the greatest that was shown
	slots uint64          // of the log, when sums were made
	made  plan.AttemptID  // the attempt whose table was used then
	sums  master.Sums
}

// read returns the progress now. An attempt counts while it runs, and when the log
// has it; in between, and when it is made again, progress stands still.
func (p *progress) read(s *scheduler.Job, r *Run) client.Progress {
	if p.slots != s.Slots || p.made != r.Made {
		p.slots, p.made = s.Slots, r.Made
		p.sums = master.Sum(s, r.Table)
	}
	now := p.sums.Clone()
	for i := range r.Placed {
		now.Add(r.Placed[i].Task, r.Placed[i].Bytes, r.Placed[i].Records)
	}
	c := client.Progress{Fraction: now.Fraction(s.Status), Bytes: now.Bytes, Input: now.Input, Shuffled: now.Shuffled,
		LeftOut: now.LeftOut.Total(), LeftOutBy: now.LeftOut}
	c.Bytes = min(max(c.Bytes, p.shown.Bytes), max(c.Input, c.Bytes))
	c.Fraction = max(c.Fraction, p.shown.Fraction)
	p.shown = c
	return c
}
