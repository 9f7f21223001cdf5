package output

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Found is what an output held when a job came to it. It says how many requests
// it takes to reserve, to commit and to clean up: see package internal/bill.
type Found struct {
	Entries   uint64 // of the log
	Contents  bool   // a job has committed, and its contents are there
	Parts     int    // of the contents
	Garbage   bool   // the log remembers parts that are to go
	Objects   int    // all there are, the log's own too
	PartNames int    // objects that are called as parts are
	Dead      int    // parts among them that go before the job begins
	Manifests int    // of earlier contents: they go when the job has committed
	Tmp       int    // objects of temporary data that ended jobs left
	Beats     int    // signs of life that ended jobs left
	Probes    int    // old probes
	Before    int    // jobs that may have left temporary data elsewhere
}

// Look tells what an output holds and writes nothing. Where Reserve would refuse
// the job, it returns the same *Conflict. One that another job is writing, and
// that the mode would take over should that job be dead, is left to Reserve: only
// it waits for signs of life, and other tells whose they would be.
func Look(ctx context.Context, root *store.Root, req Request) (found Found, other *Holder, err error) {
	req = req.withDefaults(root)
	s, next, err := readState(ctx, root)
	if err != nil {
		return Found{}, nil, err
	}
	if s.Holder == nil || req.Mode == Fail {
		if err := admit(ctx, root, req, s); err != nil {
			return Found{}, nil, err
		}
	}
	h := &Hold{root: root, req: req, next: next}
	if s.Newest != nil {
		if h.base, err = readManifest(ctx, root, s.Newest); err != nil {
			return Found{}, nil, err
		}
	}
	if err := h.refuseStrangers(ctx, s); err != nil {
		return Found{}, nil, err
	}
	h.noteBefore(s)
	return h.found, s.Holder, nil
}

// Found returns what the output held when it was reserved. Of an output that was
// resumed it says nothing.
func (h *Hold) Found() Found { return h.found }

// Looks returns how many requests have asked whether the output is still held.
// Keep makes one with every sign of life: they go by time, not by work.
func (h *Hold) Looks() int64 { return h.looks.Load() }

// noteBefore notes which jobs were here before.
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

// refuseStrangers checks that the directory holds nothing but the contents and
// what dead jobs left, and counts what there is of each.
func (h *Hold) refuseStrangers(ctx context.Context, s state) error {
	known := h.base.names()
	garbage := append(slices.Clone(s.Garbage), h.base.tokens()...)
	var dead plan.JobID
	if s.Holder != nil {
		garbage = addGarbage(garbage, token(s.Holder.Job, s.Holder.Run))
		dead = s.Holder.Job
	}
	h.found = Found{Entries: h.next, Contents: s.Newest != nil, Parts: len(known), Garbage: len(garbage) > 0}
	for o, err := range h.root.List(ctx, "") {
		if err != nil {
			return err
		}
		gone := slices.Contains(garbage, tokenOf(o.Key))
		if !Hidden(o.Key) && !known[o.Key] && !gone {
			return &Conflict{h.root.URL(), fmt.Sprintf("it holds %s, which windrow did not write there; use an empty or new --out, or move the object away", o.Key)}
		}
		h.found.count(o, !known[o.Key] && gone)
		switch {
		case strings.HasPrefix(o.Key, tmpDir) && h.isOver(o.Key, dead):
			h.found.Tmp++
		case strings.HasPrefix(o.Key, probeDir) && h.old(o):
			h.found.Probes++
		}
	}
	return nil
}

// count notes an object; dead says that it is a part that is to go.
func (f *Found) count(o store.Object, dead bool) {
	f.Objects++
	switch {
	case strings.HasPrefix(o.Key, "part-"):
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

// isOver tells whether a key of temporary data is that of a job which has ended,
// or has lost the output and will find out: one with an earlier id, or dead. A
// later one may have taken the output over from this job by now.
func (h *Hold) isOver(key string, dead plan.JobID) bool {
	job, _, _ := strings.Cut(strings.TrimPrefix(key, tmpDir), "/")
	return job < string(h.req.Job) || dead != "" && job == string(dead)
}

// old tells whether a probe is one of a process that was killed.
func (h *Hold) old(o store.Object) bool { return h.req.Now().Sub(o.ModTime) > probeAge }
