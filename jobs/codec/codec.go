// Package codec turns keys and values into bytes and back. The encoding of a
// key keeps its order: two keys compare as their bytes do. The encoding of a
// value is short and the same for equal values.
//
// Package jobs chooses a codec once, by type, while a pipeline is built. After
// that it does not look at types again. A codec is immutable and safe for
// concurrent use. Its decoder functions are not, since each owns the memory of
// the strings that it decodes: a task needs its own.
//
// Encoded data lives as long as its job. Both ends have the same pipeline, and
// so the same types. Fields are therefore positional, and encodings do not
// describe themselves. A change to any encoding must change Version.
//
// Key encodings (all integers big-endian):
//
//	string, []byte   the bytes; where something follows: 00 as 00 FF, then 00 01
//	[N]byte          the N bytes
//	intN, uintN      N/8 bytes, the sign bit flipped; int and uint as 64 bits
//	floatN           N/8 bytes: all bits flipped if negative, else the sign bit;
//	                 -0 is 0, and every NaN is the one that comes last
//	bool             00 or 01
//	time.Time        seconds as int64, nanoseconds as uint32; UTC
//	structs, arrays  the fields or elements in order
//	Desc[T]          T as if something followed, all bits flipped
//	KeyEncoder       the bytes of AppendKey; where something follows, as []byte
//
// Value encodings (all integers little-endian):
//
//	string, []byte   the bytes; where something follows, after their length as a uvarint
//	numbers, bool    as many bytes as the type has; int and uint as 64 bits
//	time.Time        seconds, nanoseconds, offset from UTC: 16 bytes
//	structs, arrays  the fields or elements in order, unexported ones too
//	slices, maps     a uvarint: 0 for nil, else length + 1; then the elements. Maps
//	                 in order of their encoded keys
//	pointers         00 for nil, else 01 and the value
//	BinaryAppender   the bytes of AppendBinary (or MarshalBinary), as []byte
//
// A decoded []byte may alias the bytes it was decoded from, and a nil []byte is
// decoded as an empty one. A time is in UTC or a zone without a name.
package codec

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// Version names the set of encodings. It is part of every pipeline's text.
const Version = 1

// A Key encodes keys of type K in their order.
type Key[K any] struct{ c *keyCodec }

// KeyOf returns the codec for whole keys of type K, or an error that says why
// K has no order.
func KeyOf[K any]() (Key[K], error) {
	c, err := keyCodecOf(reflect.TypeFor[K](), true, nil)
	return Key[K]{c}, err
}

// PrefixOf returns the codec for keys of type K that are followed by something,
// as the first field of a struct is. Its encodings mark their own end: see Len.
func PrefixOf[K any]() (Key[K], error) {
	c, err := keyCodecOf(reflect.TypeFor[K](), false, nil)
	return Key[K]{c}, err
}

// Name names the encoding, for pipeline texts and error messages.
func (k Key[K]) Name() string { return k.c.name }

// Width returns how many bytes every key takes, 0 if they vary.
func (k Key[K]) Width() int { return k.c.width() }

// Append appends the encoding of *key to dst. key escapes, so callers in a loop
// keep one variable for it.
func (k Key[K]) Append(dst []byte, key *K) []byte { return k.c.enc(dst, unsafe.Pointer(key)) }

// Len returns the length of the encoding at the start of b, or -1 if b holds no
// whole encoding. The codec must come from PrefixOf.
func (k Key[K]) Len(b []byte) int { return k.c.skip(b, 0) }

// Decoder returns a function that decodes one key, which takes all of b, into
// *key. Byte slices in *key are valid until b changes or the function is called
// again. Strings are valid forever.
//
// A task calls Decoder once, so that inlining would only multiply code.
//
//go:noinline
func (k Key[K]) Decoder() func(b []byte, key *K) error {
	var a arena
	c := k.c
	return func(b []byte, key *K) error {
		a.scratch = a.scratch[:0]
		rest, err := c.dec(&a, b, unsafe.Pointer(key))
		if err != nil || len(rest) > 0 {
			return misread("key", b, reflect.TypeFor[K](), err)
		}
		return nil
	}
}

// misread returns the error of a decoder, which has err if bytes are not left over.
func misread(what string, b []byte, t reflect.Type, err error) error {
	if err == nil {
		err = errTrailing
	}
	return fmt.Errorf("%s of %d bytes is not of type %s: %w", what, len(b), t, err)
}

// A Value encodes values of type V.
type Value[V any] struct{ c *valueCodec }

// ValueOf returns the codec for values of type V, or an error that says what
// in V cannot be encoded.
func ValueOf[V any]() (Value[V], error) {
	c, err := new(valueCodecs).of(reflect.TypeFor[V](), true)
	return Value[V]{c}, err
}

// Name names the encoding, for pipeline texts and error messages.
func (v Value[V]) Name() string { return v.c.name }

// Width returns how many bytes every value takes. It is 0 if values vary in
// size or take no bytes.
func (v Value[V]) Width() int { return max(v.c.width, 0) }

// Varies reports whether the size of a value's encoding depends on the value,
// because it holds strings, slices, maps or pointers.
func (v Value[V]) Varies() bool { return v.c.width < 0 }

// Owned reports whether a V shares no memory that could change with others, so
// that a copy of the variable is a copy of the value.
func (v Value[V]) Owned() bool { return !v.c.refs }

// Append appends the encoding of *value to dst. It fails only when a type's own
// AppendBinary does. value escapes: see Key.Append.
func (v Value[V]) Append(dst []byte, value *V) ([]byte, error) {
	return v.c.enc(dst, unsafe.Pointer(value))
}

// Decoder returns a function that decodes one value, which takes all of b, into
// *value. It overwrites the old value whole. Byte slices in *value are valid
// until b changes, everything else forever.
//
// A task calls Decoder once, so that inlining would only multiply code.
//
//go:noinline
func (v Value[V]) Decoder() func(b []byte, value *V) error {
	var a arena
	c := v.c
	return func(b []byte, value *V) error {
		rest, err := c.dec(&a, b, unsafe.Pointer(value))
		if err != nil || len(rest) > 0 {
			return misread("value", b, reflect.TypeFor[V](), err)
		}
		return nil
	}
}

var (
	errShort    = errors.New("too short")
	errTrailing = errors.New("bytes are left over")
)

// An arena holds the memory that decoded keys and values point to.
type arena struct {
	chunk   []byte // strings are cut from it; never written twice
	scratch []byte // byte slices of the current key
}

const (
	stringChunk = 64 << 10
	ownString   = stringChunk / 16 // strings of this length or more have their own memory
)

// string copies b. A short string is a piece of a chunk, which saves an
// allocation. A string that is kept keeps its chunk.
func (a *arena) string(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case len(b) >= ownString:
		return string(b)
	case cap(a.chunk)-len(a.chunk) < len(b):
		a.chunk = make([]byte, 0, stringChunk)
	}
	start := len(a.chunk)
	a.chunk = append(a.chunk, b...)
	return unsafe.String(&a.chunk[start], len(b))
}

// isBytes reports whether t is a byte slice, whatever its name.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isByteArray reports whether t is an array of bytes, whatever its name.
func isByteArray(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// Promotes is promotes, for packages that write records in other forms.
func Promotes(t reflect.Type, method string) (field string, found bool) { return promotes(t, method) }

// promotes returns the embedded field of t that has method, if t has other
// fields too. The promoted method would then represent all of t, and the
// contents of the other fields would be lost silently.
func promotes(t reflect.Type, method string) (field string, found bool) {
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return "", false
	}
	for f := range t.Fields() {
		if !f.Anonymous {
			continue
		}
		if _, ok := f.Type.MethodByName(method); ok {
			return f.Name, true
		}
		if _, ok := reflect.PointerTo(f.Type).MethodByName(method); ok {
			return f.Name, true
		}
	}
	return "", false
}
