package arrow

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
)

// writer writes a part.
type writer[T any] struct {
	rows
	slot T // so that no record escapes by itself
}

// Write adds a record.
func (w *writer[T]) Write(rec T) error {
	w.slot = rec
	return w.add(unsafe.Pointer(&w.slot))
}

// rows gathers records into batches. The same records give the same bytes.
type rows struct {
	w      io.Writer
	limit  int64 // bytes of a batch
	codec  int
	codecs codecs
	root   builder
	starts []uintptr // of the fields of a record
	offset int64     // of the next message
	begun  bool
	blocks []block
	packed []byte
}

// schema makes the columns for records of type n.
func (w *rows) schema(n *node) (err error) {
	w.root.f = &field{dataType: dataType{kind: typeStruct}}
	if w.root.below, err = buildersOf(n, nil); err != nil {
		return err
	}
	for i, c := range w.root.below {
		w.root.f.children = append(w.root.f.children, c.f)
		w.starts = append(w.starts, n.below[i].offset)
	}
	w.root.reset()
	return nil
}

// add adds the record at p.
func (w *rows) add(p unsafe.Pointer) error {
	w.root.mark()
	if err := w.root.putStruct(p, w.starts); err != nil {
		w.root.rollBack()
		return err
	}
	w.root.end(true)
	if w.root.used() >= w.limit {
		return w.flush()
	}
	return nil
}

// alignment is that of bodies and buffers, which some readers map into memory.
const alignment = 64

var zeros [alignment]byte

func padded[T int | int64](n T) T { return (n + alignment - 1) &^ (alignment - 1) }

func (w *rows) write(b []byte) error {
	n, err := w.w.Write(b)
	w.offset += int64(n)
	return err
}

// message writes a message without its body, so that the body is aligned. It returns the
// bytes that it has.
func (w *rows) message(kind byte, header flatbuffers.UOffsetT, body int64, b *flatbuffers.Builder) (int64, error) {
	b.StartObject(5)
	b.PrependInt64Slot(3, body, 0)
	b.PrependUOffsetTSlot(2, header, 0)
	b.PrependInt16Slot(0, 4, 0) // version 5
	b.PrependByteSlot(1, kind, 0)
	b.Finish(b.EndObject())
	metadata := b.FinishedBytes()
	begin := w.offset
	size := padded(begin+8+int64(len(metadata))) - begin - 8
	prefix := binary.LittleEndian.AppendUint32(nil, continuation)
	prefix = binary.LittleEndian.AppendUint32(prefix, uint32(size))
	for _, part := range [][]byte{prefix, metadata, zeros[:size-int64(len(metadata))]} {
		if err := w.write(part); err != nil {
			return 0, err
		}
	}
	return w.offset - begin, nil
}

// begin writes the schema.
func (w *rows) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	if err := w.write([]byte(magic + "\x00\x00")); err != nil {
		return err
	}
	b := flatbuffers.NewBuilder(1024)
	_, err := w.message(headerSchema, encodeSchema(b, w.root.f.children), 0, b)
	return err
}

// encoded are the nodes and the buffers of a batch.
type encoded struct {
	nodes   [][2]int64 // rows and nulls
	buffers [][]byte
}

// encode adds a column and its parts.
func (e *encoded) encode(b *builder) {
	e.nodes = append(e.nodes, [2]int64{int64(b.rows), int64(b.nulls)})
	valid := b.valid
	if b.nulls == 0 {
		valid = nil
	}
	switch {
	case b.f.kind == typeStruct:
		e.buffers = append(e.buffers, valid)
	case b.f.kind == typeList || b.f.kind == typeMap:
		e.buffers = append(e.buffers, valid, b.offsets)
	case b.varies():
		e.buffers = append(e.buffers, valid, b.offsets, b.data)
	default:
		e.buffers = append(e.buffers, valid, b.data)
	}
	for _, c := range b.below {
		e.encode(c)
	}
}

// compress replaces the buffers by compressed ones.
func (w *rows) compress(buffers [][]byte) error {
	if w.codec == codecNone {
		return nil
	}
	w.packed = w.packed[:0]
	ends := make([]int, len(buffers))
	for i, b := range buffers {
		var err error
		if w.packed, err = w.codecs.compress(w.codec, w.packed, b); err != nil {
			return err
		}
		ends[i] = len(w.packed)
	}
	from := 0
	for i, end := range ends {
		buffers[i], from = w.packed[from:end], end
	}
	return nil
}

// mostBatches is how many batches a part can have, whose footer lists them.
const mostBatches = 1_000_000

// flush writes the batch.
func (w *rows) flush() error {
	if w.root.rows == 0 {
		return nil
	}
	if len(w.blocks) == mostBatches {
		return fmt.Errorf("the part has %d batches: set a larger Batch", mostBatches)
	}
	if err := w.begin(); err != nil {
		return err
	}
	var e encoded
	for _, c := range w.root.below {
		e.encode(c)
	}
	if err := w.compress(e.buffers); err != nil {
		return err
	}
	body := int64(0)
	for _, b := range e.buffers {
		body += padded(int64(len(b)))
	}
	b := flatbuffers.NewBuilder(1024 + 32*len(e.buffers))
	at := w.offset
	header, err := w.message(headerBatch, w.table(b, &e), body, b)
	if err != nil {
		return err
	}
	for _, b := range e.buffers {
		if err := w.write(b); err != nil {
			return err
		}
		if err := w.write(zeros[:padded(len(b))-len(b)]); err != nil {
			return err
		}
	}
	w.blocks = append(w.blocks, block{at, header, body})
	w.root.reset()
	return nil
}

// table adds the RecordBatch table.
func (w *rows) table(b *flatbuffers.Builder, e *encoded) flatbuffers.UOffsetT {
	var compression flatbuffers.UOffsetT
	if w.codec != codecNone {
		b.StartObject(2)
		b.PrependByteSlot(0, byte(w.codec), 0)
		compression = b.EndObject()
	}
	place := int64(0)
	places := make([]int64, len(e.buffers))
	for i, buffer := range e.buffers {
		places[i] = place
		place += padded(int64(len(buffer)))
	}
	b.StartVector(16, len(places), 8)
	for i, at := range slices.Backward(places) {
		b.Prep(8, 16)
		b.PrependInt64(int64(len(e.buffers[i])))
		b.PrependInt64(at)
	}
	buffers := b.EndVector(len(places))
	b.StartVector(16, len(e.nodes), 8)
	for _, n := range slices.Backward(e.nodes) {
		b.Prep(8, 16)
		b.PrependInt64(n[1])
		b.PrependInt64(n[0])
	}
	nodes := b.EndVector(len(e.nodes))
	b.StartObject(5)
	b.PrependInt64Slot(0, int64(w.root.rows), 0)
	b.PrependUOffsetTSlot(1, nodes, 0)
	b.PrependUOffsetTSlot(2, buffers, 0)
	if w.codec != codecNone {
		b.PrependUOffsetTSlot(3, compression, 0)
	}
	return b.EndObject()
}

// Close writes what is buffered, and the footer.
func (w *rows) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		return err
	}
	b := flatbuffers.NewBuilder(1024 + 24*len(w.blocks))
	b.StartVector(24, len(w.blocks), 8)
	for _, block := range slices.Backward(w.blocks) {
		b.Prep(8, 24)
		b.PrependInt64(block.body)
		b.Pad(4)
		b.PrependInt32(int32(block.header))
		b.PrependInt64(block.offset)
	}
	batches := b.EndVector(len(w.blocks))
	b.StartVector(24, 0, 8)
	dictionaries := b.EndVector(0)
	schema := encodeSchema(b, w.root.f.children)
	b.StartObject(5)
	b.PrependUOffsetTSlot(1, schema, 0)
	b.PrependUOffsetTSlot(2, dictionaries, 0)
	b.PrependUOffsetTSlot(3, batches, 0)
	b.PrependInt16Slot(0, 4, 0) // version 5
	b.Finish(b.EndObject())
	footer := b.FinishedBytes()
	tail := binary.LittleEndian.AppendUint32(nil, continuation)
	tail = binary.LittleEndian.AppendUint32(tail, 0)
	tail = append(tail, footer...)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(footer)))
	return w.write(append(tail, magic...))
}
