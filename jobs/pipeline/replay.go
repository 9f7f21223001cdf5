package pipeline

import (
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// ReplayAll is the advice for bad records that cannot be replayed on their own.
const ReplayAll = "run the new program over all of the input, with --on-exists replace"

// ReplayError says that a bad record cannot be replayed. Another attempt finds the same.
type ReplayError struct{ Text string }

// Error returns the text.
func (e *ReplayError) Error() string { return e.Text }

// FailureKind returns Changed: the records are not those that were quarantined.
func (e *ReplayError) FailureKind() plan.Kind { return plan.Changed }

// NoReplay returns why records of an input cannot be replayed: read later, alone, so that
// what the job makes of them completes its outputs. That is so only if every record of the
// outputs is made of one record of an input, and of side inputs that do not depend on it.
// "" means that they can.
func (p *Pipeline) NoReplay(input int) string {
	in := &p.Inputs[input]
	switch {
	case in.Generate != nil:
		return "the job makes its input itself"
	case in.Probing || in.Scattered:
		return "its format does not identify a record by the byte where it begins"
	}
	var reader *Step
	for i := range p.Steps {
		s := &p.Steps[i]
		switch {
		case s.Reads != plan.None && p.writesData(s):
			return fmt.Sprintf("%v makes the output of many records together, and what it makes of a few more would stand beside that of the same keys", s.Group)
		case !slices.Contains(s.Inputs, input):
		case reader != nil:
			return fmt.Sprintf("%v and %v both read it, and one of them may have used the record", reader.Group, s.Group)
		default:
			reader = s
		}
	}
	if reader == nil {
		return ""
	}
	if len(reader.Writes) > 0 {
		return fmt.Sprintf("%v passes it on to where other records were combined or joined with it", reader.Group)
	}
	var whole []int // inputs that are read again, to make side inputs
	for i := range p.Steps {
		if s := &p.Steps[i]; p.feeds(s, reader) {
			whole = append(whole, s.Inputs...)
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if p.writesData(s) && slices.ContainsFunc(s.Inputs, func(in int) bool { return slices.Contains(whole, in) }) {
			return fmt.Sprintf("%v would write its output a second time, since a side input is made of what it reads", s.Group)
		}
	}
	return ""
}

// writesData reports whether a step writes to outputs other than the quarantine.
func (p *Pipeline) writesData(s *Step) bool {
	return slices.ContainsFunc(s.Outputs, func(o int) bool { return p.Outputs[o].Name != plan.QuarantineDir })
}

// feeds reports whether what a step writes is read, directly or not, by another step.
//
//go:noinline
func (p *Pipeline) feeds(s, by *Step) bool {
	return slices.ContainsFunc(s.Writes, func(x int) bool {
		if slices.Contains(by.Sides, x) || by.Reads == x {
			return true
		}
		for i := range p.Steps {
			if next := &p.Steps[i]; next != by && (next.Reads == x || slices.Contains(next.Sides, x)) && p.feeds(next, by) {
				return true
			}
		}
		return false
	})
}
