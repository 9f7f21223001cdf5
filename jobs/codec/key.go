package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// KeyEncoder is a key type with an order of its own. AppendKey appends bytes
// that compare as the keys do, and equal bytes for equal keys.
type KeyEncoder interface{ AppendKey(dst []byte) []byte }

// KeyDecoder is the inverse of KeyEncoder, on the pointer. It must copy what it
// keeps of b.
type KeyDecoder interface{ DecodeKey(b []byte) error }

// Desc reverses the order of a key or of a part of one.
type Desc[T any] struct{ V T }

func (Desc[T]) descending() {}

// isDesc reports whether t is a Desc, not a struct that embeds one.
func isDesc(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Name == "V" && !t.Field(0).Anonymous &&
		t.Implements(reflect.TypeFor[interface{ descending() }]())
}

// keyCodec encodes one type in one place: at the end of a key or before
// something else.
type keyCodec struct {
	name  string
	fixed int // bytes; -1 if they vary
	enc   func(dst []byte, p unsafe.Pointer) []byte
	dec   func(a *arena, b []byte, p unsafe.Pointer) (rest []byte, err error)
	// skip returns the length of the encoding at the start of b, whose bytes
	// must be xored with x. It returns -1 if b is too short.
	skip func(b []byte, x byte) int
}

func (c *keyCodec) width() int { return max(c.fixed, 0) }

// keyCodecOf makes the codec of t. last reports whether t ends the key. outer
// are the types around t, for error messages.
func keyCodecOf(t reflect.Type, last bool, outer []reflect.Type) (*keyCodec, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return timeKey(), nil
	case isDesc(t):
		return descKey(t, outer)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[KeyEncoder]()):
		return ownKey(t, last, outer)
	case isBytes(t) || t.Kind() == reflect.String:
		return bytesKey(t, last), nil
	case isByteArray(t):
		return arrayKey(t.Len()), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolKey(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intKey(t, true), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return intKey(t, false), nil
	case reflect.Float32, reflect.Float64:
		return floatKey(t), nil
	case reflect.Struct, reflect.Array:
		return tupleKey(t, last, outer)
	}
	return nil, keyError(t, outer, "has no order; use a string, a number, a time, a struct or array of these, or give it AppendKey and DecodeKey")
}

func keyError(t reflect.Type, outer []reflect.Type, why string) error {
	if len(outer) > 0 {
		return fmt.Errorf("key type %s: %s %s", outer[0], t, why)
	}
	return fmt.Errorf("key type %s %s", t, why)
}

// fixedKey completes a codec of n bytes.
func fixedKey(name string, n int, enc func(dst []byte, p unsafe.Pointer) []byte, dec func(b []byte, p unsafe.Pointer) error) *keyCodec {
	return &keyCodec{
		name:  name,
		fixed: n,
		enc:   enc,
		dec: func(_ *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			if len(b) < n {
				return nil, errShort
			}
			return b[n:], dec(b[:n], p)
		},
		skip: func(b []byte, _ byte) int {
			if len(b) < n {
				return -1
			}
			return n
		},
	}
}

func boolKey() *keyCodec {
	enc := func(dst []byte, p unsafe.Pointer) []byte {
		if *(*bool)(p) {
			return append(dst, 1)
		}
		return append(dst, 0)
	}
	return fixedKey("bool", 1, enc, decodeBool)
}

func decodeBool(b []byte, p unsafe.Pointer) error {
	if b[0] > 1 {
		return fmt.Errorf("byte %#x is no truth value", b[0])
	}
	*(*bool)(p) = b[0] == 1
	return nil
}

func arrayKey(n int) *keyCodec {
	enc := func(dst []byte, p unsafe.Pointer) []byte { return append(dst, unsafe.Slice((*byte)(p), n)...) }
	return fixedKey(fmt.Sprintf("bytes%d", n), n, enc, func(b []byte, p unsafe.Pointer) error {
		copy(unsafe.Slice((*byte)(p), n), b)
		return nil
	})
}

func timeKey() *keyCodec {
	enc := func(dst []byte, p unsafe.Pointer) []byte {
		t := (*time.Time)(p)
		dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix())^1<<63)
		return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	}
	return fixedKey("time", 12, enc, func(b []byte, p unsafe.Pointer) error {
		nanos := binary.BigEndian.Uint32(b[8:])
		if nanos >= 1e9 {
			return fmt.Errorf("a second has no %d nanoseconds", nanos)
		}
		*(*time.Time)(p) = time.Unix(int64(binary.BigEndian.Uint64(b)^1<<63), int64(nanos)).UTC()
		return nil
	})
}

func intKey(t reflect.Type, signed bool) *keyCodec {
	n := int(t.Size())
	if t.Kind() == reflect.Int || t.Kind() == reflect.Uint {
		n = 8 // on every machine: data may move between machines
	}
	var flip uint64
	name := fmt.Sprintf("uint%d", n*8)
	if signed {
		flip, name = 1<<(n*8-1), fmt.Sprintf("int%d", n*8)
	}
	load, store := loader(t), storer(t)
	enc := func(dst []byte, p unsafe.Pointer) []byte {
		v := load(p) ^ flip
		for shift := n*8 - 8; shift >= 0; shift -= 8 {
			dst = append(dst, byte(v>>shift))
		}
		return dst
	}
	if n == 8 {
		enc = func(dst []byte, p unsafe.Pointer) []byte { return binary.BigEndian.AppendUint64(dst, load(p)^flip) }
	}
	return fixedKey(name, n, enc, func(b []byte, p unsafe.Pointer) error {
		var v uint64
		for _, c := range b {
			v = v<<8 | uint64(c)
		}
		store(p, v^flip)
		return nil
	})
}

// loader returns a function that reads an integer of type t, its bits in the
// low end. The sign of a signed integer is in no other bit.
func loader(t reflect.Type) func(p unsafe.Pointer) uint64 {
	switch t.Kind() {
	case reflect.Int:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*int)(p)) }
	case reflect.Uint:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint)(p)) }
	}
	switch t.Size() {
	case 1:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint8)(p)) }
	case 2:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint16)(p)) }
	case 4:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint32)(p)) }
	}
	return func(p unsafe.Pointer) uint64 { return *(*uint64)(p) }
}

// storer is the inverse of loader.
func storer(t reflect.Type) func(p unsafe.Pointer, v uint64) {
	switch t.Kind() {
	case reflect.Int:
		return func(p unsafe.Pointer, v uint64) { *(*int)(p) = int(v) }
	case reflect.Uint:
		return func(p unsafe.Pointer, v uint64) { *(*uint)(p) = uint(v) }
	}
	switch t.Size() {
	case 1:
		return func(p unsafe.Pointer, v uint64) { *(*uint8)(p) = uint8(v) }
	case 2:
		return func(p unsafe.Pointer, v uint64) { *(*uint16)(p) = uint16(v) }
	case 4:
		return func(p unsafe.Pointer, v uint64) { *(*uint32)(p) = uint32(v) }
	}
	return func(p unsafe.Pointer, v uint64) { *(*uint64)(p) = v }
}

func floatKey(t reflect.Type) *keyCodec {
	if t.Kind() == reflect.Float32 {
		enc := func(dst []byte, p unsafe.Pointer) []byte {
			bits := math.Float32bits(*(*float32)(p))
			switch v := *(*float32)(p); {
			case v != v:
				bits = math.MaxUint32
			case v < 0:
				bits = ^bits
			default: // -0 too
				bits |= 1 << 31
			}
			return binary.BigEndian.AppendUint32(dst, bits)
		}
		return fixedKey("float32", 4, enc, func(b []byte, p unsafe.Pointer) error {
			bits := binary.BigEndian.Uint32(b)
			if bits>>31 == 1 {
				bits ^= 1 << 31
			} else {
				bits = ^bits
			}
			*(*float32)(p) = math.Float32frombits(bits)
			return nil
		})
	}
	enc := func(dst []byte, p unsafe.Pointer) []byte {
		bits := math.Float64bits(*(*float64)(p))
		switch v := *(*float64)(p); {
		case v != v:
			bits = math.MaxUint64
		case v < 0:
			bits = ^bits
		default: // -0 too
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(dst, bits)
	}
	return fixedKey("float64", 8, enc, func(b []byte, p unsafe.Pointer) error {
		bits := binary.BigEndian.Uint64(b)
		if bits>>63 == 1 {
			bits ^= 1 << 63
		} else {
			bits = ^bits
		}
		*(*float64)(p) = math.Float64frombits(bits)
		return nil
	})
}
