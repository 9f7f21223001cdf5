package run

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// block is the place of a batch in the file.
type block struct {
	offset int64
	header int32
	body   int64
}

// schemaTable adds the Schema table of a layout: columns key and value.
func schemaTable(b *flatbuffers.Builder, layout pairs.Layout) flatbuffers.UOffsetT {
	metadata := keyValues(b, []string{"windrow.run", Version})
	fields := vector(b, []flatbuffers.UOffsetT{
		fieldTable(b, "key", layout.Key), fieldTable(b, "value", layout.Value),
	})
	b.StartObject(4)
	b.PrependUOffsetTSlot(1, fields, 0)
	b.PrependUOffsetTSlot(2, metadata, 0)
	return b.EndObject()
}

// fieldTable adds a Field table: a column that has no nulls.
func fieldTable(b *flatbuffers.Builder, name string, width int) flatbuffers.UOffsetT {
	label := b.CreateString(name)
	children := vector(b, nil)
	var kind byte = typeBinary
	b.StartObject(1)
	if width != 0 {
		kind = typeFixedSizeBinary
		b.PrependInt32Slot(0, int32(width), 0)
	}
	typ := b.EndObject()
	b.StartObject(7)
	b.PrependUOffsetTSlot(0, label, 0)
	b.PrependByteSlot(2, kind, 0)
	b.PrependUOffsetTSlot(3, typ, 0)
	b.PrependUOffsetTSlot(5, children, 0)
	return b.EndObject()
}

// fileHead returns the bytes before the first batch: magic and schema.
func fileHead(layout pairs.Layout) []byte {
	b := flatbuffers.NewBuilder(512)
	b.Finish(message(b, headerSchema, schemaTable(b, layout), 0, 0))
	return append([]byte(magic+"\x00\x00"), encapsulate(b.FinishedBytes(), 0)...)
}

// fileTail returns the bytes after the last batch: the end mark, the footer,
// its length and the magic.
func fileTail(layout pairs.Layout, blocks []block, partitions []plan.Extent) []byte {
	b := flatbuffers.NewBuilder(1024 + 24*len(blocks))
	metadata := keyValues(b,
		[]string{"windrow.index", base64.RawStdEncoding.EncodeToString(appendIndex(nil, partitions))},
		[]string{"windrow.partitions", strconv.Itoa(len(partitions))})
	b.StartVector(24, len(blocks), 8)
	for _, block := range slices.Backward(blocks) {
		b.Prep(8, 24)
		b.PrependInt64(block.body)
		b.Pad(4)
		b.PrependInt32(block.header)
		b.PrependInt64(block.offset)
	}
	batches := b.EndVector(len(blocks))
	b.StartVector(24, 0, 8)
	dictionaries := b.EndVector(0)
	schema := schemaTable(b, layout)
	b.StartObject(5)
	b.PrependUOffsetTSlot(1, schema, 0)
	b.PrependUOffsetTSlot(2, dictionaries, 0)
	b.PrependUOffsetTSlot(3, batches, 0)
	b.PrependUOffsetTSlot(4, metadata, 0)
	b.PrependInt16Slot(0, metadataV5, 0)
	b.Finish(b.EndObject())

	footer := b.FinishedBytes()
	tail := make([]byte, 0, 8+len(footer)+4+len(magic))
	tail = binary.LittleEndian.AppendUint32(tail, continuation)
	tail = binary.LittleEndian.AppendUint32(tail, 0)
	tail = append(tail, footer...)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(footer)))
	return append(tail, magic...)
}

// appendIndex appends the partition index: for each partition that has rows,
// five numbers as unsigned varints.
func appendIndex(dst []byte, partitions []plan.Extent) []byte {
	next, offset := 0, int64(0)
	for p, e := range partitions {
		if e.Rows == 0 {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(p-next))
		dst = binary.AppendUvarint(dst, uint64(e.Offset-offset))
		dst = binary.AppendUvarint(dst, uint64(e.Length))
		dst = binary.AppendUvarint(dst, uint64(e.FirstRow))
		dst = binary.AppendUvarint(dst, uint64(e.Rows))
		next, offset = p+1, e.Offset
	}
	return dst
}
