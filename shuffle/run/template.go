package run

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/windrow-mr/windrow/shuffle/pairs"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Numbers of the Arrow format: Message.fbs and Schema.fbs of the Arrow project,
// https://arrow.apache.org/docs/format/Columnar.html.
const (
	metadataV5 = 4

	headerSchema      = 1
	headerRecordBatch = 3

	typeBinary          = 4
	typeFixedSizeBinary = 15

	prefixSize = 8 // continuation mark and metadata length
	crcDigits  = 8
	maxBuffers = 6
)

const continuation = 1<<32 - 1

// A Codec knows the shape of the batches of one layout.
type Codec struct {
	layout pairs.Layout
	// raw and lz4 are the two kinds of batch header, of equal length.
	raw, lz4 template
}

// template is the header of a batch: prefix and metadata, with the places of
// the fields that differ between batches. Those places are zero (crc: the digit
// 0).
type template struct {
	bytes   []byte
	body    int // int64: length of the body
	rows    [3]int
	buffers []int // pairs of int64: offset in the body, length
	crc     int   // 8 lower-case hexadecimal digits
}

// NewCodec returns the codec of a layout.
func NewCodec(layout pairs.Layout) *Codec {
	c := &Codec{layout: layout}
	raw := batchMessage(c.buffers(), false)
	lz4 := batchMessage(c.buffers(), true)
	size := max(len(raw), len(lz4))
	c.raw = newTemplate(raw, size, c.buffers())
	c.lz4 = newTemplate(lz4, size, c.buffers())
	return c
}

// HeaderSize returns the length of a batch's header. A batch is at least that
// long.
func (c *Codec) HeaderSize() int { return len(c.raw.bytes) }

// buffers returns the number of buffers of a batch: validity and data of both
// columns, and offsets of those that vary in width.
func (c *Codec) buffers() int {
	n := maxBuffers
	if c.layout.Key != 0 {
		n--
	}
	if c.layout.Value != 0 {
		n--
	}
	return n
}

// mark is a number that represents field i of a template until its place is
// found. No other part of a header looks like it.
func mark(i int) int64 { return 0x5ca1ab1e0ddba110 + int64(i) }

const crcMark = "CRCCRC32"

// batchMessage returns the metadata of a record batch with marks for fields: 0
// the body length, 1 to 3 the number of rows (of the batch and the columns),
// then offset and length of each buffer.
func batchMessage(buffers int, compressed bool) []byte {
	b := flatbuffers.NewBuilder(512)
	crc := keyValues(b, []string{"crc32c", crcMark})
	var compression flatbuffers.UOffsetT
	if compressed {
		b.StartObject(2) // BodyCompression: LZ4_FRAME, BUFFER are the defaults
		compression = b.EndObject()
	}
	b.StartVector(16, buffers, 8)
	for i := buffers - 1; i >= 0; i-- {
		b.Prep(8, 16)
		b.PrependInt64(mark(4 + 2*i + 1))
		b.PrependInt64(mark(4 + 2*i))
	}
	bufferVector := b.EndVector(buffers)
	b.StartVector(16, 2, 8)
	for i := 1; i >= 0; i-- {
		b.Prep(8, 16)
		b.PrependInt64(0) // null count
		b.PrependInt64(mark(2 + i))
	}
	nodes := b.EndVector(2)
	b.StartObject(5) // RecordBatch
	b.PrependInt64Slot(0, mark(1), 0)
	b.PrependUOffsetTSlot(1, nodes, 0)
	b.PrependUOffsetTSlot(2, bufferVector, 0)
	if compressed {
		b.PrependUOffsetTSlot(3, compression, 0)
	}
	batch := b.EndObject()
	b.Finish(message(b, headerRecordBatch, batch, mark(0), crc))
	return b.FinishedBytes()
}

// message adds a Message table.
func message(b *flatbuffers.Builder, kind byte, header flatbuffers.UOffsetT, body int64, metadata flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartObject(5)
	b.PrependInt64Slot(3, body, 0)
	b.PrependUOffsetTSlot(2, header, 0)
	if metadata != 0 {
		b.PrependUOffsetTSlot(4, metadata, 0)
	}
	b.PrependInt16Slot(0, metadataV5, 0)
	b.PrependByteSlot(1, kind, 0)
	return b.EndObject()
}

// keyValues adds a vector of KeyValue tables.
func keyValues(b *flatbuffers.Builder, pairs ...[]string) flatbuffers.UOffsetT {
	tables := make([]flatbuffers.UOffsetT, len(pairs))
	for i, kv := range pairs {
		key, value := b.CreateString(kv[0]), b.CreateString(kv[1])
		b.StartObject(2)
		b.PrependUOffsetTSlot(0, key, 0)
		b.PrependUOffsetTSlot(1, value, 0)
		tables[i] = b.EndObject()
	}
	return vector(b, tables)
}

// vector adds a vector of tables.
func vector(b *flatbuffers.Builder, tables []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartVector(4, len(tables), 4)
	for _, table := range slices.Backward(tables) {
		b.PrependUOffsetT(table)
	}
	return b.EndVector(len(tables))
}

// encapsulate puts the prefix before metadata and pads both to a multiple of 8
// and to size.
func encapsulate(metadata []byte, size int) []byte {
	n := max(padded(len(metadata)), size)
	m := make([]byte, prefixSize, prefixSize+n)
	binary.LittleEndian.PutUint32(m, continuation)
	binary.LittleEndian.PutUint32(m[4:], uint32(n))
	return append(m, metadata...)[:prefixSize+n]
}

// newTemplate finds the places of the marks and clears them.
func newTemplate(metadata []byte, size, buffers int) template {
	t := template{bytes: encapsulate(metadata, padded(size))}
	at := func(i int) int {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(mark(i)))
		place := bytes.Index(t.bytes, b[:])
		if place < 0 || bytes.Count(t.bytes, b[:]) != 1 {
			panic(fmt.Sprintf("run: field %d of a batch header is not there once", i)) //nolint:forbidigo // an invariant of bytes that this file has just built
		}
		return place
	}
	t.body = at(0)
	for i := range t.rows {
		t.rows[i] = at(1 + i)
	}
	for i := range 2 * buffers {
		t.buffers = append(t.buffers, at(4+i))
	}
	t.crc = bytes.Index(t.bytes, []byte(crcMark))
	t.clear(t.bytes)
	return t
}

// clear puts zeros into the fields that differ between batches.
func (t *template) clear(b []byte) {
	clear(b[t.body : t.body+8])
	for _, at := range t.rows {
		clear(b[at : at+8])
	}
	for _, at := range t.buffers {
		clear(b[at : at+8])
	}
	copy(b[t.crc:], "00000000")
}

// fill writes the numbers of a batch into its header. The checksum stays zero.
func (t *template) fill(b []byte, body int64, rows int, buffers []extent) {
	binary.LittleEndian.PutUint64(b[t.body:], uint64(body))
	for _, at := range t.rows {
		binary.LittleEndian.PutUint64(b[at:], uint64(rows))
	}
	for i, e := range buffers {
		binary.LittleEndian.PutUint64(b[t.buffers[2*i]:], uint64(e.offset))
		binary.LittleEndian.PutUint64(b[t.buffers[2*i+1]:], uint64(e.length))
	}
}

// extent is the place of a buffer in a body.
type extent struct{ offset, length int64 }

// seal returns the checksum of a batch: CRC-32C over the header, with zeros in the
// place of the digits, and the body.
func seal(header []byte, body ...[]byte) uint32 {
	crc := checksum.SumCRC32C(header)
	for _, b := range body {
		crc = checksum.UpdateCRC32C(crc, b)
	}
	return crc
}

// putCRC writes 8 lower-case hexadecimal digits.
func putCRC(b []byte, crc uint32) {
	const digits = "0123456789abcdef"
	for i := range crcDigits {
		b[i] = digits[crc>>(28-4*i)&15]
	}
}

// padded rounds up to a multiple of 8.
func padded[T int | int64](n T) T { return (n + 7) &^ 7 }
