package planner

import (
	"math"

	"github.com/windrow-mr/windrow/plan"
)

// limitObjects leaves out the objects that a trial does not read.
//
//go:noinline
func (m *maker) limitObjects() {
	most := m.req.Trial.Objects
	if most <= 0 {
		return
	}
	for i := range m.inputs {
		if over := len(m.inputs[i].Objects) - most; over > 0 {
			m.inputs[i].Objects = m.inputs[i].Objects[:most]
			m.table.LeftOut.Untried += over
		}
	}
}

// Bounds of the splits of a sample. A few splits of one size are a better sample than one,
// and each is worth a task.
const (
	sampleSplits = 4
	leastSample  = 256 << 10
)

// trialSize returns the size of splits of which a sample is read, and notes how much that
// is of the input.
//
//go:noinline
func (m *maker) trialSize(size int64) int64 {
	if !m.req.Trial.Samples() {
		return size
	}
	all := m.table.Input
	m.table.Input = max(int64(float64(m.table.Input)*m.req.Trial.Share), min(m.table.Input, 1))
	return min(size, max(m.table.Input/sampleSplits, all/maxSplits, leastSample))
}

// sampleSplits keeps the splits that a trial reads: of each input the same share, as far
// apart as possible, and at least one.
func (m *maker) sampleSplits() {
	if !m.req.Trial.Samples() {
		return
	}
	byInput := make([][]plan.Split, len(m.job.Inputs))
	for _, s := range m.table.Splits {
		byInput[s.Input] = append(byInput[s.Input], s)
	}
	m.table.Splits, m.table.Input = nil, 0
	untried := make(map[plan.Object]bool)
	for _, all := range byInput {
		keep := int(math.Ceil(float64(len(all)) * m.req.Trial.Share))
		kept := 0
		for i, s := range all {
			// The middle of each of as many equal ranges.
			if kept < keep && i == (2*kept+1)*len(all)/(2*keep) {
				kept++
				m.table.Splits = append(m.table.Splits, s)
				m.table.Input += s.Bytes()
				continue
			}
			for j := range s.Sections {
				untried[s.Sections[j].Object] = true
			}
		}
	}
	m.table.LeftOut.Untried += len(untried)
}
