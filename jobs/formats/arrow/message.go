package arrow

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Kinds of messages.
const (
	headerSchema     = 1
	headerDictionary = 2
	headerBatch      = 3
)

// Bounds of what is in memory at once, beside the columns.
const (
	continuation = 1<<32 - 1
	mostMetadata = 16 << 20 // bytes of a message before its body
	smallMessage = 256 << 10
	gapBytes     = 64 << 10 // between buffers that are read at once, because a request costs more
)

// message is a dictionary or a batch, whose body is not yet read.
type message struct {
	offset int64 // in the object
	header table
	kind   int
	body   int64  // bytes
	whole  []byte // the body, if it is small; valid until the next message
	// read reads a part of the body. Parts are read in ascending order.
	read func(dst []byte, at int64) error
}

// frame returns the metadata behind the prefix at the beginning of b; nil at the mark of
// the end. Those of the oldest writers have no continuation mark.
func frame(b []byte) (metadata []byte, err error) {
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) == continuation {
		b = b[4:]
	}
	if len(b) < 4 {
		return nil, errFlat
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if b = b[4:]; n > int64(len(b)) {
		return nil, errFlat
	}
	return b[:n], nil
}

// decode reads the table of a message.
func (m *message) decode(metadata []byte) error {
	flat := &flat{b: metadata}
	t := flat.root()
	version := t.first(0)
	m.kind, m.header, m.body = int(t.byte(1)), t.table(2), t.int64(3)
	switch {
	case flat.err != nil:
		return flat.err
	case version != 3 && version != 4:
		return fmt.Errorf("its metadata has the version %d of the format, and 4 and 5 can be read: write it again", version+1)
	case m.body < 0 || m.header.fields == nil:
		return errFlat
	}
	return nil
}

// request is a buffer that is wanted.
type request struct {
	to    *[]byte
	at, n int64
	plain int64 // bytes when it is decompressed
}

// loader reads the columns of a batch.
type loader struct {
	r                      *reader
	m                      *message
	batch                  table
	nodes, buffers, counts vector
	node, buffer, count    int
	codec                  int
	rows                   int64
	requests               []request
	checks                 []*values
}

// errColumns is the error of a batch that does not fit the schema.
var errColumns = errors.New("it has other columns than the schema says: the object is damaged")

// load reads the columns of a batch, or the values of a dictionary, which outlive the
// batches. It returns how many bytes they have in memory.
func (r *reader) load(m *message, batch table, fields []*field, dictionary bool) (rows int, columns []*values, held int64, err error) {
	l := &loader{r: r, m: m, batch: batch, codec: codecNone}
	if err := l.begin(); err != nil {
		return 0, nil, 0, err
	}
	columns = make([]*values, len(fields))
	for i, f := range fields {
		if columns[i], err = l.column(f, f.wanted || dictionary, dictionary); err != nil {
			return 0, nil, 0, fmt.Errorf("column %.100q: %w", f.path(), err)
		}
		if v := columns[i]; v != nil && int64(v.rows) != l.rows {
			return 0, nil, 0, fmt.Errorf("column %.100q has %d rows, and not %d: the object is damaged", f.path(), v.rows, l.rows)
		}
	}
	if l.node != l.nodes.n || l.buffer != l.buffers.n || l.count != l.counts.n {
		return 0, nil, 0, errColumns
	}
	if held, err = l.fetch(dictionary); err != nil {
		return 0, nil, 0, err
	}
	for _, v := range l.checks {
		if err := v.check(); err != nil {
			return 0, nil, 0, fmt.Errorf("column %.100q: %w", v.f.path(), err)
		}
	}
	return int(l.rows), columns, held, nil
}

// begin reads the table of the batch.
func (l *loader) begin() error {
	t := l.batch
	l.rows, l.nodes, l.buffers, l.counts = t.int64(0), t.vector(1, 16), t.vector(2, 16), t.vector(4, 8)
	if t.has(3) {
		c := t.table(3)
		l.codec = int(int8(c.byte(0)))
		if l.codec != codecLZ4 && l.codec != codecZstd || c.byte(1) != 0 {
			return fmt.Errorf("it is compressed with codec %d, which is unknown: write it with lz4 or zstd", l.codec)
		}
	}
	if t.m.err != nil {
		return t.m.err
	}
	if l.rows < 0 {
		return errFlat
	}
	return nil
}

// column takes the nodes and buffers of a column, and of all its parts. If it is not
// wanted, nil is returned.
func (l *loader) column(f *field, wanted, dictionary bool) (*values, error) {
	if l.node == l.nodes.n {
		return nil, errColumns
	}
	v := &values{f: f, indexed: f.indices != nil && !dictionary}
	rows := int64At(l.nodes.data[16*l.node:])
	v.rows, v.nulls = int(rows), int64At(l.nodes.data[16*l.node+8:])
	l.node++
	if rows < 0 {
		return nil, errFlat
	}
	if err := l.take(v, wanted); err != nil {
		return nil, err
	}
	if v.indexed {
		if wanted {
			v.dictionary = l.r.dictionaries[f.dictionary]
			l.checks = append(l.checks, v)
			return v, nil
		}
		return nil, nil
	}
	v.below = make([]*values, len(f.children))
	for i, c := range f.children {
		var err error
		if v.below[i], err = l.column(c, wanted && c.wanted, false); err != nil {
			return nil, err
		}
	}
	if !wanted {
		return nil, nil
	}
	l.checks = append(l.checks, v) // after its parts
	return v, nil
}

// take takes the buffers of a column without those of its parts.
func (l *loader) take(v *values, wanted bool) error {
	var to []*[]byte
	kind := v.f.kind
	if v.indexed {
		kind = typeInt
	}
	switch kind {
	case typeNull, typeRunEnd:
	case typeUnion:
		if l.old() {
			to = append(to, &v.valid)
		}
		to = append(to, &v.data)
		if v.f.dense {
			to = append(to, &v.offsets)
		}
	case typeStruct, typeFixedSizeList:
		to = append(to, &v.valid)
	case typeBinary, typeText, typeLargeBinary, typeLargeText:
		to = append(to, &v.valid, &v.offsets, &v.data)
	case typeList, typeLargeList, typeMap:
		to = append(to, &v.valid, &v.offsets)
	case typeListView, typeLargeListView:
		to = append(to, &v.valid, &v.offsets, &v.sizes)
	case typeBinaryView, typeTextView:
		to = append(to, &v.valid, &v.data)
		if l.count == l.counts.n {
			return errColumns
		}
		n := int64At(l.counts.data[8*l.count:])
		l.count++
		if n < 0 || n > int64(l.buffers.n-l.buffer) {
			return errColumns
		}
		v.more = make([][]byte, n)
		for i := range v.more {
			to = append(to, &v.more[i])
		}
	default:
		to = append(to, &v.valid, &v.data)
	}
	for _, b := range to {
		if l.buffer == l.buffers.n {
			return errColumns
		}
		at, n := int64At(l.buffers.data[16*l.buffer:]), int64At(l.buffers.data[16*l.buffer+8:])
		l.buffer++
		if at < 0 || n < 0 || at > l.m.body || n > l.m.body-at {
			return fmt.Errorf("a buffer has the bytes %d to %d of a body of %d: the object is damaged", at, at+n, l.m.body)
		}
		if wanted && n > 0 && (b != &v.valid || v.nulls != 0) {
			l.requests = append(l.requests, request{to: b, at: at, n: n})
		}
	}
	return nil
}

// old reports whether unions have bits for nulls, as before version 5.
func (l *loader) old() bool { return l.m.header.m.root().first(0) < 4 }

// fetch reads the buffers that are wanted, neighbours at once, and decompresses them. It
// returns how many bytes they have.
func (l *loader) fetch(keep bool) (held int64, err error) {
	slices.SortStableFunc(l.requests, func(a, b request) int { return cmp.Compare(a.at, b.at) })
	type extent struct{ from, to int64 }
	var extents []extent
	size := int64(0)
	for _, q := range l.requests {
		if n := len(extents); n > 0 && q.at <= extents[n-1].to+gapBytes {
			size += max(q.at+q.n-extents[n-1].to, 0)
			extents[n-1].to = max(q.at+q.n, extents[n-1].to)
			continue
		}
		extents = append(extents, extent{q.at, q.at + q.n})
		size += q.n
	}
	if l.m.whole == nil || keep {
		if err := l.r.budget.fits(size); err != nil {
			return 0, err
		}
	}
	var buffer []byte
	switch {
	case l.m.whole != nil && !keep:
	case keep:
		buffer = make([]byte, size)
	default:
		buffer = l.r.s.Buffer(int(size))
	}
	next := 0
	for _, e := range extents {
		var body []byte
		if buffer == nil {
			body = l.m.whole[e.from:e.to]
		} else {
			body, buffer = buffer[:e.to-e.from:e.to-e.from], buffer[e.to-e.from:]
			if l.m.whole != nil {
				copy(body, l.m.whole[e.from:e.to])
			} else if err := l.m.read(body, e.from); err != nil {
				return 0, err
			}
		}
		for ; next < len(l.requests) && l.requests[next].at+l.requests[next].n <= e.to; next++ {
			q := &l.requests[next]
			*q.to = body[q.at-e.from : q.at-e.from+q.n : q.at-e.from+q.n]
		}
	}
	if l.codec == codecNone {
		return size, nil
	}
	return l.unpack(size, keep)
}

// unpack decompresses the buffers.
func (l *loader) unpack(size int64, keep bool) (held int64, err error) {
	total := int64(0)
	for i := range l.requests {
		q := &l.requests[i]
		if q.plain, err = plainSize(l.codec, *q.to); err != nil {
			return 0, err
		}
		if total += q.plain; q.plain > l.r.budget.limit {
			break
		}
	}
	if err := l.r.budget.fits(size + total); err != nil {
		return 0, err
	}
	var plain []byte
	if keep {
		if total+int64(cap(l.r.plain)) > l.r.budget.limit-l.r.budget.held {
			l.r.plain = nil
		}
		plain, size = make([]byte, total), 0
	} else {
		if int64(cap(l.r.plain)) < total {
			l.r.plain = make([]byte, total+min(total/8, l.r.budget.limit-total))
		}
		plain = l.r.plain[:total]
	}
	for i := range l.requests {
		q := &l.requests[i]
		b := plain[:q.plain:q.plain]
		plain = plain[q.plain:]
		if err := l.r.codecs.decompress(l.codec, b, *q.to); err != nil {
			return 0, err
		}
		*q.to = b
	}
	return total + size, nil
}

// budget bounds the memory that columns take, in bytes.
type budget struct {
	limit  int64
	held   int64 // of dictionaries
	batch  int64 // of the current batch
	record int64 // of the current record, beside the columns
}

// charge counts n bytes to the current record.
func (b *budget) charge(n int64) error {
	if b.record += n; b.record > b.limit {
		return fmt.Errorf("a record needs more than %d bytes of memory: set Max if the object is right", b.limit)
	}
	return nil
}

// fits returns an error if there is no room for n bytes more.
func (b *budget) fits(n int64) error {
	if n > b.limit-b.held-b.batch {
		return fmt.Errorf("the columns that are read of it need more than %d bytes of memory at once: set Max if the object is right, or write smaller batches", b.limit)
	}
	return nil
}
