package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store"
)

// Request asks for an output.
type Request struct {
	Job  plan.JobID
	Name string // of the job, for the manifest
	Run  int    // how often the job was reopened
	Mode Mode
	Host string // where the writer runs, for messages
	// Replays is the job whose bad records this one replays; "" for none. It must have
	// quarantined some in the contents, and only one job may replay it. The mode is
	// Append.
	Replays plan.JobID
	// Scratch is where the job keeps temporary data, if not in the output. A
	// job that takes over learns it.
	Scratch string

	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Beat is how often the writer shows a sign of life. 0: 2 s.
	Beat time.Duration
	// Patience is how long the other writer must show no sign of life before
	// the output is taken from it. It must be several Beats, and longer than a
	// request to the store may take. 0: 6 s, or 30 s on remote roots.
	Patience time.Duration
	// Quiet is how long this writer may show no sign of life before others may
	// take its output over, if that is longer than their Patience: the master
	// of a cluster may change meanwhile. 0: their Patience.
	Quiet time.Duration
	// Resumed says that the job continues in another process if this one ends.
	// A reservation that failed halfway stays, and Resume continues with it.
	Resumed bool
	// Waiting is called when the wait of Patience begins. Nil: not called.
	Waiting func(other Holder, patience time.Duration)
}

//go:noinline
func (r Request) withDefaults(root *store.Root) Request {
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Beat == 0 {
		r.Beat = 2 * time.Second
	}
	if r.Patience == 0 {
		r.Patience = 6 * time.Second
		if root.Remote() {
			r.Patience = 30 * time.Second
		}
	}
	return r
}

// Hold is a job's reservation of an output.
type Hold struct {
	root *store.Root
	req  Request
	self Holder
	base *Manifest // contents before, nil for none

	before []plan.JobID
	dead   *Holder
	found  Found
	deep   bool         // parts to remove lie in directories
	looks  atomic.Int64 // see Looks

	turn   turn // one change of the log at a time
	state  state
	opened bool // _SUCCESS was removed
	staged bool // the parts are staged
	built  *Manifest

	// view guards next and ended. Keep reads them, so no goroutine holds it
	// during a request.
	view  sync.Mutex
	next  uint64 // the slot that this job's next entry needs
	ended bool   // committed or released
}

// turn is a lock that is held across requests. A caller that waits for it can
// stop waiting.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) give() { <-t }

// position returns the next slot, and whether the job is done with the output.
func (h *Hold) position() (next uint64, ended bool) {
	h.view.Lock()
	defer h.view.Unlock()
	return h.next, h.ended
}

// advance notes that the next slot is taken, and whether that ends the hold.
func (h *Hold) advance(ended bool) {
	h.view.Lock()
	defer h.view.Unlock()
	h.next++
	h.ended = ended
}

// Reserve makes the job the only one that may change the contents of the output
// at root. A refused job gets a *Conflict.
func Reserve(ctx context.Context, root *store.Root, req Request) (*Hold, error) {
	req = req.withDefaults(root)
	for {
		if req.Resumed {
			// Another process may reserve it for the same run at this moment.
			if h, err := Resume(ctx, root, req); h != nil || err != nil {
				return h, err
			}
		}
		h, err := reserve(ctx, root, req)
		if h != nil || err != nil {
			return h, err
		}
	}
}

// reserve tries to take the next slot. It returns nil and nil when another job
// took it first: the caller must decide again.
func reserve(ctx context.Context, root *store.Root, req Request) (*Hold, error) {
	s, next, err := readState(ctx, root)
	if err != nil {
		return nil, err
	}
	if req.Resumed && s.Holder != nil && s.Holder.Job == req.Job && s.Holder.Run == req.Run {
		return nil, nil
	}
	if err := restoreMark(ctx, root, s, next); err != nil {
		return nil, err
	}
	switch err := admit(ctx, root, req, s, next); {
	case errors.Is(err, errMoved):
		return nil, nil
	case err != nil:
		return nil, err
	}
	h := &Hold{root: root, req: req, next: next, turn: make(turn, 1),
		self: Holder{Job: req.Job, Run: req.Run, Mode: req.Mode, Slot: next, Host: req.Host, Scratch: req.Scratch, Quiet: req.Quiet, Time: req.Now().UTC()}}
	if s.Newest != nil {
		if h.base, err = readManifest(ctx, root, s.Newest); err != nil {
			return nil, err
		}
	}
	if err := h.checkReplay(s.Newest); err != nil {
		return nil, err
	}
	if err := h.refuseStrangers(ctx, s); err != nil {
		return nil, err
	}
	if s.Holder != nil {
		s.Garbage = addGarbage(s.Garbage, token(s.Holder.Job, s.Holder.Run))
	}
	// An earlier try of this run may have given up. The parts of this try must
	// stay.
	s.Garbage = slices.DeleteFunc(slices.Clone(s.Garbage), func(t string) bool { return t == token(req.Job, req.Run) })
	// Today's garbage is swept before this job continues. The log remembers
	// only enough of it to recognize a late part of a writer that seemed dead.
	dead := s.Holder
	h.noteBefore(s)
	s.Holder = &h.self
	won, _, err := h.append(ctx, entryReserve, s)
	if err != nil {
		return nil, errors.Join(err, h.giveUp(ctx, next, s))
	}
	if !won {
		return nil, nil
	}
	if err := h.recover(ctx, dead); err != nil {
		return nil, errors.Join(err, h.giveUp(ctx, next, s))
	}
	h.state.Garbage = h.state.Garbage[max(0, len(h.state.Garbage)-maxSwept):]
	return h, nil
}

// giveUpTime bounds the clean-up after this job has failed.
const giveUpTime = time.Second

// giveUp releases a reservation that failed halfway. The reservation may or may
// not be in the log: giveUp reads the slot.
func (h *Hold) giveUp(ctx context.Context, slot uint64, s state) error {
	if h.req.Resumed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTime)
	defer cancel()
	e, ok, err := readSlot(ctx, h.root, slot)
	if err != nil || !ok || e.Job != h.req.Job {
		return err
	}
	if next, _ := h.position(); next == slot {
		h.state = s
		h.advance(false)
	}
	return h.Release(ctx)
}

// restoreMark writes _SUCCESS for contents that lack it: their writer was
// killed between the commit and the mark.
func restoreMark(ctx context.Context, root *store.Root, s state, next uint64) error {
	if s.Newest == nil || s.Holder != nil || s.Staged != nil {
		return nil
	}
	if _, err := root.Stat(ctx, SuccessName); plan.KindOf(err) != plan.NotFound {
		return err
	}
	return markUnder(ctx, root, s.Newest, next)
}

// errMoved says that the log of the output has grown: the caller must decide again.
var errMoved = errors.New("the log of the output has grown")

// admit checks the state before a slot against the mode, and waits for signs of life
// of a writer that has not finished. It returns errMoved if that ends meanwhile.
func admit(ctx context.Context, root *store.Root, req Request, s state, next uint64) error {
	if s.Holder == nil {
		if req.Mode == Fail && s.Newest != nil {
			return &Conflict{root.URL(), fmt.Sprintf("it exists: job %s committed %s on %s; use --on-exists replace or append, or another --out",
				s.Newest.Job, plural.Of(s.Newest.Parts, "part"), s.Newest.Time.Local().Format(timeFormat))}
		}
		if c := s.Staged; c != nil && req.Mode != Replace && (c.Job != req.Job || c.Run != req.Run) {
			return &Conflict{root.URL(), c.stagedBy() + "; publish or discard them, or use --on-exists replace, which discards them when it commits"}
		}
		return nil
	}
	since := s.Holder.Time.Local().Format(timeFormat)
	if req.Mode == Fail {
		// A writer that shows a sign of life must not be called dead. A shorter look
		// than before a takeover is enough, because nothing is taken over.
		look := req
		look.Patience, look.Waiting = max(req.Patience, s.Holder.Quiet)/2, nil
		alive, err := watch(ctx, root, look, *s.Holder, next)
		switch {
		case err != nil:
			return err
		case alive:
			return s.Holder.writing(root, since)
		}
		how := "--on-exists replace"
		if s.Newest != nil {
			how = fmt.Sprintf("--on-exists append, which adds to the parts of job %s, or --on-exists replace, which drops them", s.Newest.Job)
		}
		return &Conflict{root.URL(), fmt.Sprintf("job %s began to write it on %s and has not finished; it shows no sign of life; if it was killed, recover with %s", s.Holder.Job, since, how)}
	}
	req.Patience = max(req.Patience, s.Holder.Quiet)
	alive, err := watch(ctx, root, req, *s.Holder, next)
	if err != nil {
		return err
	}
	if alive {
		return s.Holder.writing(root, since)
	}
	return nil
}

// writing returns the conflict with a writer that is alive.
func (h *Holder) writing(root *store.Root, since string) *Conflict {
	return &Conflict{root.URL(), fmt.Sprintf("job %s is writing it since %s on %s; wait for it, stop it, or use another --out", h.Job, since, h.Host)}
}

// watch reports whether a writer shows a sign of life within patience. It returns
// errMoved if the writer ends, or is replaced: the slot after its own is taken. A short
// job shows no other sign.
func watch(ctx context.Context, root *store.Root, req Request, other Holder, next uint64) (alive bool, err error) {
	if req.Waiting != nil {
		req.Waiting(other, req.Patience)
	}
	read := func() (string, error) {
		b, err := root.Get(ctx, beatKey(other.Slot), 1024)
		if plan.KindOf(err) == plan.NotFound {
			return "", nil
		}
		return string(b), err
	}
	first, err := read()
	if err != nil {
		return false, err
	}
	deadline := time.NewTimer(req.Patience)
	defer deadline.Stop()
	look := time.NewTicker(max(req.Patience/12, time.Millisecond))
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline.C:
			return false, nil
		case <-look.C:
			if _, taken, err := readSlot(ctx, root, next); err != nil {
				return false, err
			} else if taken {
				return false, errMoved
			}
			if now, err := read(); err != nil || now != first {
				return true, err
			}
		}
	}
}

// recover removes the leftovers of dead jobs, after the output is reserved. It
// may take long, and shows signs of life meanwhile.
func (h *Hold) recover(ctx context.Context, dead *Holder) error {
	ctx, stop := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { _ = h.Keep(ctx) }) // a job that loses the output notices later
	defer keeping.Wait()
	defer stop()
	var of plan.JobID
	if dead != nil {
		of = dead.Job
	}
	if err := h.root.DeleteAll(ctx, tmpDir, func(key string) bool { return h.isOver(key, of) }); err != nil {
		return err
	}
	if err := h.sweepProbes(ctx); err != nil {
		return err
	}
	if dead != nil {
		if err := h.abortUploads(ctx, of); err != nil {
			return err
		}
	}
	beaten := func(key string) bool { return key < beatKey(h.self.Slot) }
	if err := h.root.DeleteAll(ctx, beatDir, beaten); err != nil {
		return err
	}
	return h.sweep(ctx, h.base, h.partPrefix(h.base))
}

// abortUploads ends a dead job's uploads in parts: they are invisible, and a
// bucket bills them. Some credentials cannot list uploads; uploads that cannot
// be listed stop no job. On files, the store finds the leftovers by itself.
func (h *Hold) abortUploads(ctx context.Context, dead plan.JobID) error {
	if !h.root.Remote() {
		return nil
	}
	err := h.root.AbortUploads(ctx, "", func(u store.Unfinished) bool {
		if strings.HasPrefix(u.Key, tmpDir) {
			return h.isOver(u.Key, dead)
		}
		return !Hidden(u.Key) && slices.Contains(h.state.Garbage, tokenOf(u.Key))
	})
	if k := plan.KindOf(err); k == plan.Denied || k == plan.Invalid {
		return nil
	}
	return err
}

// probeAge is the age from which a probe is one of a killed process.
const probeAge = time.Hour

// sweepProbes removes probes of killed processes. It leaves young ones: a
// process that is probing at this moment must find its own. The store's clock says
// which are old, since this machine's may be ahead.
func (h *Hold) sweepProbes(ctx context.Context) error {
	var old []store.Object
	for o, err := range h.root.List(ctx, probeDir) {
		if err != nil {
			return err
		}
		if h.old(o) {
			old = append(old, o)
		}
	}
	if len(old) == 0 {
		return nil
	}
	now, err := h.root.Now(ctx)
	if err != nil {
		return err
	}
	for i := range old {
		if now.Sub(old[i].ModTime) > probeAge {
			if err := h.root.Delete(ctx, old[i].Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// append tries to take the next slot with an entry that leaves s. When it
// loses, it does not update h.
func (h *Hold) append(ctx context.Context, kind string, s state) (won bool, winner entry, err error) {
	slot, _ := h.position()
	won, winner, err = appendEntry(ctx, h.root, slot, entry{Kind: kind, Job: h.req.Job, Run: h.req.Run, State: s})
	if won {
		h.state = s
		h.advance(kind != entryReserve)
	}
	return won, winner, err
}

// appendEntry tries to take a slot. When it loses, it returns the entry that has it.
func appendEntry(ctx context.Context, root *store.Root, slot uint64, e entry) (won bool, winner entry, err error) {
	e.Version = e.State.version()
	body, err := json.Marshal(e)
	if err != nil {
		return false, entry{}, err
	}
	won, existing, err := root.CreateOnce(ctx, slotKey(slot), body)
	if err != nil || won {
		return won, entry{}, err
	}
	winner, err = parseEntry(root, slot, existing)
	return false, winner, err
}
