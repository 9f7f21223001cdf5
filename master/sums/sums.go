// Package sums compares input objects that several tasks read, a section
// each, with the checksums that stores keep of them. A section alone has no
// checksum to compare with; all sections together have.
//
// A process that receives the results of attempts has Checks of the job: an
// embedded run, or the master of a cluster. Calls must not overlap. Nothing
// here fails: an object without a complete checksum counts as right.
//
// It is part of the engine, and may change between minor versions.
package sums

import (
	"slices"
	"sort"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/plan"
)

// Checks holds the sums of the objects of one job.
type Checks struct {
	objects map[reading]*pieces
	table   *attempts.Table
	tasks   [][]*pieces   // by split
	ids     []plan.TaskID // of the tasks that read them
}

// reading is an object as the tasks of one group read it.
type reading struct {
	object plan.Object
	by     plan.Group
}

// Ref names an attempt of the job.
type Ref struct {
	Task    plan.TaskID
	Attempt plan.AttemptID
}

// pieces are the sections of one object.
type pieces struct {
	object plan.Object
	ids    []plan.TaskID // by split
	list   []piece
	left   int // not read yet
}

type piece struct {
	section plan.Section
	task    int // the place of its split
	index   int // of the section in the task's split
	read    bool
	sum     plan.SectionSum
	attempt plan.AttemptID
}

// New finds the objects that are read in several sections and of which the
// store keeps a checksum.
func New(table *attempts.Table) *Checks {
	splits := table.Splits
	c := &Checks{objects: map[reading]*pieces{}, table: table, tasks: make([][]*pieces, len(splits)), ids: table.Tasks()}
	for t := range splits {
		for i, section := range splits[t].Sections {
			if section.Object.Sum == (plan.Checksum{}) || section.Length == section.Object.Size {
				continue
			}
			of := reading{section.Object, c.ids[t].Group()}
			p := c.objects[of]
			if p == nil {
				p = &pieces{object: section.Object, ids: c.ids}
				c.objects[of] = p
			}
			p.list = append(p.list, piece{section: section, task: t, index: i})
			p.left++
			if n := len(c.tasks[t]); n == 0 || c.tasks[t][n-1] != p {
				c.tasks[t] = append(c.tasks[t], p)
			}
		}
	}
	for _, p := range c.objects {
		sort.Sort(byOffset(p.list))
	}
	return c
}

// byOffset sorts pieces. A slices.SortFunc of a struct as large is 40 kB of each job's
// program.
type byOffset []piece

func (p byOffset) Len() int           { return len(p) }
func (p byOffset) Less(i, j int) bool { return p[i].section.Offset < p[j].section.Offset }
func (p byOffset) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Misread says that an object was read with other bytes than the store keeps.
// One of the attempts that read it is to blame; it is unknown which.
type Misread struct {
	Err    error
	Others []Ref // the attempts that have read the rest of it
}

// Add takes the sums of a finished map attempt, as in its manifest. It returns a
// Misread if they complete an object that was read wrongly, and nil otherwise.
// Then all sections of the object must be read again, those of this attempt too.
func (c *Checks) Add(task plan.TaskID, id plan.AttemptID, read []plan.SectionSum) *Misread {
	place, ok := c.table.Split(task)
	if !ok {
		return nil
	}
	for _, p := range c.tasks[place] {
		if bad := p.add(Ref{task, id}, place, read); bad != nil {
			return bad
		}
	}
	return nil
}

// Needs reports whether the sums of a map attempt count for an object.
func (c *Checks) Needs(task plan.TaskID) bool {
	place, ok := c.table.Split(task)
	return ok && len(c.tasks[place]) > 0
}

func (p *pieces) add(by Ref, place int, read []plan.SectionSum) *Misread {
	for i := range p.list {
		c := &p.list[i]
		if c.task != place {
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

// check combines the sums of all sections.
func (p *pieces) check(last Ref) *Misread {
	parts, lengths := make([]plan.SectionSum, len(p.list)), make([]int64, len(p.list))
	var end int64
	for i, c := range p.list {
		if c.sum.Algorithm != p.object.Sum.Algorithm || c.section.Offset != end {
			return nil // a section was not read from end to end: there is no sum to compare
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
		id := p.ids[c.task]
		if id != last.Task && !slices.ContainsFunc(bad.Others, func(o Ref) bool { return o.Task == id }) {
			bad.Others = append(bad.Others, Ref{id, c.attempt})
		}
	}
	p.left = len(p.list)
	return bad
}
