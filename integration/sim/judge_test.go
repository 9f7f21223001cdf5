package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// judge waits for the ends of all jobs, and checks the result.
func (w *world) judge(ends map[client.State]int) error {
	w.requests.Wait()
	for _, j := range w.wanted {
		s, err := w.await(j)
		if err == nil {
			err = w.fits(j, s)
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", j.id, err)
		}
		switch {
		case s.Status == scheduler.Succeeded:
			ends[client.Succeeded]++
		case s.Cause.Kind == plan.Failed:
			ends[client.FailedJob]++
		default:
			ends[client.Cancelled]++
		}
	}
	return errors.Join(w.broken, w.outputs())
}

// again retries the jobs that failed, one after the other: now nothing prevents
// their success. After that no work is left, whatever an index says.
func (w *world) again() error {
	ctx := w.me.ctx
	w.ask("POST", "/gc", nil, nil)
	for _, j := range w.wanted {
		s, err := journal.Read(ctx, w.truth, j.id)
		if err != nil {
			return err
		}
		if s.Status == scheduler.Failed {
			w.retry(j)
			w.requests.Wait()
			if s, err = w.await(j); err != nil {
				return fmt.Errorf("retry of job %s: %w", j.id, err)
			}
			refused := s.Cause.Kind == plan.Conflict && j.submission.OnExists == string(output.Fail)
			if s.Run == 0 || s.Status != scheduler.Succeeded && !refused {
				return fmt.Errorf("job %s was retried when all was well, and run %d %v (%v)", j.id, s.Run, s.Status, s.Cause)
			}
			if err := w.fits(j, s); err != nil {
				return fmt.Errorf("retry of job %s: %w", j.id, err)
			}
		}
		if err := journal.Activate(ctx, w.truth, journal.Run{Job: j.id, Number: s.Run}); err != nil {
			return err
		}
		if _, err := w.await(j); err != nil {
			return fmt.Errorf("job %s, put on the list of active runs: %w", j.id, err)
		}
	}
	return errors.Join(w.broken, w.outputs())
}

// await returns the log's state of a job that has ended and is archived.
func (w *world) await(j *wanted) (*scheduler.Job, error) {
	if j.id == "" {
		return nil, errors.New("it was never accepted")
	}
	ctx := w.me.ctx
	deadline := time.Now().Add(repairTime)
	for {
		s, err := journal.Read(ctx, w.truth, j.id)
		if err != nil {
			return nil, err
		}
		active, err := journal.Active(ctx, w.truth)
		if err != nil {
			return nil, err
		}
		if s.Status.Ended() && !slices.ContainsFunc(active, func(r journal.Run) bool { return r.Job == j.id }) {
			return s, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%v after the trouble ended it is %v, with tasks left of %v", repairTime, s.Status, s.Current())
		}
		time.Sleep(time.Second)
	}
}

// fits checks that a job ended for a valid reason, and that its record agrees.
func (w *world) fits(j *wanted, s *scheduler.Job) error {
	ctx := w.me.ctx
	if err := rules(ctx, w.truth, j.id); err != nil {
		return err
	}
	state := client.Succeeded
	if s.Status == scheduler.Failed {
		state = client.FailedJob
		switch s.Cause.Kind {
		case plan.Failed:
		case plan.Conflict:
			if !slices.ContainsFunc(w.wanted, func(other *wanted) bool { return other != j && other.submission.Output == j.submission.Output }) {
				return fmt.Errorf("no other job writes there, but it failed: %v", s.Cause)
			}
		case plan.Cancelled:
			state = client.Cancelled
			if !j.unwanted {
				return errors.New("it was cancelled without a request")
			}
		default:
			return fmt.Errorf("it failed: %v", s.Cause)
		}
		w.t.Logf("failed: %v", s.Cause)
	} else if j.cancelled == j.asked {
		return errors.New("its cancelling was acknowledged, but it succeeded")
	}
	run, ended, err := journal.LastEnded(ctx, w.truth, j.id)
	if err != nil || !ended || run.Number != s.Run {
		return fmt.Errorf("its run %d is not archived (%v: %v, %w)", s.Run, run, ended, err)
	}
	body, err := journal.Conclusion(ctx, w.truth, run)
	if err != nil {
		return err
	}
	var kept struct {
		Job client.Job `json:"job"`
	}
	if err := json.Unmarshal(body, &kept); err != nil {
		return err
	}
	if kept.Job.State != state || kept.Job.Run != s.Run {
		return fmt.Errorf("it is kept as %v, run %d, and the log has %v, run %d", kept.Job.State, kept.Job.Run, state, s.Run)
	}
	if state == client.Succeeded && kept.Job.Result.Records != int64(len(j.oracle)) {
		return fmt.Errorf("it is kept as having written %d records of %d", kept.Job.Result.Records, len(j.oracle))
	}
	return nil
}

// outputs compares every output with the one that its commits must have made.
func (w *world) outputs() error {
	for n := range w.wanted {
		name := fmt.Sprintf("out%d", n)
		if err := w.output(w.me.ctx, "mem://data/"+name, w.data.Sub(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// entry is an entry of an output's log.
type entry struct {
	Kind string     `json:"kind"`
	Job  plan.JobID `json:"job"`
	Run  int        `json:"run"`
}

func (w *world) output(ctx context.Context, url string, out *store.Root) error {
	var want []string
	commits := make(map[plan.JobID]int)
	for slot := 0; ; slot++ {
		body, err := out.ReadOnce(ctx, fmt.Sprintf("%s/%020d", output.Dir, slot))
		if plan.KindOf(err) == plan.NotFound {
			break
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(body, &e); err != nil {
			return err
		}
		if e.Kind != "commit" {
			continue
		}
		commits[e.Job]++
		j := w.wanted[slices.IndexFunc(w.wanted, func(j *wanted) bool { return j.id == e.Job })]
		if j.submission.OnExists != string(output.Append) {
			want = nil
		}
		want = append(want, j.oracle...)
	}
	slices.Sort(want)
	for _, j := range w.wanted {
		if j.submission.Output != url {
			continue
		}
		s, err := journal.Read(ctx, w.truth, j.id)
		if err != nil {
			return err
		}
		n := 0
		if s.Status == scheduler.Succeeded {
			n = 1
		}
		if commits[j.id] != n {
			return fmt.Errorf("job %s %v, and has committed %d times", j.id, s.Status, commits[j.id])
		}
	}
	return compare(ctx, out, want, len(commits) > 0)
}

// compare compares the contents of an output with the expected ones, and the
// visible files with the contents.
func compare(ctx context.Context, out *store.Root, want []string, committed bool) error {
	names := make(map[string]bool)
	m, err := output.Read(ctx, out)
	if !committed {
		m = new(output.Manifest)
		if !errors.Is(err, output.ErrNotCommitted) {
			return fmt.Errorf("it was never committed, but can be read: %w", err)
		}
	} else if err != nil {
		return err
	}
	var got []string
	for i := range m.Parts {
		names[m.Parts[i].Name] = true
		b, err := out.Get(ctx, m.Parts[i].Name, 1<<20)
		if err != nil {
			return err
		}
		dir := strings.TrimSuffix(path.Dir(m.Parts[i].Name), ".")
		for line := range strings.Lines(string(b)) {
			got = append(got, named(dir, strings.TrimSuffix(line, "\n")))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("it has %d lines, a sequential program writes %d, or others", len(got), len(want))
	}
	if m.Records != int64(len(want)) {
		return fmt.Errorf("its manifest counts %d records of %d", m.Records, len(want))
	}
	for o, err := range out.List(ctx, "") {
		if err != nil {
			return err
		}
		if !output.Hidden(o.Key) && !names[o.Key] {
			return fmt.Errorf("%s is visible, but not a part of it", o.Key)
		}
	}
	if _, err := out.Stat(ctx, output.SuccessName); committed != (err == nil) {
		return fmt.Errorf("committed is %v, and its mark: %w", committed, err)
	}
	return nil
}

// rules checks the log: epochs never fall; no task is committed twice unless
// its result was revoked; no attempt begins after its task was committed.
func rules(ctx context.Context, root *store.Root, id plan.JobID) error {
	var epoch uint64
	committed, at := make(map[plan.TaskID]plan.AttemptID), make(map[plan.TaskID]int)
	var graph plan.Graph
	records, err := journal.Records(ctx, root, id)
	if err != nil {
		return err
	}
	for slot, r := range records {
		for _, e := range r.Entries {
			if _, ok := e.(scheduler.Fence); ok && r.Epoch > epoch {
				epoch = r.Epoch
			}
			if r.Epoch != epoch {
				continue // of a deposed master: it has no effect
			}
			switch e := e.(type) {
			case scheduler.Committed:
				before, ok := committed[e.Task]
				if ok && at[e.Task] == slot {
					continue // two finished at once: the first counts
				}
				if ok {
					return fmt.Errorf("slot %d commits %v a second time: attempt %v after %v", slot, e.Task, e.Attempt, before)
				}
				committed[e.Task], at[e.Task] = e.Attempt, slot
			case scheduler.Invalidated:
				delete(committed, e.Task)
			case scheduler.Reopened:
				maps.DeleteFunc(committed, func(t plan.TaskID, _ plan.AttemptID) bool {
					step := graph.Find(t.Group())
					return step != plan.None && graph.Steps[step].Parts
				})
			case scheduler.Planned:
				if graph = plan.OneShuffle(e.Counts); e.Graph != nil {
					graph = *e.Graph
				}
			default:
			}
		}
	}
	return nil
}
