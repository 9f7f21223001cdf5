package forecast

import (
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/executor"
)

// scanBuffer is the number of bytes that readers of records read at a time.
const scanBuffer = 256 << 10

// reading is a section that a task reads.
type reading struct {
	store   Store
	section *plan.Section
	Input
}

// follows reports whether the last record of a section can end after it.
func (r *reading) follows() bool { return r.Lines || r.Headed || r.Probing }

// whole reports whether one request fetches the section, ahead of its turn.
func (r *reading) whole() bool {
	s := r.section
	return r.store.Remote && s.Length == s.Object.Size && s.Object.Size <= executor.OneRequest
}

// bounds returns the range of the object that is read for the section, and whether
// the object is read beyond it. Records of a plain section that ends before its
// object can end after the section. The byte before a section of lines shows
// whether a line begins with the section.
func (r *reading) bounds() (from, to int64, behind bool) {
	s := r.section
	from, to = s.Offset, s.Offset+s.Length
	switch {
	case s.Part():
		return from, to, to < s.Object.Size
	case s.Object.Codec != "" || !r.follows(): // all of a compressed object, or records that end with the section
		return from, to, false
	case from > 0:
		from--
	}
	return from, to, to < s.Object.Size
}

// head returns the number of requests that read the beginning of the object, and bytes
// where the section begins.
func (r *reading) head() (n int64) {
	if r.section.Offset == 0 || r.section.Object.Codec != "" {
		return 0
	}
	if r.Headed {
		n += r.unchecked()
	}
	if r.Probing {
		n += r.unchecked()
	}
	return n
}

// unchecked returns the number of requests for bytes that no checksum of a section covers:
// they are read twice where the store keeps one.
func (r *reading) unchecked() int64 {
	if r.section.Object.Sum != (plan.Checksum{}) {
		return 2
	}
	return 1
}

// all returns the number of requests that read all of the section.
func (r *reading) all() int64 {
	switch {
	case r.section.Object.Size == 0:
		return 0
	case r.Scattered || r.whole():
		return 1
	}
	from, to, behind := r.bounds()
	n := r.store.stream(to-from) + r.head()
	if behind {
		n += r.unchecked()
		if r.Probing {
			n += r.unchecked()
		}
	}
	return n
}

// sampled returns the number of requests that read at most so many records of a
// section, of so many bytes each: the first range, then ranges after it that
// double.
func (r *reading) sampled(records, size int64) int64 {
	switch {
	case r.section.Object.Size == 0:
		return 0
	case r.Scattered || r.whole():
		return 1
	}
	from, to, behind := r.bounds()
	need := to - from
	if behind {
		need++
	}
	if most := records * size; most < need {
		need = most
		if !r.follows() {
			need = min(ceil(most, scanBuffer)*scanBuffer, to-from)
		}
	}
	had, more := min(to-from, executor.SampleFirst), int64(executor.BehindSection)
	n := 1 + r.head()
	for ; had < need; more *= 2 {
		had += more
		n++
	}
	return n
}
