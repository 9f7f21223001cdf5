package control

import (
	"context"
	"errors"
	"slices"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// pool is a job as its shell launches attempts: they are placed on members.
type pool job

var _ master.Pool = (*pool)(nil)

// Launch places an attempt on a worker.
func (p *pool) Launch(c scheduler.Launch, s *scheduler.Job) {
	j := (*job)(p)
	l := cluster.Launch{Ref: cluster.Ref{Job: j.id, Task: c.Task, Attempt: c.Attempt}, Run: s.Run}
	if t := s.Task(plan.TaskID{Phase: plan.Prepare}); t != nil && t.Committed {
		l.Planned = t.Attempt
	}
	if t := s.Task(plan.TaskID{Phase: plan.Sample}); t != nil && t.Committed {
		l.Sampled = t.Attempt
	}
	if c.Task.Phase == plan.Prepare || c.Task.Phase == plan.Reduce {
		l.Slots = j.members.slots()
	}
	j.mu.Lock()
	j.notePlan(s) // what the attempt reports is held against it
	if c.Task.Phase == plan.Reduce {
		j.noteMaps(s)
		l.Maps = j.mapsGen
	}
	h := j.history(c.Task)
	h.attempts++
	h.attempt, h.worker, h.started = c.Attempt, string(c.Worker), j.cfg.Now()
	j.mu.Unlock()
	j.members.launch(j.cfg.Clock(), c.Worker, l)
}

// Stop ends an attempt.
func (p *pool) Stop(c scheduler.Stop) {
	p.members.stop(c.Worker, cluster.Ref{Job: p.id, Task: c.Task, Attempt: c.Attempt})
}

// Grant lets an attempt make its part visible, as soon as the output is ready for
// that. What fails is asked for again by the attempt.
func (p *pool) Grant(c scheduler.Grant, s *scheduler.Job) {
	all := slices.Clone(s.Task(c.Task).Granted)
	p.spawn(func() { (*job)(p).begin(c, all) })
}

func (j *job) begin(c scheduler.Grant, all []plan.AttemptID) {
	err := j.hold.Begin(j.ctx)
	if conflict, ok := errors.AsType[*output.Conflict](err); ok {
		j.post(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Conflict, Text: conflict.Error()}})
		return
	}
	if err != nil {
		j.cfg.Log.Warn("an attempt must wait for its grant: the output cannot be made ready", "job", j.id, "task", c.Task, "error", err)
		return
	}
	j.members.grant(cluster.Ref{Job: j.id, Task: c.Task, Attempt: c.Attempt}, all)
}

// missing looks for what an attempt has left that its worker does not know any
// more: it may have finished, and its report may be lost.
func (j *job) missing(ref cluster.Ref) {
	j.spawn(func() {
		m, err := j.manifest(j.ctx, ref.Task, ref.Attempt)
		switch {
		case j.ctx.Err() != nil:
		case err == nil && j.counts(ref.Task, m):
			j.report(ref, m.Attempt, m.Digest(), m.Sums)
		default:
			j.post(scheduler.LostAttempt{Task: ref.Task, Attempt: ref.Attempt})
		}
	})
}

// counts tells whether finished work has all that belongs to it: its part, where
// it makes one.
func (j *job) counts(task plan.TaskID, m *plan.Manifest) bool {
	if m.Part == nil {
		return true
	}
	var granted []plan.AttemptID
	if !j.look(j.ctx, func(s *scheduler.Job) {
		if t := s.Task(task); t != nil {
			granted = slices.Clone(t.Granted)
		}
	}) {
		return false
	}
	there, err := j.hasPart(j.ctx, granted, m)
	return err == nil && there
}

// ended takes the end of an attempt.
func (j *job) ended(worker string, o *cluster.Outcome) {
	j.mu.Lock()
	h := j.history(o.Task)
	if h.attempt == o.Attempt || h.worker == "" {
		h.attempt, h.worker, h.took = o.Attempt, worker, o.Took
	}
	switch o.Result {
	case cluster.Failed:
		h.failures++
		h.text = o.Text
		j.retried++
	case cluster.Lost:
		h.lost++
		h.text = o.Text
		j.retried++
	default:
	}
	j.mu.Unlock()
	switch o.Result {
	case cluster.Done:
		if o.Task.Phase == plan.Prepare {
			j.planned(o)
			return
		}
		j.report(o.Ref, o.Winner, o.Digest, o.Sums)
	case cluster.Failed:
		j.post(scheduler.FailedAttempt{Task: o.Task, Attempt: o.Attempt, Failure: o.Failure})
	default:
		if o.LostMap != nil {
			j.cfg.Log.Warn("the output of a map task is lost; it runs again", "job", j.id, "task", o.LostMap.Task, "error", o.Text)
			j.post(scheduler.Corrupt{Task: o.LostMap.Task, Attempt: o.LostMap.Attempt, Text: o.Text})
		}
		j.post(scheduler.LostAttempt{Task: o.Task, Attempt: o.Attempt})
	}
}

// planned reads the tasks before the log says that they are the job's: what maps
// report is held against them.
func (j *job) planned(o *cluster.Outcome) {
	j.spawn(func() {
		e := scheduler.Event(scheduler.Reported{Task: o.Task, Attempt: o.Attempt, Winner: o.Winner, Digest: o.Digest, Counts: o.Counts})
		err := j.readTable(j.ctx, o.Winner)
		if err != nil {
			j.cfg.Log.Warn("the plan of a job cannot be read; it is made again", "job", j.id, "error", err)
			e = scheduler.LostAttempt{Task: o.Task, Attempt: o.Attempt}
		}
		j.post(e)
	})
}

// report tells of finished work.
func (j *job) report(ref cluster.Ref, winner plan.AttemptID, d plan.Digest, read []plan.SectionSum) {
	j.mu.Lock()
	defer j.mu.Unlock() // reports and what they bring to light are in one order
	if j.box != nil {
		j.take(j.box, ref, winner, d, read)
	} // else the next shell finds it in the store
}

// take tells a shell of finished work. A map may bring to light that an input
// object was misread: then every task that has read some of it runs again. j.mu is
// held.
func (j *job) take(box *master.Mailbox, ref cluster.Ref, winner plan.AttemptID, d plan.Digest, read []plan.SectionSum) {
	if j.book != nil && ref.Task.Phase == plan.Map {
		if bad := j.book.Add(ref.Task, winner, read); bad != nil {
			j.misread(box, bad)
			// What a map-only job wrote is a part, and cannot be taken back.
			box.Post(scheduler.FailedAttempt{Task: ref.Task, Attempt: ref.Attempt, Failure: plan.Failure{Text: bad.Err.Error(), Final: j.table.Partitions == 0}})
			return
		}
	}
	box.Post(scheduler.Reported{Task: ref.Task, Attempt: ref.Attempt, Winner: winner, Digest: d})
}

// misread takes back what was made of an input object that was misread.
func (j *job) misread(box *master.Mailbox, bad *sums.Misread) {
	j.retried++
	j.cfg.Log.Warn("an input object was misread; the tasks that read it run again", "job", j.id, "error", bad.Err)
	for _, other := range bad.Others {
		box.Post(scheduler.Corrupt{Task: other.Task, Attempt: other.Attempt, Text: bad.Err.Error()})
	}
}

// manifest returns what a finished attempt has left.
func (j *job) manifest(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
	return attempts.ReadManifest(ctx, j.scratch, j.id, task, id, j.partitions())
}

func (j *job) partitions() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.table == nil {
		return 0
	}
	return j.table.Partitions
}
