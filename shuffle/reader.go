package shuffle

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/run"
)

// A Reader is the merged pairs of one partition, in order of keys. It is a
// pairs.Source.
type Reader struct {
	ctx    context.Context // of the attempt: a Source's Next has none
	merge  merging
	runs   []sorted
	merger *merger
	stats  Stats
	err    error

	rows      int64 // the sum over the runs' extents
	delivered int64
}

// Open starts to read a partition of the given runs. If mem cannot merge all of
// them at once, it first merges some into intermediate runs, which Close
// deletes. The caller releases mem, after Close.
func Open(ctx context.Context, spec Spec, partition int, runs []plan.Run, store RunStore, mem *Grant) (*Reader, error) {
	return OpenHeld(ctx, spec, partition, runs, nil, store, mem)
}

// OpenHeld is Open with some of the bytes in held. Bytes that held does not
// have come from the store; held may be nil. It must not be released before the
// reader is closed.
func OpenHeld(ctx context.Context, spec Spec, partition int, runs []plan.Run, held *Held, store RunStore, mem *Grant) (*Reader, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if mem.Left() < MinShare {
		return nil, fmt.Errorf("a reducer needs %d bytes of memory and has %d: raise --memory or use fewer slots", MinShare, mem.Left())
	}
	r := &Reader{ctx: ctx}
	r.merge = merging{spec: &spec, mem: mem, store: store, codec: run.NewCodec(spec.Layout), stats: &r.stats}
	for _, s := range runs {
		if partition < 0 || partition >= len(s.Partitions) {
			return nil, fmt.Errorf("run %s has %d partitions and none of index %d", s.Key, len(s.Partitions), partition)
		}
		if e := s.Partitions[partition]; e.Rows > 0 {
			s.Partitions = nil
			r.runs = append(r.runs, sorted{run: s, extents: []plan.Extent{e}, held: held.find(s.Key, e)})
		} else if e != (plan.Extent{}) {
			return nil, fmt.Errorf("run %s: the extent of partition %d has no rows but is not empty", s.Key, partition)
		}
	}
	var err error
	if r.runs, err = r.merge.reduce(ctx, r.runs, mem.Left(), partition); err != nil {
		r.merge.discard(ctx, r.runs)
		return nil, err
	}
	extents := make([]plan.Extent, len(r.runs))
	for i, s := range r.runs {
		extents[i] = s.extents[0]
		r.rows += s.extents[0].Rows
	}
	r.merger = r.merge.open(ctx, r.runs, mem.Left(), partition)
	if err := r.merger.start(ctx, partition, extents); err != nil {
		_ = r.Close() // the first error is the cause
		return nil, err
	}
	return r, nil
}

// Next returns the next pair. ok is false at the end and after an error. The
// slices are valid until the next call.
func (r *Reader) Next() (key, value []byte, ok bool) {
	if r.err != nil {
		return nil, nil, false
	}
	key, value, ok, r.err = r.merger.next(r.ctx)
	switch {
	case ok:
		r.delivered++
	case r.err == nil && r.delivered != r.rows:
		r.err = fmt.Errorf("%d pairs came out of runs that hold %d; run the job again, and report this as a defect if it happens again", r.delivered, r.rows)
	}
	return key, value, ok
}

// Err returns the error that ended the stream, nil at its end.
func (r *Reader) Err() error { return r.err }

// Stats returns the counts of intermediate merges.
func (r *Reader) Stats() Stats { return r.stats }

// Close releases the reader's resources and deletes intermediate runs. It may
// be called before the end.
func (r *Reader) Close() error {
	err := r.merger.close()
	r.merge.discard(r.ctx, r.runs)
	r.runs = nil
	if r.err == nil {
		r.err = fmt.Errorf("reader is closed")
	}
	return err
}
