package embedded

import (
	"cmp"
	"slices"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/executor"
)

// sums holds objects that several map tasks read, a section each, against the
// checksums that stores keep of them. A section alone has nothing to be held
// against; all of them together have. Whoever calls it keeps calls apart.
type sums struct {
	objects map[plan.Object]*pieces
	tasks   [][]*pieces // by map task
}

// pieces are the sections of one object.
type pieces struct {
	object plan.Object
	list   []piece
	left   int // not read yet
}

type piece struct {
	section plan.Section
	task    int // map task that reads it
	index   int // of the section in the task's split
	read    bool
	sum     plan.SectionSum
	attempt plan.AttemptID
}

// newSums finds the objects of which the store keeps a checksum and that are
// read in several sections.
func newSums(splits []plan.Split) *sums {
	s := &sums{objects: map[plan.Object]*pieces{}, tasks: make([][]*pieces, len(splits))}
	for t := range splits {
		for i, section := range splits[t].Sections {
			if section.Object.Sum == (plan.Checksum{}) || section.Length == section.Object.Size {
				continue
			}
			p := s.objects[section.Object]
			if p == nil {
				p = &pieces{object: section.Object}
				s.objects[section.Object] = p
			}
			p.list = append(p.list, piece{section: section, task: t, index: i})
			p.left++
			if n := len(s.tasks[t]); n == 0 || s.tasks[t][n-1] != p {
				s.tasks[t] = append(s.tasks[t], p)
			}
		}
	}
	for _, p := range s.objects {
		slices.SortFunc(p.list, func(a, b piece) int { return cmp.Compare(a.section.Offset, b.section.Offset) })
	}
	return s
}

// misread is what reports of a map task brought to light: an object was read
// with other bytes than the store keeps. One of the attempts is to blame, and
// nobody knows which.
type misread struct {
	err    error
	others []scheduler.Corrupt // those that have read the rest of it
}

// add takes the sums of a map attempt that has finished. It returns what they
// bring to light, nil mostly. Then the object's sections must all be read again.
func (s *sums) add(m *plan.Manifest) *misread {
	if m.Task.Phase != plan.Map || m.Task.Index >= len(s.tasks) {
		return nil
	}
	for _, p := range s.tasks[m.Task.Index] {
		if bad := p.add(m); bad != nil {
			return bad
		}
	}
	return nil
}

func (p *pieces) add(m *plan.Manifest) *misread {
	for i := range p.list {
		c := &p.list[i]
		if c.task != m.Task.Index {
			continue
		}
		if !c.read {
			c.read = true
			p.left--
		}
		c.sum, c.attempt = plan.SectionSum{}, m.Attempt
		if c.index < len(m.Sums) {
			c.sum = m.Sums[c.index]
		}
	}
	if p.left > 0 {
		return nil
	}
	return p.check(m)
}

// check puts the sums of all sections together.
func (p *pieces) check(last *plan.Manifest) *misread {
	parts, lengths := make([]plan.SectionSum, len(p.list)), make([]int64, len(p.list))
	var end int64
	for i, c := range p.list {
		if c.sum.Algorithm != p.object.Sum.Algorithm || c.section.Offset != end {
			return nil // a section was not read from end to end: nobody can tell
		}
		parts[i], lengths[i] = c.sum, c.section.Length
		end += c.section.Length
	}
	got, agree := executor.CombineSums(parts, lengths)
	if end != p.object.Size || got == p.object.Sum && agree {
		return nil
	}
	bad := &misread{err: executor.Misread(p.object, got)}
	for i := range p.list {
		c := &p.list[i]
		c.read = false
		id := plan.TaskID{Phase: plan.Map, Index: c.task}
		if id != last.Task && !slices.ContainsFunc(bad.others, func(o scheduler.Corrupt) bool { return o.Task == id }) {
			bad.others = append(bad.others, scheduler.Corrupt{Task: id, Attempt: c.attempt, Text: bad.err.Error()})
		}
	}
	p.left = len(p.list)
	return bad
}
