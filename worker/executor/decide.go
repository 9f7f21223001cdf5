package executor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// manifestsAtOnce is how many manifests a decision reads side by side.
const manifestsAtOnce = 32

// decide runs an attempt at the decision after a round: it adds up what the functions of
// the round have observed, and asks the job whether another round follows.
func (e *Executor) decide(ctx context.Context, a Attempt, step *pipeline.Step, w *Work) (*plan.Manifest, error) {
	started := time.Now()
	m, _ := e.begin(ctx, a, step)
	observed, err := e.observed(ctx, w.Observes, step.Stage)
	if err != nil {
		return nil, err
	}
	m.Observed = map[string]map[string]plan.Stat{step.Stage: observed}
	if m.GoesOn, err = step.Decide(observed); err != nil {
		return nil, fmt.Errorf("task %v: %w", a.Task, err)
	}
	m.Took = time.Since(started)
	return m, e.writeManifest(ctx, m)
}

// observed adds up the statistics of a round, in the order of the tasks: sums of
// fractions are the same every time.
func (e *Executor) observed(ctx context.Context, from []plan.Results, round string) (map[string]plan.Stat, error) {
	sum := plan.Tally{Stats: map[string]plan.Stat{}}
	for _, step := range from {
		for at := 0; at < len(step.Attempts); at += manifestsAtOnce {
			some := step.Attempts[at:min(at+manifestsAtOnce, len(step.Attempts))]
			found, errs := make([]map[string]plan.Stat, len(some)), make([]error, len(some))
			var reading sync.WaitGroup
			for i, id := range some {
				reading.Go(func() {
					m, err := e.ReadManifest(ctx, step.Task(at+i), id)
					if err != nil {
						errs[i] = lost(step.Task(at+i), id, err)
						return
					}
					found[i] = m.Observed[round]
				})
			}
			reading.Wait()
			for i := range some {
				if errs[i] != nil {
					return nil, errs[i]
				}
				sum.Merge(&plan.Tally{Stats: found[i]})
			}
		}
	}
	return sum.Stats, sum.Check()
}

// previous returns what the round before that of a step has observed, nil for a step
// that belongs to no later round.
func (e *Executor) previous(ctx context.Context, from []plan.Results) (map[string]plan.Stat, error) {
	if len(from) != 1 || len(from[0].Attempts) != 1 {
		return nil, nil
	}
	decision, id := from[0].Task(0), from[0].Attempts[0]
	m, err := e.manifest(ctx, decision, id)
	if err != nil {
		return nil, lost(decision, id, err)
	}
	return m.Observed[decision.Stage], nil
}
