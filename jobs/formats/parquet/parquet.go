// Package parquet reads and writes Parquet files: records of typed columns, which are
// stored column by column in row groups.
//
// Of an object only what is needed is requested: the footer, and the chunks of the columns
// that the record's type names, in the row groups whose statistics fit the condition. A
// row group is read by the section in which its first byte lies.
//
// The fields of a struct and its tags decide about columns:
//
//	type Trip struct {
//		ID      int64
//		Started time.Time         `parquet:"started_at"`
//		Fare    int64             `parquet:"fare,decimal(2:9)"` // cents
//		Tip     *float64          `parquet:"tip"`               // null is nil
//		Stops   []Stop            `parquet:"stops"`
//		Labels  map[string]string `parquet:"labels"`
//		Hidden  string            `parquet:"-"`
//	}
//
// Go types, the columns that they are written as, and others that they read:
//
//	bool                     BOOLEAN
//	int8 to int64, int       INT32 or INT64, INT(8) and INT(16); reads narrower ones
//	uint8 to uint64, uint    UINT(8) to UINT(64); reads narrower ones
//	float32, float64         FLOAT, DOUBLE; reads FLOAT16, float64 also FLOAT and DECIMAL
//	string                   STRING; reads BYTE_ARRAY, and DECIMAL as its text
//	[]byte                   BYTE_ARRAY; reads FIXED_LEN_BYTE_ARRAY
//	[n]byte                  FIXED_LEN_BYTE_ARRAY(n), UUID for a type UUID of 16 bytes
//	time.Time                TIMESTAMP(NANOS) in UTC; reads all units, DATE and INT96
//	time.Duration            INT64; reads TIME
//	*T                       a T that may be null
//	[]T                      LIST; reads repeated columns
//	map[K]V                  MAP, sorted by key, for K a string or a whole number
//	struct                   a group; fields of embedded structs are those of the outer one
//
// Options of tags follow the name: timestamp(millisecond), timestamp(microsecond) and
// timestamp(nanosecond) for time.Time and int64, time(unit) for time.Duration, date for
// time.Time and int32, decimal(scale:precision) for int, int32 and int64, uuid for
// [16]byte, enum and json for strings, optional to write a zero value as null and to read
// null as zero, id(n) for the id of the field, plain to write no dictionary, and
// uncompressed, snappy, gzip, zstd or lz4_raw for the codec of one column. Those that Go
// packages for Parquet share have the same meaning.
//
// The format is a plain value and safe for concurrent use. Readers and writers that it
// opens belong to one task. Errors name the object, the row group, the column and the row.
// Sizes are bytes. The package reads the format itself, so that objects that lie about
// sizes cost no memory.
package parquet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs"
)

// Records are records of type T, a struct whose fields are columns. The function that
// receives a record may keep it.
//
// A T of map[string]any reads all columns of any file: whole numbers are int64, or uint64
// if the column has no sign; STRING, ENUM and JSON are a string, and so are DECIMAL and
// UUID; other bytes are []byte; TIME is a time.Duration; FLOAT16 and FLOAT are float32; a
// list is []any, a group a map[string]any, and so is a MAP whose keys are text; null is
// nil. It writes nothing. See also Inspect.
type Records[T any] struct {
	// Where says which records are read: those with certain columns in certain ranges. Row
	// groups whose statistics exclude the range are not requested.
	Where Condition
	// Missing lets an object lack columns that T has. Their fields are zero. Otherwise
	// that is an error.
	Missing bool
	// Nulls lets a null be zero where a field has no null. Otherwise that is an error, and
	// a field that is a pointer is nil.
	Nulls bool
	// Max is how much memory the pages of all columns may take at once when they are read,
	// in bytes, and how much one record may take. 0 means 64 MiB, or 4 MiB a column if
	// that is more.
	Max int64
	// RowGroup is how much memory the row group of a part may take until it is written, in
	// bytes; 0 means 16 MiB. Pages in it are compressed. A task with PartitionBy writes up
	// to 32 parts at the same time on a local store, and 2 on others.
	RowGroup int64
	// Codec compresses the pages that are written: "zstd", "snappy", "gzip", "lz4_raw" or
	// "uncompressed"; "" means zstd.
	Codec string
}

// Bounds of options.
const (
	leastMax      = 1 << 20
	leastRowGroup = 64 << 10
	mostRowGroup  = 1 << 30
)

func (f Records[T]) check() error {
	switch {
	case f.Max != 0 && f.Max < leastMax:
		return fmt.Errorf("parquet.Records{Max: %d}: pages need at least 1 MiB", f.Max)
	case f.RowGroup != 0 && (f.RowGroup < leastRowGroup || f.RowGroup > mostRowGroup):
		return fmt.Errorf("parquet.Records{RowGroup: %d}: a row group has at least 64 KiB and at most 1 GiB", f.RowGroup)
	}
	if _, err := f.codec(); err != nil {
		return err
	}
	return f.Where.check()
}

func (f Records[T]) codec() (int, error) {
	switch f.Codec {
	case "":
		return codecZstd, nil
	case "zstd", "snappy", "gzip", "lz4_raw", "uncompressed":
		return slices.Index(codecNames, f.Codec), nil
	}
	return 0, fmt.Errorf("parquet.Records{Codec: %q}: choose zstd, snappy, gzip, lz4_raw or uncompressed", f.Codec)
}

// Split divides an object by bytes. Each row group is in one section.
func (f Records[T]) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if _, err := recordOf(reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	return jobs.ByteRanges(obj, target), nil
}

// Scan yields the records of the row groups that begin in s.
func (f Records[T]) Scan(ctx *jobs.Context, s *jobs.Section, yield func(T) error) error {
	if err := f.check(); err != nil {
		return err
	}
	n, err := recordOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	var slot, zero T
	r := &reader{ctx: ctx, s: s, budget: budget{limit: f.Max}}
	defer r.codecs.close()
	if err := r.open(n, f.Where, f.Missing, f.Nulls); err != nil {
		return err
	}
	for i := range r.footer.groups {
		g := &r.footer.groups[i]
		if g.offset < s.Offset || g.offset >= s.Offset+s.Length {
			continue
		}
		if err := r.begin(g); err != nil {
			return err
		}
		for r.row < r.rows {
			slot = zero
			wanted, err := r.next(unsafe.Pointer(&slot))
			if err != nil {
				return err
			}
			if !wanted {
				continue
			}
			s.At(g.offset)
			if err := yield(slot); err != nil {
				return err
			}
		}
	}
	return nil
}

// reader reads the row groups of a section.
type reader struct {
	ctx     context.Context
	s       *jobs.Section
	budget  budget
	codecs  codecs
	footer  *footer
	record  part
	filters []filter
	columns []*column // in order of the object
	only    []*column // those of them that only the condition needs

	group     *rowGroup
	row, rows int64
}

// open reads the footer and matches the columns; n is nil for all of them.
func (r *reader) open(n *node, where Condition, missing, nulls bool) (err error) {
	defer r.recovered(&err)
	if r.footer, err = readFooter(r.ctx, fileOf(r.s)); err != nil {
		return err
	}
	m := &matcher{object: r.s.Object.Name, missing: missing, nulls: nulls, columns: map[int]*column{}, charge: r.budget.charge}
	if n == nil {
		r.record, err = m.all(r.footer.root)
	} else {
		r.record, err = m.group(n, r.footer.root)
	}
	if err != nil {
		return err
	}
	if r.filters, err = where.filters(m, r.footer); err != nil {
		return err
	}
	of := r.record.leaves()
	for _, c := range m.columns {
		if !slices.Contains(of, c) {
			r.only = append(r.only, c)
		}
		c.codecs, c.budget = &r.codecs, &r.budget
		r.columns = append(r.columns, c)
	}
	slices.SortFunc(r.columns, func(a, b *column) int { return cmp.Compare(a.e.leaf, b.e.leaf) })
	if r.budget.limit == 0 {
		r.budget.limit = max(64<<20, int64(len(r.columns))*4<<20)
	}
	return nil
}

// recovered makes a panic an error. Objects are written by others, and what decompresses
// their pages by other packages.
func (r *reader) recovered(err *error) {
	if p := recover(); p != nil {
		*err = r.at(fmt.Errorf("the object is damaged in a way that no check found: %v", p))
	}
}

// at adds the place to an error of the data. Errors of the store are about requests, and
// are returned as they are.
func (r *reader) at(err error) error {
	if e, ok := errors.AsType[*storeError](err); ok {
		return e.error
	}
	if r.group == nil {
		return fmt.Errorf("%s: %w", r.s.Object.Name, err)
	}
	return fmt.Errorf("%s: row group %d, row %d: %w", r.s.Where(r.group.offset), r.group.number, r.row, err)
}

// begin goes to a row group. If its statistics exclude all records, it has no rows.
func (r *reader) begin(g *rowGroup) (err error) {
	defer r.recovered(&err)
	r.group, r.row, r.rows = g, 0, g.rows
	elements := make([]*element, len(r.columns))
	for i, c := range r.columns {
		elements[i] = c.e
	}
	chunks, err := r.footer.chunks(g, elements)
	if err != nil {
		return r.at(err)
	}
	for _, f := range r.filters {
		c := &chunks[slices.Index(r.columns, f.c)]
		if c.stats.nulls == c.values || c.stats.min != nil && c.stats.max != nil && f.outside(c.stats.min, c.stats.max) {
			r.rows = 0
			return nil
		}
	}
	if g.rows == 0 {
		return nil
	}
	if err := r.fetch(chunks); err != nil {
		return r.at(err)
	}
	for i, c := range r.columns {
		if err := c.begin(chunks[i]); err != nil {
			return r.at(fmt.Errorf("column %q: %w", c.e.path(), err))
		}
		if c.rep != 0 {
			return r.at(damage(c))
		}
	}
	return nil
}

// Bounds of what is requested at once.
const (
	windowBytes = 8 << 20  // of a row group that are in memory before they are decompressed
	gapBytes    = 64 << 10 // between chunks that one request fetches, because another costs more
	leastWindow = 64 << 10
)

// fetch requests the chunks that fit into the window, neighbours at once, and gives the
// others a part of it, through which they are read.
func (r *reader) fetch(chunks []chunk) error {
	if len(chunks) == 0 {
		return nil
	}
	share := int64(windowBytes / len(chunks))
	var total int64
	for _, c := range chunks {
		total += c.length
	}
	var small, large []int
	var fetched int64
	for i, c := range chunks {
		src := &r.columns[i].src
		src.budget.release(src.held)
		*src = source{ctx: r.ctx, section: r.s, budget: &r.budget, at: c.offset, end: c.offset + c.length}
		if total <= windowBytes || c.length <= share {
			small = append(small, i)
			fetched += c.length
		} else {
			large = append(large, i)
		}
	}
	slices.SortFunc(small, func(a, b int) int { return cmp.Compare(chunks[a].offset, chunks[b].offset) })
	type extent struct{ from, to int64 }
	var extents []extent
	size := int64(0)
	for _, i := range small {
		from, to := chunks[i].offset, chunks[i].offset+chunks[i].length
		if n := len(extents); n > 0 && from <= extents[n-1].to+gapBytes {
			size += max(to-extents[n-1].to, 0)
			extents[n-1].to = max(to, extents[n-1].to)
			continue
		}
		extents = append(extents, extent{from, to})
		size += to - from
	}
	window := int64(0)
	if len(large) > 0 {
		window = max((windowBytes-fetched)/int64(len(large)), leastWindow)
	}
	buffer := r.s.Buffer(int(size + window*int64(len(large))))
	for _, e := range extents {
		body := buffer[:e.to-e.from]
		buffer = buffer[len(body):]
		if len(body) > 0 {
			if err := r.s.ReadAt(r.ctx, body, e.from); err != nil {
				return &storeError{err}
			}
		}
		for _, i := range small {
			c, src := &chunks[i], &r.columns[i].src
			if c.offset >= e.from && c.offset+c.length <= e.to {
				src.data, src.at = body[c.offset-e.from:c.offset-e.from+c.length], src.end
			}
		}
	}
	for _, i := range large {
		r.columns[i].src.buf, buffer = buffer[:window:window], buffer[window:]
	}
	return nil
}

// checkEvery is after how many rows the reader looks whether it must stop.
const checkEvery = 4096

// next reads the next row into p. It reports whether the condition holds.
func (r *reader) next(p unsafe.Pointer) (wanted bool, err error) {
	defer r.recovered(&err)
	if r.row%checkEvery == 0 {
		if err := r.ctx.Err(); err != nil {
			return false, err // a few bytes may be any number of rows that no condition wants
		}
	}
	r.budget.record = 0
	if wanted = r.holds(); !wanted {
		err = passRow(r.columns)
	} else if err = r.record.read(p); err == nil {
		err = passRow(r.only)
	}
	if err != nil {
		return false, r.at(err)
	}
	for _, c := range r.columns {
		switch {
		case c.rep != 0:
			return false, r.at(damage(c))
		case c.done != (r.row == r.rows-1):
			return false, r.at(fmt.Errorf("column %q has another number of rows than the row group's %d: the object is damaged", c.e.path(), r.rows))
		}
	}
	r.row++
	return wanted, nil
}

// holds reports whether the condition holds for the current row.
func (r *reader) holds() bool {
	for _, f := range r.filters {
		if f.c.def < f.c.e.maxDef || !f.holds(f.c.raw) {
			return false
		}
	}
	return true
}

// passRow goes over the entries of the current row.
func passRow(columns []*column) error {
	for _, c := range columns {
		for again := true; again; again = c.rep > 0 {
			if err := c.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Ext is ".parquet".
func (Records[T]) Ext() string { return ".parquet" }

// Open begins a part.
func (f Records[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if takesAny(reflect.TypeFor[T]()) {
		return nil, fmt.Errorf("a %v names no columns to write: use a struct", reflect.TypeFor[T]())
	}
	n, err := nodeOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	if len(n.below) == 0 {
		return nil, fmt.Errorf("%v has no exported fields, and so no columns", n.typ)
	}
	codec, err := f.codec()
	if err != nil {
		return nil, err
	}
	out := &writer[T]{rows: rows{w: w, limit: f.RowGroup, offset: magicBytes, codec: codec}}
	if out.limit == 0 {
		out.limit = 16 << 20
	}
	out.schema(n)
	return out, nil
}

// Scattered returns true: the footer of an object says what is read of it.
func (Records[T]) Scattered() bool { return true }
