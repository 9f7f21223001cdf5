// Package jsonl reads and writes JSON Lines: one JSON value a line, such as
// {"user":"ada","cents":120}. Objects can be split anywhere, and compressed ones if
// their codec allows it.
//
// The format is a plain value and safe for concurrent use. Readers and writers that it
// opens belong to one task. Errors name the object and the offset in bytes, or the field
// of the record.
package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/lines"
)

// Records are records of type T, each a JSON value in a line of its own. A T is usually
// a struct, whose fields have the names of the members:
//
//	type Order struct {
//		User  string `json:"user"`
//		Cents int64  `json:"cents"`
//	}
//
// Tags of fields mean what they mean in encoding/json/v2. Names are compared with upper
// and lower case. A member that a record lacks leaves its
// field zero, and null makes it zero. Numbers are read without loss: a number that is no
// integer, or is too great, is an error for a field of integers. A number in a field of
// type any becomes an int64 if it is an integer that fits, else a float64 if that has the
// same digits, and is an error otherwise. Members of one name, text that is not UTF-8, and
// anything behind the value are errors. Lines of white space alone are no records.
type Records[T any] struct {
	// Strict makes a member that T does not have an error. Otherwise it is ignored.
	Strict bool
	// Max is the length of the longest valid line, in bytes; 0 means 16 MiB. A longer
	// line is an error.
	Max int
	// Decode, if it is set, decodes a line in place of this package: a faster decoder, or
	// one with other rules. It must not keep the line. Strict is for it to observe.
	Decode func(line []byte, rec *T) error `json:"-"`
}

// Split divides an object at any byte.
func (Records[T]) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	return jobs.ByteRanges(obj, target), nil
}

// Textual returns true: an object that begins like a compressed stream is one.
func (Records[T]) Textual() bool { return true }

// LineBased returns true: blocks of a compressed object can be read on their own.
func (Records[T]) LineBased() bool { return true }

const bufferSize = 256 << 10

// Scan yields the record of each line that begins in s.
func (f Records[T]) Scan(ctx *jobs.Context, s *jobs.Section, yield func(T) error) error {
	decode := f.Decode
	if decode == nil {
		options := json.JoinOptions(json.RejectUnknownMembers(f.Strict), json.WithUnmarshalers(exact))
		decode = func(line []byte, rec *T) error { return json.Unmarshal(line, rec, options) }
	}
	arrays := takesArrays(reflect.TypeFor[T]())
	return lines.Scan(ctx, lines.Section{
		Where: s.Where, Offset: s.Offset, Length: s.Length, Whole: s.Whole, First: s.First(),
		Max: f.Max, Buffer: s.Buffer(bufferSize), Open: s.Open,
	}, func(offset int64, line []byte) error {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		s.At(offset)
		var rec T
		if err := decode(line, &rec); err != nil {
			at, err := mistake(err)
			return s.Bad(line, fmt.Errorf("%s: %w%s", s.Where(offset+at), err, advice(line, arrays, err)))
		}
		return yield(rec)
	})
}

// mistake returns where in its line an error is, and the error in words that are always
// the same: those of the decoder change from process to process, and an error that comes
// back in the same words is known to be permanent.
func mistake(err error) (at int64, _ error) {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return e.ByteOffset, within(e.JSONPointer, fmt.Errorf("the line is no JSON: %w", e.Err))
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return 0, err
	case e.Err != nil && e.JSONValue != nil:
		return e.ByteOffset, within(e.JSONPointer, fmt.Errorf("%s cannot be a Go %v: %w", shown(e.JSONValue), e.GoType, e.Err))
	case e.Err != nil:
		return e.ByteOffset, within(e.JSONPointer, e.Err)
	case e.JSONValue != nil:
		return e.ByteOffset, within(e.JSONPointer, fmt.Errorf("%s cannot be a Go %v", shown(e.JSONValue), e.GoType))
	}
	return e.ByteOffset, within(e.JSONPointer, fmt.Errorf("a JSON %s cannot be a Go %v", kindOf(e.JSONKind), e.GoType))
}

// kindOf names a kind of values.
func kindOf(k jsontext.Kind) string {
	switch k {
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return k.String()
}

// within adds the member to an error.
func within(member jsontext.Pointer, err error) error {
	if member == "" {
		return err
	}
	return fmt.Errorf("in %.200q: %w", string(member), err)
}

// shown returns a value for a message.
func shown(value jsontext.Value) string { return fmt.Sprintf("%.100s", value) }

// advice returns what may help with a line that is no record.
func advice(line []byte, arrays bool, err error) string {
	switch first := bytes.TrimSpace(line)[0]; {
	case first == '[' && !arrays:
		return "; if the object is an array of records, write each into a line of its own first, as jq -c '.[]' does"
	case errors.Is(err, io.ErrUnexpectedEOF) || first == '}':
		return "; a record must be in one line: jq -c . writes it so"
	}
	return ""
}

// takesArrays reports whether a JSON array can be a T.
func takesArrays(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	own := func(method reflect.Type) bool { return reflect.PointerTo(t).Implements(method) }
	return own(reflect.TypeFor[json.UnmarshalerFrom]()) || own(reflect.TypeFor[json.Unmarshaler]()) ||
		t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Interface
}

// exact decodes a number into an any without loss.
var exact = json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported // the usual way
	}
	number, err := d.ReadValue()
	if err != nil {
		return err
	}
	var n int64
	if json.Unmarshal(number, &n) == nil {
		*v = n
		return nil
	}
	var x float64
	if err := json.Unmarshal(number, &x); err != nil {
		return err
	}
	again, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if !sameNumber(number, again) {
		return fmt.Errorf("the number %s has more digits than a float64: give its field the type string or jsontext.Value", number)
	}
	*v = x
	return nil
})

// sameNumber reports whether two JSON numbers have the same canonical digits.
func sameNumber(a, b jsontext.Value) bool { return digits(a) == digits(b) }

// digits returns a number as its sign, its digits without zeros around them, and the power
// of ten of the first one.
func digits(number jsontext.Value) string {
	mantissa, exponent, _ := bytes.Cut(bytes.ToLower(number), []byte("e"))
	power := 0
	_, _ = fmt.Sscan(string(exponent), &power)
	sign := ""
	if mantissa[0] == '-' {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	all := append(bytes.Clone(whole), fraction...)
	power += len(whole)
	for len(all) > 0 && all[0] == '0' {
		all, power = all[1:], power-1
	}
	all = bytes.TrimRight(all, "0")
	if len(all) == 0 {
		return sign + "0"
	}
	return fmt.Sprintf("%s%se%d", sign, all, power)
}

// Ext is ".jsonl".
func (Records[T]) Ext() string { return ".jsonl" }

// Compressible returns true: the engine may compress parts.
func (Records[T]) Compressible() bool { return true }

// Open begins a part.
func (Records[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) { return &writer[T]{w: w}, nil }

// writer gathers lines into larger writes.
type writer[T any] struct {
	w   jobs.Part
	buf bytes.Buffer
}

const flushAt = 64 << 10

// Write adds a record. Members of maps are in the order of their names, so that the same
// records are the same bytes.
func (w *writer[T]) Write(rec T) error {
	kept := w.buf.Len()
	if err := json.MarshalWrite(&w.buf, &rec, json.Deterministic(true)); err != nil {
		w.buf.Truncate(kept)
		_, err = mistake(err)
		return fmt.Errorf("a record cannot be written as JSON: %w", err)
	}
	w.buf.WriteByte('\n')
	if w.buf.Len() < flushAt {
		return nil
	}
	return w.Close()
}

// Close writes what is buffered.
func (w *writer[T]) Close() error {
	_, err := w.buf.WriteTo(w.w)
	return err
}
