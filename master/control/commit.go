package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/attempts"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// committer is a job as its shell commits it.
type committer job

var _ master.Output = (*committer)(nil)

// Commit makes the committed attempts' parts the output's contents.
func (c *committer) Commit(ctx context.Context, s *scheduler.Job) error {
	j := (*job)(c)
	if j.past {
		return nil
	}
	if j.unread != nil {
		return &output.Conflict{URL: "of " + string(j.id), Text: givenUp(j.unread).Text + "; whether it was committed before that, _SUCCESS there tells"}
	}
	if j.hold == nil {
		return &output.Conflict{URL: j.spec.Output, Text: "another job took it over"}
	}
	parts, tally, err := master.Gather(ctx, s, j.manifest)
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.tally = &tally
	j.mu.Unlock()
	m, err := j.hold.Commit(ctx, parts)
	if m == nil {
		return err
	}
	// From here on the job has succeeded. What the store fails is tried again, as
	// tools may wait for it; what it refuses, the next run on this output finds.
	if err := errors.Join(err, j.hold.Clean(ctx)); err != nil {
		if passing(err) {
			return fmt.Errorf("the output is committed, but not all that follows is done: %w", err)
		}
		j.cfg.Log.Warn("the output is committed, but not all that follows was done; the next run on it does that", "job", j.id, "output", j.out.Name(""), "error", err)
	}
	return nil
}

// passing tells whether an error is one of a store that does not answer just now.
func passing(err error) bool {
	switch plan.KindOf(err) {
	case plan.Unavailable, plan.Throttled, plan.Interrupted:
		return true
	default:
		return false
	}
}

// CleanUp takes back the parts of a job that failed. What maps have made stays,
// in case it is tried again.
func (c *committer) CleanUp(ctx context.Context) error {
	if c.hold == nil {
		return nil
	}
	return c.hold.Release(ctx)
}

// readTable reads the tasks that an attempt has planned.
func (j *job) readTable(ctx context.Context, id plan.AttemptID) error {
	t, err := attempts.ReadTable(ctx, j.cfg.Root, j.id, id)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.plans[id] = t
	return nil
}

// notePlan makes the plan that the log names the job's. There may be others, of
// attempts that were late. j.mu is held.
func (j *job) notePlan(s *scheduler.Job) {
	t := s.Task(plan.TaskID{Phase: plan.Prepare})
	if t == nil || !t.Committed || j.planner == t.Attempt || j.plans[t.Attempt] == nil {
		return
	}
	j.planner, j.table = t.Attempt, j.plans[t.Attempt]
	j.book = sums.New(j.table.Splits)
	clear(j.plans)
	j.plans[j.planner] = j.table
}

// lasting tells whether an object would be no better if it were read again: it is
// gone, or damaged. That it is not found counts if what must be there is found.
func (j *job) lasting(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if plan.KindOf(err) == plan.NotFound {
		_, err := journal.Spec(ctx, j.cfg.Root, j.id)
		return err == nil || damaged(err) // what is damaged is there
	}
	return damaged(err)
}

// damaged tells whether an object was read and makes no sense.
func damaged(err error) bool {
	switch plan.KindOf(err) {
	case plan.Corrupt, plan.TooLarge:
		return true
	case plan.Unknown:
		_, fromStore := errors.AsType[*store.Error](err)
		return err != nil && !fromStore
	default:
		return false
	}
}

// reading is how many manifests are read side by side.
const reading = 32

// learn reads what a new master needs to know of a job that others have begun.
func (j *job) learn(ctx context.Context, s *scheduler.Job, box *master.Mailbox) error {
	t := s.Task(plan.TaskID{Phase: plan.Prepare})
	if t == nil || !t.Committed {
		return nil
	}
	err := j.readTable(ctx, t.Attempt)
	if j.lasting(ctx, err) {
		box.Post(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Inconsistent,
			Text: fmt.Sprintf("its plan is lost (%v); rerun makes a new job of it", err)}})
		return nil
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.planner = plan.AttemptID{} // what was read of the input is told anew, too
	j.notePlan(s)
	j.mu.Unlock()
	if s.Status != scheduler.Running || s.Phase() > plan.Map {
		return nil // what maps have read is known to be right
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reading)
	for i := range s.Tasks(plan.Map) {
		id := plan.TaskID{Phase: plan.Map, Index: i}
		if t := s.Task(id); t.Committed && j.book.Needs(id) {
			g.Go(func() error {
				m, err := j.manifest(ctx, id, t.Attempt)
				if j.lasting(ctx, err) {
					box.Post(scheduler.Corrupt{Task: id, Attempt: t.Attempt, Text: err.Error()})
					return nil
				}
				if err != nil {
					return err
				}
				j.mu.Lock()
				defer j.mu.Unlock()
				if bad := j.book.Add(id, t.Attempt, m.Sums); bad != nil {
					j.misread(box, bad)
					box.Post(scheduler.Corrupt{Task: id, Attempt: t.Attempt, Text: bad.Err.Error()})
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// adopt finds the work that finished and that nobody has told of: its master died
// first, or its worker. What makes output counts only if it was granted, and its
// part is there as it should be.
func (j *job) adopt(ctx context.Context, s *scheduler.Job, box *master.Mailbox) error {
	switch {
	case s.Slots == 0:
		return nil
	case s.Status == scheduler.Unplanned:
		return j.adoptPlan(ctx, box)
	case s.Status != scheduler.Running:
		return nil
	}
	found := make(map[plan.TaskID]bool)
	for f, err := range attempts.Manifests(ctx, j.scratch) {
		if err != nil {
			return err
		}
		t := s.Task(f.Task)
		if t == nil || t.Committed || f.Task.Phase != s.Phase() || slices.Contains(t.Invalid, f.Attempt) || found[f.Task] {
			continue
		}
		m, err := j.manifest(ctx, f.Task, f.Attempt)
		if j.lasting(ctx, err) {
			j.cfg.Log.Warn("what an attempt has left is damaged; its task runs again", "job", j.id, "task", f.Task, "attempt", f.Attempt, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if m.Part != nil || s.Tasks(plan.Reduce) == 0 && f.Task.Phase == plan.Map {
			if there, err := j.hasPart(ctx, t.Granted, m); err != nil || !there {
				if err != nil {
					return err
				}
				continue
			}
		}
		found[f.Task] = true
		j.mu.Lock()
		j.take(box, cluster.Ref{Job: j.id, Task: f.Task, Attempt: f.Attempt}, m.Attempt, m.Digest(), m.Sums)
		j.mu.Unlock()
	}
	if len(found) > 0 {
		j.cfg.Log.Info("adopting attempts that finished unheard", "job", j.id, "attempts", len(found))
	}
	return nil
}

// adoptPlan finds a plan that was made.
func (j *job) adoptPlan(ctx context.Context, box *master.Mailbox) error {
	prefix := plan.TablePrefix(j.id)
	for o, err := range j.cfg.Root.List(ctx, prefix) {
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
		j.mu.Lock()
		counts := j.plans[id].Counts()
		j.mu.Unlock()
		box.Post(scheduler.Reported{Task: plan.TaskID{Phase: plan.Prepare}, Attempt: id, Winner: id, Counts: counts})
		return nil
	}
	return nil
}

// hasPart tells whether a granted attempt has made its part.
func (j *job) hasPart(ctx context.Context, granted []plan.AttemptID, m *plan.Manifest) (bool, error) {
	if j.hold == nil || m.Part == nil || !slices.Contains(granted, m.Attempt) {
		return false, nil
	}
	found, err := attempts.SumPart(ctx, j.out, m.Part.Name)
	if plan.KindOf(err) == plan.NotFound {
		return false, nil
	}
	return err == nil && found.Size == m.Part.Size && found.CRC32C == m.Part.CRC32C, err
}

// summary is what is kept of a run that has ended.
type summary struct {
	Job      client.Job      `json:"job"`
	Counters client.Counters `json:"counters"`
}

// conclude puts a run that has ended away. Any master may do so again.
func (j *job) conclude(ctx context.Context, s *scheduler.Job) error {
	sum := summary{Job: j.describe(s)}
	_, err := journal.Conclusion(ctx, j.cfg.Root, j.run)
	if plan.KindOf(err) == plan.NotFound && j.lasting(ctx, err) {
		err = j.summarise(ctx, s, &sum)
	} // else another master has done so, and what it was made of may be gone
	if err != nil {
		return err
	}
	if err := journal.Deactivate(ctx, j.cfg.Root, j.run); err != nil {
		return err
	}
	j.cfg.Log.Info("job ended", "job", j.id, "state", sum.Job.State, "cause", s.Cause.String())
	if s.Status == scheduler.Succeeded {
		if err := j.cfg.Root.DeleteAll(ctx, plan.ScratchPrefix(j.id), nil); err != nil {
			j.cfg.Log.Warn("what a job leaves behind could not all be removed; windrow gc does that", "job", j.id, "error", err)
		}
	}
	return nil
}

// summarise keeps what is to be known of a run that has ended.
func (j *job) summarise(ctx context.Context, s *scheduler.Job, sum *summary) error {
	sum.Job.Ended = j.cfg.Now().UTC()
	if s.Status == scheduler.Succeeded {
		err := j.result(ctx, s, sum)
		if j.lasting(ctx, err) {
			j.cfg.Log.Warn("what a job has counted is lost; its output is not", "job", j.id, "error", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	body, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	return journal.Conclude(ctx, j.cfg.Root, j.run, body)
}

// result adds what a job has written and counted.
func (j *job) result(ctx context.Context, s *scheduler.Job, sum *summary) error {
	j.mu.Lock()
	tally := j.tally
	j.mu.Unlock()
	if tally == nil { // an earlier master has committed
		if t := s.Task(plan.TaskID{Phase: plan.Prepare}); t != nil && t.Committed {
			if err := j.readTable(ctx, t.Attempt); err != nil {
				return err
			}
			j.mu.Lock()
			j.notePlan(s)
			j.mu.Unlock()
		}
		_, read, err := master.Gather(ctx, s, j.manifest)
		if err != nil {
			return fmt.Errorf("count what the job did: %w", err)
		}
		tally = &read
	}
	sum.Counters = counters(tally)
	sum.Counters.Complete = true
	sum.Job.Result = &client.Result{Records: tally.RecordsOut, Bytes: tally.BytesOut, Parts: s.Tasks(plan.Reduce)}
	if s.Tasks(plan.Reduce) == 0 {
		sum.Job.Result.Parts = s.Tasks(plan.Map)
	}
	return nil
}

func counters(t *plan.Tally) client.Counters {
	c := client.Counters{Read: client.Amount{Records: t.RecordsIn, Bytes: t.BytesIn}, Shuffled: client.Amount{Records: t.PairsOut, Bytes: t.RunBytes},
		Written: client.Amount{Records: t.RecordsOut, Bytes: t.BytesOut}, Spills: client.Amount{Records: t.Spills, Bytes: t.SpillBytes}, Counts: t.Counts}
	for name, s := range t.Stats {
		if c.Stats == nil {
			c.Stats = make(map[string]client.Stat, len(t.Stats))
		}
		c.Stats[name] = client.Stat(s)
	}
	return c
}
