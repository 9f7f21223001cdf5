package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/meter"
)

// job is a run of a job that this leader drives. Its state has three owners, and
// the mailbox of its shell a fourth:
//   - life belongs to the goroutine that drives the run. It is set before the shell
//     begins, and only read by what the shell starts.
//   - input is the known state of the tasks, under a lock.
//   - view is the state that users see, under a lock.
type job struct {
	lead    *leadership
	run     journal.Run
	id      plan.JobID
	scratch *store.Root
	ctx     context.Context // the leadership's; requests with it are counted for the job
	asked   meter.Tally     // those requests
	gone    chan struct{}   // closed when the run is no longer driven

	want   atomic.Int64 // tasks that could run now
	weight atomic.Int64

	wanted context.Context // until a user cancels the job
	unwant context.CancelFunc

	losing chan struct{} // has a token while lost output of maps is looked for

	life  life
	input input
	view  *view.Job
	shell mailbox
	spec  submitted
}

// life is the state of the goroutine that drives a run.
type life struct {
	out      *store.Root      // the output
	hold     *output.Hold     // nil when the output belongs to another job
	past     bool             // the output was committed, and others have written to it since
	refused  *scheduler.Cause // why the output can never be reserved; nil if it can
	attached bool             // to the workers
	last     *scheduler.Job   // the state that the shell had last
	tally    *plan.Tally      // of a job that is committed
	parts    int              // that such a job wrote
	skew     []plan.Skew      // of such a job
	issued   uint32           // the number of the newest attempt that this leader has launched
}

// mailbox is the mailbox of the shell that runs at present.
type mailbox struct {
	mu  sync.Mutex
	box *master.Mailbox // nil while no shell runs
}

func (m *mailbox) set(box *master.Mailbox) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.box = box
}

func (m *mailbox) get() *master.Mailbox {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.box
}

// submitted is the job as it was submitted.
type submitted struct {
	mu     sync.Mutex
	spec   *plan.Spec              // nil until it is read
	unread *journal.UnreadableSpec // why spec is incomplete; nil if it is not
}

func (s *submitted) get() (*plan.Spec, *journal.UnreadableSpec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec, s.unread
}

// read reads the specification, once. One that cannot be read is read again the
// next time.
func (s *submitted) read(ctx context.Context, root *store.Root, id plan.JobID) error {
	if spec, unread := s.get(); spec != nil && unread == nil {
		return nil
	}
	spec, err := journal.ReadSpec(ctx, root, id)
	unread, _ := errors.AsType[*journal.UnreadableSpec](err)
	if unread != nil {
		spec = unread.Spec
	} else if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spec, s.unread = spec, unread
	return nil
}

func newJob(l *leadership, run journal.Run) *job {
	j := &job{lead: l, run: run, id: run.Job, scratch: l.cfg.Root.Sub(plan.ScratchPrefix(run.Job)), gone: make(chan struct{}), losing: make(chan struct{}, 1), view: view.NewJob()}
	j.ctx = meter.With(l.ctx, &j.asked)
	j.weight.Store(plan.DefaultPriority)
	j.wanted, j.unwant = context.WithCancel(context.WithoutCancel(l.ctx)) // a leadership that ends cancels no job
	return j
}

// main drives the run to its end, or until ctx ends. After a failure of a store
// it starts again from the state in the log.
func (j *job) main(ctx context.Context) {
	defer j.unwant()
	for n := 0; ; n++ {
		err := j.drive(ctx)
		j.view.Proceed(err)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, master.ErrDeposed):
			j.lead.end(fmt.Errorf("job %s: %w", j.id, journal.ErrDeposed))
			return
		case errors.Is(err, errOutnumbered):
			j.lead.end(fmt.Errorf("job %s: %w", j.id, err))
			return
		}
		j.lead.cfg.Log.Warn("the job cannot proceed at present; trying again", "job", j.id, "error", err)
		if j.pause(ctx, min(again<<min(n, 4), 15*time.Second)); ctx.Err() != nil {
			return
		}
	}
}

// pause waits, but no longer than until a user cancels the job.
func (j *job) pause(ctx context.Context, d time.Duration) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !j.unwanted() {
		defer context.AfterFunc(j.wanted, stop)()
	}
	_ = pause(ctx, d)
}

// drive drives the run once, from the state that the log has: it reads the
// specification and the log, reserves the output, learns what earlier leaders
// knew, adopts work that was not reported, runs the shell, and concludes the
// run.
func (j *job) drive(ctx context.Context) error {
	s, err := j.read(ctx)
	if journal.Damaged(err) {
		return j.broken(ctx, err)
	}
	if err != nil {
		return err
	}
	if s.Epoch > j.lead.epoch {
		return j.lead.outnumbered(ctx, s.Epoch)
	}
	reopen := j.run.Number > s.Run
	if s.Status.Ended() && !reopen {
		return j.conclude(ctx, s)
	}
	if s.Slots > 0 && !reopen { // a leader may have died while it gave this up
		if gone, err := j.concluded(ctx); err != nil || gone {
			return err
		}
	}
	if _, unread := j.spec.get(); unread != nil && !j.unwanted() && s.Status != scheduler.Aborting {
		return unread
	}
	ctx, stop := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer stop()
	box := master.NewMailbox()
	refused, err := j.reserve(ctx, s, reopen)
	if err != nil {
		return err
	}
	if refused != nil {
		box.Post(scheduler.Cancel{Cause: *refused})
	}
	if err := j.learn(ctx, s, box); err != nil {
		return err
	}
	if j.life.hold != nil {
		keeping.Go(func() { j.keep(ctx, box) })
	}
	if err := j.adopt(ctx, s, box); err != nil {
		return err
	}
	if err := j.runShell(ctx, s, box, reopen); err != nil {
		return err
	}
	return j.conclude(ctx, j.life.last)
}

// read reads the specification, and the log.
func (j *job) read(ctx context.Context) (*scheduler.Job, error) {
	if err := j.spec.read(ctx, j.lead.cfg.Root, j.id); err != nil {
		return nil, err
	}
	spec, _ := j.spec.get()
	j.weight.Store(int64(spec.Share()))
	s, err := journal.Read(ctx, j.lead.cfg.Root, j.id)
	if err != nil {
		return nil, err
	}
	j.view.Recall(s)
	return s, j.remember(ctx)
}

const (
	// mostAdjacent is how many partitions a reducer fetches by one request at
	// most: see shuffle.Shape.
	mostAdjacent = 64
	// speculate is when a second attempt is started, in tenths of the median.
	speculate = 15
	// grantTime is how long a grant keeps other attempts from being granted.
	// Making a part visible takes a request or two.
	grantTime = 2 * time.Minute
)

// runShell runs the scheduler's shell on the state in the log, until the job has
// ended.
func (j *job) runShell(ctx context.Context, s *scheduler.Job, box *master.Mailbox, reopen bool) error {
	j.listen(box)
	defer j.listen(nil)
	j.view.Proceed(nil)
	cfg := j.lead.cfg
	records := journal.Open(cfg.Root, j.id, j.lead.lease)
	outcome, err := master.Run(ctx, master.Config{
		Scheduler: scheduler.Config{Epoch: j.lead.epoch, Rand: cfg.Draw(), Issued: j.life.issued, Prepare: true, MaxFailures: j.attempts(), Speculate: speculate, SpeculateLeast: scheduler.Time(j.lead.times.slow),
			GrantTimeout: scheduler.Time(grantTime), Adjacent: j.adjacent()},
		Lead:    scheduler.Lead{Job: s, Reopen: reopen},
		Journal: records, Pool: pool{j}, Output: committer{j}, Events: box,
		Now:      func() scheduler.Time { return scheduler.Time(cfg.Clock()) },
		Changed:  func(s *scheduler.Job) { j.follow(ctx, records, s) },
		Excluded: func(workers []scheduler.Exclusion) { j.lead.members.Exclude(j.id, workers) },
		Sweep: func(ctx context.Context, all []plan.Results) {
			master.RemoveRuns(ctx, all, j.manifest, j.scratch.Delete)
		},
		Abandon: true,
	})
	j.life.issued = outcome.Issued
	return err
}

// attempts returns how often a task of the job may fail, 0 for the default.
func (j *job) attempts() int {
	spec, unread := j.spec.get()
	if unread != nil {
		return 0 // the job ends without running tasks
	}
	return spec.Attempts
}

// adjacent returns how many adjacent reduces one slot gets. It saves requests, and
// so only matters where they cost something.
func (j *job) adjacent() int {
	if !j.lead.cfg.Root.Remote() {
		return 1
	}
	return mostAdjacent
}

// listen makes a mailbox the job's; nil removes it. Reports of workers wait until
// this leader's first record is in the log, because the scheduler does not use them
// before. Then follow attaches the job.
func (j *job) listen(box *master.Mailbox) {
	j.lead.members.Mute(j.id)
	j.life.attached = false
	j.shell.set(box)
	if box == nil {
		return
	}
	if j.unwanted() {
		box.Post(scheduler.Cancel{Cause: cancelled()})
	}
	for _, spent := range j.view.Accounts() { // the log may not have them
		box.Post(spent)
	}
}

func cancelled() scheduler.Cause {
	return scheduler.Cause{Kind: plan.Cancelled, Text: "it was cancelled"}
}

// unwanted reports whether a user has cancelled the job.
func (j *job) unwanted() bool { return j.wanted.Err() != nil }

// cancel lets the shell abort the job, this one or the next.
func (j *job) cancel() {
	j.unwant()
	j.Post(scheduler.Cancel{Cause: cancelled()})
}

// Post hands an event to the shell. If none runs, the next one reads the log.
func (j *job) Post(e scheduler.Event) { j.postAll(e) }

// postAll is Post for several events. The shell takes no other between them.
func (j *job) postAll(events ...scheduler.Event) {
	if box := j.shell.get(); box != nil {
		box.Post(events...)
	}
}

// look calls f with the job as the log has it, on the shell's goroutine. It reports
// whether there was a shell to do so.
func (j *job) look(ctx context.Context, f func(*scheduler.Job)) bool {
	box := j.shell.get()
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

// snapshotTime bounds how long a shell waits for a snapshot. A snapshot only makes
// the next leader quicker.
const snapshotTime = 5 * time.Second

// follow takes the state that the log has, after each step that changed it.
func (j *job) follow(ctx context.Context, records *journal.Log, s *scheduler.Job) {
	j.life.last = s
	j.account()
	saving, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	if err := records.Snapshot(saving, s); err != nil {
		j.lead.cfg.Log.Warn("a snapshot of a job's log could not be written", "job", j.id, "error", err)
	}
	if s.Epoch == j.lead.epoch && !j.life.attached {
		j.life.attached = true
		j.lead.members.Attach(j.id, j)
		j.lead.divide()
	}
	now := view.State{Status: s.Status, Phase: s.Front(), Left: s.Waiting()}
	if s.Status != scheduler.Running && s.Status != scheduler.Unplanned {
		now.Left = 0
	}
	if before := j.want.Swap(int64(now.Left)); before != int64(now.Left) {
		j.lead.divide()
	}
	j.input.follow(s)
	j.input.followWork(s)
	j.view.Follow(now)
}
