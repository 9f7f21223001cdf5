package control

import (
	"context"

	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Publish makes what a job has staged the contents of its output. The log of the output
// decides, so that any master could do it.
func (m *Master) Publish(ctx context.Context, id plan.JobID) error {
	return m.decideStaged(ctx, id, output.Publish)
}

// Discard removes what a job has staged.
func (m *Master) Discard(ctx context.Context, id plan.JobID) error {
	return m.decideStaged(ctx, id, output.Discard)
}

func (m *Master) decideStaged(ctx context.Context, id plan.JobID, decide func(context.Context, *store.Root, plan.JobID) (*output.Manifest, error)) error {
	if _, err := m.leader(); err != nil {
		return answer(err)
	}
	spec, err := journal.ReadSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return answerOf(id, err)
	}
	out, err := m.cfg.Roots.Get(ctx, spec.Output, true)
	if err != nil {
		return answer(err)
	}
	_, err = decide(ctx, out, id)
	return answer(err)
}
