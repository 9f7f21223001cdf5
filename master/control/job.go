package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/planning"
	"github.com/windrow-mr/windrow/internal/sums"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// job is a run of a job that this reign carries on.
type job struct {
	*reign
	run     journal.Run
	id      plan.JobID
	scratch *store.Root
	gone    chan struct{} // closed when the reign has let go of it

	want   atomic.Int64 // tasks that could run now
	weight atomic.Int64

	out  *store.Root  // the output
	hold *output.Hold // nil when it is another's

	mu      sync.Mutex
	box     *master.Mailbox // of the shell; nil while there is none
	spec    *plan.Spec      // nil until it is read
	table   *planning.Table // nil until the job is planned
	book    *sums.Book
	maps    []plan.AttemptID // that reduces read; nil until all are committed
	mapsGen uint64
	told    state
	changed chan struct{} // closed when told changes
	tasks   map[plan.TaskID]*history
	tally   *plan.Tally // of a job that is committed
	retried int64
	shown   client.Progress // the most that was told
}

// state is what people watch of a job.
type state struct {
	status scheduler.Status
	phase  plan.Phase
	left   int
}

func newJob(r *reign, run journal.Run) *job {
	j := &job{reign: r, run: run, id: run.Job, scratch: r.cfg.Root.Sub(plan.ScratchPrefix(run.Job)), gone: make(chan struct{}),
		changed: make(chan struct{}), tasks: make(map[plan.TaskID]*history)}
	j.weight.Store(plan.DefaultPriority)
	return j
}

// demand returns how many tasks could run, and the job's weight.
func (j *job) demand() (want, weight int) { return int(j.want.Load()), int(j.weight.Load()) }

// main carries the run to its end, or until ctx ends. What the store fails is
// tried again, from what the log has.
func (j *job) main(ctx context.Context) {
	for n := 0; ; n++ {
		err := j.carry(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, master.ErrDeposed):
			j.end(fmt.Errorf("job %s: %w", j.id, journal.ErrDeposed))
			return
		}
		j.cfg.Log.Warn("the job cannot go on just now; trying again", "job", j.id, "error", err)
		if pause(ctx, min(again<<min(n, 4), 15*time.Second)) != nil {
			return
		}
	}
}

// carry runs the shell once, on what the log has.
func (j *job) carry(ctx context.Context) error {
	if err := j.readSpec(ctx); err != nil {
		return err
	}
	state, err := journal.Read(ctx, j.cfg.Root, j.id)
	if err != nil {
		return err
	}
	reopen := j.run.Number > state.Run
	if state.Status.Ended() && !reopen {
		return j.conclude(ctx, state)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	box := master.NewMailbox()
	refused, err := j.reserve(ctx, state, reopen)
	if err != nil {
		return err
	}
	if refused != nil {
		box.Post(scheduler.Cancel{Cause: *refused})
	}
	if err := j.learn(ctx, state, box); err != nil {
		return err
	}
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer stop()
	if j.hold != nil {
		keeping.Go(func() { j.keep(ctx, box) })
	}
	if err := j.adopt(ctx, state, box); err != nil {
		return err
	}
	j.listen(box)
	defer j.listen(nil)
	records := journal.Open(j.cfg.Root, j.id, j.lease)
	_, err = master.Run(ctx, master.Config{
		Scheduler: scheduler.Config{Epoch: j.epoch, Rand: j.cfg.Draw(), Prepare: true, Speculate: speculate,
			GrantTimeout: scheduler.Time(grantTime)},
		Lead:    scheduler.Lead{Job: state, Reopen: reopen},
		Journal: records, Pool: (*pool)(j), Output: (*committer)(j), Events: box,
		Now:     func() scheduler.Time { return scheduler.Time(j.cfg.Clock()) },
		Changed: func(s *scheduler.Job) { j.follow(ctx, records, s) },
		Abandon: true,
	})
	if err != nil {
		return err
	}
	if state, err = journal.Read(ctx, j.cfg.Root, j.id); err != nil {
		return err
	}
	return j.conclude(ctx, state)
}

const (
	// speculate is when a second attempt is started, in tenths of the median.
	speculate = 15
	// grantTime is how long a grant keeps others from being granted. Making a
	// part visible takes a request or two.
	grantTime = 2 * time.Minute
	// quiet is how long an output's writer may show no sign of life: longer than
	// the cluster needs to have another master.
	quiet = time.Minute
)

// readSpec reads what was submitted, once.
func (j *job) readSpec(ctx context.Context) error {
	j.mu.Lock()
	known := j.spec != nil
	j.mu.Unlock()
	if known {
		return nil
	}
	spec, err := readSpec(ctx, j.cfg.Root, j.id)
	if err != nil {
		return err
	}
	j.weight.Store(int64(spec.Share()))
	j.mu.Lock()
	j.spec = spec
	j.mu.Unlock()
	return nil
}

func readSpec(ctx context.Context, root *store.Root, id plan.JobID) (*plan.Spec, error) {
	body, err := journal.Spec(ctx, root, id)
	if err != nil {
		return nil, err
	}
	spec := new(plan.Spec)
	if err := json.Unmarshal(body, spec); err != nil {
		return nil, fmt.Errorf("%s: damaged: %w", root.Name(plan.SpecKey(id)), err)
	}
	if spec.Version > plan.SpecVersion {
		return nil, fmt.Errorf("%s is of version %d, and this build reads up to %d: run a newer windrow", root.Name(plan.SpecKey(id)), spec.Version, plan.SpecVersion)
	}
	return spec, nil
}

// reserve makes the run the only writer of its output, or finds that it is. A
// cause says why it never can be.
func (j *job) reserve(ctx context.Context, state *scheduler.Job, reopen bool) (*scheduler.Cause, error) {
	if j.hold != nil {
		return nil, nil
	}
	var err error
	if j.out, err = j.cfg.Roots.Get(ctx, j.spec.Output, true); err != nil {
		return asCause(err)
	}
	mode := output.Fail
	if j.spec.OnExists != "" {
		mode = output.Mode(j.spec.OnExists)
	}
	req := output.Request{Job: j.id, Name: j.spec.Job, Run: j.run.Number, Mode: mode, Host: j.cfg.Host, Quiet: quiet,
		Scratch: j.scratch.Name(""),
		Waiting: func(h output.Holder, patience time.Duration) {
			j.cfg.Log.Warn("another job has not finished this output; waiting to see whether it lives", "job", j.id, "other", h.Job, "host", h.Host, "for", patience)
		}}
	j.hold, err = output.Resume(ctx, j.out, req)
	if err != nil || j.hold != nil {
		return asCause(err)
	}
	switch {
	case state.Status == scheduler.Aborting: // it was given up already
		return nil, nil
	case state.Slots > 0 && !reopen:
		return &scheduler.Cause{Kind: scheduler.Conflict, Text: fmt.Sprintf("output %s: another job took it over while no master was there", j.out.Name(""))}, nil
	}
	j.hold, err = output.Reserve(ctx, j.out, req)
	return asCause(err)
}

// asCause tells an error that will not pass from one that may.
func asCause(err error) (*scheduler.Cause, error) {
	if err == nil {
		return nil, nil
	}
	if conflict, ok := errors.AsType[*output.Conflict](err); ok {
		return &scheduler.Cause{Kind: scheduler.Conflict, Text: conflict.Error()}, nil
	}
	switch store.KindOf(err) {
	case store.Denied:
		return &scheduler.Cause{Kind: scheduler.Denied, Text: err.Error()}, nil
	case store.Invalid:
		return &scheduler.Cause{Kind: scheduler.Misuse, Text: err.Error()}, nil
	default:
		return nil, err
	}
}

// keep shows signs of life, and aborts the job when its output was taken over.
func (j *job) keep(ctx context.Context, box *master.Mailbox) {
	if err := j.hold.Keep(ctx); err != nil {
		box.Post(scheduler.Cancel{Cause: scheduler.Cause{Kind: scheduler.Conflict, Text: err.Error()}})
	}
}

// listen makes a shell's mailbox the job's, and introduces it to the workers.
func (j *job) listen(box *master.Mailbox) {
	j.mu.Lock()
	j.box = box
	j.mu.Unlock()
	if box != nil {
		j.members.introduce(j.id, j)
	}
	j.divide()
}

// post hands an event to the shell; without one it will read the log anew.
func (j *job) post(e scheduler.Event) {
	j.mu.Lock()
	box := j.box
	j.mu.Unlock()
	if box != nil {
		box.Post(e)
	}
}

// look lets f look at the job as the log has it, if it is carried on just now.
func (j *job) look(ctx context.Context, f func(*scheduler.Job)) bool {
	j.mu.Lock()
	box := j.box
	j.mu.Unlock()
	if box == nil {
		return false
	}
	seen := make(chan struct{})
	box.Look(func(s *scheduler.Job) { f(s); close(seen) })
	patience := time.NewTimer(lookTime)
	defer patience.Stop()
	select {
	case <-seen:
		return true
	case <-ctx.Done():
	case <-patience.C:
	}
	return false
}

// lookTime bounds how long a question may wait for a job's shell.
const lookTime = 5 * time.Second

// snapshotTime bounds how long a shell waits for a snapshot, which only makes the
// next master quicker.
const snapshotTime = 5 * time.Second

// follow notes what the log has, after each step that changed it.
func (j *job) follow(ctx context.Context, records *journal.Log, s *scheduler.Job) {
	saving, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	if err := records.Snapshot(saving, s); err != nil {
		j.cfg.Log.Warn("a snapshot of a job's log could not be written", "job", j.id, "error", err)
	}
	now := state{s.Status, s.Phase(), s.Left(s.Phase())}
	if s.Status != scheduler.Running && s.Status != scheduler.Unplanned {
		now.left = 0
	}
	if before := j.want.Swap(int64(now.left)); before != int64(now.left) {
		j.divide()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.Phase() == plan.Reduce {
		j.noteMaps(s)
	}
	if now != j.told {
		j.told = now
		close(j.changed)
		j.changed = make(chan struct{})
	}
}

// noteMaps notes which maps reduces read. j.mu is held.
func (j *job) noteMaps(s *scheduler.Job) {
	gen := generation(s)
	if j.maps != nil && j.mapsGen == gen {
		return
	}
	j.mapsGen = gen
	j.maps = make([]plan.AttemptID, s.Tasks(plan.Map))
	for i := range j.maps {
		j.maps[i] = s.Task(plan.TaskID{Phase: plan.Map, Index: i}).Attempt
	}
}

// generation counts how often a map's output was taken back: it tells the lists
// of maps apart, whoever leads.
func generation(s *scheduler.Job) uint64 {
	n := uint64(1)
	for i := range s.Tasks(plan.Map) {
		n += uint64(len(s.Task(plan.TaskID{Phase: plan.Map, Index: i}).Invalid))
	}
	return n
}

// mapsOf returns a generation of the list; nil when it is another by now.
func (j *job) mapsOf(generation uint64) []plan.AttemptID {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mapsGen != generation {
		return nil
	}
	return j.maps
}
