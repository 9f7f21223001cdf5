package run

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Options say how a run is written.
type Options struct {
	Layout     pairs.Layout
	Partitions int
	// BatchBytes is the size at which a batch is closed. 0 means 256 KiB, or
	// 1 MiB in partitions of 8 MiB and more.
	BatchBytes int
	// ReadGroup is how many adjacent partitions are read together; 0 means all.
	// No batch holds partitions of two groups.
	ReadGroup int
	// Compress allows batches to be compressed, if a sample shows that it saves
	// a fifth.
	Compress bool
	// Heavy, if set, looks at the pairs.
	Heavy *Heavy
}

const (
	sampleEvery = 64       // batches from one trial of compression to the next
	stageSize   = 64 << 10 // pieces shorter than half of it are gathered
)

// A Writer writes one run. Call Partition and Append in the order of pairs,
// then Finish. After an error every call returns it.
type Writer struct {
	o     Options
	codec *Codec
	out   io.Writer
	stage []byte
	err   error

	offset     int64 // of the next batch
	sum        uint32
	blocks     []block
	partitions []plan.Extent

	part  int  // the current partition, -1 before the first
	first int  // the first one with rows in the open batch
	alone bool // the current one shares no batch
	limit int  // bytes at which the open batch is closed

	// The open batch. front starts with the header, then has the keys if they
	// are of fixed width, else their offsets.
	rows, size     int
	front, keys    []byte
	ends, values   []byte
	keyEnd, valEnd uint32

	compressor  lz4.Compressor
	packed      []byte
	untilSample int // batches until the next trial
	shouldPack  bool
}

// NewWriter returns a writer of a run to out.
func NewWriter(out io.Writer, o Options) *Writer {
	w := &Writer{o: o, codec: NewCodec(o.Layout)}
	w.Reset(out)
	return w
}

// Reset starts another run, to out, in the memory of the last one.
func (w *Writer) Reset(out io.Writer) {
	w.out, w.err, w.sum = out, nil, 0
	w.partitions = make([]plan.Extent, w.o.Partitions) // the caller owns the last ones
	w.blocks, w.stage = w.blocks[:0], w.stage[:0]
	w.part, w.alone, w.limit = -1, false, w.batchBytes(0)
	w.untilSample, w.shouldPack = 0, false
	head := fileHead(w.o.Layout)
	w.offset = int64(len(head))
	w.open()
	w.write(head)
}

// Partition says that the pairs that follow belong to partition p, which must
// be greater than the one before, and have about size bytes in all.
func (w *Writer) Partition(p int, size int64) error {
	if w.err != nil {
		return w.err
	}
	if p <= w.part || p >= w.o.Partitions {
		w.err = fmt.Errorf("partition %d of %d follows partition %d", p, w.o.Partitions, w.part)
		return w.err
	}
	alone := size >= packBelow
	cross := w.o.ReadGroup > 0 && p/w.o.ReadGroup != w.part/w.o.ReadGroup
	// With rows there is a current partition, so that -1 divides no group here.
	if w.rows > 0 && (alone || w.alone || cross || int64(w.size)+size > packLimit) {
		w.flush()
	}
	w.part, w.alone = p, alone
	w.limit = w.batchBytes(size)
	return w.err
}

func (w *Writer) batchBytes(size int64) int {
	switch {
	case w.o.BatchBytes > 0:
		return w.o.BatchBytes
	case size >= bigPartitions:
		return bigBatch
	}
	return defaultBatch
}

// Append adds a pair to the current partition. The widths of key and value
// must be those of the layout.
func (w *Writer) Append(key, value []byte) error {
	size := len(key) + len(value)
	if w.o.Layout.Key == 0 {
		size += 4
	}
	if w.o.Layout.Value == 0 {
		size += 4
	}
	if w.rows > 0 && (w.size+size > w.limit || size >= aloneFrom) {
		w.flush()
	}
	if w.err != nil {
		return w.err
	}
	if w.rows == 0 {
		w.first = w.part
	}
	if e := &w.partitions[w.part]; e.Rows == 0 {
		*e = plan.Extent{Offset: w.offset, FirstRow: int64(w.rows), Rows: 1}
	} else {
		e.Rows++
	}
	w.rows++
	w.size += size
	if w.o.Layout.Key != 0 {
		w.front = append(w.front, key...)
	} else {
		w.keyEnd += uint32(len(key))
		w.front = binary.LittleEndian.AppendUint32(w.front, w.keyEnd)
		w.keys = append(w.keys, key...)
	}
	if w.o.Layout.Value == 0 {
		w.valEnd += uint32(len(value))
		w.ends = binary.LittleEndian.AppendUint32(w.ends, w.valEnd)
	}
	w.values = append(w.values, value...)
	if size >= aloneFrom {
		w.flush()
	}
	return w.err
}

// Finish writes the rest. It returns the place of each partition and the size
// of the run. It does not close the io.Writer.
func (w *Writer) Finish() ([]plan.Extent, int64, error) {
	w.flush()
	if w.o.Heavy != nil {
		w.o.Heavy.settle()
	}
	tail := fileTail(w.o.Layout, w.blocks, w.partitions)
	w.write(tail)
	w.drain()
	if w.err != nil {
		return nil, 0, w.err
	}
	return w.partitions, w.offset + int64(len(tail)), nil
}

// Sum returns a checksum of the run: CRC32C over the checksums of the batches.
// Runs of the same pairs, cut in the same way, have the same.
func (w *Writer) Sum() uint32 { return w.sum }

// open starts an empty batch.
func (w *Writer) open() {
	w.rows, w.size, w.keyEnd, w.valEnd = 0, 0, 0, 0
	w.front = append(w.front[:0], w.codec.raw.bytes...)
	w.keys, w.ends, w.values = w.keys[:0], w.ends[:0], w.values[:0]
	if w.o.Layout.Key == 0 {
		w.front = append(w.front, 0, 0, 0, 0)
	}
	if w.o.Layout.Value == 0 {
		w.ends = append(w.ends, 0, 0, 0, 0)
	}
}

// flush closes the open batch, if it has rows, and writes it.
func (w *Writer) flush() {
	if w.err != nil || w.rows == 0 {
		return
	}
	if w.o.Heavy != nil {
		w.o.Heavy.take(w)
	}
	head := w.codec.HeaderSize()
	columns := [4][]byte{w.front[head:], w.keys, w.ends, w.values}
	packed := w.o.Compress && w.pack(columns)
	if w.err != nil {
		return
	}
	var size, memory int64
	if packed {
		size = int64(len(w.packed))
		memory = size + int64(len(w.front)+len(w.keys)+len(w.ends)+len(w.values))
		w.emit(w.codec.lz4.crc, w.packed[:head], w.packed[head:])
	} else {
		size = w.writeRaw(columns)
		memory = size
	}
	for p := w.first; p <= w.part; p++ {
		if e := &w.partitions[p]; e.Rows > 0 {
			e.Length = w.offset + size - e.Offset
			e.Largest = max(e.Largest, memory)
		}
	}
	w.blocks = append(w.blocks, block{w.offset, int32(head), size - int64(head)})
	w.offset += size
	w.open()
}

// writeRaw writes the open batch as it is and returns its length.
func (w *Writer) writeRaw(columns [4][]byte) int64 {
	head := w.codec.HeaderSize()
	var store [maxBuffers]extent
	buffers := store[:0]
	body := int64(0)
	for i, b := range columns {
		if !w.present(i) {
			continue
		}
		if i == 0 || i == 2 || i == 3 && !w.present(2) {
			buffers = append(buffers, extent{body, 0}) // validity: no nulls
		}
		buffers = append(buffers, extent{body, int64(len(b))})
		body += padded(int64(len(b)))
	}
	w.codec.raw.fill(w.front[:head], body, w.rows, buffers)
	w.front, w.keys, w.ends, w.values = pad(w.front), pad(w.keys), pad(w.ends), pad(w.values)
	w.emit(w.codec.raw.crc, w.front[:head], w.front[head:], w.keys, w.ends, w.values)
	return int64(head) + body
}

// pack puts the open batch, compressed, into w.packed if that is worthwhile.
func (w *Writer) pack(columns [4][]byte) bool {
	if w.untilSample > 0 {
		w.untilSample--
		if !w.shouldPack {
			return false
		}
	}
	head := w.codec.HeaderSize()
	var store [maxBuffers]extent
	buffers := store[:0]
	w.packed = append(w.packed[:0], w.codec.lz4.bytes...)
	raw := 0
	for i, b := range columns {
		if !w.present(i) {
			continue
		}
		raw += len(b)
		start := len(w.packed)
		if i == 0 || i == 2 || i == 3 && !w.present(2) {
			buffers = append(buffers, extent{int64(start - head), 0})
		}
		if w.packed, w.err = appendLZ4(w.packed, b, &w.compressor); w.err != nil {
			return false
		}
		buffers = append(buffers, extent{int64(start - head), int64(len(w.packed) - start)})
		w.packed = pad(w.packed)
	}
	if w.untilSample == 0 {
		w.untilSample = sampleEvery - 1
		w.shouldPack = len(w.packed)-head <= raw-raw/5
	}
	w.codec.lz4.fill(w.packed[:head], int64(len(w.packed)-head), w.rows, buffers)
	return w.shouldPack
}

// present reports whether the layout has column part i: keys or their offsets,
// keys if they vary, offsets of values if they vary, values.
func (w *Writer) present(i int) bool {
	switch i {
	case 1:
		return w.o.Layout.Key == 0
	case 2:
		return w.o.Layout.Value == 0
	}
	return true
}

// emit seals a batch, whose checksum belongs at crc, and writes it.
func (w *Writer) emit(crc int, header []byte, body ...[]byte) {
	putCRC(header[crc:], seal(header, body...))
	w.sum = checksum.UpdateCRC32C(w.sum, header[crc:crc+crcDigits])
	w.write(header)
	for _, b := range body {
		w.write(b)
	}
}

// write gathers short pieces, so that no small write reaches the store.
func (w *Writer) write(b []byte) {
	if len(w.stage)+len(b) > stageSize || len(b) >= stageSize/2 {
		w.drain()
	}
	if len(b) < stageSize/2 {
		w.stage = append(w.stage, b...)
	} else if w.err == nil {
		_, w.err = w.out.Write(b)
	}
}

// drain writes the gathered bytes.
func (w *Writer) drain() {
	if w.err == nil && len(w.stage) > 0 {
		_, w.err = w.out.Write(w.stage)
	}
	w.stage = w.stage[:0]
}

// pad appends zeros up to a multiple of 8.
func pad(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}
