package parquet

import (
	"encoding/binary"
	"errors"
)

// Types of fields in Thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// mostDepth is how deep structs and lists of metadata may be nested.
const mostDepth = 64

var (
	errCut    = errors.New("the metadata is cut short")
	errThrift = errors.New("the metadata is no valid Thrift")
)

// thriftReader reads structs of the compact protocol from bytes. It allocates nothing:
// bytes that lie about lengths cost no memory. The first error stays; all reads after it
// return zero.
type thriftReader struct {
	b     []byte
	at    int
	depth int
	err   error
}

func (r *thriftReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.b)
}

func (r *thriftReader) byte() byte {
	if r.at >= len(r.b) {
		r.fail(errCut)
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *thriftReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b[r.at:])
	switch {
	case size > 0:
		r.at += size
		return n
	case size == 0:
		r.fail(errCut)
	default:
		r.fail(errThrift)
	}
	return 0
}

func (r *thriftReader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

// int returns the whole number of a field.
func (r *thriftReader) int(typ byte) int64 {
	switch typ {
	case thriftByte:
		return int64(int8(r.byte()))
	case thriftI16, thriftI32, thriftI64:
		return r.varint()
	}
	r.fail(errThrift)
	return 0
}

// int32 returns the whole number of a field that has 32 bits.
func (r *thriftReader) int32(typ byte) int {
	n := r.int(typ)
	if n != int64(int32(n)) {
		r.fail(errThrift)
		return 0
	}
	return int(n)
}

// bool returns the truth value of a field, which is in its type.
func (r *thriftReader) bool(typ byte) bool {
	if typ != thriftTrue && typ != thriftFalse {
		r.fail(errThrift)
	}
	return typ == thriftTrue
}

// bytes returns the bytes of a field, which the caller must not change.
func (r *thriftReader) bytes(typ byte) []byte {
	if typ != thriftBinary {
		r.fail(errThrift)
		return nil
	}
	n := r.uvarint()
	if n > uint64(len(r.b)-r.at) {
		r.fail(errCut)
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at : r.at]
}

// list returns the number of elements of a list and their type. Each takes a byte or more.
func (r *thriftReader) list(typ byte) (n int, of byte) {
	if typ != thriftList && typ != thriftSet {
		r.fail(errThrift)
		return 0, 0
	}
	head := r.byte()
	size := uint64(head >> 4)
	if size == 15 {
		size = r.uvarint()
	}
	if size > uint64(len(r.b)-r.at) {
		r.fail(errCut)
		return 0, 0
	}
	return int(size), head & 15
}

// each calls visit for all elements of a list of structs.
func (r *thriftReader) each(typ byte, visit func(i int)) {
	n, of := r.list(typ)
	if n > 0 && of != thriftStruct {
		r.fail(errThrift)
	}
	for i := 0; i < n && r.err == nil; i++ {
		visit(i)
	}
}

// fields calls visit for all fields of a struct. visit reads the value and returns true,
// or returns false to skip it.
func (r *thriftReader) fields(visit func(id int, typ byte) bool) {
	if r.depth++; r.depth > mostDepth {
		r.fail(errThrift)
	}
	id := 0
	for r.err == nil {
		head := r.byte()
		if head == 0 {
			break
		}
		if delta := int(head >> 4); delta > 0 {
			id += delta
		} else {
			id = int(int16(r.varint()))
		}
		if typ := head & 15; !visit(id, typ) {
			r.skip(typ)
		}
	}
	r.depth--
}

// skip passes over a value.
func (r *thriftReader) skip(typ byte) {
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		if r.at+8 > len(r.b) {
			r.fail(errCut)
			return
		}
		r.at += 8
	case thriftBinary:
		r.bytes(typ)
	case thriftList, thriftSet:
		n, of := r.list(typ)
		r.elements(n, of)
	case thriftMap:
		n := r.uvarint()
		if n > uint64(len(r.b)-r.at) {
			r.fail(errCut)
			return
		}
		if n > 0 {
			types := r.byte()
			for i := uint64(0); i < n && r.err == nil; i++ {
				r.elements(1, types>>4)
				r.elements(1, types&15)
			}
		}
	case thriftStruct:
		r.fields(func(int, byte) bool { return false })
	default:
		r.fail(errThrift)
	}
}

// elements passes over elements of a list or map.
func (r *thriftReader) elements(n int, of byte) {
	if r.depth++; r.depth > mostDepth {
		r.fail(errThrift)
	}
	for i := 0; i < n && r.err == nil; i++ {
		if of == thriftTrue || of == thriftFalse {
			r.byte() // outside of a struct a truth value takes a byte
			continue
		}
		r.skip(of)
	}
	r.depth--
}

// thriftWriter appends structs in the compact protocol.
type thriftWriter struct {
	b    []byte
	id   int
	open []int // ids of the structs around the current one
}

// field begins a field, whose value follows.
func (w *thriftWriter) field(id int, typ byte) {
	if delta := id - w.id; delta > 0 && delta < 16 {
		w.b = append(w.b, byte(delta)<<4|typ)
	} else {
		w.b = append(w.b, typ)
		w.varint(int64(id))
	}
	w.id = id
}

func (w *thriftWriter) varint(n int64) {
	w.b = binary.AppendUvarint(w.b, uint64(n)<<1^uint64(n>>63))
}

func (w *thriftWriter) i32(id int, n int64) { w.field(id, thriftI32); w.varint(n) }
func (w *thriftWriter) i64(id int, n int64) { w.field(id, thriftI64); w.varint(n) }

func (w *thriftWriter) i8(id int, n int8) {
	w.field(id, thriftByte)
	w.b = append(w.b, byte(n))
}

func (w *thriftWriter) bool(id int, v bool) {
	if v {
		w.field(id, thriftTrue)
	} else {
		w.field(id, thriftFalse)
	}
}

func (w *thriftWriter) text(id int, s string) {
	w.field(id, thriftBinary)
	w.string(s)
}

func (w *thriftWriter) string(s string) {
	w.b = append(binary.AppendUvarint(w.b, uint64(len(s))), s...)
}

// list begins a list of n elements, which follow.
func (w *thriftWriter) list(id int, of byte, n int) {
	w.field(id, thriftList)
	if n < 15 {
		w.b = append(w.b, byte(n)<<4|of)
		return
	}
	w.b = binary.AppendUvarint(append(w.b, 0xf0|of), uint64(n))
}

// begin begins a struct that is a field; element begins one in a list, or the outermost.
func (w *thriftWriter) begin(id int) {
	w.field(id, thriftStruct)
	w.element()
}

func (w *thriftWriter) element() {
	w.open = append(w.open, w.id)
	w.id = 0
}

// end ends the struct that was begun last.
func (w *thriftWriter) end() {
	w.b = append(w.b, 0)
	w.id = w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
}

// empty writes a field that is a struct without fields.
func (w *thriftWriter) empty(id int) {
	w.begin(id)
	w.end()
}
