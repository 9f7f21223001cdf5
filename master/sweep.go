package master

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// sweeper finds the results of rounds of loops that no task needs. Those that were so
// when this master began to lead are taken for removed; the end of the job removes the
// rest.
type sweeper struct {
	rounds int // of all loops, when it looked last
	known  map[plan.Group]bool
}

// next returns the results that no task needs since the last call.
func (w *sweeper) next(job *scheduler.Job) []plan.Results {
	g := job.Graph()
	rounds := 0
	for i := range g.Loops {
		rounds += g.Loops[i].Round
	}
	if rounds == w.rounds {
		return nil
	}
	w.rounds = rounds
	first := w.known == nil
	if first {
		w.known = make(map[plan.Group]bool)
	}
	var all []plan.Results
	for i := range g.Steps {
		group := g.Steps[i].Group
		if w.known[group] || !job.Swept(i) {
			continue
		}
		w.known[group] = true
		if !first {
			all = append(all, job.Results(i))
		}
	}
	return all
}

// sweep removes results that no task needs, while the job continues.
func (sh *shell) sweep(job *scheduler.Job) {
	if sh.cfg.Sweep == nil || len(job.Graph().Loops) == 0 {
		return
	}
	if all := sh.sweeper.next(job); len(all) > 0 {
		sh.tasks.Go(func() { sh.cfg.Sweep(sh.work, all) })
	}
}

// RemoveRuns removes the runs of results, and leaves their manifests: they have what the
// job has counted. It does not fail: the end of the job removes the runs that it could
// not.
func RemoveRuns(ctx context.Context, results []plan.Results, read ReadManifest, remove func(ctx context.Context, key string) error) {
	var group errgroup.Group
	group.SetLimit(readsAtOnce)
	for _, step := range results {
		for i, id := range step.Attempts {
			group.Go(func() error {
				m, err := read(ctx, step.Task(i), id)
				if err != nil {
					return nil //nolint:nilerr // see above
				}
				for _, run := range m.AllRuns() {
					_ = remove(ctx, run.Key)
				}
				return nil
			})
		}
	}
	_ = group.Wait()
}
