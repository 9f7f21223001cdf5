package output

import (
	"context"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Resume returns the hold of a run that has reserved the output before, perhaps
// in another process, as after a change of a job's master. The hold of a run
// that has committed knows that. A run that never reserved the output, or has
// released it, gets nil. A run that has lost the output gets a *Conflict.
//
// Two processes may hold an output for one run: they append the same entries.
func Resume(ctx context.Context, root *store.Root, req Request) (*Hold, error) {
	req = req.withDefaults(root)
	s, next, err := readState(ctx, root)
	if err != nil {
		return nil, err
	}
	h := &Hold{root: root, req: req, next: next, turn: make(turn, 1), state: s}
	own := func(e entry) bool { return e.Job == req.Job && e.Run == req.Run }
	switch {
	case s.Newest != nil && own(entry{Job: s.Newest.Job, Run: s.Newest.Run}):
		h.self, h.ended = Holder{Job: req.Job, Run: req.Run, Slot: s.Newest.Slot}, true
		h.built, err = readManifest(ctx, root, s.Newest)
		return h, err
	case s.Holder != nil && own(entry{Job: s.Holder.Job, Run: s.Holder.Run}):
		h.self = *s.Holder
	case s.Staged != nil && own(entry{Job: s.Staged.Job, Run: s.Staged.Run}):
		h.self, h.ended, h.staged = Holder{Job: req.Job, Run: req.Run, Slot: s.Staged.Slot}, true, true
		if s.Newest != nil { // by which its parts are judged again
			h.base, err = readManifest(ctx, root, s.Newest)
		}
		return h, err
	case !slices.Contains(s.Garbage, token(req.Job, req.Run)):
		return nil, nil
	case s.Holder != nil:
		return nil, &Conflict{root.URL(), fmt.Sprintf("job %s took it over from this job, %s, which showed no sign of life", s.Holder.Job, req.Job)}
	default:
		// It was released. The process that released it may have died before it
		// deleted the parts.
		return nil, h.sweep(ctx, nil, "")
	}
	if s.Newest != nil {
		h.before = append(h.before, s.Newest.Job)
		if h.base, err = readManifest(ctx, root, s.Newest); err != nil {
			return nil, err
		}
	}
	// The process that reserved it may have died before it did this. The directory was
	// not listed here, so its parts may lie anywhere.
	h.deep = true
	return h, h.recover(ctx, nil)
}

// Committed reports whether a run has ever committed the output at root, also
// when other jobs have written to it since. It reads the log backwards to the
// run's own entries. Without those it is slow.
func Committed(ctx context.Context, root *store.Root, job plan.JobID, run int) (bool, error) {
	_, next, err := readState(ctx, root)
	if err != nil {
		return false, err
	}
	for slot := next; slot > 0; slot-- {
		e, ok, err := readSlot(ctx, root, slot-1)
		switch {
		case err != nil:
			return false, err
		case !ok:
			return false, unsettled(fmt.Sprintf("output %s: entry %d of its log cannot be found; try again", root.URL(), slot-1))
		case e.Job == job && e.Run == run:
			return e.Kind == entryCommit, nil
		}
	}
	return false, nil
}
