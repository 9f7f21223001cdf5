package master

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// readsAtOnce is how many manifests are read side by side: on a bucket each is
// a round trip.
const readsAtOnce = 32

// ReadManifest reads the manifest of an attempt, as attempts.ReadManifest does.
type ReadManifest func(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error)

// chunk is how many tasks' counts are held at a time before they are added up. The
// names of each may take plan.MaxNameBytes.
const chunk = 128

// task is a task with the attempt that counts.
type task struct {
	id      plan.TaskID
	attempt plan.AttemptID
	reads   bool // what other tasks wrote
}

// left is the kept part of a task's manifest.
type left struct {
	parts []plan.Part
	tally plan.Tally
}

// Gather returns the parts of the output, in order of steps and tasks, and the
// sum of the committed attempts' counts. Records in are those of inputs only:
// other tasks read what tasks wrote. Counts beyond the limits of a job are a
// *plan.TallyError.
func Gather(ctx context.Context, job *scheduler.Job, read ReadManifest) ([]plan.Part, plan.Tally, error) {
	tasks, missing := committed(job)
	if missing != nil {
		return nil, plan.Tally{}, fmt.Errorf("task %v is not committed: the output is not complete", *missing)
	}
	return sum(ctx, tasks, read)
}

// CheckBad returns a *Refused when a job has left out more records than its policy allows.
func CheckBad(policy plan.BadRecords, t *plan.Tally) error {
	if err := policy.Judge(t.Bad, t.RecordsIn); err != nil {
		return &Refused{scheduler.Cause{Kind: plan.Failed, Text: err.Error()}}
	}
	return nil
}

// Count returns the sum of the counts of the attempts committed so far, as
// Gather does for all.
func Count(ctx context.Context, job *scheduler.Job, read ReadManifest) (plan.Tally, error) {
	tasks, _ := committed(job)
	_, total, err := sum(ctx, tasks, read)
	return total, err
}

// committed lists the tasks whose attempts count, and the first task without such
// an attempt, or nil.
func committed(job *scheduler.Job) (tasks []task, missing *plan.TaskID) {
	g := job.Graph()
	for k := range g.Steps {
		s := &g.Steps[k]
		if s.Phase == plan.Sample || s.Phase == plan.Decide {
			continue // they leave no parts, and count nothing
		}
		for i := range job.Tasks(s.Group) {
			id := s.Task(i)
			t := job.Task(id)
			switch {
			case t.Committed:
				tasks = append(tasks, task{id, t.Attempt, s.Reads != plan.None})
			case missing == nil:
				missing = &id
			}
		}
	}
	return tasks, missing
}

// sum adds up in the order of the tasks, so that sums of fractions are the same
// every time.
func sum(ctx context.Context, tasks []task, read ReadManifest) (parts []plan.Part, total plan.Tally, err error) {
	for some := range slices.Chunk(tasks, chunk) {
		found, err := readAll(ctx, some, read)
		if err != nil {
			return nil, plan.Tally{}, err
		}
		for i := range found {
			f := &found[i]
			parts = append(parts, f.parts...)
			if some[i].reads {
				f.tally.RecordsIn = 0
			}
			total.Merge(&f.tally)
			if err := total.Check(); err != nil {
				return nil, plan.Tally{}, fmt.Errorf("the tasks up to %v together: %w", some[i].id, err)
			}
		}
	}
	return parts, total, nil
}

// readAll reads the manifests of tasks side by side.
func readAll(ctx context.Context, tasks []task, read ReadManifest) ([]left, error) {
	found := make([]left, len(tasks))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i := range tasks {
		if reading.Err() != nil {
			break
		}
		group.Go(func() error {
			m, err := read(reading, tasks[i].id, tasks[i].attempt)
			if err != nil {
				return err
			}
			found[i] = left{m.AllParts(), m.Tally}
			return nil
		})
	}
	return found, errors.Join(group.Wait(), ctx.Err())
}
