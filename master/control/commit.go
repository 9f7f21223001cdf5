package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// committer commits the output of a job for its shell.
type committer struct{ *job }

var _ master.Output = committer{}

// Commit makes the parts of the committed attempts the contents of the output.
func (c committer) Commit(ctx context.Context, s *scheduler.Job) error {
	j := c.job
	spec, unread := j.spec.get()
	switch {
	case j.life.past:
		return nil
	case unread != nil:
		return &output.Conflict{URL: "of " + string(j.id), Text: givenUp(unread).Text + "; _SUCCESS there shows whether it was committed before that"}
	case j.life.refused != nil:
		return &master.Refused{Cause: *j.life.refused}
	case j.life.hold == nil:
		return &output.Conflict{URL: spec.Output, Text: "another job took it over"}
	}
	parts, err := j.gather(ctx, s)
	if err == nil && j.life.tally != nil {
		err = checkBad(spec, j.life.tally)
	}
	if err != nil {
		return err
	}
	expected, err := plan.ParseExpectations(spec.Expect)
	if err != nil {
		return &master.Refused{Cause: scheduler.Cause{Kind: plan.Invalid, Text: err.Error()}}
	}
	m, err := j.life.hold.CommitIf(ctx, parts, func(earlier int64) error {
		if j.life.tally == nil { // only jobs that are committed lack it
			return errors.New("the counts by which the output is judged are not known")
		}
		return expected.Judge(plan.Outcome{Parts: parts, Tally: j.life.tally, Earlier: earlier})
	})
	if m == nil {
		if journal.Damaged(err) { // in the output's log, which decides
			return &master.Refused{Cause: scheduler.Cause{Kind: plan.Inconsistent, Text: err.Error()}}
		}
		return err
	}
	// From here on the job has succeeded. A temporary failure is repeated,
	// because other tools may wait for _SUCCESS. The next run on this output
	// finds a failure that the store does not recover from.
	if err := errors.Join(err, j.life.hold.Clean(ctx)); err != nil {
		if passing(err) {
			return fmt.Errorf("the output is committed, but not all that follows is done: %w", err)
		}
		j.lead.cfg.Log.Warn("the output is committed, but not all that follows was done; the next run on it does that", "job", j.id, "output", j.life.out.Name(""), "error", err)
	}
	return nil
}

// gather returns the parts of the output, and notes the job's counters. If they can
// never be had, the job is refused, unless an earlier leader has committed it: then
// the parts are not needed, and the job has no counters.
func (j *job) gather(ctx context.Context, s *scheduler.Job) ([]plan.Part, error) {
	parts, tally, err := j.measure(ctx, s)
	if err == nil {
		j.life.tally, j.life.parts = &tally, plan.DataParts(parts)
		return parts, nil
	}
	lost := j.lasting(ctx, err)
	if !lost && !permanent(err) {
		return nil, err
	}
	if m, err := j.life.hold.Committed(ctx); err != nil || m != nil {
		return nil, err
	}
	if lost {
		err = &master.Refused{Cause: scheduler.Cause{Kind: plan.Inconsistent, Text: fmt.Sprintf("the record of a finished task is lost (%v); retry does the task again", err)}}
	}
	return nil, err
}

// checkBad refuses to commit a job that has left out more records than it may.
func checkBad(spec *plan.Spec, tally *plan.Tally) error {
	bad, err := plan.ParseBadRecords(spec.BadRecords)
	if err != nil {
		return &master.Refused{Cause: scheduler.Cause{Kind: plan.Invalid, Text: err.Error()}}
	}
	return master.CheckBad(bad, tally)
}

// permanent reports whether the same try fails in the same way: the job itself asks
// for what cannot be.
func permanent(err error) bool {
	switch plan.KindOf(err) {
	case plan.TooLarge, plan.Invalid:
		return err != nil
	default:
		return false
	}
}

// passing reports whether an error is that of a store which does not answer at
// present.
func passing(err error) bool {
	switch plan.KindOf(err) {
	case plan.Unavailable, plan.Throttled, plan.Interrupted:
		return true
	default:
		return false
	}
}

// CleanUp removes the parts of a job that failed. The output of maps stays, in case
// the job is retried.
func (c committer) CleanUp(ctx context.Context) error {
	if c.life.hold == nil {
		return nil
	}
	err := c.life.hold.Release(ctx)
	if permanent(err) || journal.Damaged(err) {
		c.lead.cfg.Log.Warn("what a job wrote to its output cannot be removed; the next job on that output does so", "job", c.id, "output", c.life.out.Name(""), "error", err)
		return nil
	}
	return err
}

// conclude archives a run that has ended: it writes the summary, removes the run
// from the index of active runs, and removes objects that are no longer needed. A
// later leader may do so again.
func (j *job) conclude(ctx context.Context, s *scheduler.Job) error {
	cfg := j.lead.cfg
	sum := view.Summary{Job: j.describe(s)}
	_, err := journal.Conclusion(ctx, cfg.Root, j.run)
	if plan.KindOf(err) == plan.NotFound && j.lasting(ctx, err) {
		err = j.summarise(ctx, s, &sum)
	} // otherwise an earlier leader has done so, and may have removed the objects that the summary is made from
	if journal.Damaged(err) {
		err = nil // it cannot be made again
	}
	if err != nil {
		return err
	}
	if err := journal.Deactivate(ctx, cfg.Root, j.run); err != nil {
		return err
	}
	cfg.Log.Info("job ended", "job", j.id, "state", sum.Job.State, "cause", s.Cause.String())
	if s.Status == scheduler.Succeeded {
		if err := cfg.Root.DeleteAll(ctx, plan.ScratchPrefix(j.id), nil); err != nil {
			cfg.Log.Warn("not all leftovers of a job could be removed; windrow gc removes them", "job", j.id, "error", err)
		}
	}
	return nil
}

// concluded reports whether there is a record of the end of this run, and then no
// longer drives the run.
func (j *job) concluded(ctx context.Context) (bool, error) {
	_, err := journal.Conclusion(ctx, j.lead.cfg.Root, j.run)
	switch {
	case err == nil, journal.Damaged(err):
		return true, journal.Deactivate(ctx, j.lead.cfg.Root, j.run)
	case plan.KindOf(err) == plan.NotFound:
		return false, nil
	default:
		return false, err
	}
}

// summarise writes the summary of a run that has ended.
func (j *job) summarise(ctx context.Context, s *scheduler.Job, sum *view.Summary) error {
	sum.Job.Ended = j.lead.cfg.Now().UTC()
	if s.Status == scheduler.Succeeded {
		tally, err := j.counted(ctx, s)
		switch {
		case j.lasting(ctx, err), permanent(err):
			j.lead.cfg.Log.Warn("the counters of a job are lost; its output is not", "job", j.id, "error", err)
		case err != nil:
			return err
		default:
			sum.Counters = view.Counters(tally)
			sum.Counters.Complete = true
			sum.Job.Result = view.Result(tally, j.life.parts)
			sum.Job.Skew = j.life.skew
		}
	}
	if err := j.record(ctx, s); permanent(err) {
		j.lead.cfg.Log.Warn("the record of a job's tasks cannot be kept; its output is", "job", j.id, "error", err)
	} else if err != nil {
		return err
	}
	body, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	return journal.Conclude(ctx, j.lead.cfg.Root, j.run, body)
}

// counted returns the counters of a job that succeeded.
func (j *job) counted(ctx context.Context, s *scheduler.Job) (*plan.Tally, error) {
	if j.life.tally != nil {
		return j.life.tally, nil
	}
	// An earlier leader has committed.
	if t := s.Task(plan.TaskID{Phase: plan.Prepare}); t != nil && t.Committed {
		if err := j.readTable(ctx, t.Attempt); err != nil {
			return nil, err
		}
		j.input.follow(s)
	}
	parts, tally, err := j.measure(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("count what the job did: %w", err)
	}
	j.life.parts = plan.DataParts(parts)
	return &tally, nil
}

// describe returns the job by its log and its running attempts.
func (j *job) describe(s *scheduler.Job) client.Job {
	j.account()
	spec, _ := j.spec.get()
	table, made := j.input.planned()
	d := j.view.Describe(s, view.Run{Spec: spec, Number: j.run.Number, Table: table, Made: made, Placed: j.lead.members.Placed(j.id)})
	d.Waits = j.waits(&d)
	return d
}

// joinTime is the time that workers have to find a new leader, before it says that
// there are none.
const joinTime = 3 * time.Second

// waits returns why no task of the run is on a worker, although some could be.
func (j *job) waits(d *client.Job) string {
	now := j.lead.cfg.Clock()
	switch {
	case d.State != client.Planning && d.State != client.Running || d.Workers > 0 || j.want.Load() == 0:
		return ""
	case now-j.lead.since < joinTime:
		return ""
	}
	text := j.lead.members.Obstacle(now, j.id)
	if failed := j.view.LastFailure(); text != "" && failed != "" {
		text += "; the newest failure: " + failed
	}
	return text
}

// waitsFor describes why a run that has no shell at present does not proceed.
func waitsFor(trouble error) string {
	if trouble == nil {
		return ""
	}
	return "the master cannot drive it at present, and tries again: " + trouble.Error()
}
