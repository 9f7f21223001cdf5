package jobs

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// A Stat summarises the numbers that the functions of a job observed under one name: see
// Context.Observe.
type Stat = plan.Stat

// MostRounds is the greatest number of rounds of a Loop.
const MostRounds = 1000

// Loop gives the records to step, the result of that to step again, and so on, until
// done returns true after a round, or after the given number of rounds: 1 to MostRounds.
// Its result is that of the last round.
//
// step only builds, as the constructor does: it sees no data, and it is called once for
// each round that may run. It can use data from outside of the loop. A stage, a shuffle
// or a side input that it makes belongs to its round.
//
// done is called after each round but the last possible one, in a task of its own. It is
// given what the functions of the round have observed by Context.Observe, by name, and
// must depend on that alone. The functions of the next round see the same by
// Context.Previous. A done of nil lets all rounds run.
//
// Every round leaves its records in the job's temporary data. A job that is interrupted
// continues in the round in which it was.
func (in Records[T]) Loop(rounds int, step func(round Records[T]) Records[T], done func(observed map[string]Stat) bool) Records[T] {
	p := in.p
	value, err := codec.ValueOf[T]()
	l := p.newLoop(rounds, p.symbol("Loop", step), done, err)
	if l == nil {
		return in
	}
	from := func(n *node) Records[T] {
		return Records[T]{p, n, func(r *run, next func(T)) {
			r.drive = func() error { return readRows(r, n, value, next) }
		}}
	}
	state := in
	for p.nextRound(l, rounds) {
		result := step(state)
		n := p.keep(l, result.p, result.n, value.Name(), value.Width(), func(r *run, n *node) { sendRows(r, n, result, value) })
		if n == nil {
			return in
		}
		state = from(n)
	}
	return from(p.endLoop(l))
}

// readRows reads the rows of a task.
func readRows[T any](r *run, n *node, value codec.Value[T], next func(T)) error {
	decode, owned := value.Decoder(), value.Owned()
	return r.rows(n, func(b []byte) error {
		if !owned {
			b = bytes.Clone(b) // records keep what they point to
		}
		var row T
		err := decode(b, &row)
		if err == nil {
			next(row)
		}
		return err
	})
}

// rows calls f with the value of each pair of a task.
func (r *run) rows(n *node, f func(value []byte) error) error {
	var read int64
	defer func() { r.count(read) }()
	for r.ctx.err == nil {
		_, value, ok := r.source.Next()
		if !ok {
			return r.source.Err()
		}
		r.ctx.node = n
		if err := f(value); err != nil {
			return err
		}
		if read++; read%checkEvery == 0 || r.stopped.Load() {
			if err := r.look(checkEvery); err != nil {
				return err
			}
			if err := r.full(); err != nil {
				return err
			}
		}
	}
	return r.ctx.err
}

// loop is a Loop of the pipeline.
type loop struct {
	number int    // from 1
	label  string // names it in errors
	done   func(observed map[string]Stat) bool
	rounds []*round
	states []*node // that keep the results of the rounds
	result *node
}

// round is one round of a loop.
type round struct {
	of  *loop
	n   int    // from 1
	key string // by which manifests have its statistics; set when the pipeline is compiled
}

// within reports whether data of a round, or from outside of loops, can be used in
// another one: a round may not come, so only later rounds and the loop itself can use what
// it makes.
func (r *round) within(user *round) bool {
	return r == nil || user != nil && user.of == r.of && user.n >= r.n
}

// apart returns the round if its tasks can run only after the decision on the round
// before, else nil.
func (r *round) apart() *round {
	if r == nil || r.n == 1 {
		return nil
	}
	return r
}

// name is the name of the loop's stages: the one that the job gives to its result, or its
// number.
func (l *loop) name() string {
	switch {
	case l.result.name != "":
		return l.result.name
	case l.number == 1:
		return "loop"
	}
	return fmt.Sprintf("loop-%d", l.number)
}

// stage returns the name of a stage in the round.
//
//go:noinline
func (r *round) stage(name string) string {
	if r == nil {
		return name
	}
	return fmt.Sprintf("%s.%d", name, r.n)
}

// next returns the round after this one; nil after the last possible one.
func (r *round) next() *round {
	if r.n == len(r.of.rounds) {
		return nil
	}
	return r.of.rounds[r.n]
}

// newLoop begins a loop; nil if there is a mistake in it.
func (p *Pipeline) newLoop(rounds int, symbol string, done func(observed map[string]Stat) bool, codecErr error) *loop {
	l := &loop{number: len(p.loops) + 1, label: "Loop " + p.label(symbol), done: done}
	switch {
	case codecErr != nil:
		p.fail("%s: %w", l.label, codecErr)
		return nil
	case p.round != nil:
		p.fail("%s: it is in the step of another Loop: repeat its steps by a for statement, in one round of the other", l.label)
		return nil
	case rounds < 1 || rounds > MostRounds:
		p.fail("%s: the number of rounds is %d, but must be 1 to %d", l.label, rounds, MostRounds)
		return nil
	case len(p.errs) > 0: // the step may be nil, or need what is missing
		return nil
	}
	p.loops = append(p.loops, l)
	return l
}

// outsideOfLoops refuses a node in the step of a Loop.
func (p *Pipeline) outsideOfLoops(n *node) {
	if p.round != nil {
		p.fail("%s: it is in the step of a Loop, where a round need not come: make it before or after the Loop", n.stage())
	}
}

// nextRound begins the next round of a loop. It reports whether there is one.
//
//go:noinline
func (p *Pipeline) nextRound(l *loop, rounds int) bool {
	p.round = nil
	if n := len(l.rounds) + 1; n <= rounds {
		p.round = &round{of: l, n: n}
		l.rounds = append(l.rounds, p.round)
	}
	return p.round != nil
}

// keep adds the node that keeps the result of the current round in an exchange, of which
// the next round reads it. It returns nil if the result is not of this job.
func (p *Pipeline) keep(l *loop, of *Pipeline, result *node, value string, width int, send func(r *run, n *node)) *node {
	if of != p {
		p.fail("%s: the result of its function in round %d is not of this job", l.label, p.round.n)
		p.round = nil
		return nil
	}
	n := p.add("Round", "", "as "+value, result)
	n.root = n
	n.shuffle = &shuffleRole{roots: []*node{result.root}, exchange: pipeline.Exchange{SampledBy: plan.None,
		Layout: pairs.Layout{Key: rowKey, Value: width}}}
	n.shuffle.mapSide = func(r *run, _ *node) { send(r, n) }
	n.used++ // by the result of the loop
	n.kept = p.round
	l.states = append(l.states, n)
	return n
}

// endLoop adds the node of the loop's result.
func (p *Pipeline) endLoop(l *loop) *node {
	n := p.add("Loop", "", "")
	n.label = l.label
	n.detail = fmt.Sprintf("%d rounds", len(l.states))
	if l.done != nil {
		n.detail += " " + p.symbol("Loop", l.done)
	}
	n.root, n.loop, l.result = n, l, n
	return n
}

// decides returns the function that decides after a round.
func (l *loop) decides() func(observed map[string]Stat) (bool, error) {
	return func(observed map[string]Stat) (bool, error) {
		if l.done == nil {
			return true, nil
		}
		ends, err := pipeline.Guard(func() (bool, error) { return l.done(maps.Clone(observed)), nil })
		if err != nil {
			return false, &RecordError{Stage: l.label, Err: err}
		}
		return !ends, nil
	}
}

// Previous returns what the functions of the round before have observed under a name: see
// Loop. In the first round it is zero.
func (c *Context) Previous(name string) Stat {
	if c.node == nil || c.node.round == nil {
		c.fail(c.recordError(fmt.Errorf("Context.Previous(%q): the function belongs to no round of a Loop: call it in functions that the step of a Loop attaches", name)))
		return Stat{}
	}
	return c.task.Previous[name]
}
