package executor

import (
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// enter notes that a step runs. When it is of a newer round of its loop than any before,
// this process forgets the side inputs of earlier rounds, and the manifests of rounds
// before the last one: a loop of many rounds takes no more memory than one of a few. A
// late attempt of an earlier round reads them again.
func (e *Executor) enter(step *pipeline.Step) {
	if step.Loop == 0 {
		return
	}
	e.roundsMu.Lock()
	newer := step.Round > e.rounds[step.Loop]
	if newer {
		e.rounds[step.Loop] = step.Round
	}
	e.roundsMu.Unlock()
	if !newer {
		return
	}
	e.manifests.forget(func(task plan.TaskID) bool {
		of := e.cfg.Pipeline.Step(task.Group())
		return of != nil && of.Loop == step.Loop && of.Round+1 < step.Round
	})
	e.sides.forget(func(exchange int) bool {
		return !slices.ContainsFunc(e.cfg.Pipeline.Steps, func(s pipeline.Step) bool {
			return slices.Contains(s.Sides, exchange) && (s.Loop != step.Loop || s.Round >= step.Round)
		})
	})
}
