package output

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Begin must be called before the job's first part becomes visible. It removes
// _SUCCESS, so that a tool that waits for it never reads old and new parts
// together. It may be called again. A *Conflict means that the output belongs
// to another job now.
func (h *Hold) Begin(ctx context.Context) error {
	if err := h.turn.take(ctx); err != nil {
		return err
	}
	defer h.turn.give()
	if h.opened {
		return nil
	}
	next, ended := h.position()
	e, taken, err := readSlot(ctx, h.root, next)
	switch {
	case err != nil:
		return err
	case ended || taken && h.own(e):
		return nil // the contents are committed, and marked
	case taken:
		return h.lost(e)
	}
	if err := h.root.Delete(ctx, SuccessName); err != nil {
		return err
	}
	// This process may have been stopped in between: another one may have taken the
	// output over and committed, and its mark may be what was deleted.
	if e, taken, err = readSlot(ctx, h.root, next); err != nil {
		return err
	}
	if taken {
		if err := settleMark(ctx, h.root); err != nil || h.own(e) {
			return err
		}
		return h.lost(e)
	}
	h.opened = true
	return nil
}

// Before returns the jobs that may have left temporary data elsewhere: the job
// of the contents, and the job that held the output before.
func (h *Hold) Before() []plan.JobID { return h.before }

// Dead returns the job from which the output was taken over, nil for none.
func (h *Hold) Dead() *Holder { return h.dead }

// stillHeld returns a *Conflict when another job has the next slot.
func (h *Hold) stillHeld(ctx context.Context) error {
	next, ended := h.position()
	if ended {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	h.looks.Add(1)
	e, taken, err := readSlot(ctx, h.root, next)
	if err == nil && taken && (e.Job != h.req.Job || e.Run != h.req.Run) {
		return h.lost(e)
	}
	return err
}

// Keep shows signs of life until ctx ends, the first at once. It returns a
// *Conflict when another job has taken the output over. It tolerates a store
// that fails for a while.
func (h *Hold) Keep(ctx context.Context) error {
	tick := time.NewTicker(h.req.Beat)
	defer tick.Stop()
	for n := 1; ; n++ {
		if _, ended := h.position(); ended {
			return nil
		}
		// An error here, if it lasts, fails the job elsewhere. A request that
		// hangs must not delay the next one.
		beating, cancel := context.WithTimeout(ctx, h.req.Patience/3)
		_ = h.root.Put(beating, beatKey(h.self.Slot), strconv.AppendInt(nil, int64(n), 10), store.Heartbeat)
		err := h.stillHeld(beating)
		cancel()
		if isConflict(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *Hold) lost(by entry) error {
	return &Conflict{h.root.URL(), fmt.Sprintf("job %s took it over from this job, %s, which showed no sign of life; this run was not committed", by.Job, h.req.Job)}
}

// Commit makes parts the contents of the output and returns their manifest. In
// mode Append, the contents also keep the earlier parts. An error beside a
// manifest means that the contents are committed, and only _SUCCESS could not
// be written. Without a manifest Commit may be called again. A *Conflict means
// that the job will never be able to commit.
func (h *Hold) Commit(ctx context.Context, parts []plan.Part) (*Manifest, error) {
	if err := h.turn.take(ctx); err != nil {
		return nil, err
	}
	defer h.turn.give()
	if h.built == nil {
		h.built = h.manifest(parts)
	}
	if _, ended := h.position(); !ended {
		if err := h.commit(ctx, h.built); err != nil {
			return nil, err
		}
	}
	return h.built, h.mark(ctx)
}

// mark writes _SUCCESS for the contents that the job has committed. It does not
// if the output belongs to another job now: that one saw that it was missing,
// and may have removed it.
func (h *Hold) mark(ctx context.Context) error {
	next, _ := h.position()
	_, taken, err := readSlot(ctx, h.root, next)
	if err != nil || taken || h.state.Holder != nil {
		return err
	}
	return markUnder(ctx, h.root, h.state.Newest, next)
}

// markUnder writes _SUCCESS for contents on which a slot of the log is free. If it is
// taken afterwards, another job may have begun to change the contents before this
// process, which may have been stopped, wrote the mark.
func markUnder(ctx context.Context, root *store.Root, c *Commit, next uint64) error {
	if err := mark(ctx, root, c); err != nil {
		return err
	}
	_, taken, err := readSlot(ctx, root, next)
	if err == nil && taken {
		err = settleMark(ctx, root)
	}
	return err
}

// settleMark makes _SUCCESS right for the newest state of the log: there are contents
// and no job may change them, or it is not there. Every process that finds out that it
// wrote or deleted the mark too late calls it, so that the last one leaves it right.
func settleMark(ctx context.Context, root *store.Root) error {
	for {
		s, next, err := readState(ctx, root)
		switch {
		case err != nil:
		case s.Holder != nil, s.Staged != nil: // staged parts lie beside the contents
			err = root.Delete(ctx, SuccessName)
		case s.Newest != nil:
			err = mark(ctx, root, s.Newest)
		}
		if err != nil {
			return err
		}
		if _, taken, err := readSlot(ctx, root, next); err != nil || !taken {
			return err
		}
	}
}

// mark writes _SUCCESS for contents.
func mark(ctx context.Context, root *store.Root, c *Commit) error {
	body, err := json.Marshal(struct {
		Job      plan.JobID `json:"job"`
		Manifest string     `json:"manifest"`
		Parts    int        `json:"parts"`
		Records  int64      `json:"records"`
	}{c.Job, c.Manifest, c.Parts, c.Records})
	if err != nil {
		return err
	}
	return root.Put(ctx, SuccessName, append(body, '\n'), store.Durable)
}

func (h *Hold) manifest(parts []plan.Part) *Manifest {
	m := &Manifest{Version: manifestVersion, Job: h.req.Job, Name: h.req.Name, Run: h.req.Run, Mode: h.req.Mode, Time: h.req.Now().UTC()}
	if h.base != nil && h.req.Mode == Append {
		m.Parts = slices.Clone(h.base.Parts)
	}
	m.Parts = append(m.Parts, parts...)
	data := m.Data()
	m.Records, m.Bytes = data.Records, data.Bytes
	return m
}

// writeManifest writes a manifest for the next entry.
func (h *Hold) writeManifest(ctx context.Context, m *Manifest) (*Commit, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > maxManifest {
		return nil, &Conflict{h.root.URL(), fmt.Sprintf("its %d parts are more than a manifest can list: use another --out", len(m.Parts))}
	}
	slot, _ := h.position()
	c := &Commit{Job: h.req.Job, Run: h.req.Run, Slot: slot, Size: int64(len(body)), CRC32C: checksum.SumCRC32C(body),
		Manifest: fmt.Sprintf("%s%020d.%s.%s.json", manifestDir, slot, h.req.Job, strings.ToLower(rand.Text()[:8])),
		Parts:    plan.DataParts(m.Parts), Records: m.Records, Time: m.Time, Replays: h.replays()}
	return c, h.write(ctx, c.Manifest, body)
}

// commit appends the entry that makes a manifest the contents. Staged parts of another job
// no longer can be: they belong to the contents before.
func (h *Hold) commit(ctx context.Context, m *Manifest) error {
	c, err := h.writeManifest(ctx, m)
	if err != nil {
		return err
	}
	s := state{Newest: c, Garbage: h.state.Garbage}
	if old := h.state.Staged; old != nil {
		s.Garbage = addGarbage(s.Garbage, token(old.Job, old.Run))
	}
	if h.req.Mode == Replace {
		for _, t := range h.base.tokens() {
			s.Garbage = addGarbage(s.Garbage, t)
		}
	}
	won, winner, err := h.append(ctx, entryCommit, s)
	switch {
	case err != nil:
		return err
	case won:
		return nil
	case h.own(winner):
		h.committedAs(winner)
		return nil
	default:
		return h.lost(winner)
	}
}

// own reports whether an entry is this job's commit: an earlier try, whose
// answer was lost.
func (h *Hold) own(e entry) bool {
	return e.Kind == entryCommit && e.Job == h.req.Job && e.Run == h.req.Run
}

//go:noinline
func (h *Hold) committedAs(e entry) {
	h.state = e.State
	h.advance(true)
}

// write creates an object that only this job writes.
func (h *Hold) write(ctx context.Context, key string, body []byte) error {
	w, err := h.root.Create(ctx, key, store.CreateOptions{})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Commit()
}

// Committed reads in the log whether the job has committed, and returns the
// manifest if so, else nil. After an error of Commit it may have.
func (h *Hold) Committed(ctx context.Context) (*Manifest, error) {
	if err := h.turn.take(ctx); err != nil {
		return nil, err
	}
	defer h.turn.give()
	next, ended := h.position()
	switch {
	case h.staged:
		return nil, nil
	case ended:
		return h.built, nil
	}
	e, taken, err := readSlot(ctx, h.root, next)
	if err != nil || !taken || !h.own(e) {
		return nil, err
	}
	h.committedAs(e)
	return h.built, nil
}

// Release gives the output up. It deletes the job's parts, and the contents
// stay as they were. A job that has committed, even unknowingly, keeps its
// parts, and so does one that has staged them. A job that lost the output deletes only its
// own parts.
func (h *Hold) Release(ctx context.Context) error {
	if m, err := h.Committed(ctx); err != nil || m != nil {
		return err
	}
	if err := h.turn.take(ctx); err != nil {
		return err
	}
	defer h.turn.give()
	if h.staged {
		return h.root.Delete(ctx, beatKey(h.self.Slot))
	}
	if _, ended := h.position(); ended {
		return h.sweep(ctx, nil, "") // an earlier try may have stopped before this
	}
	s := h.state
	s.Garbage = addGarbage(s.Garbage, token(h.req.Job, h.req.Run))
	s.Holder = nil
	if s.Newest != nil && s.Staged == nil && h.stillHeld(ctx) == nil {
		// Perhaps only an earlier process knows whether the mark was removed.
		if err := mark(ctx, h.root, s.Newest); err != nil {
			return err
		}
	}
	// The entry precedes the deletion of parts: a commit of this job that is
	// still under way must not find its slot free.
	won, winner, err := h.append(ctx, entryRelease, s)
	if err != nil {
		return err
	}
	if !won && h.own(winner) {
		// The log did not show it a moment ago: the parts are contents.
		h.committedAs(winner)
		return nil
	}
	h.state.Garbage = s.Garbage
	if err := h.sweep(ctx, nil, ""); err != nil {
		return err
	}
	if !won { // another job holds it: this job has nothing to give up but the mark
		return settleMark(ctx, h.root)
	}
	return h.root.Delete(ctx, beatKey(h.self.Slot))
}

// Clean removes what a committed job leaves behind: parts and manifests that
// are no longer contents, and the sign of life. It runs after _SUCCESS is
// written, so that readers do not wait for it.
func (h *Hold) Clean(ctx context.Context) error {
	if err := h.turn.take(ctx); err != nil {
		return err
	}
	defer h.turn.give()
	if err := h.root.Delete(ctx, beatKey(h.self.Slot)); err != nil {
		return err
	}
	newest := h.state.Newest // whose manifest is older than its slot if it was published
	old := func(key string) bool { return key != newest.Manifest && manifestSlot(key) < newest.Slot }
	if err := h.root.DeleteAll(ctx, manifestDir, old); err != nil {
		return err
	}
	return h.sweep(ctx, h.built, h.partPrefix(h.built))
}

// manifestSlot returns the slot in a manifest's key, the greatest number for other keys.
func manifestSlot(key string) uint64 {
	var slot uint64
	if _, err := fmt.Sscanf(strings.TrimPrefix(key, manifestDir), "%d.", &slot); err != nil {
		return math.MaxUint64
	}
	return slot
}

// partPrefix returns what the keys of all parts begin with, as far as is known: jobs of
// several outputs have a directory for each.
func (h *Hold) partPrefix(contents *Manifest) string {
	if h.deep || contents != nil && slices.ContainsFunc(contents.Parts, func(p plan.Part) bool { return strings.Contains(p.Name, "/") }) {
		return ""
	}
	return "part-"
}

// sweep deletes the parts of jobs that are known not to be contents, and
// uncommitted parts of the jobs of the contents. Only names decide, and every
// job has its own. So parts of other jobs are safe, whichever job holds the
// output now. All keys of parts begin with prefix.
func (h *Hold) sweep(ctx context.Context, contents *Manifest, prefix string) error {
	live, tokens := contents.names(), contents.tokens()
	if len(h.state.Garbage)+len(tokens) == 0 {
		return nil
	}
	return h.root.DeleteAll(ctx, prefix, func(key string) bool {
		t := tokenOf(key)
		return !live[key] && !Hidden(strings.TrimPrefix(key, plan.QuarantineDir+"/")) && (slices.Contains(h.state.Garbage, t) || slices.Contains(tokens, t))
	})
}
