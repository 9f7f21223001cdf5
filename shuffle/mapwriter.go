package shuffle

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
	"github.com/windrow-mr/windrow/shuffle/run"
)

// A MapWriter takes the pairs of one map attempt and writes them to sorted
// runs.
type MapWriter struct {
	ctx       context.Context // of the attempt: a Collector's Add has none
	spec      Spec
	mem       *Grant
	store     RunStore
	collector *pairs.Collector
	writer    *run.Writer // nil before the first run
	fold      *folding    // nil without a combiner
	heavy     *run.Heavy  // nil unless the spec asks for it
	runs      []plan.Run
	charged   int64 // bytes, beside the collector's
	stats     Stats
	finished  bool
	closed    bool
}

// Stats counts what an attempt wrote.
type Stats struct {
	Pairs      int64 // pairs in the remaining runs, after combining
	Spills     int64 // runs written because memory was full
	SpillBytes int64 // bytes of those runs
	RunBytes   int64 // bytes of the remaining runs
}

// LeastToWrite is the least memory of a MapWriter, in bytes.
const LeastToWrite = MinShare + writerBytes

// NewMapWriter returns a writer that keeps within mem and writes to runs. The
// caller must Close it. The caller also releases mem.
func NewMapWriter(ctx context.Context, spec Spec, mem *Grant, runs RunStore) (*MapWriter, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if mem.Left() < LeastToWrite {
		return nil, fmt.Errorf("a map task needs %d bytes of memory for pairs and has %d: raise --memory or use fewer slots",
			LeastToWrite, mem.Left())
	}
	w := &MapWriter{ctx: ctx, spec: spec, mem: mem, store: runs}
	w.collector = pairs.NewCollector(spec.Layout, mem, w.spill)
	w.charge(writerBytes)
	if spec.KeyText != nil {
		w.heavy = run.NewHeavy(spec.Group, spec.KeyText, spec.Partitions)
	}
	return w, nil
}

// Collector returns the collector that the map function appends to.
func (w *MapWriter) Collector() *pairs.Collector { return w.collector }

// Finish writes the remaining pairs and returns the runs and the number of
// pairs in each partition, over all runs. The collector takes no more pairs.
func (w *MapWriter) Finish(ctx context.Context) ([]plan.Run, []int64, error) {
	if err := w.collector.Err(); err != nil {
		return nil, nil, err
	}
	if w.collector.Len() > 0 {
		if err := w.write(ctx); err != nil {
			return nil, nil, err
		}
	}
	w.collector.Close()
	if len(w.runs) > 1 && !w.readable() {
		if err := w.merge(ctx); err != nil {
			return nil, nil, err
		}
	}
	rows := make([]int64, w.spec.Partitions)
	for _, r := range w.runs {
		w.stats.RunBytes += r.Size
		for p, e := range r.Partitions {
			rows[p] += e.Rows
			w.stats.Pairs += e.Rows
		}
	}
	w.finished = true
	return w.runs, rows, nil
}

// Stats returns the counts so far.
func (w *MapWriter) Stats() Stats { return w.stats }

// Heavy returns the keys that hold much of the remaining runs, after Finish; nil unless
// the spec asks for it.
func (w *MapWriter) Heavy() *plan.Heavy {
	if w.heavy == nil {
		return nil
	}
	return w.heavy.Keys()
}

// Close returns all memory. If Finish has not succeeded, it also deletes the
// written runs. Runs that cannot be deleted are swept with the rest of the
// job's temporary data. It may be called twice.
func (w *MapWriter) Close() {
	if w.closed {
		return
	}
	w.closed = true
	w.collector.Close()
	w.charge(-w.charged)
	if !w.finished {
		w.delete(w.ctx, w.runs)
	}
	w.runs, w.writer = nil, nil
}

// readable reports whether the runs may stay as they are: one request of a
// reducer fetches enough bytes.
func (w *MapWriter) readable() bool {
	least := w.spec.MinExtent
	if least == 0 {
		least = 64 << 10
		if w.spec.Remote {
			least = 1 << 20
		}
	}
	total := int64(0)
	for _, r := range w.runs {
		total += r.Size
	}
	return total/int64(len(w.runs))/int64(w.spec.Partitions) >= least
}

// spill writes the collector's pairs because its memory is full.
func (w *MapWriter) spill() error {
	if err := w.write(w.ctx); err != nil {
		return err
	}
	w.stats.Spills++
	w.stats.SpillBytes += w.runs[len(w.runs)-1].Size
	return nil
}

// write sorts the collector's pairs and writes them as a run.
func (w *MapWriter) write(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c := w.collector
	if err := c.Sort(w.spec.Partitions, w.spec.SortValues); err != nil {
		return err
	}
	out, err := w.store.Create(ctx)
	if err != nil {
		return fmt.Errorf("creating a run: %w", err)
	}
	defer out.Abort()
	extents, size, err := w.encode(out)
	if err != nil {
		return fmt.Errorf("writing run %s: %w", out.Key(), err)
	}
	if err := out.Commit(); err != nil {
		return fmt.Errorf("committing run %s: %w", out.Key(), err)
	}
	w.runs = append(w.runs, plan.Run{Key: out.Key(), Size: size, CRC32C: w.writer.Sum(), Partitions: extents})
	c.Reset()
	w.charge(extentBytes * int64(len(extents)))
	return nil
}

// extentBytes is the memory of a run for each partition.
const extentBytes = 40

// charge counts memory that the collector cannot use.
func (w *MapWriter) charge(n int64) {
	w.charged += n
	w.mem.charge(n)
}

// encode writes the sorted pairs, combined if there is a combiner.
func (w *MapWriter) encode(out RunWriter) ([]plan.Extent, int64, error) {
	if w.writer == nil {
		o := runOptions(&w.spec, w.spec.Partitions)
		o.Heavy = w.heavy
		w.writer = run.NewWriter(out, o)
		if w.spec.Combiner != nil {
			w.fold = &folding{combiner: w.spec.Combiner(), emit: w.writer.Append}
		}
	} else {
		w.writer.Reset(out)
	}
	c := w.collector
	perPair := float64(c.Bytes()) / float64(c.Len())
	i := 0
	for p := range w.spec.Partitions {
		end := c.End(p)
		if i == end {
			continue
		}
		if err := w.writer.Partition(p, int64(perPair*float64(end-i))); err != nil {
			return nil, 0, err
		}
		if err := w.encodePairs(i, end); err != nil {
			return nil, 0, err
		}
		i = end
	}
	return w.writer.Finish()
}

// warmPairs is how many pairs are loaded into the cache at a time.
const warmPairs = 32

// encodePairs writes pairs i to end of one partition.
func (w *MapWriter) encodePairs(i, end int) error {
	c := w.collector
	emit := w.writer.Append
	if w.fold != nil {
		emit = w.fold.add
	}
	for i < end {
		stop := min(i+warmPairs, end)
		c.Warm(i, stop)
		for ; i < stop; i++ {
			if err := emit(c.At(i)); err != nil {
				return err
			}
		}
	}
	if w.fold != nil {
		return w.fold.flush()
	}
	return nil
}

// merge merges all runs into one.
func (w *MapWriter) merge(ctx context.Context) error {
	w.writer = nil
	g := merging{spec: &w.spec, mem: w.mem, store: w.store, codec: run.NewCodec(w.spec.Layout), stats: &w.stats}
	runs := make([]sorted, len(w.runs))
	for i, r := range w.runs {
		runs[i] = sorted{run: r, extents: r.Partitions, made: true}
	}
	w.runs = nil
	// The writer's memory is charged already, and into charges it again.
	w.charge(-writerBytes)
	defer w.charge(writerBytes)
	runs, err := g.reduce(ctx, runs, w.mem.Left()-writerBytes, 0)
	if err != nil {
		g.discard(ctx, runs)
		return err
	}
	if g.heavy = w.heavy; g.heavy != nil {
		g.heavy.Reset() // what it knows is of the runs that are merged
	}
	merged, err := g.into(ctx, runs, 0)
	g.discard(ctx, runs)
	if err != nil {
		return err
	}
	w.runs = []plan.Run{merged.run}
	return nil
}

// delete deletes runs as far as possible.
func (w *MapWriter) delete(ctx context.Context, runs []plan.Run) {
	for _, r := range runs {
		_ = w.store.Delete(context.WithoutCancel(ctx), r.Key)
	}
}
