// Package master is the shell around the scheduler: the one goroutine that owns
// a job's State, feeds it events and carries out its commands.
//
// It has the clock, the waiting and the failures; the scheduler makes all
// decisions. It acts through small interfaces: a Journal that keeps the log, a
// Pool that runs attempts, an Output that commits them. The same shell drives
// an embedded run, whose pool is this process, and a cluster's.
//
// The leader calls Run once for a job. Run calls Journal, Pool and Output from
// goroutines of its own, never two calls of one method at once for Journal and
// Output; a Pool must not block.
//
// It is part of the engine, and may change between minor versions.
package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/master/scheduler"
)

// Journal keeps a job's log.
type Journal interface {
	// Append creates a slot once. When another record has the slot, taken is
	// that record. Append returns when the outcome is known, or with an error
	// when ctx ended.
	Append(ctx context.Context, slot uint64, r scheduler.Record) (won bool, taken scheduler.Record, err error)
	// Leads reports, by a read begun after the call, whether no higher epoch
	// exists.
	Leads(ctx context.Context) (bool, error)
}

// Pool runs attempts. Their results arrive as events.
type Pool interface {
	Launch(c scheduler.Launch, committed *scheduler.Job)
	Stop(c scheduler.Stop)
	Grant(c scheduler.Grant, committed *scheduler.Job)
}

// Output makes committed parts visible as the job's result.
type Output interface {
	// Commit commits the output of a job all of whose tasks are committed. A
	// *Refused, and an error of the kinds Conflict, Unmet, TooLarge and Invalid, mean that
	// the output is not committed and never can be: the job fails. Other errors may
	// pass.
	Commit(ctx context.Context, job *scheduler.Job) error
	// CleanUp removes the parts of the job and releases the output.
	CleanUp(ctx context.Context) error
}

// Refused says that the output of a job can never be committed, and why.
type Refused struct{ Cause scheduler.Cause }

// Error returns the cause.
func (r *Refused) Error() string { return r.Cause.String() }

// Config says which job to run, and how.
type Config struct {
	Scheduler scheduler.Config
	// Lead is the log so far, and whether a failed job must run again. The zero
	// Lead: nothing.
	Lead    scheduler.Lead
	Journal Journal
	Pool    Pool
	Output  Output
	// Events receives the events of attempts and workers. The shell is its only
	// reader; see Mailbox.
	Events *Mailbox
	// Now is the clock. Nil: the monotonic clock of this process.
	Now func() scheduler.Time
	// Changed is called after every step that folded a record. It runs on the
	// shell's goroutine and must be quick. Nil: it is not called.
	Changed func(*scheduler.Job)
	// Sweep removes the runs of results that no task needs. It runs beside the
	// shell, and may leave them. Nil: they stay until the end of the job.
	Sweep func(context.Context, []plan.Results)
	// Excluded is called with the excluded workers, after every step that changed
	// the list. It runs on the shell's goroutine and must be quick. Nil: it is not
	// called.
	Excluded func([]scheduler.Exclusion)
	// Grace bounds the clean-up after ctx ended. 0: 1.5 s.
	Grace time.Duration
	// Abandon says that the job does not end with ctx: it continues under
	// another master, and Run returns at once, with the cause.
	Abandon bool
}

// Outcome is how a job ended.
type Outcome struct {
	Status scheduler.Status
	Cause  scheduler.Cause
	// Issued is for the Scheduler.Issued of the next Run in the same epoch, if there
	// is one.
	Issued uint32
}

// ErrDeposed says that another master leads the job.
var ErrDeposed = errors.New("another master leads this job")

// Run drives a job to its end. When ctx ends it cancels the job and cleans up,
// for as long as Grace allows. An error means that Run could not bring the job to
// an end: the store failed, or another master took over. The Outcome beside it
// says how far the job came, and the cause if it had to fail. With Config.Abandon
// Run leaves the job as it is when ctx ends.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	if cfg.Now == nil {
		start := time.Now()
		cfg.Now = func() scheduler.Time { return scheduler.Time(time.Since(start)) }
	}
	if cfg.Grace == 0 {
		cfg.Grace = 1500 * time.Millisecond
	}
	sh := &shell{cfg: cfg, state: scheduler.New(cfg.Scheduler)}
	outcome, err := sh.run(ctx)
	outcome.Issued = sh.state.Issued()
	return outcome, err
}

// shell is the state of Run.
type shell struct {
	cfg   Config
	state *scheduler.State
	work  context.Context // ends when nothing more may be waited for
	tasks sync.WaitGroup
	wake  *time.Timer // for the Tick that was asked for last

	outcome *Outcome
	err     error
	slots   uint64 // folded when this was last looked at

	sweeper  sweeper
	excluded []scheduler.Exclusion // when Excluded was last called
}

func (sh *shell) run(ctx context.Context) (Outcome, error) {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	sh.work = work
	defer func() {
		stop()
		sh.tasks.Wait()
		if sh.wake != nil {
			sh.wake.Stop()
		}
	}()
	cancelled := ctx.Done()
	var grace <-chan time.Time
	sh.step(sh.cfg.Lead)
	for sh.outcome == nil && sh.err == nil {
		select {
		case <-cancelled:
			if sh.cfg.Abandon {
				sh.err = context.Cause(ctx)
				break
			}
			cancelled = nil
			timer := time.NewTimer(sh.cfg.Grace)
			defer timer.Stop()
			grace = timer.C
			sh.step(scheduler.Cancel{Cause: scheduler.Cause{Kind: plan.Cancelled, Text: "it was interrupted"}})
		case <-grace:
			sh.err = fmt.Errorf("interrupted, and the clean-up took longer than %v: %w", sh.cfg.Grace, context.Cause(ctx))
		case <-sh.cfg.Events.ready:
			for _, l := range sh.cfg.Events.take() {
				switch {
				case l.look != nil:
					l.look(sh.state.Job())
					continue
				case l.err != nil && sh.err == nil:
					sh.err = l.err
				}
				sh.step(l.event)
			}
		}
	}
	if sh.outcome == nil {
		return Outcome{Status: sh.state.Job().Status, Cause: sh.state.Job().Cause}, sh.err
	}
	return *sh.outcome, sh.err
}

// step feeds the scheduler and carries out its commands.
func (sh *shell) step(e scheduler.Event) {
	if sh.outcome != nil || sh.err != nil {
		return
	}
	now := sh.cfg.Now()
	for _, c := range sh.state.Step(now, e) {
		sh.do(c)
	}
	if f := sh.cfg.Excluded; f != nil {
		if excluded := sh.state.Excluded(now); !slices.Equal(excluded, sh.excluded) {
			sh.excluded = excluded
			f(excluded)
		}
	}
	if job := sh.state.Job(); job.Slots != sh.slots {
		sh.slots = job.Slots
		sh.sweep(job)
		if sh.cfg.Changed != nil {
			sh.cfg.Changed(job)
		}
	}
}

// do carries out one command.
func (sh *shell) do(c scheduler.Command) {
	switch c := c.(type) {
	case scheduler.Append:
		r := scheduler.Record{Epoch: c.Record.Epoch, Entries: append([]scheduler.Entry(nil), c.Record.Entries...)}
		sh.ask(func(ctx context.Context) (scheduler.Event, error) {
			won, taken, err := sh.cfg.Journal.Append(ctx, c.Slot, r)
			if won {
				return scheduler.Appended{}, err
			}
			return scheduler.Taken{Record: taken}, err
		})
	case scheduler.CheckEpoch:
		sh.ask(func(ctx context.Context) (scheduler.Event, error) {
			leads, err := sh.cfg.Journal.Leads(ctx)
			return scheduler.Checked{Leads: leads}, err
		})
	case scheduler.Launch:
		sh.cfg.Pool.Launch(c, sh.state.Job())
	case scheduler.Stop:
		sh.cfg.Pool.Stop(c)
	case scheduler.Grant:
		sh.cfg.Pool.Grant(c, sh.state.Job())
	case scheduler.CommitOutput:
		sh.commit()
	case scheduler.CleanUp:
		sh.ask(func(ctx context.Context) (scheduler.Event, error) {
			return scheduler.CleanedUp{}, sh.cfg.Output.CleanUp(ctx)
		})
	case scheduler.Wake:
		if sh.wake != nil {
			sh.wake.Stop() // its time is later than the new one
		}
		after := time.Duration(c.At - sh.cfg.Now())
		sh.wake = time.AfterFunc(after, func() { sh.cfg.Events.Post(scheduler.Tick{}) })
	case scheduler.StepDown:
		sh.err = ErrDeposed
	case scheduler.Finish:
		sh.outcome = &Outcome{Status: c.Status, Cause: c.Cause}
	}
}

// ask runs a slow call on a goroutine of its own and posts the answer.
//
//go:noinline
func (sh *shell) ask(f func(ctx context.Context) (scheduler.Event, error)) {
	sh.tasks.Go(func() {
		e, err := f(sh.work)
		sh.cfg.Events.post(letter{event: e, err: err})
	})
}

// commit commits the output. The job does not change meanwhile: all of its
// tasks are committed, and nothing is appended before the answer.
func (sh *shell) commit() {
	job := sh.state.Job()
	sh.ask(func(ctx context.Context) (scheduler.Event, error) {
		err := sh.cfg.Output.Commit(ctx, job)
		if refused, ok := errors.AsType[*Refused](err); ok {
			return scheduler.OutputRefused{Cause: refused.Cause}, nil
		}
		switch kind := plan.KindOf(err); kind {
		case plan.Conflict, plan.Unmet:
			return scheduler.OutputRefused{Cause: scheduler.Cause{Kind: kind, Text: err.Error()}}, nil
		case plan.TooLarge, plan.Invalid: // the same try fails in the same way
			return scheduler.OutputRefused{Cause: scheduler.Cause{Kind: plan.Failed, Text: err.Error()}}, nil
		default:
			return scheduler.OutputCommitted{}, err
		}
	})
}
