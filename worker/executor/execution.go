package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// execution is an attempt at a task of a step: it reads sections of an input or a
// partition of an exchange, runs the functions of the step, and leaves runs for other
// steps, parts of the output, or both.
type execution struct {
	exec    *Executor
	attempt Attempt
	work    *Work
	step    *pipeline.Step
	grants  Granter
	started time.Time

	m       *plan.Manifest
	task    pipeline.Task
	runs    *runStore  // names all that the attempt writes to the scratch root
	opened  *inputs    // of a task that reads an input
	reads   *reduction // of a task that reads an exchange
	writers []*writer
	spools  []*spool
	sorters []*sorter
	memory  *shuffle.Grant // for sorters
	parts   []*part

	directories int  // of which the attempt has a part
	granted     bool // it has its grant
}

// writer takes the pairs for an exchange.
type writer struct {
	*shuffle.MapWriter
	mem  *shuffle.Grant
	keys *sampler // nil where none are sampled
}

// run runs the attempt.
func (x *execution) run(ctx context.Context) (*plan.Manifest, error) {
	x.started = time.Now()
	x.m, x.task = x.exec.begin(ctx, x.attempt, x.step)
	x.runs = x.exec.runStore(x.attempt.Task, x.attempt.ID)
	if err := x.open(ctx); err != nil {
		return nil, err
	}
	var err error
	if x.task.Previous, err = x.exec.previous(ctx, x.work.Observes); err != nil {
		return nil, err
	}
	x.task.Side = func(place int, load func(from pairs.Source) (any, error)) (any, error) {
		return x.side(ctx, place, load)
	}
	x.task.Part = func(output int, dir string) (pipeline.Part, error) { return x.part(ctx, output, dir) }
	x.task.MostParts = x.exec.mostParts()
	x.task.Sorter = func() (pipeline.Sorter, error) { return x.sorter(ctx) }
	if err := x.step.Run(&x.task); err != nil {
		return nil, err
	}
	x.m.Observed = x.task.Observed
	if err := x.finishReading(); err != nil {
		return nil, err
	}
	if err := x.finishRuns(ctx); err != nil {
		return nil, err
	}
	if len(x.step.Outputs) == 0 {
		return x.m, x.exec.writeManifest(ctx, x.m)
	}
	return x.m, x.publish(ctx)
}

// open makes ready what the task reads, and where it writes.
func (x *execution) open(ctx context.Context) error {
	e, w := x.exec, x.work
	if x.step.Reads != plan.None {
		x.reads = &reduction{exec: e, exchange: e.exchange(x.step, w.Reads), partitions: w.Partitions, store: x.runs}
		if err := x.reads.find(ctx, x.attempt.Task.Index, w.Reads); err != nil {
			return err
		}
		shares := len(w.Writes)
		spools := e.cfg.Pipeline.Exchanges[x.step.Reads].Spools
		if spools {
			shares++
		}
		if x.sorts() {
			shares++
		}
		if err := x.reads.open(ctx, x.attempt, shares); err != nil {
			return err
		}
		x.task.Source = x.reads.reader
		if spools {
			x.task.Spool = func() pipeline.Spool {
				s := newSpool(ctx, x.runs, x.reads.spare[len(w.Writes)], e.cfg.Scratch.Remote())
				x.spools = append(x.spools, s)
				return s
			}
		}
		if x.sorts() {
			x.memory = x.reads.spare[shares-1]
		}
		return x.openWriters(ctx, x.reads.spare[:len(w.Writes)])
	}
	if len(w.Splits) != 1 || !slices.Contains(x.step.Inputs, w.Splits[0].Input) {
		return fmt.Errorf("task %v: an attempt needs one split of an input of its step, and has %d", x.attempt.Task, len(w.Splits))
	}
	x.task.Input = w.Splits[0].Input
	x.task.Sections, x.opened = e.sections(ctx, w.Splits[0], x.attempt.Progress, 0)
	shares := len(w.Writes)
	if x.sorts() {
		shares++
	}
	if shares == 0 {
		return nil
	}
	mem, err := e.share(ctx)
	if err != nil {
		return err
	}
	defer mem.Release()
	grants := make([]*shuffle.Grant, len(w.Writes))
	each := mem.Size() / int64(shares)
	for i := range grants {
		grants[i] = mem.Split(each)
	}
	if x.sorts() {
		x.memory = mem.Split(each)
	}
	return x.openWriters(ctx, grants)
}

// openWriters begins the runs for the exchanges that the task writes. It takes over the
// memory.
func (x *execution) openWriters(ctx context.Context, mem []*shuffle.Grant) error {
	for _, g := range mem {
		x.writers = append(x.writers, &writer{mem: g}) // so that close releases all of it
	}
	for i, w := range x.writers {
		g := w.mem
		work, exchange := &x.work.Writes[i], x.step.Writes[i]
		of := &x.exec.cfg.Pipeline.Exchanges[exchange]
		to := pipeline.Write{Partitions: work.Partitions}
		var err error
		if to.Cuts, err = x.exec.cuts(ctx, work); err != nil {
			return err
		}
		if of.Combiner != nil {
			// The table in front of the collector takes its memory from this grant.
			to.TableBytes = min(g.Size()/2, max(g.Size()-shuffle.LeastToWrite, 0))
			g.Charge(to.TableBytes)
		}
		if w.MapWriter, err = shuffle.NewMapWriter(ctx, x.exec.spec(exchange, work.Partitions, g.Size()), g, x.runs); err != nil {
			return fmt.Errorf("task %v: %w", x.attempt.Task, err)
		}
		to.Pairs = w.Collector()
		if of.Sampled {
			w.keys = new(sampler)
			to.Sample = w.keys.add
		}
		x.task.Writes = append(x.task.Writes, to)
	}
	return nil
}

// finishReading verifies what was read, and releases what only reading needs.
func (x *execution) finishReading() error {
	if x.reads != nil {
		if err := x.reads.count(x.attempt.Task, x.m); err != nil {
			return err
		}
		x.m.Took = time.Since(x.started)
		x.reads.end(true)
		return nil
	}
	var err error
	x.m.Sums, err = x.opened.checkSums()
	x.m.Tally.BytesIn = x.opened.bytes.Load()
	x.m.Took = time.Since(x.started)
	return err
}

// finishRuns writes the pairs that are still in memory.
func (x *execution) finishRuns(ctx context.Context) error {
	for i, w := range x.writers {
		runs, rows, err := w.Finish(ctx)
		if err != nil {
			return fmt.Errorf("task %v: %w", x.attempt.Task, err)
		}
		of, heavy := &x.exec.cfg.Pipeline.Exchanges[x.step.Writes[i]], w.Heavy()
		if heavy != nil && len(heavy.Keys) > 0 {
			heavy.Advice = of.Advice
		}
		x.m.Leave(plan.Shuffled{Runs: runs, Rows: rows, Heavy: heavy})
		stats, tally := w.Stats(), &x.m.Tally
		if !of.Side { // of which every process reads all
			tally.PairsOut += stats.Pairs
		}
		tally.Spills += stats.Spills
		tally.SpillBytes += stats.SpillBytes
		tally.RunBytes += stats.RunBytes
		tally.PeakMemory += w.mem.Peak()
		if w.keys != nil {
			x.m.Keys, x.m.KeyStep = w.keys.sorted()
		}
	}
	if len(x.writers) > 0 {
		x.m.Took = time.Since(x.started)
	}
	return nil
}

// close releases everything that the attempt holds.
func (x *execution) close() {
	for _, p := range x.parts {
		p.to.Abort() // does nothing after the commit
	}
	for _, s := range x.spools {
		_ = s.Reset()
	}
	for _, s := range x.sorters {
		s.close()
	}
	if x.memory != nil {
		x.memory.Release()
	}
	for _, w := range x.writers {
		if w.MapWriter != nil {
			w.Close()
		}
		w.mem.Release()
	}
	if x.reads != nil {
		x.reads.end(false)
	}
	if x.opened != nil {
		x.opened.Close()
	}
}
