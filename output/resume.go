package output

import (
	"context"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Resume returns the hold of a run that has reserved the output before, in
// another process perhaps: of a job whose master has changed. A run that has
// committed gets a hold that knows. One that never reserved the output, or has
// released it, gets nil; one from which it was taken over, a *Conflict.
//
// Two processes may hold an output for one run: what they append is the same.
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
	case !slices.Contains(s.Garbage, token(req.Job, req.Run)):
		return nil, nil
	case s.Holder != nil:
		return nil, &Conflict{root.URL(), fmt.Sprintf("job %s took it over from this job, %s, which showed no sign of life", s.Holder.Job, req.Job)}
	default:
		// It was released; whoever did that may have died before the parts went.
		return nil, h.sweep(ctx, nil)
	}
	if s.Newest != nil {
		h.before = append(h.before, s.Newest.Job)
		if h.base, err = readManifest(ctx, root, s.Newest); err != nil {
			return nil, err
		}
	}
	// Whoever reserved it may have died before this was done.
	return h, h.recover(ctx, nil)
}

// Committed tells whether a run has ever committed the output at root, whoever
// has written to it since. It reads the log backwards to the run's own entries,
// which must be there for it to be quick.
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
			return false, fmt.Errorf("output %s: entry %d of its log cannot be found; try again", root.URL(), slot-1)
		case e.Job == job && e.Run == run:
			return e.Kind == "commit", nil
		}
	}
	return false, nil
}
