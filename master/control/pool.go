package control

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// pool launches the attempts of a job for its shell: it places them on workers.
type pool struct{ *job }

var (
	_ master.Pool = pool{}
	_ members.Job = (*job)(nil)
)

// Launch places an attempt on a worker.
func (p pool) Launch(c scheduler.Launch, s *scheduler.Job) {
	j := p.job
	l := cluster.Launch{Ref: cluster.Ref{Job: j.id, Task: c.Task, Attempt: c.Attempt}, Run: s.Run}
	if t := s.Task(plan.TaskID{Phase: plan.Prepare}); t != nil && t.Committed {
		l.Planned = t.Attempt
	}
	j.input.follow(s) // the report of the attempt is compared with it
	if reads(s, c.Task.Group()) {
		l.Work = j.input.workFor(s, c.Task.Group())
	} else {
		l.Writes = s.Work(c.Task.Group()).Writes
	}
	if c.Task.Phase == plan.Prepare || l.Work != 0 {
		l.Slots = j.lead.members.Slots()
	}
	j.view.Launched(c.Task, c.Attempt, string(c.Worker), j.lead.cfg.Now())
	j.lead.members.Launch(j.lead.cfg.Clock(), c.Worker, l)
}

// reads reports whether the tasks of a group read what other tasks wrote.
func reads(s *scheduler.Job, group plan.Group) bool {
	g := s.Graph()
	at := g.Find(group)
	return at != plan.None && (g.Steps[at].Reads != plan.None || len(g.Steps[at].Sides)+len(g.Steps[at].Observes) > 0)
}

// Stop ends an attempt.
func (p pool) Stop(c scheduler.Stop) {
	p.lead.members.Stop(c.Worker, cluster.Ref{Job: p.id, Task: c.Task, Attempt: c.Attempt})
}

// Grant lets an attempt make its part visible, as soon as the output is ready for
// that. If that fails, the attempt asks again.
func (p pool) Grant(c scheduler.Grant, s *scheduler.Job) {
	all := slices.Clone(s.Task(c.Task).Granted)
	p.lead.spawn(func() { p.begin(c, all) })
}

// begin makes the output ready for parts, and grants an attempt its own.
func (j *job) begin(c scheduler.Grant, all []plan.AttemptID) {
	err := j.life.hold.Begin(j.ctx)
	if conflict, ok := errors.AsType[*output.Conflict](err); ok {
		j.Post(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Conflict, Text: conflict.Error()}})
		return
	}
	if err != nil {
		j.lead.cfg.Log.Warn("an attempt must wait for its grant: the output cannot be made ready", "job", j.id, "task", c.Task, "error", err)
		return
	}
	j.lead.members.Grant(cluster.Ref{Job: j.id, Task: c.Task, Attempt: c.Attempt}, all)
}

// Missing looks in the store for the work of an attempt that its worker no longer
// knows: it may have finished, and its report may be lost.
func (j *job) Missing(ref cluster.Ref) {
	j.lead.spawn(func() {
		m, err := j.manifest(j.ctx, ref.Task, ref.Attempt)
		switch {
		case j.ctx.Err() != nil:
		case err == nil && j.complete(ref.Task, m):
			j.report(ref, m.Attempt, m.Digest(), m.Sums)
		default:
			j.Post(scheduler.LostAttempt{Task: ref.Task, Attempt: ref.Attempt})
		}
	})
}

// complete reports whether the work of an attempt is complete: if it makes a part,
// the part must exist.
func (j *job) complete(task plan.TaskID, m *plan.Manifest) bool {
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

// Ended takes the end of an attempt.
func (j *job) Ended(worker string, o *cluster.Outcome) {
	j.view.Ended(worker, o)
	switch o.Result {
	case cluster.Done:
		if o.Task.Phase == plan.Prepare {
			j.planned(o)
			return
		}
		j.report(o.Ref, o.Winner, o.Digest, o.Sums)
	case cluster.Failed:
		j.Post(scheduler.FailedAttempt{Task: o.Task, Attempt: o.Attempt, Failure: o.Failure})
	default:
		if o.LostInput != nil {
			j.lead.spawn(func() { j.lostInput(o) })
			return
		}
		j.Post(scheduler.LostAttempt{Task: o.Task, Attempt: o.Attempt})
	}
}

// lostInput takes the end of an attempt that could not read what another task left. Where
// one is gone others may be, as after a collection of garbage: all that are missing
// run again at once, before another attempt begins. A list of results is examined once,
// whichever attempt was first.
func (j *job) lostInput(o *cluster.Outcome) {
	cfg := j.lead.cfg
	select {
	case j.losing <- struct{}{}:
	case <-j.ctx.Done():
		return
	}
	defer func() { <-j.losing }()
	lost := []scheduler.Event{scheduler.Corrupt{Task: o.LostInput.Task, Attempt: o.LostInput.Attempt, Text: o.Text}}
	if read := j.input.suspect(o.Task.Group(), o.LostInput.Attempt); read != nil {
		missing, err := attempts.Missing(j.ctx, j.scratch, read, j.manifest)
		if err != nil && j.ctx.Err() == nil {
			cfg.Log.Warn("cannot find out whether the output of other tasks is lost, too", "job", j.id, "error", err)
		}
		for _, m := range missing {
			if m.Attempt != o.LostInput.Attempt {
				lost = append(lost, scheduler.Corrupt{Task: m.Task, Attempt: m.Attempt, Text: m.Err.Error()})
			}
		}
	}
	cfg.Log.Warn("the output of tasks is lost; they run again", "job", j.id, "tasks", len(lost), "task", o.LostInput.Task, "error", o.Text)
	j.postAll(append(lost, scheduler.LostAttempt{Task: o.Task, Attempt: o.Attempt, ByMap: true})...)
}

// planned reads the task table before the log names it: the reports of maps are
// compared with it.
func (j *job) planned(o *cluster.Outcome) {
	j.lead.spawn(func() {
		e := scheduler.Event(scheduler.Reported{Task: o.Task, Attempt: o.Attempt, Winner: o.Winner, Digest: o.Digest, Counts: o.Counts, Graph: o.Graph})
		err := j.readTable(j.ctx, o.Winner)
		if err != nil {
			j.lead.cfg.Log.Warn("the task table of a job cannot be read; it is made again", "job", j.id, "error", err)
			e = scheduler.LostAttempt{Task: o.Task, Attempt: o.Attempt}
		}
		j.Post(e)
	})
}

// report passes finished work to the shell. Reports, and the misreads that they
// reveal, are in one order. If no shell runs, the next one finds the work in the
// store.
func (j *job) report(ref cluster.Ref, winner plan.AttemptID, d plan.Digest, read []plan.SectionSum) {
	j.input.mu.Lock()
	defer j.input.mu.Unlock()
	if box := j.shell.get(); box != nil {
		j.take(box, ref, winner, d, read)
	}
}

// take hands finished work to a shell. A map may bring to light that an input object
// was misread: then every task that has read some of it runs again. j.input.mu is
// held.
func (j *job) take(box *master.Mailbox, ref cluster.Ref, winner plan.AttemptID, d plan.Digest, read []plan.SectionSum) {
	if j.input.sums != nil {
		if bad := j.input.sums.Add(ref.Task, winner, read); bad != nil {
			j.noteMisread(bad)
			box.MisreadBy(ref.Task, ref.Attempt, bad, j.input.replaceable(ref.Task))
			return
		}
	}
	box.Post(scheduler.Reported{Task: ref.Task, Attempt: ref.Attempt, Winner: winner, Digest: d})
}

// noteMisread notes that an input object was misread.
func (j *job) noteMisread(bad *sums.Misread) {
	j.view.Misread()
	j.lead.cfg.Log.Warn("an input object was misread; the tasks that read it run again", "job", j.id, "error", bad.Err)
}

// Spent takes the requests to stores that a worker, or this master, has made for the
// job.
func (j *job) Spent(a scheduler.Account, now plan.Usage) {
	if j.view.Spend(a, now) {
		j.Post(scheduler.Spent{Account: a, Usage: now})
	}
}

// account takes the requests that this master has made for this run of the job.
func (j *job) account() {
	name := fmt.Sprintf("master.%d.%d", j.lead.epoch, j.run.Number)
	asked := j.asked.Requests()
	for _, scheme := range slices.Sorted(maps.Keys(asked)) {
		j.Spent(scheduler.Account{Name: name, Scheme: scheme}, asked[scheme])
	}
}
