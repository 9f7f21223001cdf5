package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// checkEvery is how many records or pairs pass between two checks of the task's
// context.
const checkEvery = 1024

// run is one attempt at a task: the functions of the pipeline that it runs,
// attached to each other.
type run struct {
	ctx       *Context
	task      *pipeline.Task
	source    pairs.Source              // of a task that reads an exchange
	writes    map[*node]*pipeline.Write // by shuffle
	outputs   map[*node]int             // places of the step's outputs, by Write
	sides     map[*node]int             // places of the step's side inputs
	loaded    map[*node]any             // side inputs
	emitted   map[*node]any             // writers of outputs to which functions emit
	stopped   atomic.Bool               // the task's context has ended
	fans      map[*node]any
	buffer    []byte // lent to readers
	undecoded int64  // bad records that readers did not yield
	root      *node  // whose records the task reads
	listed    *listed
	trial     pipeline.Trial

	tolerance *tolerance // of bad records; nil for none

	drive  func() error   // reads all input; set by the stage that is attached first
	flush  []func() error // runs after drive, in order
	finish []func() error // runs after that, in order
}

func newRun(t *pipeline.Task) *run {
	r := &run{ctx: newContext(t), task: t, source: t.Source, fans: map[*node]any{}, trial: pipeline.TrialOf(t.Context)}
	r.ctx.run = r
	r.tolerance = newTolerance(r)
	if r.trial.Overwrite && r.source != nil {
		r.source = &lentSource{Source: t.Source}
	}
	if r.trial.Spill > 0 {
		for i := range t.Writes {
			t.Writes[i].TableBytes = 0
		}
	}
	return r
}

// write returns where the task writes the pairs of a shuffle.
func (r *run) write(n *node) *pipeline.Write { return r.writes[n] }

// part begins the task's part of an output.
//
//go:noinline
func (r *run) part(n *node, dir string) (pipeline.Part, error) { return r.task.Part(r.outputs[n], dir) }

// full returns why the task can take no more pairs, nil if it can.
func (r *run) full() error {
	for i := range r.task.Writes {
		if c := r.task.Writes[i].Pairs; c != nil && c.Err() != nil {
			return c.Err()
		}
	}
	return nil
}

// execute attaches the task's functions and runs them. A panic of one is an
// error of the current record.
func (r *run) execute(attach func() error) (err error) {
	defer r.ctx.close()
	defer context.AfterFunc(r.ctx, func() { r.stopped.Store(true) })()
	defer func() {
		if p := recover(); p != nil {
			failed := r.ctx.recordError(nil)
			failed.panicked(p)
			err = failed
		}
	}()
	if err := attach(); err != nil {
		return err
	}
	err = r.drive()
	if r.ctx.err != nil {
		return r.ctx.err // the first error
	}
	for i := 0; i < len(r.flush) && err == nil; i++ {
		err = r.flush[i]()
	}
	for i := 0; i < len(r.finish) && err == nil; i++ { // a function may add another
		err = r.finish[i]()
	}
	if err == nil {
		err = r.ctx.err // of a function that finish has called
	}
	if err == nil {
		err = r.full()
	}
	return err
}

// scan reads every section of a task.
func scan[T any](r *run, reader Reader[T], next func(T)) error {
	ctx := r.ctx
	var collector *pairs.Collector // the only one of most tasks
	if len(r.task.Writes) > 0 {
		collector = r.task.Writes[0].Pairs
	}
	several := len(r.task.Writes) > 1
	take := tried(r, tolerated(r, next))
	var records int64
	defer func() { r.count(records + r.undecoded) }()
	var stop error // why the Reader must not continue
	yield := func(rec T) error {
		if r.listed != nil {
			var take bool
			if take, stop = r.listed.takes(r); !take {
				return stop
			}
		}
		records++
		take(rec)
		switch {
		case ctx.err != nil:
			stop = ctx.err
		case collector != nil && collector.Err() != nil:
			stop = collector.Err()
		case several && r.full() != nil:
			stop = r.full()
		case r.stopped.Load():
			stop = context.Cause(r.ctx)
		case records%checkEvery == 0:
			stop = r.look(checkEvery)
		}
		return stop
	}
	for i := range r.task.Sections {
		s := &r.task.Sections[i]
		if err := r.look(0); err != nil {
			return err
		}
		ctx.section, ctx.where = s, Position{s.Object.Name(), begin(s)}
		s.Record = &ctx.where.Offset
		ctx.node = nil
		r.listed = newListed(s)
		err := reader.Scan(ctx, sectionOf(s, r), limited(yield, r.task.Limit))
		if err != nil && !errors.Is(err, errEnough) {
			return readerError(err, stop)
		}
		if err := r.listed.missing(ctx.where.Object); err != nil && ctx.err == nil {
			return err
		}
		if ctx.err != nil {
			return fmt.Errorf("%T.Scan continued after an error: %w", reader, ctx.err)
		}
	}
	return r.full()
}

// readerError marks an error that a Reader made itself: on the same bytes it makes it
// again. Errors that it passes on have a kind, or are why it had to stop.
func readerError(err, stop error) error {
	if passedOn(err) || stop != nil {
		return err
	}
	return &pipeline.ReaderError{Err: err}
}

// passedOn reports whether an error of a function or a Reader comes from a store or from
// the engine: such errors have a kind.
func passedOn(err error) bool {
	_, ok := errors.AsType[interface {
		error
		FailureKind() plan.Kind
	}](err)
	return ok
}

// errEnough ends the reading of a section of a sample.
var errEnough = errors.New("the sample of this section is taken")

// limited yields at most n records; 0 means all.
func limited[T any](yield func(T) error, n int64) func(T) error {
	if n <= 0 {
		return yield
	}
	return func(rec T) error {
		if err := yield(rec); err != nil {
			return err
		}
		if n--; n == 0 {
			return errEnough
		}
		return nil
	}
}

// look returns why the task should stop, and reports n more records as done.
func (r *run) look(n int64) error {
	if r.task.Progress != nil {
		r.task.Progress.Records.Add(n)
	}
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

// count adds n records or pairs to the task's tally.
func (r *run) count(n int64) {
	r.task.Tally.RecordsIn += n
	if r.task.Progress != nil {
		r.task.Progress.Records.Add(n % checkEvery)
	}
}
