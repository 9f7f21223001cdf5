package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Replay says that a job has replayed the bad records of another one: it appended what its
// program made of them to the same output. The log has it, so that this happens once.
type Replay struct {
	Of plan.JobID `json:"of"`
	By plan.JobID `json:"by"`
}

// BadRecords passes on what the contents of the output at root say of the records that a job
// left out. A *Conflict says that they cannot be replayed: the job has none there, or another
// job has replayed them.
func BadRecords(ctx context.Context, root *store.Root, of plan.JobID, take func(b *plan.BadRecord) error) error {
	parts, err := quarantined(ctx, root, of)
	for i := 0; i < len(parts) && err == nil; i++ {
		err = eachBad(ctx, root, &parts[i], func(b *plan.BadRecord) error {
			if b.Job != of { // its id ends with the same characters
				return nil
			}
			return take(b)
		})
	}
	return err
}

// quarantined returns the parts that describe what a job left out.
func quarantined(ctx context.Context, root *store.Root, of plan.JobID) ([]plan.Part, error) {
	for {
		s, _, err := readState(ctx, root)
		if err != nil {
			return nil, err
		}
		h := &Hold{root: root, req: Request{Replays: of}}
		if s.Newest != nil {
			h.base, err = readManifest(ctx, root, s.Newest)
		}
		if err == nil {
			err = h.checkReplay(s.Newest)
			return h.base.quarantine(of), err
		}
		// Newer contents may have replaced it.
		newer, _, again := readState(ctx, root)
		if again != nil || newer.Newest == nil || newer.Newest.Slot == s.Newest.Slot {
			return nil, err
		}
	}
}

// eachBad passes on the bad records that a part describes, and checks its bytes.
func eachBad(ctx context.Context, root *store.Root, part *plan.Part, take func(b *plan.BadRecord) error) error {
	h, err := root.OpenKnown(ctx, store.Object{Key: part.Name, Size: part.Size})
	if err != nil {
		return err
	}
	defer h.Close()
	raw := h.Stream(ctx, 0, part.Size)
	defer raw.Close()
	sum := checksum.NewCRC32C()
	lines := json.NewDecoder(io.TeeReader(raw, sum))
	for {
		var b plan.BadRecord
		err := lines.Decode(&b)
		if errors.Is(err, io.EOF) && sum.Sum32() == part.CRC32C {
			return nil
		}
		if err != nil && plan.KindOf(err) == plan.Unknown { // no error of the store
			err = &store.Error{Op: "read", URL: root.Name(part.Name), Kind: plan.Corrupt, Err: fmt.Errorf("it is not what was committed: %w", err)}
		}
		if err == nil {
			err = take(&b)
		}
		if err != nil {
			return err
		}
	}
}

// checkReplay refuses a replay of a job that has no bad records in the contents, or whose
// bad records were replayed.
func (h *Hold) checkReplay(newest *Commit) error {
	of := h.req.Replays
	if of == "" {
		return nil
	}
	if newest != nil {
		if i := slices.IndexFunc(newest.Replays, func(r Replay) bool { return r.Of == of }); i >= 0 {
			return &Conflict{h.root.URL(), fmt.Sprintf("job %s has replayed the bad records of job %s; what it left out itself can be replayed by its name", newest.Replays[i].By, of)}
		}
	}
	if len(h.base.quarantine(of)) == 0 {
		return &Conflict{h.root.URL(), fmt.Sprintf("it has no bad records of job %s to replay: the job left none out, or it did not run with --bad-records quarantine, or another job has replaced its output", of)}
	}
	return nil
}

// replays returns the replays that the contents have after the commit.
func (h *Hold) replays() []Replay {
	var all []Replay
	if h.state.Newest != nil && h.req.Mode == Append {
		all = slices.Clone(h.state.Newest.Replays)
	}
	if h.req.Replays != "" {
		all = append(all, Replay{h.req.Replays, h.req.Job})
	}
	return all
}

// isOf reports whether a job wrote a part, in any of its runs.
func isOf(p *plan.Part, job plan.JobID) bool {
	return strings.HasPrefix(tokenOf(p.Name), strings.ToLower(job.Short())+".")
}

// quarantine returns the parts that describe the bad records of a job; nil has none.
func (m *Manifest) quarantine(of plan.JobID) []plan.Part {
	var parts []plan.Part
	if m != nil {
		for i := range m.Parts {
			if p := &m.Parts[i]; p.IsQuarantine() && isOf(p, of) {
				parts = append(parts, *p)
			}
		}
	}
	return parts
}
