package parquet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/windrow-mr/windrow/jobs"
)

// mostPage is the size of the largest valid page, in bytes.
const mostPage = 1 << 30

// budget bounds the memory that pages take, in bytes.
type budget struct {
	limit, used int64
	record      int64 // of the current record, beside pages
}

// charge counts n bytes to the current record.
func (b *budget) charge(n int64) error {
	if b.record += n; b.record > b.limit {
		return fmt.Errorf("a record needs more than %d bytes of memory: set Max if the object is right", b.limit)
	}
	return nil
}

// take reserves n bytes.
func (b *budget) take(n int64) error {
	if n > b.limit-b.used {
		return fmt.Errorf("its pages need more than %d bytes of memory at once: set Max if the object is right, or write smaller pages", b.limit)
	}
	b.used += n
	return nil
}

// release returns n reserved bytes.
func (b *budget) release(n int64) {
	if b != nil {
		b.used -= n
	}
}

// grow returns a buffer of n bytes, buf if that is large enough. Its contents are lost.
func (b *budget) grow(buf []byte, n int) ([]byte, error) {
	if cap(buf) >= n {
		return buf[:n], nil
	}
	more := n + n/8
	if err := b.take(int64(more - cap(buf))); err != nil {
		return nil, err
	}
	return make([]byte, n, more), nil
}

// source yields the bytes of a chunk, through a window.
type source struct {
	ctx     context.Context
	section *jobs.Section
	budget  *budget
	buf     []byte // the window; nil if data is the whole chunk
	held    int64  // bytes of the budget, for a page that is larger than the window
	data    []byte // bytes that are read and not yet used
	at, end int64  // what is not yet read of the object
}

// left returns how many bytes are not yet used.
func (s *source) left() int64 { return int64(len(s.data)) + s.end - s.at }

// peek makes n bytes of the chunk, or all that are left, the first of data.
func (s *source) peek(n int) error {
	n = int(min(int64(n), s.left()))
	if len(s.data) >= n {
		return nil
	}
	if n > len(s.buf) {
		if err := s.budget.take(int64(n) - s.held); err != nil {
			return err
		}
		s.held, s.buf = int64(n), make([]byte, n)
	}
	kept := copy(s.buf, s.data)
	more := min(int64(len(s.buf)-kept), s.end-s.at)
	if err := s.section.ReadAt(s.ctx, s.buf[kept:kept+int(more)], s.at); err != nil {
		return &storeError{err}
	}
	s.at += more
	s.data = s.buf[:kept+int(more)]
	return nil
}

// storeError is an error of reading the object. It says nothing about the data, and is
// returned as it is.
type storeError struct{ error }

// Unwrap returns the error of the store.
func (e *storeError) Unwrap() error { return e.error }

// How the values of a page are stored.
const (
	fixedValues  = iota // one after the other, all of one size
	byteValues          // each behind its length
	bitValues           // a bit each
	runValues           // runs of bits
	placeValues         // places in the dictionary
	spannedBytes        // bytes between places
)

// span is where a value of any length is.
type span struct{ from, to int32 }

// column reads the values of a column in a row group, one after the other. After advance,
// def and rep are the levels of the current entry, and raw are the bytes of its value if
// def says that there is one. Once there is no further entry, done is set, and def is -1.
type column struct {
	e      *element
	codecs *codecs
	budget *budget

	chunk  chunk
	src    source
	left   int64 // entries of the pages that follow
	inPage int   // entries that are left of the page
	reps   hybrid
	defs   hybrid

	mode   int
	width  int
	page   []byte // decompressed
	data   []byte // values of the page that are left
	bit    int
	places hybrid
	spans  []span
	spare  []byte // of encodings that are decoded as a whole

	dictionary []byte // decompressed
	dictValues int    // -1 before the dictionary is read
	dictSpans  []span
	texts      []string // of the dictionary, as far as they were asked for

	held struct{ spans, dictionary, texts int64 } // bytes of the budget

	done     bool
	def, rep int
	raw      []byte
	place    int // of the value in the dictionary; -1 for none
}

// begin makes the column read a chunk.
func (c *column) begin(ch chunk) error {
	if err := known(ch.codec); err != nil {
		return err
	}
	c.chunk, c.left, c.inPage, c.done = ch, ch.values, 0, false
	c.dictValues, c.dictSpans, c.texts, c.spans = -1, nil, nil, nil
	for _, held := range []*int64{&c.held.spans, &c.held.dictionary, &c.held.texts} {
		if err := c.reserve(held, 0); err != nil {
			return err
		}
	}
	c.width = c.e.width()
	return c.advance()
}

// reserve changes a part of the budget that the column holds.
func (c *column) reserve(held *int64, n int64) error {
	if err := c.budget.take(n - *held); err != nil {
		return err
	}
	*held = n
	return nil
}

// advance goes to the next entry.
func (c *column) advance() error {
	for c.inPage == 0 {
		if c.left == 0 {
			c.done, c.rep, c.def, c.raw = true, 0, -1, nil
			return nil
		}
		if err := c.load(); err != nil {
			return err
		}
	}
	c.inPage--
	c.rep, c.def = 0, 0
	if c.e.maxRep > 0 {
		n, err := c.reps.next()
		if err != nil {
			return err
		}
		c.rep = int(n)
	}
	if c.e.maxDef > 0 {
		n, err := c.defs.next()
		if err != nil {
			return err
		}
		c.def = int(n)
	}
	if c.def > c.e.maxDef || c.rep > c.e.maxRep {
		return fmt.Errorf("an entry has the levels %d and %d, and its schema allows %d and %d", c.def, c.rep, c.e.maxDef, c.e.maxRep)
	}
	if c.def < c.e.maxDef {
		c.raw = nil
		return nil
	}
	return c.value()
}

var truths = [2][]byte{{0}, {1}}

// value reads the next value of the page.
func (c *column) value() error {
	c.place = -1
	switch c.mode {
	case fixedValues:
		if len(c.data) < c.width {
			return errEnds
		}
		c.raw, c.data = c.data[:c.width:c.width], c.data[c.width:]
	case byteValues:
		if len(c.data) < 4 {
			return errEnds
		}
		n := uint64(binary.LittleEndian.Uint32(c.data))
		if n > uint64(len(c.data)-4) {
			return errEnds
		}
		c.raw, c.data = c.data[4:4+n:4+n], c.data[4+n:]
	case bitValues:
		if c.bit/8 >= len(c.data) {
			return errEnds
		}
		c.raw = truths[c.data[c.bit/8]>>(c.bit%8)&1]
		c.bit++
	case runValues:
		n, err := c.places.next()
		if err != nil {
			return err
		}
		c.raw = truths[n&1]
	case placeValues:
		n, err := c.places.next()
		if err != nil {
			return err
		}
		if int64(n) >= int64(c.dictValues) {
			return fmt.Errorf("a value is number %d of a dictionary of %d", n, c.dictValues)
		}
		c.place = int(n)
		if c.dictSpans != nil {
			s := c.dictSpans[n]
			c.raw = c.dictionary[s.from:s.to:s.to]
		} else {
			c.raw = c.dictionary[c.place*c.width : (c.place+1)*c.width : (c.place+1)*c.width]
		}
	case spannedBytes:
		if len(c.spans) == 0 {
			return errEnds
		}
		s := c.spans[0]
		c.raw, c.spans = c.data[s.from:s.to:s.to], c.spans[1:]
	}
	return nil
}

// text returns the current value as a string. Those of a dictionary are made once.
func (c *column) text() (string, error) {
	if c.place < 0 {
		return string(c.raw), c.budget.charge(int64(len(c.raw)))
	}
	if c.texts == nil {
		if err := c.reserve(&c.held.texts, int64(len(c.dictionary))+16*int64(c.dictValues)); err != nil {
			return "", err
		}
		c.texts = make([]string, c.dictValues)
	}
	if c.texts[c.place] == "" && len(c.raw) > 0 {
		c.texts[c.place] = string(c.raw)
	}
	return c.texts[c.place], nil
}

// Kinds of pages.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

// Encodings of values.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRuns            = 3
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingDictionary      = 8
	encodingSplit           = 9
)

// pageHeader is in front of a page.
type pageHeader struct {
	kind               int
	size, packed       int // in bytes, decompressed and at rest
	sum                uint32
	summed             bool
	found              bool // the header of the kind
	values, encoding   int
	levels             [2]int // encodings of levels, of a page of the first version
	defBytes, repBytes int    // of levels, of a page of the second version
	plain              bool   // a page of the second version that is not compressed
}

func decodePageHeader(r *thriftReader) (h pageHeader) {
	h.levels = [2]int{encodingRuns, encodingRuns}
	r.fields(func(id int, typ byte) bool {
		switch id {
		case 1:
			h.kind = r.int32(typ)
		case 2:
			h.size = r.int32(typ)
		case 3:
			h.packed = r.int32(typ)
		case 4:
			h.sum, h.summed = uint32(r.int32(typ)), true
		case 5, 7, 8:
			if typ != thriftStruct || h.found {
				r.fail(errThrift)
				return true
			}
			h.found = h.kind == map[int]int{5: pageData, 7: pageDictionary, 8: pageDataV2}[id]
			r.fields(func(field int, typ byte) bool {
				switch {
				case field == 1:
					h.values = r.int32(typ)
				case id == 8 && field == 4 || id != 8 && field == 2:
					h.encoding = r.int32(typ)
				case id == 5 && (field == 3 || field == 4):
					h.levels[field-3] = r.int32(typ)
				case id == 8 && field == 5:
					h.defBytes = r.int32(typ)
				case id == 8 && field == 6:
					h.repBytes = r.int32(typ)
				case id == 8 && field == 7:
					h.plain = !r.bool(typ)
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return h
}

// mostHeader is how long the header of a page may be. Statistics are in it.
const mostHeader = 16 << 20

// header reads the header of the next page.
func (c *column) header() (h pageHeader, err error) {
	for want := 512; ; want *= 4 {
		if err := c.src.peek(want); err != nil {
			return h, err
		}
		r := &thriftReader{b: c.src.data}
		h = decodePageHeader(r)
		if errors.Is(r.err, errCut) && int64(len(c.src.data)) < c.src.left() && want < mostHeader {
			continue
		}
		if r.err != nil {
			return h, fmt.Errorf("the header of a page: %w", r.err)
		}
		c.src.data = c.src.data[r.at:]
		break
	}
	switch {
	case h.kind != pageIndex && !h.found || h.kind < pageData || h.kind > pageDataV2:
		err = fmt.Errorf("a page is of kind %d, and has no header of it", h.kind)
	case h.size < 0 || h.size > mostPage || h.packed < 0 || h.values < 0:
		err = fmt.Errorf("a page has %d values in %d bytes, compressed to %d", h.values, h.size, h.packed)
	case int64(h.packed) > c.src.left():
		err = fmt.Errorf("a page has %d bytes, and the column only %d more: the object is damaged", h.packed, c.src.left())
	}
	return h, err
}

// load reads the next page.
func (c *column) load() error {
	if c.src.left() == 0 {
		return fmt.Errorf("its pages have %d entries less than the footer says", c.left)
	}
	h, err := c.header()
	if err != nil {
		return err
	}
	if err := c.src.peek(h.packed); err != nil {
		return err
	}
	packed := c.src.data[:h.packed]
	c.src.data = c.src.data[h.packed:]
	if h.summed && crc32.ChecksumIEEE(packed) != h.sum {
		return errors.New("a page does not have its checksum: the object is damaged")
	}
	switch h.kind {
	case pageIndex:
		return nil
	case pageDictionary:
		return c.loadDictionary(&h, packed)
	}
	if int64(h.values) > c.left {
		return fmt.Errorf("its pages have more entries than the %d that the footer says", c.chunk.values)
	}
	if h.kind == pageDataV2 {
		err = c.openV2(&h, packed)
	} else {
		err = c.openV1(&h, packed)
	}
	if err != nil {
		return err
	}
	c.left -= int64(h.values)
	c.inPage = h.values
	return nil
}

// unpack decompresses a page into buf.
func (c *column) unpack(buf []byte, size int, packed []byte) ([]byte, error) {
	if !plausible(c.chunk.codec, int64(size), int64(len(packed))) {
		return buf, fmt.Errorf("%d bytes of a page cannot be %d bytes, compressed with %s", len(packed), size, codecNames[c.chunk.codec])
	}
	buf, err := c.budget.grow(buf, size)
	if err != nil {
		return nil, err
	}
	if err := c.codecs.decompress(c.chunk.codec, buf, packed); err != nil {
		return buf, fmt.Errorf("a page compressed with %s: %w", codecNames[c.chunk.codec], err)
	}
	return buf, nil
}

func (c *column) openV1(h *pageHeader, packed []byte) (err error) {
	if c.page, err = c.unpack(c.page, h.size, packed); err != nil {
		return err
	}
	b := c.page
	for i, level := range []struct {
		most int
		to   *hybrid
		enc  int
	}{{c.e.maxRep, &c.reps, h.levels[1]}, {c.e.maxDef, &c.defs, h.levels[0]}} {
		if level.most == 0 {
			continue
		}
		if level.enc != encodingRuns {
			return fmt.Errorf("the levels of a page have the encoding %d, which is deprecated and cannot be read: write the file again", level.enc)
		}
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return fmt.Errorf("a page ends within its %d. levels", i+1)
		}
		n := 4 + int(binary.LittleEndian.Uint32(b))
		*level.to = hybrid{data: b[4:n], width: uint(bits.Len(uint(level.most)))}
		b = b[n:]
	}
	return c.open(h, b)
}

func (c *column) openV2(h *pageHeader, packed []byte) error {
	levels := int64(h.repBytes) + int64(h.defBytes)
	if h.repBytes < 0 || h.defBytes < 0 || levels > int64(len(packed)) || levels > int64(h.size) {
		return fmt.Errorf("the levels of a page take %d bytes, and the page %d", levels, len(packed))
	}
	// The levels may outlive the window in which the page was read.
	page, err := c.budget.grow(c.page, h.size)
	if err != nil {
		return err
	}
	c.page = page
	copy(c.page, packed[:levels])
	c.reps = hybrid{data: c.page[:h.repBytes], width: uint(bits.Len(uint(c.e.maxRep)))}
	c.defs = hybrid{data: c.page[h.repBytes:levels], width: uint(bits.Len(uint(c.e.maxDef)))}
	values, packed := c.page[levels:h.size], packed[levels:]
	codec := c.chunk.codec
	if h.plain {
		codec = codecNone
	}
	// A page without values may have nothing to decompress.
	if len(packed) > 0 || len(values) > 0 {
		if !plausible(codec, int64(len(values)), int64(len(packed))) {
			return fmt.Errorf("%d bytes of a page cannot be %d bytes, compressed with %s", len(packed), len(values), codecNames[codec])
		}
		if err := c.codecs.decompress(codec, values, packed); err != nil {
			return fmt.Errorf("a page compressed with %s: %w", codecNames[codec], err)
		}
	}
	return c.open(h, values)
}

// open makes value read the values in b.
func (c *column) open(h *pageHeader, b []byte) error {
	typ := c.e.typ
	c.data, c.bit, c.spans = b, 0, nil
	numeric := c.width > 0 && typ != typeInt96
	switch enc := h.encoding; {
	case enc == encodingPlain:
		switch typ {
		case typeBoolean:
			c.mode = bitValues
		case typeBytes:
			c.mode = byteValues
		default:
			c.mode = fixedValues
		}
	case enc == encodingDictionary || enc == encodingPlainDictionary:
		if c.dictValues < 0 {
			return errors.New("a page needs a dictionary, and the column has none in front")
		}
		c.mode = placeValues
		c.places = hybrid{}
		if len(b) > 0 {
			if b[0] > 32 {
				return fmt.Errorf("places in the dictionary have %d bits", b[0])
			}
			c.places = hybrid{data: b[1:], width: uint(b[0])}
		}
	case enc == encodingRuns && typ == typeBoolean:
		if len(b) < 4 {
			return errEnds
		}
		c.mode, c.places = runValues, hybrid{data: b[4:], width: 1}
	case enc == encodingDelta && (typ == typeInt32 || typ == typeInt64):
		return c.openDelta(h, b)
	case enc == encodingDeltaLength && typ == typeBytes || enc == encodingDeltaBytes && (typ == typeBytes || typ == typeFixed):
		return c.openDeltaBytes(h, b)
	case enc == encodingSplit && numeric:
		n := len(b) / c.width
		spare, err := c.budget.grow(c.spare, n*c.width)
		if err != nil {
			return err
		}
		c.spare = spare
		for i := range n {
			for j := range c.width {
				spare[i*c.width+j] = b[j*n+i]
			}
		}
		c.mode, c.data = fixedValues, spare
	default:
		return fmt.Errorf("a page of %v has the encoding %d, which is unknown for this type", c.e, enc)
	}
	return nil
}

// openDelta decodes the numbers of a page.
func (c *column) openDelta(h *pageHeader, b []byte) error {
	spare, err := c.budget.grow(c.spare, h.values*c.width)
	if err != nil {
		return err
	}
	c.spare = spare
	n := 0
	_, err = deltas(b, h.values, func(v int64) {
		if c.width == 4 {
			binary.LittleEndian.PutUint32(spare[4*n:], uint32(v))
		} else {
			binary.LittleEndian.PutUint64(spare[8*n:], uint64(v))
		}
		n++
	})
	c.mode, c.data = fixedValues, spare[:n*c.width]
	return err
}

// openDeltaBytes decodes values of any length whose lengths, or beginnings, are stored
// apart.
func (c *column) openDeltaBytes(h *pageHeader, b []byte) error {
	if err := c.reserve(&c.held.spans, 16*int64(h.values)); err != nil { // and lengths
		return err
	}
	var shared []int32
	var err error
	if h.encoding == encodingDeltaBytes {
		if b, shared, err = lengths(b, h.values); err != nil {
			return err
		}
	}
	b, own, err := lengths(b, h.values)
	if err != nil {
		return err
	}
	if shared != nil && len(shared) != len(own) {
		return fmt.Errorf("a page has %d beginnings and %d ends of values", len(shared), len(own))
	}
	size, last := int64(0), int64(0)
	for i, n := range own {
		length := int64(n)
		if shared != nil {
			if int64(shared[i]) > last {
				return errors.New("a value of a page begins with more than the one before has")
			}
			length += int64(shared[i])
		}
		size, last = size+length, length
	}
	if size > mostPage {
		return fmt.Errorf("a page has values of %d bytes", size)
	}
	if c.spare, err = c.budget.grow(c.spare, int(size)); err != nil {
		return err
	}
	spans, at := make([]span, len(own)), int32(0)
	for i, n := range own {
		begin := at
		if shared != nil && shared[i] > 0 {
			from := spans[i-1].from
			at += int32(copy(c.spare[at:], c.spare[from:from+shared[i]]))
		}
		if int(n) > len(b) {
			return errEnds
		}
		at += int32(copy(c.spare[at:], b[:n]))
		b = b[n:]
		if c.e.typ == typeFixed && int(at-begin) != c.width {
			return fmt.Errorf("a value has %d bytes, and its column %d", at-begin, c.width)
		}
		spans[i] = span{begin, at}
	}
	c.mode, c.data, c.spans = spannedBytes, c.spare, spans
	return nil
}

// loadDictionary reads the values to which pages refer.
func (c *column) loadDictionary(h *pageHeader, packed []byte) (err error) {
	switch {
	case c.dictValues >= 0 || c.left < c.chunk.values:
		return errors.New("a dictionary is not in front of the pages")
	case h.encoding != encodingPlain && h.encoding != encodingPlainDictionary:
		return fmt.Errorf("its dictionary has the encoding %d, which is unknown", h.encoding)
	case c.e.typ == typeBoolean:
		return errors.New("it has a dictionary of truth values")
	}
	if c.dictionary, err = c.unpack(c.dictionary, h.size, packed); err != nil {
		return err
	}
	c.dictSpans = nil
	if c.width > 0 {
		if h.values > len(c.dictionary)/c.width {
			return errEnds
		}
		c.dictValues = h.values
		return nil
	}
	if h.values > len(c.dictionary)/4 {
		return errEnds
	}
	if err := c.reserve(&c.held.dictionary, 8*int64(h.values)); err != nil {
		return err
	}
	c.dictSpans = make([]span, h.values)
	b, at := c.dictionary, 0
	for i := range c.dictSpans {
		if len(b)-at < 4 {
			return errEnds
		}
		n := uint64(binary.LittleEndian.Uint32(b[at:]))
		if n > uint64(len(b)-at-4) {
			return errEnds
		}
		c.dictSpans[i] = span{int32(at + 4), int32(at + 4 + int(n))}
		at += 4 + int(n)
	}
	c.dictValues = h.values
	return nil
}
