// Package splits turns input objects into map tasks: it cuts big objects and
// packs small ones together, so that tasks have about one size.
//
// It is pure: the same objects give the same splits. Package planner calls it.
// Sizes are bytes at rest.
//
// It is part of the engine, and may change between minor versions.
package splits

import (
	"fmt"

	"github.com/windrow-mr/windrow/plan"
)

// Bounds of the size of a split that Target chooses.
const (
	least      = 8 << 20
	most       = 128 << 20
	perSlot    = 4     // splits for each slot, so that slots end at about the same time
	maxObjects = 10000 // sections in one split
)

// Cut divides an object into sections of about target bytes.
type Cut func(o plan.Object, target int64) ([]plan.Section, error)

// Input is one input of a job.
type Input struct {
	Objects []plan.Object
	// Cut divides plain objects; nil means that any range of bytes is a section.
	Cut Cut
	// Parts divides compressed objects that are larger than a split; nil means
	// that each is one section.
	Parts Cut
}

// Bytes returns the sum of the objects' sizes.
func (in Input) Bytes() int64 {
	var n int64
	for i := range in.Objects {
		n += in.Objects[i].Size
	}
	return n
}

// Target returns a good split size for an input of that many bytes and that
// many slots.
func Target(bytes int64, slots int) int64 {
	return min(max(bytes/int64(perSlot*max(slots, 1)), least), most)
}

// Plan returns the map tasks for the inputs, in order of inputs and objects. An
// empty object makes no task, unless Cut returns a section for it, or its codec is
// known, which makes it a truncated one. Another object whose codec is unknown is one
// section.
func Plan(inputs []Input, target int64) ([]plan.Split, error) {
	if target <= 0 {
		return nil, fmt.Errorf("a split of %d bytes cannot hold anything; give a size above 0", target)
	}
	var splits []plan.Split
	for i := range inputs {
		p := packer{input: i, target: target, splits: splits}
		for _, o := range inputs[i].Objects {
			sections, err := inputs[i].cut(o, target)
			if err != nil {
				return nil, err
			}
			for _, s := range sections {
				p.add(s)
			}
		}
		splits = p.end()
	}
	return splits, nil
}

// Pack returns map tasks that read only some records of sections of an input: see
// plan.Split.Only.
func Pack(input int, sections []plan.Section, only [][]int64, target int64) []plan.Split {
	p := packer{input: input, target: target}
	for i := range sections {
		p.add(sections[i])
		p.packed.Only = append(p.packed.Only, only[i])
	}
	return p.end()
}

// packer puts sections of an input together in splits of about target bytes.
type packer struct {
	input  int
	target int64
	splits []plan.Split
	packed plan.Split
	size   int64
}

//go:noinline
func (p *packer) add(s plan.Section) {
	if p.size > 0 && p.size+s.Length > p.target+p.target/8 || len(p.packed.Sections) == maxObjects {
		p.end()
	}
	p.packed.Sections = append(p.packed.Sections, s)
	p.size += s.Length
}

// end ends the newest split, and returns all.
//
//go:noinline
func (p *packer) end() []plan.Split {
	if len(p.packed.Sections) > 0 {
		p.packed.Input = p.input
		p.splits = append(p.splits, p.packed)
	}
	p.packed, p.size = plan.Split{}, 0
	return p.splits
}

// auto is the codec of objects that must be detected from their first bytes.
const auto = "auto"

// cut divides one object and verifies that its sections cover it.
func (in Input) cut(o plan.Object, target int64) ([]plan.Section, error) {
	if o.Size == 0 && o.Codec == auto {
		o.Codec = "" // no stream is empty
	}
	by := in.Cut
	if o.Codec != "" {
		by = in.Parts
	}
	switch {
	case o.Size == 0 && o.Codec == "" && by == nil:
		return nil, nil
	case o.Codec == auto, o.Codec != "" && (by == nil || o.Size <= target+target/8):
		return whole(o), nil
	case by == nil:
		return Ranges(o, target), nil
	}
	sections, err := by(o, target)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w", o.Name(), err)
	}
	if o.Size == 0 && len(sections) > 1 {
		return nil, fmt.Errorf("split %s: the object is empty, and has %d sections; the format's Split is wrong", o.Name(), len(sections))
	}
	var end int64
	for _, s := range sections {
		if s.Offset != end || s.Length < 0 || s.Length == 0 && o.Size > 0 {
			return nil, fmt.Errorf("split %s: a section begins at %d with %d bytes, the one before it ends at %d; the format's Split is wrong",
				o.Name(), s.Offset, s.Length, end)
		}
		end = s.Offset + s.Length
	}
	if end != o.Size {
		return nil, fmt.Errorf("split %s: its sections end at %d of %d bytes; the format's Split is wrong", o.Name(), end, o.Size)
	}
	return sections, nil
}

// Ranges cuts an object into equal ranges of at most about target bytes.
func Ranges(o plan.Object, target int64) []plan.Section {
	n := max((o.Size+target/8)/target, 1)
	if o.Size > n*(target+target/8) {
		n++
	}
	sections := make([]plan.Section, n)
	for i := range n {
		from, to := o.Size*i/n, o.Size*(i+1)/n
		sections[i] = plan.Section{Object: o, Offset: from, Length: to - from}
	}
	return sections
}

// Sample returns sections to sample keys from: at most most sections of about
// size bytes, spread evenly over all inputs, in one split for each input that
// has some.
func Sample(inputs []Input, most int, size int64) ([]plan.Split, error) {
	all, err := Plan(inputs, size)
	if err != nil {
		return nil, err
	}
	type place struct{ split, section int }
	var places []place
	for i := range all {
		for j := range all[i].Sections {
			places = append(places, place{i, j})
		}
	}
	n := min(most, len(places))
	var sample []plan.Split
	for i := range n {
		// The middle of each of n equal stretches.
		p := places[(2*i+1)*len(places)/(2*n)]
		from := &all[p.split]
		if len(sample) == 0 || sample[len(sample)-1].Input != from.Input {
			sample = append(sample, plan.Split{Input: from.Input})
		}
		last := &sample[len(sample)-1]
		last.Sections = append(last.Sections, from.Sections[p.section])
	}
	return sample, nil
}
