// Package csv reads and writes comma-separated values: records of a fixed number of
// fields, one a line, such as
//
//	country,city,population
//	CH,"Zug, Zug",31000
//
// It follows RFC 4180: a field in quotes may have commas, and quotes written twice. Other
// bytes than the comma can separate fields, such as a tab. Objects can be split at any
// byte.
//
// The format is a plain value and safe for concurrent use. Readers and writers that it
// opens belong to one task. Errors name the object, the offset in bytes and the column.
package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/lines"
)

// Records are records of type T, each a line of fields. A T is a struct, or a []string of
// all fields. A column of an object is the field of T with its name or its tag; a field
// with the tag "-" is no column:
//
//	type City struct {
//		Country    string
//		Name       string `csv:"city"`
//		Population *int64 `csv:"population"`
//	}
//
// Fields are strings, []byte, truth values, numbers, types with UnmarshalText and
// MarshalText or AppendText such as time.Time, pointers to these, and embedded structs of
// them. An empty field without quotes is null: a pointer becomes nil. Other types read an
// empty text, which is an error for numbers and truth values. With quotes a field is never
// null. The function that receives a record borrows its []byte fields until it returns.
//
// A line ends in LF or CR LF. A byte order mark at the beginning of an object is skipped.
// Empty lines are no records, unless Unquoted is set and T has one column. A quote in a
// field that does not begin with one, or text between a closing quote and the comma, is an
// error.
type Records[T any] struct {
	// Comma is the byte between fields; 0 means a comma.
	Comma byte
	// NoHeader says that objects begin with a record. Columns are then the fields of T
	// in their order. Otherwise the first line of every object, and of every part that is
	// written, has the names of the columns; an object may have them in any order, and
	// others than T has. A []string without a header may have any number of fields.
	NoHeader bool
	// Strict makes a column that T does not have an error. Otherwise it is ignored.
	Strict bool
	// Ragged lets records have fewer fields than there are columns, which are then null,
	// and more, which are ignored; and it lets an object have fewer columns than T.
	// Otherwise both are errors.
	Ragged bool
	// Multiline lets fields in quotes have line feeds. An object can still be split at any
	// byte: a task reads on from where its section begins until the quotes show where a
	// record does, which is mostly near, and at most Max bytes away where there are none. Without
	// it a quote that is not closed in its line is an error, and so is a line feed in a
	// field that is written.
	Multiline bool
	// Unquoted makes a quote a byte like any other, and every empty field null. No field
	// can then have a comma or a line feed; to write one is an error.
	Unquoted bool
	// Comment, if it is not 0, is the first byte of lines that are no records.
	Comment byte
	// Max is the length of the longest valid record, in bytes, at most 1 GiB; 0 means 16
	// MiB. A longer one is an error.
	Max int
}

// mostMax is the greatest limit of a record's length.
const mostMax = 1 << 30

// check returns an error for options that contradict each other.
func (f Records[T]) check() error {
	comma := f.comma()
	switch {
	case comma == '"' || comma == '\n' || comma == '\r':
		return fmt.Errorf("csv.Records{Comma: %q}: choose a byte that is no quote and no line end", comma)
	case f.Comment == comma || f.Comment == '"' || f.Comment == '\n' || f.Comment == '\r':
		return fmt.Errorf("csv.Records{Comment: %q}: choose a byte that is no quote, no line end and not the one between fields", f.Comment)
	case f.Max > mostMax:
		return fmt.Errorf("csv.Records{Max: %d}: a record has at most 1 GiB", f.Max)
	case f.Multiline && f.Unquoted:
		return errors.New("csv.Records{Multiline: true, Unquoted: true}: without quotes no field can have a line feed; leave one out")
	}
	return nil
}

func (f Records[T]) comma() byte {
	if f.Comma == 0 {
		return ','
	}
	return f.Comma
}

// Split divides an object at any byte.
func (f Records[T]) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return jobs.ByteRanges(obj, target), nil
}

// Textual returns true: an object that begins like a compressed stream is one.
func (Records[T]) Textual() bool { return true }

// LineBased reports whether blocks of a compressed object can be read on their own: they
// can if they need no header from another block, and all records end with a line.
func (f Records[T]) LineBased() bool { return f.NoHeader && !f.Multiline }

// Headed reports whether all sections need the first line of their object.
func (f Records[T]) Headed() bool { return !f.NoHeader }

// Probing reports whether sections look for the records that begin at their ends.
func (f Records[T]) Probing() bool { return f.Multiline }

const bufferSize = 256 << 10

// Scan yields each record that begins in s.
func (f Records[T]) Scan(ctx *jobs.Context, s *jobs.Section, yield func(T) error) error {
	if err := f.check(); err != nil {
		return err
	}
	known, err := columnsOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	r := &reader[T]{f: f, s: s, known: known, yield: yield, single: f.Unquoted && len(known) == 1,
		split: splitter{comma: f.comma(), quotes: !f.Unquoted, multiline: f.Multiline}}
	r.partial = f.Ragged || slices.ContainsFunc(known, func(c column) bool { return c.own })
	if r.limit = f.Max; r.limit <= 0 {
		r.limit = lines.DefaultMax
	}
	switch {
	case f.NoHeader:
		r.columns = known
	case !s.First():
		if err := r.readHeader(ctx); err != nil {
			return err
		}
	}
	if f.Multiline && !s.Whole {
		return r.scan(ctx)
	}
	if err := lines.Scan(ctx, r.lines(s.Offset, s.Length), r.line); err != nil {
		return err
	}
	return r.end()
}

// lines returns the lines that begin in a range of the object.
func (r *reader[T]) lines(offset, length int64) lines.Section {
	return lines.Section{
		Where: r.s.Where, Offset: offset, Length: length, Whole: r.s.Whole, First: r.s.First(),
		Max: r.f.Max, KeepCR: r.f.Multiline, Buffer: r.s.Buffer(bufferSize), Open: r.s.Open,
	}
}

// reader makes records from the lines of a section.
type reader[T any] struct {
	f       Records[T]
	s       *jobs.Section
	known   []column // of T
	columns []column // of the object, in its order; the zero column is ignored
	split   splitter
	limit   int
	single  bool // an empty line is a record
	partial bool // a record may leave a field as it was
	yield   func(T) error
	slot    T // so that no record escapes by itself

	open   []byte // lines of a record with a quote that is not closed yet
	from   int64  // where the record begins
	quote  int64  // where that quote is
	opened bool
}

// errDone ends a scan.
var errDone = errors.New("all was read")

// readHeader reads the header of an object of which s is a later section.
func (r *reader[T]) readHeader(ctx context.Context) error {
	first := lines.Section{
		Where: r.s.Where, Length: r.s.Offset, First: true, Max: r.f.Max, KeepCR: r.f.Multiline,
		Buffer: make([]byte, 4<<10), Open: r.s.Open,
	}
	if r.f.Multiline && !r.s.Whole { // the header may end behind the section's first byte
		first.Length = r.s.Object.Size
	}
	err := lines.Scan(ctx, first, func(offset int64, line []byte) error {
		if !r.opened && offset >= r.s.Offset {
			return errDone
		}
		if err := r.line(offset, line); err != nil || r.columns == nil {
			return err
		}
		return errDone
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err // nil if there are only comments before the section: its first record is the header
}

// scan reads a section of an object whose fields may have line feeds.
func (r *reader[T]) scan(ctx context.Context) error {
	s := r.s
	end := s.Offset + s.Length
	at := newSeams(r.f.comma(), r.f.Comment, s.Object.Size, r.limit, func(p []byte, off int64) error { return s.ReadAt(ctx, p, off) })
	begin, err := s.Offset, error(nil)
	if !s.First() {
		if begin, err = at.begin(s.Offset); err != nil {
			return r.place(err)
		}
	}
	next, first := s.Object.Size, s.First()
	if begin < next && (begin < end || first) {
		err = lines.Scan(ctx, r.lines(begin, s.Object.Size-begin), func(offset int64, line []byte) error {
			if offset >= end && !r.opened && !first { // the first line is behind a mark
				next = offset
				return errDone
			}
			first = false
			return r.line(offset, line)
		})
		if err == nil {
			err = r.end()
		}
	} else {
		next = begin
	}
	switch {
	case err != nil && !errors.Is(err, errDone):
		return r.blame(at, err)
	case end == s.Object.Size:
		return nil
	}
	seen, err := at.begin(end)
	if err == nil && seen != next {
		// The task of the section behind this one finds the wrong record. So a mistake is
		// there: seams ends each state but the right one, unless it is followed by one.
		if _, err = at.walk(next, s.Object.Size); err == nil {
			err = fmt.Errorf("%s: a record begins here, and the quotes behind it say that none does: check the quotes of the records that follow", s.Where(next))
		}
	}
	return r.place(err)
}

// blame returns the error of a section, or that of a mistake in front of it which is its
// cause.
func (r *reader[T]) blame(at *seams, err error) error {
	if _, ours := errors.AsType[*recordError](err); !ours || r.s.First() {
		return err
	}
	if _, before := at.exact(r.s.Offset); before != nil {
		return r.place(before)
	}
	return err
}

// place adds the place to a mistake.
func (r *reader[T]) place(err error) error {
	if m, ok := errors.AsType[*mistake](err); ok {
		return fmt.Errorf("%s: %w", r.s.Where(m.offset), err)
	}
	return err
}

// recordError is what is wrong with a record, and its place.
type recordError struct {
	where string
	err   error
}

func (e *recordError) Error() string { return e.where + ": " + e.err.Error() }

func (e *recordError) Unwrap() error { return e.err }

// skipped reports whether a line is no record.
func (r *reader[T]) skipped(line []byte) bool {
	return len(line) == 0 && !r.single || len(line) == 1 && line[0] == '\r' && r.f.Multiline || r.f.Comment != 0 && len(line) > 0 && line[0] == r.f.Comment
}

// line receives a line at an offset of the object.
func (r *reader[T]) line(offset int64, line []byte) error {
	switch {
	case !r.f.Multiline:
		if r.skipped(line) {
			return nil
		}
		return r.record(offset, line)
	case !r.opened && r.skipped(line):
		return nil
	case !r.opened && bytes.Count(line, quote)%2 == 0:
		return r.record(offset, bytes.TrimSuffix(line, cr))
	case !r.opened:
		at, err := r.split.unclosed(line)
		if err != nil {
			return r.mistake(offset, err)
		}
		r.opened, r.from, r.quote = true, offset, offset+int64(at)
		r.open = append(append(r.open[:0], line...), '\n')
		return nil
	case len(r.open)+len(line) > r.limit:
		return r.unclosed()
	}
	r.open = append(r.open, line...)
	if bytes.Count(line, quote)%2 == 0 {
		r.open = append(r.open, '\n')
		return nil
	}
	r.opened = false
	return r.record(r.from, bytes.TrimSuffix(r.open, cr))
}

var (
	quote = []byte{'"'}
	cr    = []byte{'\r'}
)

// end receives the end of the section.
func (r *reader[T]) end() error {
	if r.opened {
		return r.unclosed()
	}
	return nil
}

func (r *reader[T]) unclosed() error {
	return &recordError{r.s.Where(r.quote), fmt.Errorf("a quote is opened that is not closed within %d bytes: %s", len(r.open), closeIt)}
}

// mistake adds the place to an error of a record that begins at an offset.
func (r *reader[T]) mistake(offset int64, err error) error {
	if e, ok := errors.AsType[*syntaxError](err); ok {
		offset += int64(e.at)
	}
	return &recordError{r.s.Where(offset), err}
}

// header matches the names of an object's columns with those of T.
func (r *reader[T]) header(offset int64, line []byte) error {
	fields, err := r.split.fields(line)
	if err != nil {
		return r.mistake(offset, err)
	}
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = string(fields[i].field(line).text)
	}
	r.columns = make([]column, len(names))
	if r.known == nil { // a []string takes all
		return nil
	}
	for _, c := range r.known {
		at := -1
		for i, name := range names {
			switch {
			case name != c.name:
			case at >= 0:
				return fmt.Errorf("%s: the columns %d and %d have the name %q: name one differently, or set NoHeader and leave out the line",
					r.s.Where(offset), at+1, i+1, name)
			default:
				at = i
			}
		}
		if at >= 0 {
			r.columns[at] = c
		} else if !r.f.Ragged {
			return fmt.Errorf("%s: there is no column %q: the columns are %s; name one of them in the tag of the field, or set Ragged", r.s.Where(offset), c.name, shown(names))
		}
	}
	for i, name := range names {
		if r.f.Strict && r.columns[i].decode == nil {
			return fmt.Errorf("%s: the column %q has no field in %v: add one, or do not set Strict", r.s.Where(offset), name, reflect.TypeFor[T]())
		}
	}
	return nil
}

// shown lists names for a message.
func shown(names []string) string {
	const most = 20
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.100q", name)
	}
	return b.String()
}

// record yields the record in line.
func (r *reader[T]) record(offset int64, line []byte) error {
	if r.columns == nil && !r.f.NoHeader {
		return r.header(offset, line)
	}
	r.s.At(offset)
	fields, err := r.split.fields(line)
	if err != nil {
		if err = r.mistake(offset, err); r.f.Multiline {
			return err // a quote too many: what follows is read with quotes inside out
		}
		return r.s.Bad(line, err)
	}
	if r.known == nil {
		return r.strings(offset, line, fields)
	}
	if len(fields) != len(r.columns) && !r.f.Ragged {
		return r.count(offset, line, len(fields))
	}
	if r.partial {
		var zero T
		r.slot = zero
	}
	for i := range fields[:min(len(fields), len(r.columns))] {
		c := &r.columns[i]
		if c.decode == nil {
			continue
		}
		f := fields[i].field(line)
		if err := c.set(unsafe.Pointer(&r.slot), f); err != nil {
			return r.s.Bad(line, r.mistake(offset+int64(f.at), fmt.Errorf("column %q: %w", c.name, err)))
		}
	}
	return r.yield(r.slot)
}

func (r *reader[T]) count(offset int64, line []byte, n int) error {
	return r.s.Bad(line, &recordError{r.s.Where(offset), fmt.Errorf("the number of fields is %d, and that of columns %d: check the quotes and commas before it, or set Ragged",
		n, len(r.columns))})
}

// strings yields a record that is all its fields.
func (r *reader[T]) strings(offset int64, record []byte, fields []span) error {
	if !r.f.NoHeader && !r.f.Ragged && len(fields) != len(r.columns) {
		return r.count(offset, record, len(fields))
	}
	all := make([]string, len(fields))
	for i := range fields {
		all[i] = string(fields[i].field(record).text)
	}
	return r.yield(any(all).(T))
}

// Ext is ".tsv" for fields with tabs between them, else ".csv".
func (f Records[T]) Ext() string {
	if f.Comma == '\t' {
		return ".tsv"
	}
	return ".csv"
}

// Compressible returns true: the engine may compress parts.
func (Records[T]) Compressible() bool { return true }

// Open begins a part. It fails when a T has no columns or no names of them.
func (f Records[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	columns, err := columnsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	out := &writer[T]{w: w, columns: columns, form: form{
		comma: f.comma(), comment: f.Comment, unquoted: f.Unquoted, multiline: f.Multiline,
	}}
	if f.NoHeader {
		return out, nil
	}
	if columns == nil {
		return nil, fmt.Errorf("a %v has no names of columns for a header: set NoHeader, or write a struct", reflect.TypeFor[T]())
	}
	for i, c := range columns {
		if out.buf, err = out.form.append(out.buf, i, []byte(c.name), false); err != nil {
			return nil, fmt.Errorf("the name of column %q: %w", c.name, err)
		}
	}
	return out, out.finish(0, len(columns))
}

// writer gathers lines into larger writes.
type writer[T any] struct {
	w       io.Writer
	columns []column
	form    form
	buf     []byte
	text    []byte // of one field
	slot    T      // so that no record escapes by itself
	began   bool
}

const flushAt = 64 << 10

// Write adds a record.
func (w *writer[T]) Write(rec T) (err error) {
	start := len(w.buf)
	defer func() {
		if err != nil {
			w.buf = w.buf[:min(start, len(w.buf))]
		}
	}()
	if w.columns == nil {
		all := any(rec).([]string)
		for i, s := range all {
			if w.buf, err = w.form.append(w.buf, i, []byte(s), false); err != nil {
				return fmt.Errorf("field %d of a record: %w", i+1, err)
			}
		}
		return w.finish(start, len(all))
	}
	w.slot = rec
	for i := range w.columns {
		var null bool
		if w.text, null, err = w.columns[i].text(w.text[:0], unsafe.Pointer(&w.slot)); err == nil {
			w.buf, err = w.form.append(w.buf, i, w.text, w.columns[i].nullable && !null && len(w.text) == 0)
		}
		if err != nil {
			return fmt.Errorf("column %q of a record: %w", w.columns[i].name, err)
		}
	}
	return w.finish(start, len(w.columns))
}

// finish ends the line of n fields that begins at start.
func (w *writer[T]) finish(start, n int) error {
	if len(w.buf) == start { // an empty line is no record
		switch {
		case !w.form.unquoted && n > 0:
			w.buf = append(w.buf, '"', '"')
		case !w.form.unquoted || len(w.columns) != 1:
			return errors.New("a record without text would be an empty line, which is no record: leave it out, or do not set Unquoted")
		}
	}
	if w.form.unquoted {
		w.buf = lines.Finish(w.buf, start, !w.began, false)
	} else {
		w.buf = append(w.buf, '\n')
	}
	w.began = true
	if len(w.buf) < flushAt {
		return nil
	}
	return w.Close()
}

// Close writes what is buffered.
func (w *writer[T]) Close() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}
