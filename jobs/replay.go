package jobs

import (
	"context"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
)

// listed are the records of a section that a replay reads. The Reader reads all, and the
// engine takes those that begin where an earlier job has left one out.
type listed struct {
	offsets []int64
	taken   []bool
	left    int // not taken yet
}

// newListed returns the list of a section, nil if all records are read.
func newListed(s *pipeline.Section) *listed {
	if s.Only == nil {
		return nil
	}
	return &listed{offsets: s.Only, taken: make([]bool, len(s.Only)), left: len(s.Only)}
}

// takes reports whether the record at the task's position is listed. An error says why the
// Reader must stop.
func (l *listed) takes(r *run) (bool, error) {
	at := r.ctx.Position()
	i, found := slices.BinarySearch(l.offsets, at.Offset)
	switch {
	case r.stopped.Load():
		return false, context.Cause(r.ctx)
	case !found:
		return false, nil
	case l.taken[i]:
		return false, &pipeline.ReplayError{Text: fmt.Sprintf("two records begin at %s, where one was quarantined: its reader does not distinguish them, and it cannot be replayed; %s",
			positionText(r.ctx.section, r.ctx.where), pipeline.ReplayAll)}
	}
	l.taken[i] = true
	l.left--
	return true, nil
}

// missing returns an error if a listed record was not found.
func (l *listed) missing(object string) error {
	if l == nil || l.left == 0 {
		return nil
	}
	return &pipeline.ReplayError{Text: fmt.Sprintf("no record begins at byte %d of %s, where one was quarantined: the object has changed, or the program divides it into other records; %s",
		l.offsets[slices.Index(l.taken, false)], object, pipeline.ReplayAll)}
}
