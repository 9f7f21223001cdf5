package shuffle

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/run"
)

const (
	// maxFanIn bounds a merge whose extents are so small that memory does not.
	maxFanIn = 1024
	// writerBytes is reserved for a run's writer: one batch of the greatest
	// size, as columns and compressed, and the bytes that it gathers for the
	// store.
	writerBytes = 3 << 20
	// aheadLeast is the least size of a request that reads ahead: shorter ones
	// would take longer than another pass over the data.
	aheadLeast = 128 << 10
)

// merging merges runs of one spec.
type merging struct {
	spec  *Spec
	mem   *Grant
	store RunStore
	codec *run.Codec
	stats *Stats
	heavy *run.Heavy // of the run that into writes; nil for none
}

// sorted is a run in a merge, with the extents of the partitions in question.
type sorted struct {
	run     plan.Run
	extents []plan.Extent
	made    bool // by a merge here; it must be deleted after reading
	held    *heldRange
}

// need returns the least memory for reading s: one batch, and two chunks if
// chunks are read ahead.
func (g *merging) need(s *sorted) int64 {
	largest, length := int64(0), int64(0)
	for _, e := range s.extents {
		largest, length = max(largest, e.Largest), length+e.Length
	}
	batch, whole := largest+int64(g.codec.HeaderSize()), min(length, oneRead)
	if s.held != nil {
		return largest // decompressed
	}
	if g.spec.Remote {
		return batch + whole + min(length, 2*aheadLeast)
	}
	return max(batch, whole)
}

// reduce merges adjacent runs into intermediate ones until the remaining runs
// can be read together in room bytes. Each round takes no more runs than it
// must. It returns the remaining runs, also with an error.
func (g *merging) reduce(ctx context.Context, runs []sorted, room int64, firstPart int) ([]sorted, error) {
	at := 0
	for {
		total := int64(0)
		for i := range runs {
			total += g.need(&runs[i])
		}
		if len(runs) <= 2 || total <= room && len(runs) <= maxFanIn {
			return runs, nil
		}
		if at+1 >= len(runs) {
			at = 0
		}
		n := g.window(runs, at, total-room, g.mem.Left()-writerBytes)
		merged, err := g.into(ctx, runs[at:at+n], firstPart)
		if err != nil {
			return runs, err
		}
		g.stats.Spills++
		g.stats.SpillBytes += merged.run.Size
		g.discard(ctx, runs[at:at+n])
		runs[at] = merged
		runs = append(runs[:at+1], runs[at+n:]...)
		at++
	}
}

// window returns how many runs from at on to merge: as many as fit into room,
// but no more than necessary to remove excess bytes.
func (g *merging) window(runs []sorted, at int, excess, room int64) int {
	n, sum, largest := 0, int64(0), int64(0)
	for _, s := range runs[at:] {
		need := g.need(&s)
		if n >= 2 && (sum+need > room || n >= maxFanIn) {
			break
		}
		n, sum, largest = n+1, sum+need, max(largest, need)
		if n >= 2 && sum-largest >= excess && len(runs)-n+1 <= maxFanIn {
			break
		}
	}
	return n
}

// discard deletes runs of intermediate merges that were read. Runs that cannot
// be deleted are swept with the rest of the job's temporary data.
func (g *merging) discard(ctx context.Context, runs []sorted) {
	for _, s := range runs {
		if s.made {
			_ = g.store.Delete(context.WithoutCancel(ctx), s.run.Key)
		}
	}
}

// chunk returns how many bytes to request at a time when reading ahead, so that
// all runs can be read in room bytes.
func (g *merging) chunk(runs []sorted, room int64) int64 {
	var fixed, total int64
	streams := 0
	for i := range runs {
		s := &runs[i]
		fixed += g.need(s)
		if s.held != nil {
			continue
		}
		streams++
		length := int64(0)
		for _, e := range s.extents {
			length += e.Length
		}
		fixed -= min(length, 2*aheadLeast)
		total += length
	}
	window := g.spec.Window
	if window == 0 {
		window = room / 2
	}
	return chunkFor(min(window, room-fixed), total, streams)
}

// open returns a merger of runs that takes room bytes of memory. The caller
// must close it.
func (g *merging) open(ctx context.Context, runs []sorted, room int64, firstPart int) *merger {
	m := &merger{byValue: g.spec.SortValues}
	dec := g.codec.NewDecoder()
	for _, s := range runs {
		open := func(ctx context.Context) (RunReader, error) {
			return g.store.Open(ctx, s.run.Key, s.run.Size)
		}
		in := &input{run: s.run, open: open, dec: dec, head: g.codec.HeaderSize(), packed: g.spec.Remote, mem: g.mem, held: s.held}
		for _, e := range s.extents {
			if e.Rows > 0 {
				in.stop = e.Offset + e.Length
			}
		}
		// seek reports an extent that reaches beyond the run.
		in.stop = min(in.stop, s.run.Size)
		m.inputs = append(m.inputs, in)
	}
	chunk := g.chunk(runs, room)
	// Reducers begin with different runs. Otherwise all would request the same
	// objects at the same time.
	for i := range runs {
		at := (i + firstPart*7) % len(runs)
		g.source(ctx, m.inputs[at], runs[at].extents, chunk)
	}
	return m
}

// source gives an input its bytes.
func (g *merging) source(ctx context.Context, in *input, extents []plan.Extent, chunk int64) {
	first := int64(-1)
	for _, e := range extents {
		if e.Rows > 0 {
			first = e.Offset
			break
		}
	}
	switch {
	case in.held != nil:
	case g.spec.Remote && first >= 0 && first < in.stop:
		in.bytes = newAhead(ctx, in.open, first, in.stop, chunk, g.mem)
	default:
		in.bytes = &direct{open: in.open, stop: in.stop}
	}
}

// into merges runs into one, and combines equal keys.
func (g *merging) into(ctx context.Context, runs []sorted, firstPart int) (sorted, error) {
	m := g.open(ctx, runs, g.mem.Left()-writerBytes, firstPart)
	out, err := g.store.Create(ctx)
	if err != nil {
		_ = m.close() // the first error is the cause
		return sorted{}, fmt.Errorf("creating a run: %w", err)
	}
	defer out.Abort()
	g.mem.charge(writerBytes)
	defer g.mem.charge(-writerBytes)
	o := runOptions(g.spec, len(runs[0].extents))
	o.Heavy = g.heavy
	w := run.NewWriter(out, o)
	extents, size, err := g.copy(ctx, m, runs, w, firstPart)
	if closeErr := m.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return sorted{}, err
	}
	if err := out.Commit(); err != nil {
		return sorted{}, fmt.Errorf("committing run %s: %w", out.Key(), err)
	}
	r := plan.Run{Key: out.Key(), Size: size, CRC32C: w.Sum(), Partitions: extents}
	return sorted{run: r, extents: extents, made: true}, nil
}

// copy writes the pairs of m, partition by partition.
func (g *merging) copy(ctx context.Context, m *merger, runs []sorted, w *run.Writer, firstPart int) ([]plan.Extent, int64, error) {
	partitions := len(runs[0].extents)
	emit := w.Append
	var fold *folding
	if g.spec.Combiner != nil {
		fold = &folding{combiner: g.spec.Combiner(), emit: w.Append}
		emit = fold.add
	}
	extents := make([]plan.Extent, len(runs))
	for p := range partitions {
		size := int64(0)
		for i := range runs {
			extents[i] = runs[i].extents[p]
			size += extents[i].Length
		}
		if size == 0 {
			continue
		}
		if err := w.Partition(p, size); err != nil {
			return nil, 0, err
		}
		if err := m.start(ctx, firstPart+p, extents); err != nil {
			return nil, 0, err
		}
		rows := int64(0)
		for i := range extents {
			rows += extents[i].Rows
		}
		if err := drain(ctx, m, rows, emit); err != nil {
			return nil, 0, err
		}
		if fold != nil {
			if err := fold.flush(); err != nil {
				return nil, 0, err
			}
		}
	}
	return w.Finish()
}

// drain passes a partition to emit and checks its number of rows.
func drain(ctx context.Context, m *merger, rows int64, emit func(key, value []byte) error) error {
	for n := int64(0); ; n++ {
		key, value, ok, err := m.next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			if n != rows {
				return fmt.Errorf("%d pairs came out of runs that hold %d; run the job again, and report this as a defect if it happens again", n, rows)
			}
			return nil
		}
		if err := emit(key, value); err != nil {
			return err
		}
	}
}

// runOptions returns the options for writing runs of a spec.
func runOptions(s *Spec, partitions int) run.Options {
	return run.Options{
		Layout:     s.Layout,
		Partitions: partitions,
		BatchBytes: s.BatchBytes,
		ReadGroup:  s.ReadGroup,
		Compress:   s.Remote,
	}
}
