package output

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Begin must be called before the job's first part becomes visible: it takes
// _SUCCESS away, so that a tool which waits for it never reads old and new
// parts together. It may be called again.
func (h *Hold) Begin(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opened {
		return nil
	}
	if err := h.root.Delete(ctx, SuccessName); err != nil {
		return err
	}
	h.opened = true
	return nil
}

// Keep shows signs of life until ctx ends, and returns a *Conflict when the
// output was taken over. A store that fails for a while is no reason to stop.
func (h *Hold) Keep(ctx context.Context) error {
	tick := time.NewTicker(h.req.Beat)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// What fails here fails the job elsewhere, if it lasts.
		_ = h.root.Put(ctx, beatKey(h.self.Slot), strconv.AppendInt(nil, int64(n), 10), store.Heartbeat)
		h.mu.Lock()
		next, ended := h.next, h.ended
		h.mu.Unlock()
		if ended {
			return nil
		}
		if e, ok, err := readSlot(ctx, h.root, next); err == nil && ok && e.Job != h.req.Job {
			return h.lost(e)
		}
	}
}

func (h *Hold) lost(by entry) error {
	return &Conflict{h.root.URL(), fmt.Sprintf("job %s took it over from this job, %s, which showed no sign of life; this run was not committed", by.Job, h.req.Job)}
}

// Commit makes parts, with the contents before if the mode is Append, the
// contents of the output. It may be called again after an error. A *Conflict
// means that the job will never be able to commit.
func (h *Hold) Commit(ctx context.Context, parts []plan.Part) (*Manifest, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.built == nil {
		h.built = h.manifest(parts)
	}
	if !h.ended {
		if err := h.commit(ctx, h.built); err != nil {
			return nil, err
		}
		h.ended = true
	}
	return h.built, h.mark(ctx)
}

// mark writes _SUCCESS for the contents.
func (h *Hold) mark(ctx context.Context) error {
	c := h.state.Newest
	body, err := json.Marshal(struct {
		Job      plan.JobID `json:"job"`
		Manifest string     `json:"manifest"`
		Parts    int        `json:"parts"`
		Records  int64      `json:"records"`
	}{c.Job, c.Manifest, c.Parts, c.Records})
	if err != nil {
		return err
	}
	return h.root.Put(ctx, SuccessName, append(body, '\n'), store.Durable)
}

func (h *Hold) manifest(parts []plan.Part) *Manifest {
	m := &Manifest{Version: entryVersion, Job: h.req.Job, Name: h.req.Name, Run: h.req.Run, Mode: h.req.Mode, Time: h.req.Now().UTC()}
	if h.base != nil && h.req.Mode == Append {
		m.Parts = slices.Clone(h.base.Parts)
	}
	m.Parts = append(m.Parts, parts...)
	for i := range m.Parts {
		m.Records += m.Parts[i].Records
		m.Bytes += m.Parts[i].Size
	}
	return m
}

// commit writes the manifest and the entry that makes it the contents.
func (h *Hold) commit(ctx context.Context, m *Manifest) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c := &Commit{Job: h.req.Job, Run: h.req.Run, Slot: h.next, Size: int64(len(body)), CRC32C: checksum(body),
		Manifest: fmt.Sprintf("%s%020d.%s.%s.json", manifestDir, h.next, h.req.Job, strings.ToLower(rand.Text()[:8])),
		Parts:    len(m.Parts), Records: m.Records, Time: m.Time}
	if err := h.write(ctx, c.Manifest, body); err != nil {
		return err
	}
	s := state{Newest: c, Garbage: h.state.Garbage}
	if h.base != nil && h.req.Mode == Replace {
		for i := range h.base.Parts {
			s.Garbage = addGarbage(s.Garbage, tokenOf(h.base.Parts[i].Name))
		}
	}
	won, winner, err := h.append(ctx, "commit", s)
	switch {
	case err != nil:
		return err
	case won:
		return nil
	case winner.Kind == "commit" && winner.Job == h.req.Job && winner.Run == h.req.Run:
		h.state = winner.State // an earlier try, whose answer was lost
		h.next++
		return nil
	default:
		return h.lost(winner)
	}
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

// Release gives the output up: the job's parts are deleted, and the contents
// stay what they were. After Commit, or when the output is another job's by
// now, it deletes the job's parts that are no contents and nothing more.
func (h *Hold) Release(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil
	}
	s := h.state
	s.Garbage = addGarbage(s.Garbage, token(h.req.Job, h.req.Run))
	h.state.Garbage = s.Garbage
	if err := h.sweep(ctx); err != nil {
		return err
	}
	s.Holder = nil
	_, taken, err := readSlot(ctx, h.root, h.next)
	if err != nil {
		return err
	}
	if h.opened && s.Newest != nil && !taken {
		if err := h.mark(ctx); err != nil {
			return err
		}
	}
	won, _, err := h.append(ctx, "release", s)
	if err != nil {
		return err
	}
	h.ended = true
	if !won {
		return nil // another job holds it: there is nothing to give up
	}
	return h.root.Delete(ctx, beatKey(h.self.Slot))
}

// Clean removes what a committed job leaves behind: parts and manifests that
// are contents no more, and the sign of life. It comes after _SUCCESS, so that nobody waits.
func (h *Hold) Clean(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.root.Delete(ctx, beatKey(h.self.Slot)); err != nil {
		return err
	}
	old := func(key string) bool {
		var slot uint64
		_, err := fmt.Sscanf(strings.TrimPrefix(key, manifestDir), "%d.", &slot)
		return err == nil && slot < h.state.Newest.Slot
	}
	if err := h.root.DeleteAll(ctx, manifestDir, old); err != nil {
		return err
	}
	return h.sweep(ctx)
}

// sweep deletes the parts of jobs that are known to be no contents. Only their
// names decide, and every job's name is its own, so parts of other jobs are
// safe whoever holds the output by now.
func (h *Hold) sweep(ctx context.Context) error {
	if len(h.state.Garbage) == 0 {
		return nil
	}
	return h.root.DeleteAll(ctx, "part-", func(key string) bool { return slices.Contains(h.state.Garbage, tokenOf(key)) })
}
