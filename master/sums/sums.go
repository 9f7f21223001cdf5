// Package sums holds input objects that several map tasks read, a section each,
// against the checksums that stores keep of them. A section alone has nothing
// to be held against; all of them together have.
//
// Whoever hears of finished attempts has a Book of the job: an embedded run, or
// the master of a cluster. The caller keeps calls apart. Nothing here fails:
// what cannot be told counts as right.
package sums

import (
	"cmp"
	"slices"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/plan"
)

// Book has what is known of the objects of one job.
type Book struct {
	objects map[plan.Object]*pieces
	tasks   [][]*pieces // by map task
}

// Ref names an attempt of the job.
type Ref struct {
	Task    plan.TaskID
	Attempt plan.AttemptID
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

// New finds the objects of which the store keeps a checksum and that are
// read in several sections.
func New(splits []plan.Split) *Book {
	b := &Book{objects: map[plan.Object]*pieces{}, tasks: make([][]*pieces, len(splits))}
	for t := range splits {
		for i, section := range splits[t].Sections {
			if section.Object.Sum == (plan.Checksum{}) || section.Length == section.Object.Size {
				continue
			}
			p := b.objects[section.Object]
			if p == nil {
				p = &pieces{object: section.Object}
				b.objects[section.Object] = p
			}
			p.list = append(p.list, piece{section: section, task: t, index: i})
			p.left++
			if n := len(b.tasks[t]); n == 0 || b.tasks[t][n-1] != p {
				b.tasks[t] = append(b.tasks[t], p)
			}
		}
	}
	for _, p := range b.objects {
		slices.SortFunc(p.list, func(a, b piece) int { return cmp.Compare(a.section.Offset, b.section.Offset) })
	}
	return b
}

// Misread says that an object was read with other bytes than the store keeps.
// One of the attempts that read it is to blame, and nobody knows which.
type Misread struct {
	Err    error
	Others []Ref // those that have read the rest of it
}

// Add takes what a map attempt that has finished has read of its sections, as in
// its manifest. It returns what this brings to light, nil mostly. Then the
// object's sections must all be read again, those of this attempt too.
func (b *Book) Add(task plan.TaskID, id plan.AttemptID, read []plan.SectionSum) *Misread {
	if task.Phase != plan.Map || task.Index < 0 || task.Index >= len(b.tasks) {
		return nil
	}
	for _, p := range b.tasks[task.Index] {
		if bad := p.add(Ref{task, id}, read); bad != nil {
			return bad
		}
	}
	return nil
}

// Needs tells whether what a map attempt has read says anything of an object.
func (b *Book) Needs(task plan.TaskID) bool {
	return task.Phase == plan.Map && task.Index >= 0 && task.Index < len(b.tasks) && len(b.tasks[task.Index]) > 0
}

func (p *pieces) add(by Ref, read []plan.SectionSum) *Misread {
	for i := range p.list {
		c := &p.list[i]
		if c.task != by.Task.Index {
			continue
		}
		if !c.read {
			c.read = true
			p.left--
		}
		c.sum, c.attempt = plan.SectionSum{}, by.Attempt
		if c.index < len(read) {
			c.sum = read[c.index]
		}
	}
	if p.left > 0 {
		return nil
	}
	return p.check(by)
}

// check puts the sums of all sections together.
func (p *pieces) check(last Ref) *Misread {
	parts, lengths := make([]plan.SectionSum, len(p.list)), make([]int64, len(p.list))
	var end int64
	for i, c := range p.list {
		if c.sum.Algorithm != p.object.Sum.Algorithm || c.section.Offset != end {
			return nil // a section was not read from end to end: nobody can tell
		}
		parts[i], lengths[i] = c.sum, c.section.Length
		end += c.section.Length
	}
	got, agree := attempts.CombineSums(parts, lengths)
	if end != p.object.Size || got == p.object.Sum && agree {
		return nil
	}
	bad := &Misread{Err: attempts.Misread(p.object, got)}
	for i := range p.list {
		c := &p.list[i]
		c.read = false
		id := plan.TaskID{Phase: plan.Map, Index: c.task}
		if id != last.Task && !slices.ContainsFunc(bad.Others, func(o Ref) bool { return o.Task == id }) {
			bad.Others = append(bad.Others, Ref{id, c.attempt})
		}
	}
	p.left = len(p.list)
	return bad
}
