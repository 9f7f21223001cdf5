package control

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// readsAtOnce is how many objects are read side by side.
const readsAtOnce = 32

// readTable reads the task table that an attempt has made.
func (j *job) readTable(ctx context.Context, id plan.AttemptID) error {
	t, err := attempts.ReadTable(ctx, j.lead.cfg.Root, j.id, id)
	if err == nil {
		j.input.read(id, t)
	}
	return err
}

// lasting reports whether reading an object again would not help: it is gone, or
// damaged. NotFound counts only if an object that must exist is found at the same
// time.
func (j *job) lasting(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if plan.KindOf(err) == plan.NotFound {
		return journal.Exists(ctx, j.lead.cfg.Root, j.id) == nil
	}
	return journal.Damaged(err)
}

// learn reads the state of a job that earlier leaders have begun: the task table,
// and the checksums of the input as committed maps have read it.
func (j *job) learn(ctx context.Context, s *scheduler.Job, box *master.Mailbox) error {
	t := s.Task(plan.TaskID{Phase: plan.Prepare})
	if t == nil || !t.Committed {
		return nil
	}
	err := j.readTable(ctx, t.Attempt)
	if j.lasting(ctx, err) {
		box.Post(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Inconsistent,
			Text: fmt.Sprintf("its task table is lost (%v); rerun makes a new job of it", err)}})
		return nil
	}
	if err != nil {
		return err
	}
	j.input.forget() // the checksums are read again, too
	j.input.follow(s)
	if s.Status != scheduler.Running || !readsInput(s) {
		return nil // all input was compared before
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	table, _ := j.input.planned()
	for _, id := range table.Tasks() {
		if t := s.Task(id); t != nil && t.Committed && j.input.needs(id) {
			g.Go(func() error { return j.learnSums(ctx, id, t.Attempt, box) })
		}
	}
	return g.Wait()
}

// readsInput reports whether a task that reads input is not committed.
func readsInput(s *scheduler.Job) bool {
	g := s.Graph()
	return slices.ContainsFunc(g.Steps, func(step plan.Step) bool { return step.FromInput() && s.Left(step.Group) > 0 })
}

// learnSums reads the sums of the input of a committed task. If its manifest is lost, or
// if an object turns out to be misread, the task runs again.
func (j *job) learnSums(ctx context.Context, id plan.TaskID, attempt plan.AttemptID, box *master.Mailbox) error {
	m, err := j.manifest(ctx, id, attempt)
	if j.lasting(ctx, err) {
		box.Post(scheduler.Corrupt{Task: id, Attempt: attempt, Text: err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	j.input.mu.Lock()
	defer j.input.mu.Unlock()
	if bad := j.input.sums.Add(id, attempt, m.Sums); bad != nil {
		j.noteMisread(bad)
		box.Misread(bad)
		box.Post(scheduler.Corrupt{Task: id, Attempt: attempt, Text: bad.Err.Error()})
	}
	return nil
}

// adopt finds work that has finished and was not reported, because the leader or the
// worker died first. An attempt that makes a part counts only if it was granted, and
// its part exists with the size and checksum of its manifest.
func (j *job) adopt(ctx context.Context, s *scheduler.Job, box *master.Mailbox) error {
	switch {
	case s.Slots == 0:
		return nil
	case s.Status == scheduler.Unplanned:
		return j.adoptTable(ctx, box)
	case s.Status != scheduler.Running:
		return nil
	}
	found := make(map[plan.TaskID]bool)
	for f, err := range attempts.Manifests(ctx, j.scratch) {
		if err != nil {
			return err
		}
		t := s.Task(f.Task)
		if t == nil || t.Committed || !s.Open(f.Task.Group()) || slices.Contains(t.Invalid, f.Attempt) || found[f.Task] {
			continue
		}
		adopted, err := j.adoptAttempt(ctx, s, f, box)
		if err != nil {
			return err
		}
		if adopted {
			found[f.Task] = true
		}
	}
	if len(found) > 0 {
		j.lead.cfg.Log.Info("adopting attempts whose end was not reported", "job", j.id, "attempts", len(found))
	}
	return nil
}

// adoptAttempt adopts an attempt that has left a manifest, if its work is complete.
func (j *job) adoptAttempt(ctx context.Context, s *scheduler.Job, f attempts.Finished, box *master.Mailbox) (bool, error) {
	m, err := j.manifest(ctx, f.Task, f.Attempt)
	if j.lasting(ctx, err) {
		j.lead.cfg.Log.Warn("the manifest of an attempt is damaged; its task runs again", "job", j.id, "task", f.Task, "attempt", f.Attempt, "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if m.Part != nil || s.Writes(f.Task.Group()) {
		if there, err := j.hasPart(ctx, s.Task(f.Task).Granted, m); err != nil || !there {
			return false, err
		}
	}
	j.input.mu.Lock()
	defer j.input.mu.Unlock()
	j.take(box, cluster.Ref{Job: j.id, Task: f.Task, Attempt: f.Attempt}, m.Attempt, m.Digest(), m.Sums)
	return true, nil
}

// adoptTable finds a task table that was made.
func (j *job) adoptTable(ctx context.Context, box *master.Mailbox) error {
	prefix := plan.TablePrefix(j.id)
	for o, err := range j.lead.cfg.Root.List(ctx, prefix) {
		if err != nil {
			return err
		}
		id, err := plan.ParseAttemptID(o.Key[len(prefix):])
		if err != nil {
			continue
		}
		err = j.readTable(ctx, id)
		if j.lasting(ctx, err) {
			continue
		}
		if err != nil {
			return err
		}
		counts, graph := j.input.planOf(id)
		box.Post(scheduler.Reported{Task: plan.TaskID{Phase: plan.Prepare}, Attempt: id, Winner: id, Counts: counts, Graph: graph})
		return nil
	}
	return nil
}

// hasPart reports whether a granted attempt has made its parts.
func (j *job) hasPart(ctx context.Context, granted []plan.AttemptID, m *plan.Manifest) (bool, error) {
	if j.life.hold == nil || m.Part == nil || !slices.Contains(granted, m.Attempt) {
		return false, nil
	}
	for _, p := range m.AllParts() {
		found, err := attempts.SumPart(ctx, j.life.out, p.Name)
		if plan.KindOf(err) == plan.NotFound {
			return false, nil
		}
		if err != nil || found.Size != p.Size || found.CRC32C != p.CRC32C {
			return false, err
		}
	}
	return true, nil
}

// manifest returns the manifest of an attempt.
func (j *job) manifest(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
	return attempts.ReadManifest(ctx, j.scratch, j.id, task, id)
}
