package output

import (
	"context"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store"
)

// CommitIf is Commit for parts that are judged before. judge gets how many records the
// job of the last commit made, a negative number where there is none; it must depend on
// nothing else that can change. If it returns an error of the kind plan.Unmet, the parts are
// staged: they stay beside the contents, which stay as they were, and the job's hold
// ends. Publish makes them the contents, and Discard removes them. CommitIf returns every error of
// judge.
func (h *Hold) CommitIf(ctx context.Context, parts []plan.Part, judge func(earlier int64) error) (*Manifest, error) {
	if err := h.consider(ctx, parts, judge); err != nil {
		return nil, err
	}
	return h.Commit(ctx, parts)
}

// consider judges parts that are not committed, and stages them if need be.
func (h *Hold) consider(ctx context.Context, parts []plan.Part, judge func(earlier int64) error) error {
	if err := h.turn.take(ctx); err != nil {
		return err
	}
	defer h.turn.give()
	if _, ended := h.position(); ended && !h.staged {
		return nil
	}
	err := judge(h.earlier())
	if plan.KindOf(err) != plan.Unmet {
		return err
	}
	err = fmt.Errorf("%w; the output is staged: windrow cat --staged %s prints it, and windrow publish or windrow discard decides what becomes of it", err, h.root.URL())
	if h.staged {
		return err
	}
	m := h.manifest(parts)
	c, failed := h.writeManifest(ctx, m)
	if failed != nil {
		return failed
	}
	s := state{Newest: h.state.Newest, Staged: c, Garbage: h.state.Garbage}
	if old := h.state.Staged; old != nil {
		s.Garbage = addGarbage(s.Garbage, token(old.Job, old.Run))
	}
	won, winner, failed := h.append(ctx, entryStage, s)
	switch {
	case failed != nil:
		return failed
	case won:
	case h.own(winner): // an earlier try, by a master whose job was published since
		h.committedAs(winner)
		return nil
	case winner.Kind == entryStage && winner.Job == h.req.Job && winner.Run == h.req.Run: // whose answer was lost
		h.state = winner.State
		h.advance(true)
	default:
		return h.lost(winner)
	}
	h.staged, h.built = true, m
	return err
}

// earlier returns how many records the job of the contents made; -1 for none. A replay
// completes what the job made whose bad records it read.
func (h *Hold) earlier() int64 {
	if h.base == nil {
		return -1
	}
	of := []plan.JobID{h.base.Job}
	for _, r := range slices.Backward(h.state.Newest.Replays) { // each is after the job that it replays
		if slices.Contains(of, r.By) {
			of = append(of, r.Of)
		}
	}
	return h.base.only(func(p *plan.Part) bool {
		return !p.IsQuarantine() && slices.ContainsFunc(of, func(id plan.JobID) bool { return isOf(p, id) })
	}).Records
}

// stagedBy says what is to do about staged parts.
func (c *Commit) stagedBy() string {
	return fmt.Sprintf("job %s staged %s there on %s, which did not meet its expectations", c.Job, plural.Of(c.Parts, "part"), c.Time.Local().Format(timeFormat))
}

// ReadStaged returns the manifest of staged parts: the contents as they would be if the
// parts were published. If there are none, the error is of the kind plan.NotFound.
func ReadStaged(ctx context.Context, root *store.Root) (*Manifest, error) {
	s, _, err := readState(ctx, root)
	if err != nil {
		return nil, err
	}
	if s.Staged == nil {
		return nil, notStaged(root)
	}
	return readManifest(ctx, root, s.Staged)
}

func notStaged(root *store.Root) error {
	return fmt.Errorf("output %s: %w", root.URL(), errNotStaged)
}

var errNotStaged error = nothingStaged{}

type nothingStaged struct{}

func (nothingStaged) Error() string {
	return "nothing is staged there: every job met its expectations, or what it made was published, discarded or replaced"
}
func (nothingStaged) FailureKind() plan.Kind { return plan.NotFound }

// Publish makes staged parts the contents, and returns their manifest. Job is the one
// that staged them; "" stands for any. Parts that were published already stay so. A
// *Conflict means that a job is writing the output.
func Publish(ctx context.Context, root *store.Root, job plan.JobID) (*Manifest, error) {
	return decide(ctx, root, job, true)
}

// Discard removes staged parts, and returns their manifest. The contents stay as they
// are. See Publish.
func Discard(ctx context.Context, root *store.Root, job plan.JobID) (*Manifest, error) {
	return decide(ctx, root, job, false)
}

func decide(ctx context.Context, root *store.Root, job plan.JobID, publish bool) (*Manifest, error) {
	for {
		s, next, err := readState(ctx, root)
		if err != nil {
			return nil, err
		}
		c := s.Staged
		switch {
		case c == nil && publish && job != "" && s.Newest != nil && s.Newest.Job == job:
			c = s.Newest // an earlier try, which may have ended before its clean-up
			m, err := readManifest(ctx, root, c)
			if err != nil || s.Holder != nil {
				return m, err
			}
			return m, settled(ctx, root, s, next, m)
		case c == nil:
			return nil, notStaged(root)
		case job != "" && c.Job != job:
			return nil, &Conflict{root.URL(), fmt.Sprintf("it is job %s that staged parts there, and not %s: name that job, or the output", c.Job, job)}
		case s.Holder != nil:
			return nil, &Conflict{root.URL(), fmt.Sprintf("job %s is writing it since %s on %s; wait for it, or stop it", s.Holder.Job, s.Holder.Time.Local().Format(timeFormat), s.Holder.Host)}
		}
		m, err := readManifest(ctx, root, c)
		if err != nil {
			return nil, err
		}
		won, after, err := s.decided(ctx, root, next, m, publish)
		if err != nil {
			return nil, err
		}
		if won {
			return m, settled(ctx, root, after, next+1, m)
		}
	}
}

// decided appends the entry that publishes or discards staged parts.
func (s state) decided(ctx context.Context, root *store.Root, slot uint64, m *Manifest, publish bool) (won bool, after state, err error) {
	c, kind := *s.Staged, entryRelease
	after = state{Newest: s.Newest, Garbage: s.Garbage}
	if publish {
		kind = entryCommit
		c.Slot = slot
		after.Newest = &c
		if m.Mode == Replace && s.Newest != nil {
			base, err := readManifest(ctx, root, s.Newest)
			if err != nil {
				return false, after, err
			}
			for _, t := range base.tokens() {
				after.Garbage = addGarbage(after.Garbage, t)
			}
		}
	} else {
		after.Garbage = addGarbage(after.Garbage, token(c.Job, c.Run))
	}
	won, _, err = appendEntry(ctx, root, slot, entry{Kind: kind, Job: c.Job, Run: c.Run, State: after})
	return won, after, err
}

// settled writes _SUCCESS, and removes parts that are no longer needed, after a decision.
// Next is the slot after the state.
func settled(ctx context.Context, root *store.Root, s state, next uint64, staged *Manifest) error {
	h := &Hold{root: root, state: s, next: next, ended: true, turn: make(turn, 1), deep: true}
	contents := staged
	if s.Newest == nil {
		contents = nil
	} else if s.Newest.Job != staged.Job || s.Newest.Run != staged.Run {
		var err error
		if contents, err = readManifest(ctx, root, s.Newest); err != nil {
			return err
		}
	}
	if s.Newest != nil && s.Staged == nil {
		if err := markUnder(ctx, root, s.Newest, next); err != nil {
			return err
		}
	}
	kept := []string{}
	for _, c := range []*Commit{s.Newest, s.Staged} {
		if c != nil {
			kept = append(kept, c.Manifest)
		}
	}
	if _, taken, err := readSlot(ctx, root, next); err != nil || taken {
		return err // another job writes: it removes the rest
	}
	if err := h.sweep(ctx, contents, ""); err != nil {
		return err
	}
	return root.DeleteAll(ctx, manifestDir, func(key string) bool {
		return !slices.Contains(kept, key) && manifestSlot(key) < next
	})
}
