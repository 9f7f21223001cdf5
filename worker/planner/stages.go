package planner

import (
	"slices"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/shuffle"
)

// fitWriters refuses a step whose attempts have too little memory for the exchanges that
// they write at the same time, beside the one that they read.
func (m *maker) fitWriters(g *plan.Graph) error {
	for i := range g.Steps {
		s := &g.Steps[i]
		shares := int64(len(s.Writes))
		if s.Reads != plan.None {
			shares++
		}
		if least := shares * shuffle.LeastToWrite; least > m.req.Memory.Each() {
			return invalidf("the tasks of %v write to %s at the same time, which takes %s of memory in each slot, and a slot has %s: give more --memory or fewer --slots",
				s.Group, plural.Of(len(s.Writes), "shuffle"), Bytes(least), Bytes(m.req.Memory.Each()))
		}
	}
	return nil
}

// mostEstimate bounds the estimates of bytes: what a round of a loop adds to itself
// grows without end.
const mostEstimate = 1 << 50

// stages returns the graph of a job of several stages or outputs, as far as the input
// decides it: the tasks that read inputs, and the partitions of what they write. It
// brings the splits into the order of their steps. An input that two steps read has its
// splits twice.
func (m *maker) stages(outputs []attempts.Output) (*attempts.Stages, error) {
	g := m.job.Graph
	if err := m.fitWriters(&g); err != nil {
		return nil, err
	}
	g.Steps, g.Exchanges = slices.Clone(g.Steps), slices.Clone(g.Exchanges)
	g.Least = m.req.Slots
	splits := make([][]plan.Split, len(m.job.Inputs)) // by input
	bytes := make([]int64, len(m.job.Inputs))
	for i := range m.table.Splits {
		s := &m.table.Splits[i]
		splits[s.Input] = append(splits[s.Input], *s)
		bytes[s.Input] += s.Bytes()
	}
	g.Most = int(max(m.req.Memory.partitions(len(m.table.Splits)), 1))
	m.table.Splits = m.table.Splits[:0:0]
	from := make([]int64, len(g.Steps)) // bytes of input that a step's pairs are made from
	for i := range g.Steps {
		s := &g.Steps[i]
		for _, in := range s.Inputs {
			s.Tasks += len(splits[in])
			m.table.Splits = append(m.table.Splits, splits[in]...)
			from[i] += bytes[in]
		}
		if s.Reads != plan.None {
			from[i] = g.Exchanges[s.Reads].Estimate
		}
		for _, x := range s.Writes {
			g.Exchanges[x].Estimate = min(g.Exchanges[x].Estimate+from[i], mostEstimate)
		}
	}
	for x := range g.Exchanges {
		e := &g.Exchanges[x]
		direct := slices.ContainsFunc(e.Writers, func(w int) bool { return g.Steps[w].FromInput() })
		switch {
		case e.Partitions > 0: // a side input
		case m.req.Partitions > g.Most:
			return nil, m.tooMany(m.req.Partitions, int64(g.Most))
		case m.req.Partitions > 0:
			e.Partitions = m.req.Partitions
		case direct:
			e.Partitions = plan.PartitionsFor(e.Estimate, g.Least, g.Most)
		}
	}
	if err := g.Check(); err != nil {
		return nil, invalidf("job %s cannot be run: %v", m.job.Name, err)
	}
	return &attempts.Stages{Graph: g, Outputs: outputs}, nil
}
