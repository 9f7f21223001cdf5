package shuffle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/run"
)

// oneRead is the size up to which an extent is read by one request.
const oneRead = 64 << 10

// input reads extents of one run, in ascending order, as a stream of pairs.
// seek loads its first pair. The merger steps through the rows of a batch and
// calls turn at their end. The bytes of a batch are read together with the
// header of the next, so that each read knows its length.
type input struct {
	key, value []byte // the current pair
	prefix     uint64 // the first 8 bytes of key
	done       bool   // there is no current pair

	batch run.Batch
	row   int // of the current pair in batch
	end   int // row at which the extent or the batch ends

	run    plan.Run
	open   func(ctx context.Context) (RunReader, error)
	bytes  source
	held   *heldRange // the group that has the bytes, nil for none
	copied bool       // buf is not a part of held
	stop   int64      // end of the last extent that will be read
	packed bool       // batches may be compressed: Largest is more than their length
	dec    *run.Decoder
	head   int
	mem    *Grant
	buf    []byte // bytes of the run from offset start on; the batch is in front
	raw    []byte // decompressed bytes of the batch
	start  int64
	size   int64 // length of the loaded batch, 0 if there is none
	part   int
	extent plan.Extent
	left   int64 // rows of the extent after those up to end
}

// source delivers the bytes of a run. Offsets ascend from call to call.
type source interface {
	read(ctx context.Context, p []byte, off int64) error
	close() error
}

// seek advances to the first pair of a partition's extent.
func (in *input) seek(ctx context.Context, part int, e plan.Extent) error {
	in.part, in.extent, in.left = part, e, e.Rows
	in.row, in.end, in.done = 0, 0, false
	if e.Rows == 0 {
		in.done = true
		return nil
	}
	if e.Offset < 0 || e.Length < int64(in.head) || e.FirstRow < 0 || e.Rows < 0 || e.Offset > in.stop-e.Length {
		return in.fail(fmt.Errorf("extent [%d, +%d) with rows [%d, +%d) is not within the run", e.Offset, e.Length, e.FirstRow, e.Rows))
	}
	if in.size == 0 || e.Offset != in.start {
		if err := in.load(ctx, e.Offset); err != nil {
			return err
		}
	}
	if e.FirstRow >= int64(in.batch.Rows()) {
		return in.fail(fmt.Errorf("extent begins at row %d of a batch of %d", e.FirstRow, in.batch.Rows()))
	}
	in.take(int(e.FirstRow))
	in.set()
	return nil
}

// turn advances to the next batch, or ends the extent.
func (in *input) turn(ctx context.Context) error {
	next, end := in.start+in.size, in.extent.Offset+in.extent.Length
	switch {
	case in.left == 0 && next != end:
		return in.fail(fmt.Errorf("all %d rows were read %d bytes before the end of the extent", in.extent.Rows, end-next))
	case in.left == 0:
		in.done, in.prefix = true, ^uint64(0)
		in.key, in.value = nil, nil
		return nil
	case next >= end:
		return in.fail(fmt.Errorf("%d of %d rows are missing at the end of the extent", in.left, in.extent.Rows))
	}
	if err := in.load(ctx, next); err != nil {
		return err
	}
	if in.batch.Rows() == 0 {
		return in.fail(fmt.Errorf("a batch has no rows"))
	}
	in.take(0)
	in.set()
	return nil
}

// take makes the rows of the batch from row on current, as far as they belong
// to the extent.
func (in *input) take(row int) {
	n := min(in.left, int64(in.batch.Rows()-row))
	in.left -= n
	in.row, in.end = row, row+int(n)
}

// set loads the current pair.
func (in *input) set() {
	in.key, in.value = in.batch.Pair(in.row)
	in.prefix = prefixOf(in.key)
}

// load reads and decodes the batch at off, which must end within the extent.
func (in *input) load(ctx context.Context, off int64) error {
	in.drop(off)
	in.start, in.size = off, 0
	damage, err := in.decode(ctx, off)
	if damage != nil {
		// The bytes may have been damaged on their way here: request them
		// again.
		if err := in.refetch(ctx); err != nil {
			return in.fail(fmt.Errorf("%w, after %w", err, damage))
		}
		damage, err = in.decode(ctx, off)
	}
	if damage != nil {
		return in.fail(damage)
	}
	return err
}

// decode decodes the batch at off, and reads its bytes that are not buffered.
// damage says that the bytes are not a sound batch. All other errors are err.
func (in *input) decode(ctx context.Context, off int64) (damage, err error) {
	limit := in.extent.Offset + in.extent.Length - off
	first := int64(in.head)
	if limit <= oneRead {
		first = limit
	}
	if err := in.fill(ctx, first); err != nil {
		return nil, err
	}
	size, damage := in.dec.Length(in.buf[:in.head], limit)
	if damage != nil {
		return damage, nil
	}
	if err := in.fill(ctx, min(size+int64(in.head), in.stop-off)); err != nil {
		return nil, err
	}
	rawBefore := cap(in.raw)
	in.batch, in.raw, damage = in.dec.Decode(in.buf[:size], in.raw)
	in.mem.charge(int64(cap(in.raw) - rawBefore))
	if damage != nil {
		return damage, nil
	}
	in.size = size
	return nil, nil
}

// refetch reads all buffered bytes again, by a request of its own.
func (in *input) refetch(ctx context.Context) error {
	r, err := in.open(ctx)
	if err != nil {
		return err
	}
	if in.held != nil && !in.copied { // others read there
		in.buf, in.copied = make([]byte, len(in.buf)), true
		in.mem.charge(int64(cap(in.buf)))
	}
	err = r.ReadAt(ctx, in.buf, in.start)
	return errors.Join(err, r.Close())
}

// drop forgets the buffered bytes before off, or all if off is not among them.
func (in *input) drop(off int64) {
	if in.held != nil {
		in.forget()
		return
	}
	skip := off - in.start
	if skip < 0 || skip > int64(len(in.buf)) {
		in.buf = in.buf[:0]
		return
	}
	in.buf = in.buf[:copy(in.buf, in.buf[skip:])]
}

// forget drops the buffer, unless it is part of a group.
func (in *input) forget() {
	if in.copied {
		in.mem.charge(-int64(cap(in.buf)))
	}
	in.buf, in.copied = nil, false
}

// look makes n bytes of a group the buffer, or appends to a copy the bytes
// after it.
func (in *input) look(n int64) error {
	have, from := int64(len(in.buf)), in.start-in.held.off
	if from < 0 || from+n > int64(len(in.held.data)) {
		return in.fail(fmt.Errorf("%d bytes are outside of the %d that were fetched", n, len(in.held.data)))
	}
	if !in.copied {
		in.buf = in.held.data[from : from+n : from+n]
		return nil
	}
	before := int64(cap(in.buf))
	in.buf = append(in.buf, in.held.data[from+have:from+n]...)
	in.mem.charge(int64(cap(in.buf)) - before)
	return nil
}

// fill reads until the buffer holds n bytes.
func (in *input) fill(ctx context.Context, n int64) error {
	have := int64(len(in.buf))
	if have >= n {
		return nil
	}
	if in.held != nil {
		return in.look(n)
	}
	if int64(cap(in.buf)) < n {
		size := n
		if !in.packed {
			// The largest batch of the extent is known: the buffer grows once.
			size = max(n, min(in.extent.Largest+int64(in.head), in.extent.Length))
		}
		buf := make([]byte, have, size)
		copy(buf, in.buf)
		in.mem.charge(size - int64(cap(in.buf)))
		in.buf = buf
	}
	in.buf = in.buf[:n]
	if err := in.bytes.read(ctx, in.buf[have:], in.start+have); err != nil {
		in.buf = in.buf[:have]
		return in.fail(err)
	}
	return nil
}

// RunError says that a run could not be read: the store failed, or returned
// bytes that are not a sound run.
type RunError struct {
	Run       string // its key
	Partition int    // relative to the partitions that are read
	Offset    int64  // of the batch
	Err       error
}

// Error names the place and the cause.
func (e *RunError) Error() string {
	return fmt.Sprintf("run %s, partition %d, batch at offset %d: %v", e.Run, e.Partition, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *RunError) Unwrap() error { return e.Err }

// fail names the place of an error.
func (in *input) fail(err error) error {
	in.done = true
	return &RunError{in.run.Key, in.part, in.start, err}
}

// close releases the input's resources.
func (in *input) close() error {
	if in.held != nil {
		in.forget()
	}
	in.mem.charge(-int64(cap(in.buf) + cap(in.raw)))
	in.buf, in.raw, in.batch = nil, nil, run.Batch{}
	in.key, in.value, in.done = nil, nil, true
	if in.bytes == nil {
		return nil
	}
	err := in.bytes.close()
	in.bytes = nil
	return err
}

// prefixOf returns the first 8 bytes of key, padded with zeros, as a number
// that orders keys as far as it differs.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var p uint64
	for i, c := range key {
		p |= uint64(c) << (56 - 8*i)
	}
	return p
}
