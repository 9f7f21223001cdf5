package executor

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// sideShare is which part of the memory side inputs may take: a quarter.
const sideShare = 4

// sides holds the side inputs of the job that were loaded in this process, with the
// memory that they take.
type sides struct {
	mu     sync.Mutex
	loaded map[int]*sideInput // by exchange
	left   int64              // bytes of memory
	reads  *shuffle.Budget    // for reading them, one at a time
}

// sideInput is a side input. Loading takes long, so an attempt that waits for its turn
// can be stopped.
type sideInput struct {
	turn  chan struct{}
	from  []plan.AttemptID // whose pairs it is made of; nil before it is loaded
	bytes int64
	value any
}

func newSides(memory int64) *sides {
	return &sides{loaded: make(map[int]*sideInput), left: memory / sideShare, reads: shuffle.NewBudget(2 * shuffle.MinShare)}
}

// SideError says that the side inputs of a job are too big. Its kind is Invalid: the next
// attempt would find the same.
type SideError struct {
	Stage       string
	Bytes, Left int64
}

// Error says what helps.
func (e *SideError) Error() string {
	return fmt.Sprintf("the side input %s takes %d bytes of memory, and %d are left for it: all side inputs together may take a quarter of the memory of the tasks; join the data, or give more --memory",
		e.Stage, e.Bytes, e.Left)
}

// FailureKind returns Invalid.
func (e *SideError) FailureKind() plan.Kind { return plan.Invalid }

// get returns a side input of a task, and loads it if this process has not yet.
func (x *execution) side(ctx context.Context, place int, load func(from pairs.Source) (any, error)) (any, error) {
	e, exchange, work := x.exec, x.step.Sides[place], &x.work.Sides[place]
	e.sides.mu.Lock()
	s := e.sides.loaded[exchange]
	if s == nil {
		s = &sideInput{turn: make(chan struct{}, 1)}
		e.sides.loaded[exchange] = s
	}
	e.sides.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.turn }()
	var from []plan.AttemptID
	for _, step := range work.Reads {
		from = append(from, step.Attempts...)
	}
	if s.from != nil && slices.Equal(s.from, from) {
		return s.value, nil
	}
	e.sides.release(s)
	value, bytes, err := x.loadSide(ctx, exchange, work, load)
	if err != nil {
		return nil, e.blame(ctx, exchange, work.Reads, err)
	}
	s.from, s.bytes, s.value = append([]plan.AttemptID{}, from...), bytes, value
	return value, nil
}

// release forgets a value that is made of pairs which were made again since.
func (s *sides) release(in *sideInput) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left += in.bytes
	in.from, in.bytes, in.value = nil, 0, nil
}

// forget releases the side inputs of exchanges. One that is being loaded stays.
func (s *sides) forget(of func(exchange int) bool) {
	s.mu.Lock()
	var old []*sideInput
	for exchange, in := range s.loaded {
		if of(exchange) {
			old = append(old, in)
		}
	}
	s.mu.Unlock()
	for _, in := range old {
		select {
		case in.turn <- struct{}{}:
			s.release(in)
			<-in.turn
		default:
		}
	}
}

// loadSide makes the value of a side input, and takes the memory for it: that of its
// encoded pairs twice, because values in memory are bigger.
func (x *execution) loadSide(ctx context.Context, exchange int, work *plan.Side, load func(from pairs.Source) (any, error)) (value any, bytes int64, err error) {
	e := x.exec
	var runs []plan.Run
	for k, step := range work.Reads {
		writer := e.graph.Exchanges[exchange].Writers[k]
		at := slices.Index(e.cfg.Pipeline.Steps[writer].Writes, exchange)
		for i, id := range step.Attempts {
			m, err := e.manifest(ctx, step.Task(i), id)
			if err != nil {
				return nil, 0, lost(step.Task(i), id, err)
			}
			left := m.Left(at)
			if _, err := attempts.RowsOf(step.Task(i), left, 0, 1); err != nil {
				return nil, 0, err
			}
			runs = append(runs, left.Runs...)
		}
	}
	for i := range runs {
		bytes += 2 * runs[i].Size
	}
	e.sides.mu.Lock()
	if bytes > e.sides.left {
		err = &SideError{e.cfg.Pipeline.Steps[e.graph.Exchanges[exchange].Writers[0]].Stage, bytes, e.sides.left}
	} else {
		e.sides.left -= bytes
	}
	e.sides.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			e.sides.mu.Lock()
			e.sides.left += bytes
			e.sides.mu.Unlock()
		}
	}()
	mem, err := e.sides.reads.Acquire(ctx, e.sides.reads.Total())
	if err != nil {
		return nil, 0, err
	}
	defer mem.Release()
	r, err := shuffle.Open(ctx, e.spec(exchange, 1, mem.Size()), 0, runs, x.runs, mem)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	value, err = load(r)
	return value, bytes, err
}
