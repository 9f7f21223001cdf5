package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/meter"
)

// job holds what the runner knows of a job until it has ended. The objects of a
// job never change, so each is read once, and again only after an error.
type job struct {
	id   plan.JobID
	root *store.Root
	turn chan struct{} // holds a token while a goroutine reads
	// asked counts the requests to stores for the job.
	asked meter.Tally
	unfit sync.Once // the log says that this worker cannot run the job

	spec    *plan.Spec
	table   *attempts.Table
	planned plan.AttemptID // whose table it is
}

// take waits for its turn.
func (j *job) take(ctx context.Context) error {
	select {
	case j.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (j *job) leave() { <-j.turn }

// readSpec returns the submitted spec.
func (j *job) readSpec(ctx context.Context) (*plan.Spec, error) {
	if err := j.take(ctx); err != nil {
		return nil, err
	}
	defer j.leave()
	if j.spec != nil {
		return j.spec, nil
	}
	key := plan.SpecKey(j.id)
	body, err := j.root.ReadOnce(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("the submitted spec of job %s: %w", j.id, err)
	}
	s := new(plan.Spec)
	if err := json.Unmarshal(body, s); err != nil {
		return nil, final("the submitted spec of job %s cannot be read: %s: %v", j.id, j.root.Name(key), err)
	}
	switch {
	case s.Version < 1 || s.Version > plan.SpecVersion:
		return nil, unfit("job %s was submitted by a newer release of windrow, in version %d of the form, and this worker reads up to version %d: update the workers", j.id, s.Version, plan.SpecVersion)
	case s.ID != j.id:
		return nil, final("%s is of job %s", j.root.Name(key), s.ID)
	}
	j.spec = s
	return s, nil
}

// readTable returns the tasks that an attempt at planning the job has found.
func (j *job) readTable(ctx context.Context, id plan.AttemptID) (*attempts.Table, error) {
	if err := j.take(ctx); err != nil {
		return nil, err
	}
	defer j.leave()
	if j.table != nil && j.planned == id {
		return j.table, nil
	}
	t, err := attempts.ReadTable(ctx, j.root, j.id, id)
	if err != nil {
		return nil, fmt.Errorf("the tasks of job %s: %w", j.id, err)
	}
	j.table, j.planned = t, id
	return t, nil
}

// bundleFor chooses the program for machines of this kind; it returns nil when
// the job is one of the library.
func (r *Runner) bundleFor(s *plan.Spec) (*plan.Bundle, error) {
	if len(s.Bundles) == 0 {
		if s.Build != r.cfg.Build {
			return nil, unfit("job %s is one of windrow's own, of the build %s, and the worker on %s is of the build %s: submit it by the same release that the workers run", s.Job, s.Build, r.cfg.Host, r.cfg.Build)
		}
		return nil, nil
	}
	var kinds []string
	programs := s.Programs()
	for i := range programs {
		b := &programs[i]
		if b.OS == runtime.GOOS && b.Arch == runtime.GOARCH {
			return b, nil
		}
		kinds = append(kinds, b.OS+"/"+b.Arch)
	}
	slices.Sort(kinds)
	here := runtime.GOOS + "/" + runtime.GOARCH
	return nil, unfit("job %s was built for %s, and the worker on %s is %s: submit it with a program for that, such as GOOS=%s GOARCH=%s go build makes",
		s.Job, strings.Join(slices.Compact(kinds), " and "), r.cfg.Host, here, runtime.GOOS, runtime.GOARCH)
}
