package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/meter"
)

// job is a run of a job that this reign carries on.
type job struct {
	*reign
	run     journal.Run
	id      plan.JobID
	scratch *store.Root
	ctx     context.Context // the reign's, whose requests are the job's
	asked   meter.Tally     // those requests
	gone    chan struct{}   // closed when the reign has let go of it

	want   atomic.Int64 // tasks that could run now
	weight atomic.Int64

	wanted context.Context // until somebody cancels the job
	unwant context.CancelFunc

	out        *store.Root  // the output
	hold       *output.Hold // nil when it is another's
	past       bool         // the output was committed, and others have written to it since
	introduced bool         // to the workers

	mu      sync.Mutex
	box     *master.Mailbox                    // of the shell; nil while there is none
	spec    *plan.Spec                         // nil until it is read
	unread  *unreadable                        // why spec is not all that was submitted; nil if it is
	plans   map[plan.AttemptID]*attempts.Table // that were read
	planner plan.AttemptID                     // whose plan is the job's
	table   *attempts.Table                    // that plan; nil until the job is planned
	book    *sums.Book
	maps    []plan.AttemptID // that reduces read; nil until all are committed
	mapsGen uint64
	told    state
	changed chan struct{} // closed when told changes
	tasks   map[plan.TaskID]*history
	tally   *plan.Tally // of a job that is committed
	retried int64
	shown   client.Progress // the most that was told
	used    usage
	sums    committedSums // of the newest state that was described
	trouble error         // why it cannot go on just now
}

// state is what people watch of a job.
type state struct {
	status scheduler.Status
	phase  plan.Phase
	left   int
}

func newJob(r *reign, run journal.Run) *job {
	j := &job{reign: r, run: run, id: run.Job, scratch: r.cfg.Root.Sub(plan.ScratchPrefix(run.Job)), gone: make(chan struct{}),
		changed: make(chan struct{}), tasks: make(map[plan.TaskID]*history), plans: make(map[plan.AttemptID]*attempts.Table)}
	j.ctx = meter.With(r.ctx, &j.asked)
	j.weight.Store(plan.DefaultPriority)
	j.wanted, j.unwant = context.WithCancel(context.WithoutCancel(r.ctx)) // a reign that ends cancels nothing
	return j
}

// demand returns how many tasks could run, and the job's weight.
func (j *job) demand() (want, weight int) { return int(j.want.Load()), int(j.weight.Load()) }

// main carries the run to its end, or until ctx ends. What the store fails is
// tried again, from what the log has.
func (j *job) main(ctx context.Context) {
	defer j.unwant()
	for n := 0; ; n++ {
		err := j.carry(ctx)
		j.note(err)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, master.ErrDeposed):
			j.end(fmt.Errorf("job %s: %w", j.id, journal.ErrDeposed))
			return
		}
		j.cfg.Log.Warn("the job cannot go on just now; trying again", "job", j.id, "error", err)
		if j.pause(ctx, min(again<<min(n, 4), 15*time.Second)); ctx.Err() != nil {
			return
		}
	}
}

// pause waits, but not once somebody cancels the job.
func (j *job) pause(ctx context.Context, d time.Duration) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !j.unwanted() {
		defer context.AfterFunc(j.wanted, stop)()
	}
	_ = pause(ctx, d)
}

// note notes what keeps the job from going on.
func (j *job) note(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trouble = err
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
	j.mu.Lock()
	j.used.recall(state)
	j.mu.Unlock()
	reopen := j.run.Number > state.Run
	if state.Status.Ended() && !reopen {
		return j.conclude(ctx, state)
	}
	if j.unread != nil && !j.unwanted() && state.Status != scheduler.Aborting {
		return j.unread
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
	j.note(nil)
	records := journal.Open(j.cfg.Root, j.id, j.lease)
	_, err = master.Run(ctx, master.Config{
		Scheduler: scheduler.Config{Epoch: j.epoch, Rand: j.cfg.Draw(), Prepare: true, Speculate: speculate, SpeculateLeast: scheduler.Time(j.times.slow),
			GrantTimeout: scheduler.Time(grantTime), Adjacent: j.adjacent()},
		Lead:    scheduler.Lead{Job: state, Reopen: reopen},
		Journal: records, Pool: (*pool)(j), Output: (*committer)(j), Events: box,
		Now:     func() scheduler.Time { return scheduler.Time(j.cfg.Clock()) },
		Changed: func(s *scheduler.Job) { j.follow(ctx, records, s) },
		Abandon: true,
	})
	j.listen(nil)
	if err != nil {
		return err
	}
	if state, err = journal.Read(ctx, j.cfg.Root, j.id); err != nil {
		return err
	}
	return j.conclude(ctx, state)
}

// adjacent returns how many adjacent reduces are given to one slot. Only where
// requests cost something does it save any.
func (j *job) adjacent() int {
	if !j.cfg.Root.Remote() {
		return 1
	}
	return mostAdjacent
}

const (
	// mostAdjacent is how many partitions a reducer fetches by one request at
	// most: see shuffle.Shape.
	mostAdjacent = 64
	// speculate is when a second attempt is started, in tenths of the median.
	speculate = 15
	// grantTime is how long a grant keeps others from being granted. Making a
	// part visible takes a request or two.
	grantTime = 2 * time.Minute
	// quiet is how long an output's writer may show no sign of life: longer than
	// the cluster needs to have another master.
	quiet = time.Minute
)

// reserve makes the run the only writer of its output, or finds that it is. A
// cause says why it never can be.
func (j *job) reserve(ctx context.Context, state *scheduler.Job, reopen bool) (*scheduler.Cause, error) {
	if j.hold != nil {
		return nil, nil
	}
	if j.unread != nil {
		return givenUp(j.unread), nil
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
		Scratch: j.scratch.Name(""), Resumed: true,
		Waiting: func(h output.Holder, patience time.Duration) {
			j.cfg.Log.Warn("another job has not finished this output; waiting to see whether it lives", "job", j.id, "other", h.Job, "host", h.Host, "for", patience)
		}}
	j.hold, err = output.Resume(ctx, j.out, req)
	cause, err := asCause(err)
	if err != nil || j.hold != nil {
		return nil, err
	}
	if state.Status == scheduler.Committing {
		j.past, err = output.Committed(ctx, j.out, j.id, j.run.Number)
	}
	switch {
	case err != nil || j.past:
		return nil, err
	case cause != nil:
		return cause, nil
	case state.Status == scheduler.Aborting, j.unwanted(): // it is given up, or will be
		return nil, nil
	case state.Slots > 0 && !reopen:
		return &scheduler.Cause{Kind: plan.Conflict, Text: fmt.Sprintf("output %s: another job took it over while no master was there", j.out.Name(""))}, nil
	}
	reserving, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(j.wanted, stop)()
	j.hold, err = output.Reserve(reserving, j.out, req)
	if err != nil && j.unwanted() && ctx.Err() == nil {
		j.hold, err = output.Resume(ctx, j.out, req) // how far it came
	}
	return asCause(err)
}

// asCause tells an error that will not pass from one that may.
func asCause(err error) (*scheduler.Cause, error) {
	if err == nil {
		return nil, nil
	}
	if conflict, ok := errors.AsType[*output.Conflict](err); ok {
		return &scheduler.Cause{Kind: plan.Conflict, Text: conflict.Error()}, nil
	}
	switch plan.KindOf(err) {
	case plan.Denied:
		return &scheduler.Cause{Kind: plan.Denied, Text: err.Error()}, nil
	case plan.Invalid:
		return &scheduler.Cause{Kind: plan.Invalid, Text: err.Error()}, nil
	default:
		return nil, err
	}
}

// keep shows signs of life, and aborts the job when its output was taken over.
func (j *job) keep(ctx context.Context, box *master.Mailbox) {
	if err := j.hold.Keep(ctx); err != nil {
		box.Post(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Conflict, Text: err.Error()}})
	}
}

// listen makes a shell's mailbox the job's. What workers have to tell waits until
// the log is this master's: before that, the scheduler would have no use for it.
func (j *job) listen(box *master.Mailbox) {
	j.members.deafen(j.id)
	j.introduced = false
	j.mu.Lock()
	defer j.mu.Unlock()
	j.box = box
	if box == nil {
		return
	}
	if j.unwanted() {
		box.Post(scheduler.Cancel{Cause: cancelled()})
	}
	j.retell(box)
}

func cancelled() scheduler.Cause {
	return scheduler.Cause{Kind: plan.Cancelled, Text: "it was cancelled"}
}

// unwanted tells whether somebody has cancelled the job.
func (j *job) unwanted() bool { return j.wanted.Err() != nil }

// cancel lets the job be aborted by the shell that is there, or by the next one.
func (j *job) cancel() {
	j.unwant()
	j.post(scheduler.Cancel{Cause: cancelled()})
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
	j.account()
	saving, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	if err := records.Snapshot(saving, s); err != nil {
		j.cfg.Log.Warn("a snapshot of a job's log could not be written", "job", j.id, "error", err)
	}
	if s.Epoch == j.epoch && !j.introduced {
		j.introduced = true
		j.members.introduce(j.id, j)
		j.divide()
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
	j.notePlan(s)
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

// mapsOf returns a generation of the list; nil when it is another by now. Not
// known is one that is to come, as far as this master has read the log.
func (j *job) mapsOf(generation uint64) (list []plan.AttemptID, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mapsGen != generation {
		return nil, generation < j.mapsGen
	}
	return j.maps, true
}
