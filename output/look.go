package output

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Found describes an output before a job writes to it. The number of requests
// to reserve, to commit and to clean up follows from it: see package
// internal/forecast.
type Found struct {
	Entries   uint64 // of the log
	Contents  bool   // a job has committed, and its contents are there
	Parts     int    // of the contents
	Garbage   bool   // the log remembers parts that must be removed
	Objects   int    // in all, including the log's own
	PartNames int    // objects that have the name of a part
	Dead      int    // parts among them that are removed before the job begins
	Manifests int    // of earlier contents, which are removed when the job has committed
	Tmp       int    // objects of temporary data that ended jobs left
	Beats     int    // signs of life that ended jobs left
	Probes    int    // old probes
	Before    int    // jobs that may have left temporary data elsewhere
}

// Look describes an output and writes nothing. It returns the *Conflict with
// which Reserve would refuse the job at once. If another job is writing the
// output and the mode allows to take it over from a dead job, only Reserve
// decides, since only it waits for signs of life. Look then returns that job as
// other.
func Look(ctx context.Context, root *store.Root, req Request) (found Found, other *Holder, err error) {
	req = req.withDefaults(root)
	var s state
	var next uint64
	for admitted := false; !admitted; {
		if s, next, err = readState(ctx, root); err != nil {
			return Found{}, nil, err
		}
		if s.Holder == nil || req.Mode == Fail {
			if err = admit(ctx, root, req, s, next); err != nil && !errors.Is(err, errMoved) {
				return Found{}, nil, err
			}
		}
		admitted = err == nil
	}
	h := &Hold{root: root, req: req, next: next}
	if s.Newest != nil {
		if h.base, err = readManifest(ctx, root, s.Newest); err != nil {
			return Found{}, nil, err
		}
	}
	if err := h.checkReplay(s.Newest); err != nil {
		return Found{}, nil, err
	}
	if err := h.refuseStrangers(ctx, s); err != nil {
		return Found{}, nil, err
	}
	h.noteBefore(s)
	return h.found, s.Holder, nil
}

// Found returns the description of the output when it was reserved. It is empty
// for an output that was resumed.
func (h *Hold) Found() Found { return h.found }

// Looks returns how many requests have checked whether the output is still
// held. Keep makes one with every sign of life, so their number grows with
// time, not with work.
func (h *Hold) Looks() int64 { return h.looks.Load() }

// noteBefore notes the jobs that were here before.
func (h *Hold) noteBefore(s state) {
	if s.Newest != nil {
		h.before = append(h.before, s.Newest.Job)
	}
	if s.Holder != nil {
		h.before = append(h.before, s.Holder.Job)
		h.dead = s.Holder
	}
	h.found.Before = len(h.before)
}

// refuseStrangers checks that the directory holds only the contents and leftovers
// of dead jobs, and counts the objects of each.
func (h *Hold) refuseStrangers(ctx context.Context, s state) error {
	known := h.base.names()
	parts := len(known)
	if s.Staged != nil {
		m, err := readManifest(ctx, h.root, s.Staged)
		if err != nil {
			return err
		}
		for i := range m.Parts {
			known[m.Parts[i].Name] = true
		}
	}
	garbage := append(slices.Clone(s.Garbage), h.base.tokens()...)
	var dead plan.JobID
	if s.Holder != nil {
		garbage = addGarbage(garbage, token(s.Holder.Job, s.Holder.Run))
		dead = s.Holder.Job
	}
	h.found = Found{Entries: h.next, Contents: s.Newest != nil, Parts: parts, Garbage: len(garbage) > 0}
	for o, err := range h.root.List(ctx, "") {
		if err != nil {
			return err
		}
		gone := slices.Contains(garbage, tokenOf(o.Key))
		if !Hidden(o.Key) && !known[o.Key] && !gone {
			return &Conflict{h.root.URL(), fmt.Sprintf("it holds %s, which windrow did not write there; use an empty or new --out, or move the object away", o.Key)}
		}
		h.found.count(o, !known[o.Key] && gone)
		h.deep = h.deep || gone && strings.Contains(o.Key, "/")
		switch {
		case strings.HasPrefix(o.Key, tmpDir) && h.isOver(o.Key, dead):
			h.found.Tmp++
		case strings.HasPrefix(o.Key, probeDir) && h.old(o):
			h.found.Probes++
		}
	}
	return nil
}

// count notes an object. dead says that it is a part that must be removed.
func (f *Found) count(o store.Object, dead bool) {
	f.Objects++
	switch {
	case tokenOf(o.Key) != "":
		f.PartNames++
		if dead {
			f.Dead++
		}
	case strings.HasPrefix(o.Key, manifestDir):
		f.Manifests++
	case strings.HasPrefix(o.Key, beatDir):
		f.Beats++
	}
}

// isOver reports whether a key of temporary data is that of a job that has
// ended, or that has lost the output and will notice: a job with an earlier id,
// or dead. A later job may have taken the output over from this one.
func (h *Hold) isOver(key string, dead plan.JobID) bool {
	job, _, _ := strings.Cut(strings.TrimPrefix(key, tmpDir), "/")
	return job < string(h.req.Job) || dead != "" && job == string(dead)
}

// old reports whether a probe seems to be one of a killed process.
func (h *Hold) old(o store.Object) bool { return h.req.Now().Sub(o.ModTime) > probeAge }
