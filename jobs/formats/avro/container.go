package avro

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/window"
)

// An object is a header and blocks, each followed by the same 16 bytes, the sync marker:
//
//	"Obj\x01" | metadata | marker | count size data | marker | count size data | marker …
//
// A block belongs to the section in which the marker before it begins. A section finds its
// first block by looking for the marker from its first byte on, since nothing else says
// where a block begins. This is right only if the marker does not occur inside of a block,
// so each section verifies that of its blocks. The first section begins at the header, and
// a section ends with the first marker that begins behind it. If no block of a section
// holds a marker, that one is also what the next section finds. So either all sections
// divide the object in the same way, or one of them fails.

const (
	magic      = "Obj\x01"
	markerSize = 16
	// overlap is how many bytes of a marker can begin another one that ends in the block.
	overlap = markerSize - 1
	// maxHeader is the greatest size of a header. The memory of a schema is many times its
	// size.
	maxHeader = 1 << 20
)

// header is what comes before the blocks.
type header struct {
	schema, codec string
	marker        [markerSize]byte
	end           int64 // where the first block begins
}

// block is a block of records.
type block struct {
	at      int64 // where it begins
	begin   int64 // where its data begins, at rest
	records int64
	data    []byte // decompressed, until the next block
}

// blocks reads the blocks that belong to a section.
type blocks struct {
	s      *jobs.Section
	in     io.ReadCloser
	w      *window.Window
	header header
	codec  decompressor
	max    int
	found  bool // w begins one byte behind the beginning of a marker
}

func (b *blocks) compressed() bool { return b.header.codec != "null" }

const (
	bufferSize = 256 << 10
	// headBuffer is for a header that comes in short requests.
	headBuffer = 4 << 10
)

// openBlocks reads the header of the object, and opens the section.
func openBlocks(ctx context.Context, s *jobs.Section, most int) (_ *blocks, err error) {
	b := &blocks{s: s, max: most}
	if !s.First() {
		if b.header, err = readHead(ctx, s); err != nil {
			return nil, err
		}
	}
	if b.in, err = s.Open(ctx, s.Offset); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = b.in.Close() // err is the cause
		}
	}()
	b.w = window.New(b.in, s.Buffer(bufferSize), s.Offset)
	if s.First() {
		if b.header, err = readHeader(b.w, s.Where); err != nil {
			return nil, err
		}
	}
	open := readers[b.header.codec]
	if open == nil {
		return nil, fmt.Errorf("%s: the codec is %.100q, and null, deflate, snappy, zstandard and bzip2 are read: write the file with one of these", s.Where(0), b.header.codec)
	}
	b.codec = open()
	return b, nil
}

// readHead reads the header of an object of which s is not the first section.
func readHead(ctx context.Context, s *jobs.Section) (h header, err error) {
	in, err := s.Open(ctx, 0)
	if err != nil {
		return h, err
	}
	defer func() {
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
	}()
	return readHeader(window.New(in, make([]byte, headBuffer), 0), s.Where)
}

func (b *blocks) close() error { return b.in.Close() }

// end returns where markers belong to the next section.
func (b *blocks) end() int64 { return b.s.Offset + b.s.Length }

// next returns the next block, and nil behind the last.
func (b *blocks) next() (*block, error) {
	if !b.found {
		if found, err := b.find(); err != nil || !found {
			return nil, err
		}
		b.found = true
	}
	if !b.s.Whole && b.w.At()-1 >= b.end() { // the marker before the block
		return nil, nil
	}
	return b.read()
}

// find moves to the first marker that begins in the section.
func (b *blocks) find() (bool, error) {
	first := b.header.end - overlap
	if b.s.Whole || b.s.Offset < first { // the header's
		if !b.s.Whole && first > b.end() {
			return false, nil
		}
		return true, b.skip(first)
	}
	for {
		have, err := b.w.Have(markerSize)
		if err != nil {
			return false, err
		}
		if i := bytes.Index(b.w.Bytes(), b.header.marker[:]); i >= 0 {
			b.w.Skip(i + 1)
			return b.w.At()-1 < b.end(), nil
		}
		if have < markerSize {
			return false, nil
		}
		b.w.Skip(len(b.w.Bytes()) - overlap)
		if b.w.At() >= b.end() {
			return false, nil
		}
	}
}

// skip moves to an offset of the object that it has.
func (b *blocks) skip(to int64) error {
	for b.w.At() < to {
		have, err := b.w.Have(1)
		if err != nil {
			return err
		}
		if have == 0 {
			return b.cut(b.w.At(), "in the header")
		}
		b.w.Skip(int(min(int64(len(b.w.Bytes())), to-b.w.At())))
	}
	return nil
}

// cut is the error of an object that ends too early.
func (b *blocks) cut(at int64, where string) error {
	return fmt.Errorf("%s: the object ends %s that begins there: it is cut short; write or copy it again", b.s.Where(at), where)
}

// maxPrefix is the greatest size of the two numbers before the data of a block.
const maxPrefix = 2 * binary.MaxVarintLen64

// read returns the block behind the marker of which the window holds all but the first
// byte, or nil if the object ends there.
func (b *blocks) read() (*block, error) {
	at := b.w.At() + overlap
	have, err := b.w.Have(overlap + maxPrefix)
	if err != nil || have == overlap {
		return nil, err
	}
	prefix := b.w.Bytes()[overlap:have]
	records, n := binary.Varint(prefix)
	size, m := binary.Varint(prefix[max(n, 0):])
	switch {
	case n == 0 || n > 0 && m == 0:
		return nil, b.cut(at, "in the block")
	case n < 0 || m < 0 || records < 0 || size < 0:
		return nil, fmt.Errorf("%s: the numbers of records and bytes of a block are %d and %d: the object is damaged", b.s.Where(at), records, size)
	case size > int64(b.max):
		return nil, b.tooLarge(at, fmt.Sprintf("has %d bytes", size))
	}
	total := int64(overlap+n+m) + size + markerSize
	if !b.s.Whole && b.w.At()+total > b.s.Object.Size {
		return nil, b.cut(at, "in the block")
	}
	if have, err = b.w.Have(int(total)); err != nil {
		return nil, err
	}
	if int64(have) < total {
		return nil, b.cut(at, "in the block")
	}
	all := b.w.Bytes()[:total]
	if err := b.check(all, at); err != nil {
		return nil, err
	}
	data, err := b.codec.decompress(all[overlap+n+m:total-markerSize], b.max)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, b.tooLarge(at, "has more bytes when it is decompressed")
	case err != nil:
		return nil, fmt.Errorf("%s: the block cannot be decompressed by %s: %w", b.s.Where(at), b.header.codec, err)
	case records > int64(len(data)):
		return nil, fmt.Errorf("%s: a block has %d records in %d bytes, and each has one byte at least: the object is damaged, or its records have no fields",
			b.s.Where(at), records, len(data))
	}
	b.w.Skip(int(total) - overlap)
	return &block{at: at, begin: at + int64(n+m), records: records, data: data}, nil
}

func (b *blocks) tooLarge(at int64, what string) error {
	return fmt.Errorf("%s: a block %s, and the limit is %d: raise Max of avro.Records, or write smaller blocks", b.s.Where(at), what, b.max)
}

// check verifies that the first marker in a block is the one at its end. An object that is
// read as a whole is not divided, so markers in its data are data.
func (b *blocks) check(all []byte, at int64) error {
	end := len(all) - markerSize
	if !bytes.Equal(all[end:], b.header.marker[:]) {
		return fmt.Errorf("%s: no sync marker is behind the block of %d bytes that begins there: the object is damaged, or a sync marker occurs in the data before it", b.s.Where(at), end-overlap)
	}
	if i := bytes.Index(all, b.header.marker[:]); i < end && !b.s.Whole {
		return fmt.Errorf("%s: the sync marker occurs inside of a block, so the object cannot be divided: write it with another marker, or compress it as a whole, as gzip does",
			b.s.Where(at-overlap+int64(i)))
	}
	return nil
}

// readHeader reads the header, and leaves the window one byte behind the beginning of the
// marker at its end. where names a byte of the object.
func readHeader(w *window.Window, where func(offset int64) string) (h header, err error) {
	p := &headerReader{w: w, where: where, limit: maxHeader}
	if string(p.take(int64(len(magic)))) != magic {
		if p.err != nil && !p.short {
			return h, p.err
		}
		return h, fmt.Errorf("%s: no Avro object container file begins there: name other objects, or read them with their format", where(0))
	}
	h.codec = "null"
	for {
		n := p.long()
		if n < 0 {
			p.long() // the size of the following pairs
			n = -n
		}
		if p.err != nil || n == 0 {
			break
		}
		for ; n != 0 && p.err == nil; n-- {
			key := string(p.take(p.long()))
			value := p.take(p.long())
			switch key {
			case "avro.schema":
				h.schema = string(value)
			case "avro.codec":
				h.codec = string(value)
			}
		}
	}
	copy(h.marker[:], p.take(markerSize))
	if p.err != nil {
		return h, p.err
	}
	if h.schema == "" {
		return h, fmt.Errorf("%s: the header of the object has no avro.schema: write the object again", where(0))
	}
	if h.codec == "" {
		h.codec = "null"
	}
	h.end = p.at
	w.Skip(int(p.at-w.At()) - overlap)
	return h, nil
}

// headerReader reads numbers and bytes of a header, until the first error.
type headerReader struct {
	w     *window.Window
	where func(offset int64) string
	at    int64 // from the object's beginning, where the window stays
	limit int64
	err   error
	short bool // the object ends in the header
}

// take returns the next n bytes, until the next call.
func (p *headerReader) take(n int64) []byte {
	switch {
	case p.err != nil:
		return nil
	case n < 0:
		p.err = fmt.Errorf("%s: a length in the header is %d: the object is damaged", p.where(p.at), n)
		return nil
	case n > p.limit-p.at:
		p.err = fmt.Errorf("%s: the header of the object has more than %d bytes: the object is damaged, or its schema is too large", p.where(p.at), p.limit)
		return nil
	}
	have, err := p.w.Have(int(p.at + n))
	if err != nil {
		p.err = err
		return nil
	}
	if int64(have) < p.at+n {
		p.short = true
		p.err = fmt.Errorf("%s: the object ends in its header: it is cut short; write or copy it again", p.where(int64(have)))
		return nil
	}
	b := p.w.Bytes()[p.at : p.at+n]
	p.at += n
	return b
}

// long returns the next number.
func (p *headerReader) long() int64 {
	var u uint64
	for shift := 0; shift < 64; shift += 7 {
		b := p.take(1)
		if b == nil {
			return 0
		}
		u |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return int64(u>>1) ^ -int64(u&1)
		}
	}
	if p.err == nil {
		p.err = fmt.Errorf("%s: a number in the header has more than 64 bits: the object is damaged", p.where(p.at))
	}
	return 0
}
