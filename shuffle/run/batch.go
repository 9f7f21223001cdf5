package run

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Batch is a decoded batch. It aliases the bytes that it was decoded from.
type Batch struct {
	rows  int
	key   column
	value column
}

// column is one column of a batch; offsets is nil where width is not 0.
type column struct {
	width   int
	offsets []byte
	data    []byte
}

// Rows returns the number of pairs.
func (b *Batch) Rows() int { return b.rows }

// Pair returns pair i.
func (b *Batch) Pair(i int) (key, value []byte) { return b.key.at(i), b.value.at(i) }

func (c *column) at(i int) []byte {
	if c.offsets == nil {
		return c.data[i*c.width : (i+1)*c.width : (i+1)*c.width]
	}
	// One load of both offsets.
	o := binary.LittleEndian.Uint64(c.offsets[4*i:])
	return c.data[uint32(o) : o>>32 : o>>32]
}

// A Decoder decodes the batches of one layout. It belongs to one goroutine.
type Decoder struct {
	codec  *Codec
	header []byte // a copy in which the fields that differ between batches are cleared
}

// NewDecoder returns a decoder.
func (c *Codec) NewDecoder() *Decoder {
	return &Decoder{codec: c, header: make([]byte, c.HeaderSize())}
}

// Length returns the length of the batch that starts with b, which must have
// HeaderSize bytes. The checksum is not checked yet: a wrong length is
// possible, but not one beyond limit or MaxBatch.
func (d *Decoder) Length(b []byte, limit int64) (int64, error) {
	t, err := d.match(b)
	if err != nil {
		return 0, err
	}
	head := int64(len(t.bytes))
	body := int64(binary.LittleEndian.Uint64(b[t.body:]))
	if body < 0 || body%8 != 0 || body > min(limit, MaxBatch)-head {
		return 0, fmt.Errorf("batch header states a body of %d bytes where %d can follow", body, min(limit, MaxBatch)-head)
	}
	return head + body, nil
}

// match returns the template of which b was made.
func (d *Decoder) match(b []byte) (*template, error) {
	if len(b) < d.codec.HeaderSize() {
		return nil, fmt.Errorf("batch of %d bytes is shorter than a header (%d)", len(b), d.codec.HeaderSize())
	}
	for _, t := range []*template{&d.codec.raw, &d.codec.lz4} {
		copy(d.header, b)
		t.clear(d.header)
		if bytes.Equal(d.header, t.bytes) {
			return t, nil
		}
	}
	return nil, fmt.Errorf("no batch header of version %s with keys and values of %d and %d bytes (0: any)",
		Version, d.codec.layout.Key, d.codec.layout.Value)
}

// Decode checks batch b, all its bytes and no more, and decodes it. It
// decompresses a compressed batch into raw, and grows raw if necessary. The
// batch then aliases the raw that is returned.
func (d *Decoder) Decode(b, raw []byte) (Batch, []byte, error) {
	t, err := d.match(b)
	if err != nil {
		return Batch{}, raw, err
	}
	head := len(t.bytes)
	body := b[head:]
	// match has left the header in d.header as it was when it was sealed,
	// except for the numbers.
	var want [crcDigits]byte
	copy(d.header, b[:head])
	copy(d.header[t.crc:], "00000000")
	sum := seal(d.header, body)
	putCRC(want[:], sum)
	if got := b[t.crc : t.crc+crcDigits]; !bytes.Equal(got, want[:]) {
		return Batch{}, raw, fmt.Errorf("batch has checksum %s but states %q", want, got)
	}
	if n := binary.LittleEndian.Uint64(b[t.body:]); n != uint64(len(body)) {
		return Batch{}, raw, fmt.Errorf("batch header states a body of %d bytes but it has %d", n, len(body))
	}
	rows := binary.LittleEndian.Uint64(b[t.rows[0]:])
	for _, at := range t.rows[1:] {
		if binary.LittleEndian.Uint64(b[at:]) != rows {
			return Batch{}, raw, fmt.Errorf("columns of a batch of %d rows differ in length", rows)
		}
	}
	if rows > MaxBatch {
		return Batch{}, raw, fmt.Errorf("batch header states %d rows", rows)
	}
	return d.columns(t, b, int(rows), raw)
}

// columns decodes the columns of a batch whose checksum is right.
func (d *Decoder) columns(t *template, b []byte, rows int, raw []byte) (Batch, []byte, error) {
	var store [maxBuffers][]byte
	buffers := store[:len(t.buffers)/2]
	body := b[len(t.bytes):]
	for i := range buffers {
		offset := binary.LittleEndian.Uint64(b[t.buffers[2*i]:])
		length := binary.LittleEndian.Uint64(b[t.buffers[2*i+1]:])
		if offset > uint64(len(body)) || length > uint64(len(body))-offset {
			return Batch{}, raw, fmt.Errorf("buffer %d of a batch reaches beyond its body", i)
		}
		buffers[i] = body[offset : offset+length]
	}
	second := 2 // the validity of the second column
	if d.codec.layout.Key == 0 {
		second = 3
	}
	if len(buffers[0]) != 0 || len(buffers[second]) != 0 {
		return Batch{}, raw, fmt.Errorf("a column of a batch states nulls")
	}
	if t == &d.codec.lz4 {
		var err error
		if raw, err = unpack(buffers, raw); err != nil {
			return Batch{}, raw, err
		}
	}
	batch := Batch{rows: rows}
	batch.key.width, batch.value.width = d.codec.layout.Key, d.codec.layout.Value
	rest, err := batch.key.set(buffers, rows)
	if err == nil {
		_, err = batch.value.set(rest, rows)
	}
	if err != nil {
		return Batch{}, raw, err
	}
	return batch, raw, nil
}

// unpack replaces compressed buffers by their contents.
func unpack(buffers [][]byte, raw []byte) ([]byte, error) {
	var lengths [maxBuffers]int64
	total := int64(0)
	for i, b := range buffers {
		n, err := rawLength(b)
		if err != nil {
			return raw, err
		}
		lengths[i] = n
		total += n
	}
	if total > MaxBatch {
		return raw, fmt.Errorf("compressed batch states %d bytes: the limit is %d", total, MaxBatch)
	}
	if int64(cap(raw)) < total {
		raw = make([]byte, total)
	}
	raw = raw[:total]
	rest := raw
	for i, b := range buffers {
		dst := rest[:lengths[i]:lengths[i]]
		rest = rest[lengths[i]:]
		if err := readLZ4(dst, b); err != nil {
			return raw, err
		}
		buffers[i] = dst
	}
	return raw, nil
}

// set takes the column's buffers off the front of buffers, after the empty one of
// its validity, and checks them.
func (c *column) set(buffers [][]byte, rows int) (rest [][]byte, err error) {
	if c.width != 0 {
		c.data, rest = buffers[1], buffers[2:]
		if len(c.data) != rows*c.width {
			return nil, fmt.Errorf("a column of %d rows of %d bytes has %d bytes", rows, c.width, len(c.data))
		}
		return rest, nil
	}
	c.offsets, c.data, rest = buffers[1], buffers[2], buffers[3:]
	if len(c.offsets) != 4*(rows+1) {
		return nil, fmt.Errorf("a column of %d rows has %d bytes of offsets", rows, len(c.offsets))
	}
	last := uint32(0)
	for i := 0; i < len(c.offsets); i += 4 {
		o := binary.LittleEndian.Uint32(c.offsets[i:])
		if o < last {
			return nil, fmt.Errorf("offsets of a column do not ascend at row %d", i/4)
		}
		last = o
	}
	if int64(last) != int64(len(c.data)) || binary.LittleEndian.Uint32(c.offsets) != 0 {
		return nil, fmt.Errorf("offsets of a column do not span its %d bytes", len(c.data))
	}
	return rest, nil
}
