package forecast

import (
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/executor"
)

// scanBuffer is how many bytes readers of records ask for at a time.
const scanBuffer = 256 << 10

// reading is a section that a task reads.
type reading struct {
	store   Store
	section *plan.Section
	lines   bool // records may go on behind the section
}

// whole tells whether the section is fetched by one request, ahead of its turn.
func (r *reading) whole() bool {
	s := r.section
	return r.store.Remote && s.Length == s.Object.Size && s.Object.Size <= executor.OneRequest
}

// bounds returns from where to where the section is read, in the object. Records
// of a plain section that ends before its object may go on behind it. The byte
// in front of a section of lines tells whether a line begins with it.
func (r *reading) bounds() (from, to int64, behind bool) {
	s := r.section
	from, to = s.Offset, s.Offset+s.Length
	switch {
	case s.Part():
		return from, to, to < s.Object.Size
	case s.Object.Codec != "" || !r.lines: // all of a compressed object, or records that end with the section
		return from, to, false
	case from > 0:
		from--
	}
	return from, to, to < s.Object.Size
}

// all returns how many requests read all of the section.
func (r *reading) all() int64 {
	if r.whole() {
		return 1
	}
	from, to, behind := r.bounds()
	n := r.store.stream(to - from)
	if behind {
		n++
		if r.section.Object.Sum != (plan.Checksum{}) {
			n++ // what nothing else tells to be right is read twice
		}
	}
	return n
}

// sampled returns how many requests read at most so many records of a section,
// of so many bytes each: the first range, then ranges behind it that double.
func (r *reading) sampled(records, size int64) int64 {
	if r.whole() {
		return 1
	}
	from, to, behind := r.bounds()
	need := to - from
	if behind {
		need++
	}
	if most := records * size; most < need {
		need = most
		if !r.lines {
			need = min(ceil(most, scanBuffer)*scanBuffer, to-from)
		}
	}
	had, more := min(to-from, executor.SampleFirst), int64(executor.BehindSection)
	n := int64(1)
	for ; had < need; more *= 2 {
		had += more
		n++
	}
	return n
}
