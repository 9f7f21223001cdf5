package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/planner/splits"
)

const (
	// mostReplayed bounds the bad records of a replay: their offsets are in the task table.
	mostReplayed = 1 << 20
	// leastReplayed is the size of sections in which bad records are looked for. Those
	// without any are not read.
	leastReplayed = 1 << 20
)

// replay is what is read of a job whose bad records are replayed.
type replay struct {
	objects map[place]*wanted
	records int
	whole   []bool // inputs of which all is read: side inputs are made of them
}

// place names an object of an input.
type place struct {
	input  int
	object string
}

// wanted are the bad records of an object.
type wanted struct {
	etag    string
	offsets []int64
	found   bool // the object is among those of the input
}

// narrow leaves of the input the objects in which a job left out records, and what side
// inputs are made of.
func (m *maker) narrow(ctx context.Context, out *store.Root) error {
	of := m.req.Replay
	m.replay = &replay{objects: make(map[place]*wanted), whole: make([]bool, len(m.inputs))}
	err := output.BadRecords(ctx, out, of, m.want)
	if conflict, ok := errors.AsType[*output.Conflict](err); ok {
		return &Error{plan.Conflict, conflict}
	}
	if err != nil {
		return err
	}
	if m.replay.records == 0 {
		return fmt.Errorf("output %s: its quarantine of job %s has no records", out.URL(), of)
	}
	m.findSides()
	generated := m.generated[:0]
	for _, s := range m.generated {
		if m.replay.whole[s.Input] {
			generated = append(generated, s)
		}
	}
	m.generated = generated
	return m.keepWanted()
}

// want notes a bad record.
func (m *maker) want(b *plan.BadRecord) error {
	r, of := m.replay, m.req.Replay
	if b.Offset == nil || b.Key != "" {
		return m.noReplay(fmt.Sprintf("task %s left out a key (%s) and not a record of an input, and the quarantine does not have the values of a key", b.Task, b.Key))
	}
	i := slices.IndexFunc(m.job.Inputs, func(in Input) bool { return in.Name == b.Input })
	if i < 0 {
		return invalidf("the job %s has no input named %q, in which job %s left out records: replay them by a program that reads the same inputs", m.job.Name, b.Input, of)
	}
	if why := m.job.Inputs[i].NoReplay; why != "" {
		return m.noReplay(why)
	}
	if r.records++; r.records > mostReplayed {
		return m.noReplay(fmt.Sprintf("there are more than %d", mostReplayed))
	}
	at := place{i, b.Object}
	w := r.objects[at]
	if w == nil {
		w = &wanted{etag: b.ETag}
		r.objects[at] = w
	}
	if w.etag != b.ETag {
		return m.noReplay(b.Object + " has changed while they were left out")
	}
	w.offsets = append(w.offsets, *b.Offset)
	return nil
}

// noReplay returns the error of bad records that cannot be replayed on their own.
//
//go:noinline
func (m *maker) noReplay(why string) error {
	return invalidf("the bad records of job %s cannot be replayed alone: %s; %s", m.req.Replay, why, pipeline.ReplayAll)
}

// findSides notes the inputs of which the side inputs are made that the bad records need.
func (m *maker) findSides() {
	g := &m.job.Graph
	needs := make([]bool, len(g.Steps))
	read := make([]bool, len(m.inputs))
	for at := range m.replay.objects {
		read[at.input] = true
	}
	for i := range slices.Backward(g.Steps) {
		s := &g.Steps[i]
		if needs[i] && s.FromInput() {
			for _, in := range s.Inputs {
				m.replay.whole[in] = true
			}
		}
		if !needs[i] && !slices.ContainsFunc(s.Inputs, func(in int) bool { return read[in] }) {
			continue
		}
		exchanges := slices.Clone(s.Sides)
		if s.Reads != plan.None {
			exchanges = append(exchanges, s.Reads)
		}
		for _, x := range exchanges {
			for _, w := range g.Exchanges[x].Writers {
				needs[w] = true
			}
		}
		for _, w := range s.Observes {
			needs[w] = true
		}
	}
}

// keepWanted leaves of the inputs the objects that are read. It refuses objects that are
// not those in which the job left out records.
func (m *maker) keepWanted() error {
	for i := range m.inputs {
		if m.replay.whole[i] {
			continue
		}
		in, n := &m.inputs[i], 0
		for k := range in.Objects {
			o := &in.Objects[k]
			w := m.replay.objects[place{i, o.Name()}]
			if w == nil {
				continue
			}
			if w.etag != o.ETag {
				return m.noReplay(o.Name() + " has changed since the job read it")
			}
			slices.Sort(w.offsets)
			w.found = true
			in.Objects[n] = *o
			n++
		}
		in.Objects = in.Objects[:n]
	}
	missing := ""
	for at, w := range m.replay.objects {
		if !w.found && (missing == "" || at.object < missing) {
			missing = at.object
		}
	}
	if missing != "" {
		return m.noReplay(missing + ", in which it left out records, is not among the objects of the input")
	}
	return nil
}

// divideReplay makes the tasks of a replay: those that read sections with bad records, and
// those that read what side inputs are made of.
func (m *maker) divideReplay(ctx context.Context, size int64) error {
	t := &m.table
	fine := min(size, max(leastReplayed, t.Input/maxSplits))
	if err := m.inspect(ctx, fine); err != nil {
		return err
	}
	t.Input = 0
	for i := range m.inputs {
		in := splits.Input{Objects: m.inputs[i].Objects, Cut: m.inputs[i].Cut}
		target := fine
		if m.replay.whole[i] {
			in.Parts, target = m.inputs[i].Parts, size
		} // else a record is found by its place in the whole of a compressed object
		made, err := splits.Plan([]splits.Input{in}, target)
		if err != nil {
			return err
		}
		if !m.replay.whole[i] {
			sections, only := m.only(i, made)
			made = splits.Pack(i, sections, only, size)
		}
		for n := range made {
			made[n].Input = i
			t.Input += made[n].Bytes()
		}
		t.Splits = append(t.Splits, made...)
	}
	t.Splits = append(t.Splits, m.generated...)
	return nil
}

// only returns the sections of an input that have bad records, and where these begin.
func (m *maker) only(input int, all []plan.Split) (sections []plan.Section, only [][]int64) {
	for i := range all {
		for _, s := range all[i].Sections {
			offsets := m.replay.objects[place{input, s.Object.Name()}].offsets
			if end := s.Offset + s.Length; s.Object.Codec == "" {
				from, _ := slices.BinarySearch(offsets, s.Offset)
				to, _ := slices.BinarySearch(offsets, end)
				if end == s.Object.Size {
					to = len(offsets)
				}
				offsets = offsets[from:to]
			}
			if len(offsets) > 0 {
				sections, only = append(sections, s), append(only, offsets)
			}
		}
	}
	return sections, only
}

// Replayed returns how many bad records of another job the tasks read.
func Replayed(all []plan.Split) (n int) {
	for i := range all {
		for _, offsets := range all[i].Only {
			n += len(offsets)
		}
	}
	return n
}
