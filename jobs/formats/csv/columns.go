package csv

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// column is a field of a record's type. Both functions receive the address of the field.
type column struct {
	name     string
	offset   uintptr
	nullable bool // null is no text
	own      bool // a method or a pointer decides what is set
	bytes    bool // the field is a []byte, which set does itself
	decode   func(p unsafe.Pointer, f field) error
	encode   func(dst []byte, p unsafe.Pointer) (_ []byte, null bool, err error)
}

// set decodes a field of a record.
func (c *column) set(record unsafe.Pointer, f field) error {
	if c.bytes {
		*(*[]byte)(unsafe.Add(record, c.offset)) = f.text
		return nil
	}
	return c.decode(unsafe.Add(record, c.offset), f)
}

// text appends the text of a field of a record.
func (c *column) text(dst []byte, record unsafe.Pointer) (_ []byte, null bool, err error) {
	return c.encode(dst, unsafe.Add(record, c.offset))
}

// columnsOf lists the columns of t; there are none for a []string, which takes all.
func columnsOf(t reflect.Type) ([]column, error) {
	if t == reflect.TypeFor[[]string]() {
		return nil, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("records of CSV are structs or []string, not %v", t)
	}
	columns, err := fieldsOf(t, 0)
	if err != nil {
		return nil, err
	}
	for i, c := range columns {
		if slices.ContainsFunc(columns[:i], func(o column) bool { return o.name == c.name }) {
			return nil, fmt.Errorf("%v has two columns %q: give one the tag `csv:\"other\"`, or `csv:\"-\"`", t, c.name)
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%v has no exported fields, and so no columns", t)
	}
	return columns, nil
}

// fieldsOf lists the columns of a struct that is at an offset in the record.
func fieldsOf(t reflect.Type, offset uintptr) ([]column, error) {
	var columns []column
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("csv")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		name := f.Name
		if tagged && tag != "" {
			name = tag
		}
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct && !textual(f.Type) {
			inner, err := fieldsOf(f.Type, offset+f.Offset)
			if err != nil {
				return nil, err
			}
			columns = append(columns, inner...)
			continue
		}
		if !f.IsExported() && f.Type.Kind() != reflect.Pointer {
			continue // an embedded type that is no struct
		}
		c, err := columnOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s of %v: %w", f.Name, t, err)
		}
		c.name, c.offset = name, offset+f.Offset
		columns = append(columns, c)
	}
	return columns, nil
}

// textual reports whether a type is written and read by methods of its own. Those of an
// embedded field would read and write that field alone.
func textual(t reflect.Type) bool {
	for _, method := range []string{"UnmarshalText", "MarshalText", "AppendText"} {
		if _, promoted := codec.Promotes(t, method); promoted {
			return false
		}
	}
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) &&
		(p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextAppender]()))
}

// columnOf returns the column of a type, without its name and place.
func columnOf(t reflect.Type) (column, error) {
	switch {
	case textual(t):
		return ownText(t), nil
	case t.Kind() == reflect.Pointer:
		return pointer(t)
	case t == reflect.TypeFor[[]byte]():
		return column{
			bytes:  true,
			decode: func(p unsafe.Pointer, f field) error { *(*[]byte)(p) = f.text; return nil },
			encode: func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
				return append(dst, *(*[]byte)(p)...), false, nil
			},
		}, nil
	case t.Kind() == reflect.String:
		return column{
			decode: func(p unsafe.Pointer, f field) error { *(*string)(p) = string(f.text); return nil },
			encode: func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
				return append(dst, *(*string)(p)...), false, nil
			},
		}, nil
	case t.Kind() == reflect.Int64 || t.Kind() == reflect.Int && t.Bits() == 64:
		return column{
			decode: func(p unsafe.Pointer, f field) error {
				n, err := strconv.ParseInt(string(f.text), 10, 64)
				if err != nil {
					return wrong(f, t, err)
				}
				*(*int64)(p) = n
				return nil
			},
			encode: func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
				return strconv.AppendInt(dst, *(*int64)(p), 10), false, nil
			},
		}, nil
	}
	return scalar(t)
}

// scalar returns the column of a number or a truth value.
func scalar(t reflect.Type) (c column, _ error) {
	var parse func(v reflect.Value, s string) error
	var show func(dst []byte, v reflect.Value) []byte
	switch t.Kind() {
	case reflect.Bool:
		parse = func(v reflect.Value, s string) error { b, err := strconv.ParseBool(s); v.SetBool(b); return err }
		show = func(dst []byte, v reflect.Value) []byte { return strconv.AppendBool(dst, v.Bool()) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		parse = func(v reflect.Value, s string) error {
			n, err := strconv.ParseInt(s, 10, t.Bits())
			v.SetInt(n)
			return err
		}
		show = func(dst []byte, v reflect.Value) []byte { return strconv.AppendInt(dst, v.Int(), 10) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		parse = func(v reflect.Value, s string) error {
			n, err := strconv.ParseUint(s, 10, t.Bits())
			v.SetUint(n)
			return err
		}
		show = func(dst []byte, v reflect.Value) []byte { return strconv.AppendUint(dst, v.Uint(), 10) }
	case reflect.Float32, reflect.Float64:
		parse = func(v reflect.Value, s string) error {
			x, err := strconv.ParseFloat(s, t.Bits())
			v.SetFloat(x)
			return err
		}
		show = func(dst []byte, v reflect.Value) []byte {
			return strconv.AppendFloat(dst, v.Float(), 'g', -1, t.Bits())
		}
	default:
		return c, fmt.Errorf("a %v is no column: give it UnmarshalText and MarshalText, the tag `csv:\"-\"`, or choose another format", t)
	}
	return column{
		decode: func(p unsafe.Pointer, f field) error {
			if err := parse(reflect.NewAt(t, p).Elem(), string(f.text)); err != nil {
				return wrong(f, t, err)
			}
			return nil
		},
		encode: func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
			return show(dst, reflect.NewAt(t, p).Elem()), false, nil
		},
	}, nil
}

// wrong says why a field is no t. The error of strconv repeats the text: its cause is said.
func wrong(f field, t reflect.Type, err error) error {
	if f.null() {
		return fmt.Errorf("the field is empty, and cannot be a Go %v: a *%v is nil then", t, t)
	}
	if e, ok := err.(*strconv.NumError); ok { //nolint:errorlint // strconv returns it as it is
		err = e.Err
	}
	return fmt.Errorf("%.100q cannot be a Go %v: %w", f.text, t, err)
}

// ownText returns the column of a type with methods of its own.
func ownText(t reflect.Type) column {
	at := func(p unsafe.Pointer) any { return reflect.NewAt(t, p).Interface() }
	c := column{own: true, decode: func(p unsafe.Pointer, f field) error {
		if err := at(p).(encoding.TextUnmarshaler).UnmarshalText(f.text); err != nil {
			return wrong(f, t, err)
		}
		return nil
	}}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextAppender]()) {
		c.encode = func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
			dst, err := at(p).(encoding.TextAppender).AppendText(dst)
			return dst, false, err
		}
		return c
	}
	c.encode = func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
		text, err := at(p).(encoding.TextMarshaler).MarshalText()
		return append(dst, text...), false, err
	}
	return c
}

// pointer returns the column of a pointer: nil is null.
func pointer(t reflect.Type) (column, error) {
	of := t.Elem()
	if of.Kind() == reflect.Pointer && !textual(of) {
		return column{}, fmt.Errorf("a %v is no column: one pointer is enough for null", t)
	}
	inner, err := columnOf(of)
	if err != nil {
		return column{}, err
	}
	return column{
		nullable: true,
		own:      true,
		decode: func(p unsafe.Pointer, f field) error {
			if f.null() {
				return nil // the record is zero
			}
			v := reflect.New(of)
			if err := inner.decode(v.UnsafePointer(), f); err != nil {
				return err
			}
			*(*unsafe.Pointer)(p) = v.UnsafePointer()
			return nil
		},
		encode: func(dst []byte, p unsafe.Pointer) ([]byte, bool, error) {
			to := *(*unsafe.Pointer)(p)
			if to == nil {
				return dst, true, nil
			}
			return inner.encode(dst, to)
		},
	}, nil
}
