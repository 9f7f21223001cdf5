package codec

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// valueCodec encodes one type in one place, see keyCodec.
type valueCodec struct {
	name  string
	width int  // bytes; -1 if they vary
	refs  bool // values point to memory that may change or be shared
	enc   func(dst []byte, p unsafe.Pointer) ([]byte, error)
	dec   func(a *arena, b []byte, p unsafe.Pointer) (rest []byte, err error)
}

// valueCodecs makes the codec of one type and of all types within it.
type valueCodecs struct{ outer []reflect.Type }

func (m *valueCodecs) of(t reflect.Type, last bool) (*valueCodec, error) {
	if slices.Contains(m.outer, t) {
		// Its values could be rings, or deeper than any stack.
		return nil, m.fail(t, "contains itself; use a slice of nodes that refer to each other by index")
	}
	m.outer = append(m.outer, t)
	c, err := m.make(t, last)
	m.outer = m.outer[:len(m.outer)-1]
	return c, err
}

func (m *valueCodecs) fail(t reflect.Type, why string) error {
	if len(m.outer) > 0 && m.outer[0] != t {
		return fmt.Errorf("value type %s: %s %s", m.outer[0], t, why)
	}
	return fmt.Errorf("value type %s %s", t, why)
}

func (m *valueCodecs) make(t reflect.Type, last bool) (*valueCodec, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return timeValue(), nil
	case ownBinary(t):
		return m.own(t, last)
	case isBytes(t):
		return bytesValue("bytes", last, true,
			func(p unsafe.Pointer) []byte { return *(*[]byte)(p) },
			func(_ *arena, p unsafe.Pointer, b []byte) { *(*[]byte)(p) = b }), nil
	case isByteArray(t):
		n := t.Len()
		return fixedValue(fmt.Sprintf("bytes%d", n), n,
			func(dst []byte, p unsafe.Pointer) []byte { return append(dst, unsafe.Slice((*byte)(p), n)...) },
			func(b []byte, p unsafe.Pointer) error { copy(unsafe.Slice((*byte)(p), n), b); return nil }), nil
	}
	switch t.Kind() {
	case reflect.String:
		return bytesValue("string", last, false,
			func(p unsafe.Pointer) []byte {
				s := *(*string)(p)
				return unsafe.Slice(unsafe.StringData(s), len(s))
			},
			func(a *arena, p unsafe.Pointer, b []byte) { *(*string)(p) = a.string(b) }), nil
	case reflect.Bool:
		return fixedValue("bool", 1, boolKey().enc, decodeBool), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return numberValue(t), nil
	case reflect.Struct, reflect.Array:
		return m.tuple(t, last)
	case reflect.Slice:
		return m.slice(t)
	case reflect.Map:
		return m.mapping(t)
	case reflect.Pointer:
		return m.pointer(t)
	case reflect.Interface:
		return nil, m.fail(t, "is an interface, whose values do not say their type; use a struct")
	}
	return nil, m.fail(t, "cannot be encoded")
}

func fixedValue(name string, n int, enc func(dst []byte, p unsafe.Pointer) []byte, dec func(b []byte, p unsafe.Pointer) error) *valueCodec {
	return &valueCodec{
		name:  name,
		width: n,
		enc:   func(dst []byte, p unsafe.Pointer) ([]byte, error) { return enc(dst, p), nil },
		dec: func(_ *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			if len(b) < n {
				return nil, errShort
			}
			return b[n:], dec(b[:n], p)
		},
	}
}

// numberValue is the codec of integers and floats: their bits. The common
// sizes have functions of their own, since a value costs little else.
func numberValue(t reflect.Type) *valueCodec {
	n := int(t.Size())
	name := t.Kind().String()
	if t.Kind() == reflect.Int || t.Kind() == reflect.Uint {
		n, name = 8, name+"64"
	}
	c := &valueCodec{name: name, width: n}
	if t.Size() == 8 {
		c.enc = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(dst, *(*uint64)(p)), nil
		}
		c.dec = func(_ *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			if len(b) < 8 {
				return nil, errShort
			}
			*(*uint64)(p) = binary.LittleEndian.Uint64(b)
			return b[8:], nil
		}
		return c
	}
	load, store := loader(t), storer(t)
	enc := func(dst []byte, p unsafe.Pointer) []byte {
		v := load(p)
		for range n {
			dst = append(dst, byte(v))
			v >>= 8
		}
		return dst
	}
	return fixedValue(name, n, enc, func(b []byte, p unsafe.Pointer) error {
		var v uint64
		for i := n - 1; i >= 0; i-- {
			v = v<<8 | uint64(b[i])
		}
		store(p, v)
		return nil
	})
}

// timeValue keeps the offset from UTC, since a time's year, day and hour depend
// on it. The zone's name is lost.
func timeValue() *valueCodec {
	enc := func(dst []byte, p unsafe.Pointer) []byte {
		t := (*time.Time)(p)
		_, offset := t.Zone()
		dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Unix()))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(t.Nanosecond()))
		return binary.LittleEndian.AppendUint32(dst, uint32(int32(offset)))
	}
	return fixedValue("time", 16, enc, func(b []byte, p unsafe.Pointer) error {
		nanos := binary.LittleEndian.Uint32(b[8:])
		if nanos >= 1e9 {
			return fmt.Errorf("a second has no %d nanoseconds", nanos)
		}
		t := time.Unix(int64(binary.LittleEndian.Uint64(b)), int64(nanos)).UTC()
		if offset := int32(binary.LittleEndian.Uint32(b[12:])); offset != 0 {
			t = t.In(time.FixedZone("", int(offset)))
		}
		*(*time.Time)(p) = t
		return nil
	})
}

// bytesValue is the codec of types that are bytes already.
func bytesValue(name string, last, refs bool, load func(unsafe.Pointer) []byte, store func(*arena, unsafe.Pointer, []byte)) *valueCodec {
	c := &valueCodec{name: name, width: -1, refs: refs}
	if last {
		c.enc = func(dst []byte, p unsafe.Pointer) ([]byte, error) { return append(dst, load(p)...), nil }
		c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			store(a, p, slices.Clip(b))
			return nil, nil
		}
		return c
	}
	c.enc = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		b := load(p)
		return append(binary.AppendUvarint(dst, uint64(len(b))), b...), nil
	}
	c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
		plain, rest, err := cutBytes(b)
		if err == nil {
			store(a, p, plain)
		}
		return rest, err
	}
	return c
}

// cutBytes reads a length and that many bytes from the start of b.
func cutBytes(b []byte) (plain, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errShort
	}
	end := size + int(n)
	return b[size:end:end], b[end:], nil
}

// ownBinary reports whether t has an encoding of its own.
func ownBinary(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return (p.Implements(reflect.TypeFor[encoding.BinaryAppender]()) || p.Implements(reflect.TypeFor[encoding.BinaryMarshaler]())) &&
		p.Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]())
}

// own is the codec of a type with AppendBinary or MarshalBinary, and
// UnmarshalBinary.
func (m *valueCodecs) own(t reflect.Type, last bool) (*valueCodec, error) {
	if field, ok := promotes(t, "UnmarshalBinary"); ok {
		return nil, m.fail(t, "has the UnmarshalBinary of its embedded field "+field+", which would leave out the other fields; give that field a name")
	}
	appendBinary := func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		b, err := reflect.NewAt(t, p).Interface().(encoding.BinaryAppender).AppendBinary(dst[len(dst):])
		return append(dst, b...), err
	}
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryAppender]()) {
		appendBinary = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			b, err := reflect.NewAt(t, p).Interface().(encoding.BinaryMarshaler).MarshalBinary()
			return append(dst, b...), err
		}
	}
	unmarshal := func(b []byte, p unsafe.Pointer) error {
		v := reflect.NewAt(t, p)
		v.Elem().SetZero() // UnmarshalBinary may add to the old value
		return v.Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
	}
	c := &valueCodec{name: "own(" + t.String() + ")", width: -1, refs: shares(t)}
	if last {
		c.enc = appendBinary
		c.dec = func(_ *arena, b []byte, p unsafe.Pointer) ([]byte, error) { return nil, unmarshal(b, p) }
		return c, nil
	}
	c.enc = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		b, err := appendBinary(nil, p)
		return append(binary.AppendUvarint(dst, uint64(len(b))), b...), err
	}
	c.dec = func(_ *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
		plain, rest, err := cutBytes(b)
		if err == nil {
			err = unmarshal(plain, p)
		}
		return rest, err
	}
	return c, nil
}

// shares reports whether a t holds pointers of some kind, other than strings.
func shares(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for field := range t.Fields() {
			if shares(field.Type) {
				return true
			}
		}
		return false
	case reflect.Array:
		return shares(t.Elem())
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	}
	return false
}

// tuple is the codec of structs and arrays: their parts in order.
func (m *valueCodecs) tuple(t reflect.Type, last bool) (*valueCodec, error) {
	offsets, types, err := partsOf(t)
	if err != nil {
		return nil, m.fail(t, err.Error())
	}
	codecs := make([]*valueCodec, len(types))
	names := make([]string, len(types))
	c := &valueCodec{}
	for i, pt := range types {
		if codecs[i], err = m.of(pt, last && i == len(types)-1); err != nil {
			return nil, err
		}
		names[i] = codecs[i].name
		c.refs = c.refs || codecs[i].refs
		if codecs[i].width < 0 || c.width < 0 {
			c.width = -1
		} else {
			c.width += codecs[i].width
		}
	}
	c.name = "(" + strings.Join(names, ",") + ")"
	c.enc = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		var err error
		for i, part := range codecs {
			if dst, err = part.enc(dst, unsafe.Add(p, offsets[i])); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
		var err error
		for i, part := range codecs {
			if b, err = part.dec(a, b, unsafe.Add(p, offsets[i])); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return c, nil
}

var errCount = errors.New("there are fewer bytes than announced elements")
