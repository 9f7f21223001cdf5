package pipeline

import (
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// Bad says how a task leaves out bad records.
type Bad struct {
	Policy plan.BadRecords
	Output int // place in Step.Outputs of what describes them; plan.None for nowhere
}

// Tolerant returns the pipeline of a job with a policy on bad records. If that keeps them,
// there is one output more, which every step can write.
func (p *Pipeline) Tolerant(b plan.BadRecords) (*Pipeline, error) {
	if b.Fails() {
		return p, nil
	}
	if p.Aside != nil {
		return nil, fmt.Errorf("job %s cannot leave out bad records: %w; leave out --bad-records, or write records of another type", p.Job, p.Aside)
	}
	if !b.Keep {
		return p, nil
	}
	own := *p
	own.Outputs = append(slices.Clone(p.Outputs), Output{Name: plan.QuarantineDir, Ext: ".jsonl"})
	own.Steps = slices.Clone(p.Steps)
	for i := range own.Steps {
		if s := &own.Steps[i]; s.Run != nil {
			s.Outputs = append(slices.Clone(s.Outputs), len(own.Outputs)-1)
		}
	}
	return &own, nil
}

// Bad returns how the tasks of a step leave out bad records, nil if they fail.
func (p *Pipeline) Bad(s *Step, b plan.BadRecords) *Bad {
	if b.Fails() {
		return nil
	}
	place := slices.IndexFunc(s.Outputs, func(o int) bool { return p.Outputs[o].Name == plan.QuarantineDir })
	return &Bad{Policy: b, Output: place}
}
