package codec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// Bytes that are followed by something end in terminator. A 00 within them is
// written as escaped. Since 01 is less than FF, a key that ends is less than
// one that continues with 00.
const (
	zero       = 0x00
	terminator = 0x01
	escaped    = 0xFF
)

var errEscape = errors.New("a byte 00 is followed by neither 01 nor FF")

// bytesKey is the codec of strings and byte slices.
func bytesKey(t reflect.Type, last bool) *keyCodec {
	text := t.Kind() == reflect.String
	c := &keyCodec{name: "bytes", fixed: -1, skip: skipEscaped}
	load := func(p unsafe.Pointer) []byte { return *(*[]byte)(p) }
	store := func(_ *arena, p unsafe.Pointer, b []byte) { *(*[]byte)(p) = b }
	if text {
		c.name = "string"
		load = func(p unsafe.Pointer) []byte {
			s := *(*string)(p)
			return unsafe.Slice(unsafe.StringData(s), len(s))
		}
		store = func(a *arena, p unsafe.Pointer, b []byte) { *(*string)(p) = a.string(b) }
	}
	if last {
		c.enc = func(dst []byte, p unsafe.Pointer) []byte { return append(dst, load(p)...) }
		c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			store(a, p, slices.Clip(b))
			return nil, nil
		}
		c.skip = func(b []byte, _ byte) int { return len(b) }
		return c
	}
	c.name += "+end"
	c.enc = func(dst []byte, p unsafe.Pointer) []byte { return appendEscaped(dst, load(p)) }
	c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
		plain, rest, err := a.unescape(b)
		if err == nil {
			store(a, p, plain)
		}
		return rest, err
	}
	return c
}

func appendEscaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, zero)
		if i < 0 {
			break
		}
		dst = append(dst, b[:i+1]...)
		dst = append(dst, escaped)
		b = b[i+1:]
	}
	dst = append(dst, b...)
	return append(dst, zero, terminator)
}

// unescape reads escaped bytes from the start of b. The result aliases b if
// nothing was escaped, else the arena's scratch.
func (a *arena) unescape(b []byte) (plain, rest []byte, err error) {
	start := len(a.scratch)
	for whole := true; ; whole = false {
		i := bytes.IndexByte(b, zero)
		if i < 0 || i+1 == len(b) {
			return nil, nil, errShort
		}
		mark := b[i+1]
		switch {
		case mark == terminator && whole:
			return b[:i:i], b[i+2:], nil
		case mark == terminator:
			a.scratch = append(a.scratch, b[:i]...)
			return a.scratch[start:len(a.scratch):len(a.scratch)], b[i+2:], nil
		case mark != escaped:
			return nil, nil, errEscape
		}
		a.scratch = append(a.scratch, b[:i+1]...)
		b = b[i+2:]
	}
}

func skipEscaped(b []byte, x byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], zero^x)
		if i < 0 || at+i+1 >= len(b) {
			return -1
		}
		at += i + 2
		if b[at-1]^x == terminator {
			return at
		}
	}
}

// ownKey is the codec of a type with AppendKey and DecodeKey.
func ownKey(t reflect.Type, last bool, outer []reflect.Type) (*keyCodec, error) {
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[KeyDecoder]()) {
		return nil, keyError(t, outer, "has AppendKey, but its pointer has no DecodeKey(b []byte) error")
	}
	if field, ok := promotes(t, "AppendKey"); ok {
		return nil, keyError(t, outer, "has the AppendKey of its embedded field "+field+", which would leave out the other fields; give that field a name")
	}
	appendKey := func(dst []byte, p unsafe.Pointer) []byte {
		return append(dst, reflect.NewAt(t, p).Interface().(KeyEncoder).AppendKey(dst[len(dst):])...)
	}
	decodeKey := func(b []byte, p unsafe.Pointer) error {
		v := reflect.NewAt(t, p)
		v.Elem().SetZero() // DecodeKey may add to the old value
		return v.Interface().(KeyDecoder).DecodeKey(b)
	}
	c := &keyCodec{name: "own(" + t.String() + ")", fixed: -1}
	if last {
		c.enc = appendKey
		c.dec = func(_ *arena, b []byte, p unsafe.Pointer) ([]byte, error) { return nil, decodeKey(b, p) }
		c.skip = func(b []byte, _ byte) int { return len(b) }
		return c, nil
	}
	c.name += "+end"
	c.skip = skipEscaped
	c.enc = func(dst []byte, p unsafe.Pointer) []byte {
		start := len(dst)
		dst = appendKey(dst, p)
		if bytes.IndexByte(dst[start:], zero) < 0 {
			return append(dst, zero, terminator)
		}
		return appendEscaped(dst[:start], bytes.Clone(dst[start:]))
	}
	c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
		plain, rest, err := a.unescape(b)
		if err == nil {
			err = decodeKey(plain, p)
		}
		return rest, err
	}
	return c, nil
}

// descKey is the codec of a Desc: that of its V, all bits flipped. The V marks
// its own end, because a shorter key must now come after the keys that begin
// with it.
func descKey(t reflect.Type, outer []reflect.Type) (*keyCodec, error) {
	inner, err := keyCodecOf(t.Field(0).Type, false, append(outer, t))
	if err != nil {
		return nil, err
	}
	return &keyCodec{
		name:  "desc(" + inner.name + ")",
		fixed: inner.fixed,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			start := len(dst)
			dst = inner.enc(dst, p)
			flip(dst[start:])
			return dst
		},
		dec: func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			n := inner.skip(b, 0xFF)
			if n < 0 {
				return nil, errShort
			}
			start := len(a.scratch)
			a.scratch = append(a.scratch, b[:n]...)
			plain := a.scratch[start:]
			flip(plain)
			rest, err := inner.dec(a, plain, p)
			if err == nil && len(rest) > 0 {
				err = errTrailing
			}
			return b[n:], err
		},
		skip: func(b []byte, x byte) int { return inner.skip(b, ^x) },
	}, nil
}

func flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// part is a field or element of a tuple.
type part struct {
	offset uintptr
	codec  *keyCodec
}

// tupleKey is the codec of structs and arrays: their parts in order.
func tupleKey(t reflect.Type, last bool, outer []reflect.Type) (*keyCodec, error) {
	offsets, types, err := partsOf(t)
	if err != nil {
		return nil, keyError(t, outer, err.Error())
	}
	parts := make([]part, len(types))
	names := make([]string, len(types))
	c := &keyCodec{}
	for i, pt := range types {
		inner, err := keyCodecOf(pt, last && i == len(types)-1, append(outer, t))
		if err != nil {
			return nil, err
		}
		parts[i], names[i] = part{offsets[i], inner}, inner.name
		if inner.fixed < 0 || c.fixed < 0 {
			c.fixed = -1
		} else {
			c.fixed += inner.fixed
		}
	}
	c.name = "(" + strings.Join(names, ",") + ")"
	c.enc = func(dst []byte, p unsafe.Pointer) []byte {
		for i := range parts {
			dst = parts[i].codec.enc(dst, unsafe.Add(p, parts[i].offset))
		}
		return dst
	}
	c.dec = func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
		var err error
		for i := range parts {
			if b, err = parts[i].codec.dec(a, b, unsafe.Add(p, parts[i].offset)); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	c.skip = func(b []byte, x byte) int {
		at := 0
		for i := range parts {
			n := parts[i].codec.skip(b[at:], x)
			if n < 0 {
				return -1
			}
			at += n
		}
		return at
	}
	return c, nil
}

// maxParts bounds the parts of one array: each has a step of its own.
const maxParts = 1024

// partsOf lists the fields of a struct or the elements of an array.
func partsOf(t reflect.Type) (offsets []uintptr, types []reflect.Type, err error) {
	if t.Kind() == reflect.Array {
		if t.Len() > maxParts {
			return nil, nil, fmt.Errorf("has more than %d elements; use a slice", maxParts)
		}
		for i := range t.Len() {
			offsets = append(offsets, uintptr(i)*t.Elem().Size())
			types = append(types, t.Elem())
		}
		return offsets, types, nil
	}
	for f := range t.Fields() {
		if f.Name != "_" {
			offsets = append(offsets, f.Offset)
			types = append(types, f.Type)
		}
	}
	return offsets, types, nil
}
