package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"slices"
	"unsafe"
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

// rows gathers records into row groups. The same records give the same bytes.
type rows struct {
	w       io.Writer
	limit   int64 // bytes of a row group
	offset  int64 // of the next row group
	begun   bool
	codec   int
	codecs  codecs
	root    *element
	record  shredder
	columns []*columnWriter
	used    int64 // bytes in memory
	count   int64 // rows of the row group
	total   int64 // rows that are written
	groups  []byte
	number  int // of row groups
}

// add adds the record at p.
func (w *rows) add(p unsafe.Pointer) error {
	for _, c := range w.columns {
		c.mark()
	}
	if err := w.record.write(p, 0, 0); err != nil {
		for _, c := range w.columns {
			c.rollBack()
		}
		return err
	}
	w.count++
	for _, c := range w.columns {
		if c.pending() >= pageBytes || c.entries >= pageEntries {
			if err := c.endPage(); err != nil {
				return err
			}
		}
	}
	if w.used >= w.limit {
		return w.flush()
	}
	return nil
}

// Bounds of pages that are written, and of dictionaries.
const (
	pageBytes       = 256 << 10
	pageEntries     = 20_000
	dictionaryBytes = 256 << 10
	entryOverhead   = 64 // bytes of memory of an entry of a dictionary, beside its value
)

func (w *rows) write(b []byte) error {
	n, err := w.w.Write(b)
	w.offset += int64(n)
	return err
}

func (w *rows) begin() error {
	if w.begun {
		return nil
	}
	w.begun, w.offset = true, 0
	return w.write([]byte(magic))
}

// flush writes the row group.
func (w *rows) flush() error {
	if w.count == 0 {
		return nil
	}
	if err := w.begin(); err != nil {
		return err
	}
	start := w.offset
	t := &thriftWriter{}
	t.element()
	t.list(1, thriftStruct, len(w.columns))
	plain := int64(0)
	for _, c := range w.columns {
		size, err := c.flush(t)
		if err != nil {
			return err
		}
		plain += size
	}
	t.i64(2, plain)
	t.i64(3, w.count)
	t.i64(5, start)
	t.i64(6, w.offset-start)
	t.end()
	w.groups = append(w.groups, t.b...)
	w.number++
	w.total += w.count
	w.count, w.used = 0, 0
	if len(w.groups) > mostFooter/2 {
		return fmt.Errorf("the row groups of the part have %d bytes of metadata: set a larger RowGroup", len(w.groups))
	}
	return nil
}

// Close writes what is buffered, and the footer.
func (w *rows) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		return err
	}
	t := &thriftWriter{}
	t.element()
	t.i32(1, 2)
	n := 0
	w.root.visit(func(*element) { n++ })
	t.list(2, thriftStruct, n)
	w.root.visit(func(e *element) { e.encode(t, e == w.root) })
	t.i64(3, w.total)
	t.list(4, thriftStruct, w.number)
	t.b = append(t.b, w.groups...)
	t.text(6, "windrow")
	t.list(7, thriftStruct, len(w.columns))
	for range w.columns {
		t.element()
		t.empty(1) // the order of values is that of their type
		t.end()
	}
	t.end()
	t.b = binary.LittleEndian.AppendUint32(t.b, uint32(len(t.b)))
	return w.write(append(t.b, magic...))
}

// visit calls f for an element and all below it, in order of the schema.
func (e *element) visit(f func(*element)) {
	f(e)
	for _, c := range e.children {
		c.visit(f)
	}
}

// encode writes an element of the schema.
func (e *element) encode(t *thriftWriter, root bool) {
	t.element()
	if e.typ != typeNone {
		t.i32(1, int64(e.typ))
	}
	if e.typ == typeFixed {
		t.i32(2, int64(e.length))
	}
	if !root {
		t.i32(3, int64(e.repetition))
	}
	t.text(4, e.name)
	if e.typ == typeNone {
		t.i32(5, int64(len(e.children)))
	}
	l := &e.logical
	if n := l.converted(); n >= 0 {
		t.i32(6, int64(n))
	}
	if l.kind == logicalDecimal {
		t.i32(7, int64(l.scale))
		t.i32(8, int64(l.precision))
	}
	if e.id != 0 {
		t.i32(9, int64(e.id))
	}
	if l.kind != 0 {
		t.begin(10)
		t.begin(l.kind)
		switch l.kind {
		case logicalDecimal:
			t.i32(1, int64(l.scale))
			t.i32(2, int64(l.precision))
		case logicalTime, logicalTimestamp:
			t.bool(1, l.utc)
			t.begin(2)
			t.empty(l.unit)
			t.end()
		case logicalInt:
			t.i8(1, int8(l.bits))
			t.bool(2, l.signed)
		}
		t.end()
		t.end()
	}
	t.end()
}

// converted returns the number that older readers know, or -1.
func (l *logical) converted() int {
	switch l.kind {
	case logicalString:
		return 0
	case logicalMap:
		return 1
	case logicalList:
		return 3
	case logicalEnum:
		return 4
	case logicalDecimal:
		return 5
	case logicalDate:
		return 6
	case logicalTime, logicalTimestamp:
		if l.unit == unitNanos {
			return -1
		}
		if l.kind == logicalTime {
			return 6 + l.unit
		}
		return 8 + l.unit
	case logicalInt:
		if l.signed {
			return 15 + bits.TrailingZeros(uint(l.bits)/8)
		}
		return 11 + bits.TrailingZeros(uint(l.bits)/8)
	case logicalJSON:
		return 19
	}
	return -1
}

// columnWriter gathers the pages of a column.
type columnWriter struct {
	w      *rows
	e      *element
	codec  int
	plain  bool // pages have no dictionary
	always bool // so the tag says

	entries    int // of the page
	reps, defs []byte
	values     []byte   // plain
	places     []uint32 // in the dictionary

	lookup     map[string]uint32
	dictionary []byte // plain
	starts     []int  // of its values

	chunk    []byte // pages that are finished
	size     int64  // of them, decompressed
	all      int64  // entries of the chunk
	nulls    int64
	min, max []byte
	compare  func(a, b []byte) int
	number   func(raw []byte) float64 // of a column of floating point
	ranged   bool                     // min and max are valid
	used     [4]bool                  // encodings: plain, dictionary

	marked struct {
		entries, values, places, dictionary int
		nulls                               int64
		min, max                            []byte
		ranged                              bool
	}
}

// pending returns the bytes of the page that is not finished.
func (c *columnWriter) pending() int {
	return len(c.values) + 4*len(c.places) + len(c.reps) + len(c.defs)
}

// mark notes the state before a record, and rollBack returns to it.
func (c *columnWriter) mark() {
	m := &c.marked
	m.entries, m.values, m.places, m.dictionary, m.nulls = c.entries, len(c.values), len(c.places), len(c.starts), c.nulls
}

func (c *columnWriter) rollBack() {
	m := &c.marked
	c.entries, c.nulls, c.values, c.places = m.entries, m.nulls, c.values[:m.values], c.places[:m.places]
	if c.e.maxRep > 0 {
		c.reps = c.reps[:m.entries]
	}
	if c.e.maxDef > 0 {
		c.defs = c.defs[:m.entries]
	}
	for len(c.starts) > m.dictionary {
		at := c.starts[len(c.starts)-1]
		delete(c.lookup, string(c.inDictionary(len(c.starts)-1)))
		c.starts, c.dictionary = c.starts[:len(c.starts)-1], c.dictionary[:at]
	}
	// Bounds that are too wide are still bounds.
}

// entry adds an entry. raw is the value if def says that there is one.
func (c *columnWriter) entry(def, rep int, raw []byte) {
	before := c.pending()
	c.entries++
	if c.e.maxRep > 0 {
		c.reps = append(c.reps, byte(rep))
	}
	if c.e.maxDef > 0 {
		c.defs = append(c.defs, byte(def))
	}
	if def < c.e.maxDef {
		c.nulls++
	} else {
		c.bound(raw)
		if !c.plain {
			c.look(raw)
		} else {
			c.values = c.appendPlain(c.values, raw)
		}
	}
	c.w.used += int64(c.pending() - before)
}

func (c *columnWriter) appendPlain(dst, raw []byte) []byte {
	if c.e.typ == typeBytes {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
	}
	return append(dst, raw...)
}

// look adds a value by its place in the dictionary.
func (c *columnWriter) look(raw []byte) {
	place, known := c.lookup[string(raw)]
	if !known {
		if c.lookup == nil {
			c.lookup = map[string]uint32{}
		}
		place = uint32(len(c.starts))
		c.lookup[string(raw)] = place
		c.starts = append(c.starts, len(c.dictionary))
		c.dictionary = c.appendPlain(c.dictionary, raw)
		c.w.used += int64(2*len(raw) + entryOverhead)
	}
	c.places = append(c.places, place)
}

// inDictionary returns a value of the dictionary.
func (c *columnWriter) inDictionary(place int) []byte {
	end := len(c.dictionary)
	if place+1 < len(c.starts) {
		end = c.starts[place+1]
	}
	b := c.dictionary[c.starts[place]:end]
	if c.e.typ == typeBytes {
		b = b[4:]
	}
	return b
}

// bound takes a value into the statistics.
func (c *columnWriter) bound(raw []byte) {
	if c.compare == nil || c.number != nil && math.IsNaN(c.number(raw)) {
		return
	}
	if !c.ranged {
		c.ranged = true
		c.min, c.max = append(c.min[:0], raw...), append(c.max[:0], raw...)
		return
	}
	if c.compare(raw, c.min) < 0 {
		c.min = append(c.min[:0], raw...)
	}
	if c.compare(raw, c.max) > 0 {
		c.max = append(c.max[:0], raw...)
	}
}

// endPage finishes the page.
func (c *columnWriter) endPage() error {
	if c.entries == 0 {
		return nil
	}
	before := c.pending()
	finished := len(c.chunk)
	// A dictionary that most values are added to is larger than the values.
	if !c.plain && len(c.chunk) == 0 && 2*len(c.starts) > len(c.places) && len(c.starts) > 64 {
		for _, place := range c.places {
			c.values = c.appendPlain(c.values, c.inDictionary(int(place)))
		}
		c.forget()
		c.plain = true
	}
	page := levelsOf(nil, c.reps, c.e.maxRep)
	page = levelsOf(page, c.defs, c.e.maxDef)
	h := pageHeader{kind: pageData, values: c.entries}
	switch {
	case c.plain && c.e.typ == typeBoolean:
		page = appendBits(page, c.values)
	case c.plain:
		page = append(page, c.values...)
	default:
		h.encoding = encodingDictionary
		width := bits.Len(uint(max(len(c.starts)-1, 0)))
		page = appendHybrid(append(page, byte(width)), c.places, width)
	}
	c.used[min(h.encoding, 1)] = true
	var err error
	if c.chunk, err = c.appendPage(c.chunk, &h, page); err != nil {
		return err
	}
	c.all += int64(c.entries)
	c.entries, c.reps, c.defs, c.values, c.places = 0, c.reps[:0], c.defs[:0], c.values[:0], c.places[:0]
	c.plain = c.plain || len(c.dictionary) >= dictionaryBytes
	c.w.used += int64(len(c.chunk) - finished - before)
	return nil
}

func (c *columnWriter) forget() {
	for i := range c.starts {
		c.w.used -= int64(2*len(c.inDictionary(i)) + entryOverhead)
	}
	c.lookup, c.dictionary, c.starts = nil, c.dictionary[:0], c.starts[:0]
}

// appendPage appends a page behind its header.
func (c *columnWriter) appendPage(dst []byte, h *pageHeader, page []byte) ([]byte, error) {
	if len(page) > mostPage {
		return nil, fmt.Errorf("column %q: the values of a page have %d bytes, and at most 1 GiB can be written: make records smaller", c.e.path(), len(page))
	}
	packed, err := c.w.codecs.compress(c.codec, nil, page)
	if err != nil {
		return nil, err
	}
	t := &thriftWriter{}
	t.element()
	t.i32(1, int64(h.kind))
	t.i32(2, int64(len(page)))
	t.i32(3, int64(len(packed)))
	t.i32(4, int64(int32(crc32.ChecksumIEEE(packed))))
	if h.kind == pageDictionary {
		t.begin(7)
		t.i32(1, int64(h.values))
		t.i32(2, encodingPlain)
	} else {
		t.begin(5)
		t.i32(1, int64(h.values))
		t.i32(2, int64(h.encoding))
		t.i32(3, encodingRuns)
		t.i32(4, encodingRuns)
	}
	t.end()
	t.end()
	c.size += int64(len(t.b) + len(page))
	return append(append(dst, t.b...), packed...), nil
}

// flush writes the chunk, and its metadata into t. It returns the size of the pages.
func (c *columnWriter) flush(t *thriftWriter) (int64, error) {
	if err := c.endPage(); err != nil {
		return 0, err
	}
	start, data := c.w.offset, c.w.offset
	if len(c.starts) > 0 || c.used[1] {
		page, err := c.appendPage(nil, &pageHeader{kind: pageDictionary, values: len(c.starts)}, c.dictionary)
		if err != nil {
			return 0, err
		}
		if err := c.w.write(page); err != nil {
			return 0, err
		}
		data = c.w.offset
	}
	if err := c.w.write(c.chunk); err != nil {
		return 0, err
	}
	t.element()
	t.i64(2, 0)
	t.begin(3)
	t.i32(1, int64(c.e.typ))
	encodings := []int64{encodingPlain, encodingRuns}
	if c.used[1] {
		encodings = append(encodings, encodingDictionary)
	}
	t.list(2, thriftI32, len(encodings))
	for _, e := range encodings {
		t.varint(e)
	}
	var path []string
	for e := c.e; e.parent != nil; e = e.parent {
		path = append(path, e.name)
	}
	slices.Reverse(path)
	t.list(3, thriftBinary, len(path))
	for _, name := range path {
		t.string(name)
	}
	t.i32(4, int64(c.codec))
	t.i64(5, c.all)
	t.i64(6, c.size)
	t.i64(7, c.w.offset-start)
	t.i64(9, data)
	if data > start {
		t.i64(11, start)
	}
	t.begin(12)
	t.i64(3, c.nulls)
	if low, high, ok := c.bounds(); ok {
		t.text(5, string(high))
		t.text(6, string(low))
	}
	t.end()
	t.end()
	t.end()
	size := c.size
	c.reset()
	return size, nil
}

// longestBound is the size of the longest value in statistics, in bytes.
const longestBound = 256

// bounds returns the least and the greatest value of the chunk.
func (c *columnWriter) bounds() (low, high []byte, ok bool) {
	if !c.ranged || len(c.min) > longestBound || len(c.max) > longestBound {
		return nil, nil, false
	}
	low, high = slices.Clone(c.min), slices.Clone(c.max)
	// Zero has two signs, and readers may compare bytes.
	if c.e.typ == typeFloat || c.e.typ == typeDouble {
		top := len(low) - 1
		if zero(low) {
			low[top] = 0x80
		}
		if zero(high) {
			high[top] = 0
		}
	}
	return low, high, true
}

// zero reports whether a number of floating point is zero of either sign.
func zero(raw []byte) bool {
	for _, b := range raw[:len(raw)-1] {
		if b != 0 {
			return false
		}
	}
	return raw[len(raw)-1]&0x7f == 0
}

// reset begins the next row group.
func (c *columnWriter) reset() {
	c.lookup, c.dictionary, c.starts = nil, c.dictionary[:0], c.starts[:0]
	c.chunk, c.size, c.all, c.nulls, c.ranged, c.used = c.chunk[:0], 0, 0, 0, false, [4]bool{}
	c.plain = c.always
}

// levelsOf appends levels behind their length.
func levelsOf(dst, levels []byte, most int) []byte {
	if most == 0 {
		return dst
	}
	at := len(dst)
	dst = appendHybrid(append(dst, 0, 0, 0, 0), levels, bits.Len(uint(most)))
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendHybrid appends runs of equal numbers, and others bit-packed by eight.
func appendHybrid[V byte | uint32](dst []byte, values []V, width int) []byte {
	equal := func(i int) int {
		n := 1
		for i+n < len(values) && values[i+n] == values[i] {
			n++
		}
		return n
	}
	for i := 0; i < len(values); {
		if n := equal(i); n >= 8 {
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			for b := 0; b < width; b += 8 {
				dst = append(dst, byte(uint32(values[i])>>b))
			}
			i += n
			continue
		}
		from := i
		for i += 8; i < len(values) && equal(i) < 8; {
			i += 8
		}
		groups := (i - from) / 8
		i = min(i, len(values))
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		var acc uint64
		have := 0
		for k := range groups * 8 {
			if from+k < i {
				acc |= uint64(values[from+k]) << have
			}
			for have += width; have >= 8; have -= 8 {
				dst = append(dst, byte(acc))
				acc >>= 8
			}
		}
	}
	return dst
}

// appendBits appends a bit for each truth value.
func appendBits(dst, values []byte) []byte {
	for i, v := range values {
		if i%8 == 0 {
			dst = append(dst, 0)
		}
		dst[len(dst)-1] |= v << (i % 8)
	}
	return dst
}
