// Package tsv writes records as lines of text, their fields with tabs between
// them. Packages jobs and formats/text write text by it.
//
// The form of a type is decided once: types with AppendText, MarshalText or
// String by these, in this order; strings and bytes as they are; numbers and
// truth values as Go writes them; structs by their exported fields, one after
// the other, nested ones too; struct{} as nothing, without a tab. A pointer is
// written as its value, nil as nothing.
//
// Nothing is escaped, so that text stays as it is. A tab within a field looks
// like a tab between fields. A line break would turn one record into two, and
// is an error.
//
// A writer belongs to one goroutine. Its errors are those of the io.Writer, or
// name the column of a record that cannot be written.
// say which column of a record cannot be written.
package tsv

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/internal/lines"
)

// column appends the field at p to dst.
type column func(dst []byte, p unsafe.Pointer) ([]byte, error)

// Check returns an error when a T cannot be written, and nil when it can.
func Check[T any]() error {
	_, err := columnsOf(reflect.TypeFor[T](), 0, nil)
	return err
}

// Writer writes records of type T.
type Writer[T any] struct {
	w       io.Writer
	columns []column
	buf     []byte
	slot    T    // so that no record escapes by itself
	began   bool // a line was written
}

const flushAt = 64 << 10

// NewWriter returns a writer to w.
func NewWriter[T any](w io.Writer) (*Writer[T], error) {
	columns, err := columnsOf(reflect.TypeFor[T](), 0, nil)
	if err != nil {
		return nil, err
	}
	return &Writer[T]{w: w, columns: columns, buf: make([]byte, 0, flushAt+flushAt/4)}, nil
}

// Write writes one line.
func (w *Writer[T]) Write(rec T) error {
	w.slot = rec
	start := len(w.buf)
	for i, column := range w.columns {
		if i > 0 {
			w.buf = append(w.buf, '\t')
		}
		field := len(w.buf)
		var err error
		if w.buf, err = column(w.buf, unsafe.Pointer(&w.slot)); err != nil {
			w.buf = w.buf[:start]
			return fmt.Errorf("column %d of a record: %w", i+1, err)
		}
		if at := bytes.IndexByte(w.buf[field:], '\n'); at >= 0 {
			err = fmt.Errorf("column %d of a record has a line break after %d bytes, which text output cannot hold: choose another format or replace it", i+1, at)
			w.buf = w.buf[:start]
			return err
		}
	}
	w.buf = lines.Finish(w.buf, start, !w.began, false)
	w.began = true
	if len(w.buf) < flushAt {
		return nil
	}
	return w.flush()
}

// Close writes what is buffered.
func (w *Writer[T]) Close() error { return w.flush() }

func (w *Writer[T]) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// columnsOf lists the columns of t, which is at offset in the record.
func columnsOf(t reflect.Type, offset uintptr, outer []reflect.Type) ([]column, error) {
	if c := ownText(t, offset); c != nil {
		return []column{c}, nil
	}
	if slices.Contains(outer, t) {
		return nil, fmt.Errorf("%s contains itself: give it a String method", t)
	}
	outer = append(outer, t)
	if t.Kind() == reflect.Struct {
		var columns []column
		for f := range t.Fields() {
			if !f.IsExported() {
				continue
			}
			inner, err := columnsOf(f.Type, offset+f.Offset, outer)
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", f.Name, err)
			}
			columns = append(columns, inner...)
		}
		if len(columns) == 0 && t.NumField() > 0 {
			return nil, fmt.Errorf("%s has no exported fields: give it a String method", t)
		}
		return columns, nil
	}
	if t.Kind() == reflect.Pointer {
		return pointer(t, offset, outer)
	}
	c, err := plain(t)
	if err != nil {
		return nil, err
	}
	return []column{func(dst []byte, p unsafe.Pointer) ([]byte, error) { return c(dst, unsafe.Add(p, offset)), nil }}, nil
}

// ownText returns the column of a type with a text of its own, nil for others.
func ownText(t reflect.Type, offset uintptr) column {
	p := reflect.PointerTo(t)
	at := func(p unsafe.Pointer) any { return reflect.NewAt(t, unsafe.Add(p, offset)).Interface() }
	for _, method := range []string{"AppendText", "MarshalText", "String"} {
		if _, found := codec.Promotes(t, method); found {
			return nil // it would represent one field and leave out the others
		}
	}
	var c column
	switch {
	case p.Implements(reflect.TypeFor[encoding.TextAppender]()):
		c = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return at(p).(encoding.TextAppender).AppendText(dst)
		}
	case p.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		c = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			b, err := at(p).(encoding.TextMarshaler).MarshalText()
			return append(dst, b...), err
		}
	case p.Implements(reflect.TypeFor[fmt.Stringer]()):
		c = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return append(dst, at(p).(fmt.Stringer).String()...), nil
		}
	}
	if t.Kind() != reflect.Pointer || c == nil {
		return c
	}
	return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		if *(*unsafe.Pointer)(unsafe.Add(p, offset)) == nil {
			return dst, nil
		}
		return c(dst, p)
	}
}

// pointer returns the columns of the type that t points to, all empty for nil.
func pointer(t reflect.Type, offset uintptr, outer []reflect.Type) ([]column, error) {
	inner, err := columnsOf(t.Elem(), 0, outer)
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(inner))
	for i, c := range inner {
		columns[i] = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			to := *(*unsafe.Pointer)(unsafe.Add(p, offset))
			if to == nil {
				return dst, nil
			}
			return c(dst, to)
		}
	}
	return columns, nil
}

// plain returns how a value of one of Go's own kinds is written.
func plain(t reflect.Type) (func(dst []byte, p unsafe.Pointer) []byte, error) {
	switch kind := t.Kind(); kind {
	case reflect.String:
		return func(dst []byte, p unsafe.Pointer) []byte { return append(dst, *(*string)(p)...) }, nil
	case reflect.Bool:
		return func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendBool(dst, *(*bool)(p)) }, nil
	case reflect.Int:
		return func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendInt(dst, int64(*(*int)(p)), 10) }, nil
	case reflect.Int64:
		return func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendInt(dst, *(*int64)(p), 10) }, nil
	case reflect.Uint64:
		return func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendUint(dst, *(*uint64)(p), 10) }, nil
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return func(dst []byte, p unsafe.Pointer) []byte {
			return strconv.AppendInt(dst, reflect.NewAt(t, p).Elem().Int(), 10)
		}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return func(dst []byte, p unsafe.Pointer) []byte {
			return strconv.AppendUint(dst, reflect.NewAt(t, p).Elem().Uint(), 10)
		}, nil
	case reflect.Float32, reflect.Float64:
		return func(dst []byte, p unsafe.Pointer) []byte {
			return strconv.AppendFloat(dst, reflect.NewAt(t, p).Elem().Float(), 'g', -1, t.Bits())
		}, nil
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return func(dst []byte, p unsafe.Pointer) []byte { return append(dst, reflect.NewAt(t, p).Elem().Bytes()...) }, nil
		}
	}
	return nil, fmt.Errorf("%s cannot be written as text: give it a String method, or choose another format", t)
}
