package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"sort"
	"unsafe"
)

// count reads the length of a slice or map from the start of b: -1 for nil.
// Each element takes least bytes or more, so that no more room is made than b
// can fill.
func count(b []byte, least int) (n int, rest []byte, err error) {
	v, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, errShort
	}
	rest = b[size:]
	if v > 0 && least > 0 && v-1 > uint64(len(rest)/least) {
		return 0, nil, errCount
	}
	return int(v) - 1, rest, nil
}

// slice is the codec of slices other than []byte.
func (m *valueCodecs) slice(t reflect.Type) (*valueCodec, error) {
	elem := t.Elem()
	c, err := m.of(elem, false)
	if err != nil {
		return nil, err
	}
	if c.width == 0 {
		return nil, m.fail(t, "has elements of no size; use a number")
	}
	size := elem.Size()
	return &valueCodec{
		name:  "[]" + c.name,
		width: -1,
		refs:  true,
		enc: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			v := reflect.NewAt(t, p).Elem()
			if v.IsNil() {
				return append(dst, 0), nil
			}
			n := v.Len()
			dst = binary.AppendUvarint(dst, uint64(n)+1)
			first := v.UnsafePointer()
			var err error
			for i := range n {
				if dst, err = c.enc(dst, unsafe.Add(first, uintptr(i)*size)); err != nil {
					return dst, err
				}
			}
			return dst, nil
		},
		dec: func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			v := reflect.NewAt(t, p).Elem()
			n, b, err := count(b, 1)
			if err != nil || n < 0 {
				v.SetZero()
				return b, err
			}
			// A new array: the old one may be in use. It grows as elements
			// come, because an element may be larger than its bytes.
			s := reflect.MakeSlice(t, 0, min(n, 1024))
			for range n {
				s = reflect.Append(s, reflect.Zero(elem))
				if b, err = c.dec(a, b, s.Index(s.Len()-1).Addr().UnsafePointer()); err != nil {
					return nil, err
				}
			}
			v.Set(s)
			return b, nil
		},
	}, nil
}

var errTwice = errors.New("a map has a key twice, or its keys are out of order")

// mapping is the codec of maps. Entries are in order of their encoded keys, so
// that equal maps have equal encodings.
func (m *valueCodecs) mapping(t reflect.Type) (*valueCodec, error) {
	key, err := m.of(t.Key(), false)
	if err != nil {
		return nil, err
	}
	value, err := m.of(t.Elem(), false)
	if err != nil {
		return nil, err
	}
	return &valueCodec{
		name:  "map[" + key.name + "]" + value.name,
		width: -1,
		refs:  true,
		enc: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return encodeMap(dst, reflect.NewAt(t, p).Elem(), key, value)
		},
		dec: func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			return decodeMap(a, b, reflect.NewAt(t, p).Elem(), key, value)
		},
	}, nil
}

func encodeMap(dst []byte, v reflect.Value, key, value *valueCodec) ([]byte, error) {
	if v.IsNil() {
		return append(dst, 0), nil
	}
	dst = binary.AppendUvarint(dst, uint64(v.Len())+1)
	k, e := reflect.New(v.Type().Key()), reflect.New(v.Type().Elem())
	var err error
	var entries []byte
	var spans []span
	for it := v.MapRange(); it.Next(); {
		k.Elem().SetIterKey(it)
		e.Elem().SetIterValue(it)
		s := span{start: len(entries)}
		if entries, err = key.enc(entries, k.UnsafePointer()); err != nil {
			return dst, err
		}
		s.value = len(entries)
		if entries, err = value.enc(entries, e.UnsafePointer()); err != nil {
			return dst, err
		}
		s.end = len(entries)
		spans = append(spans, s)
	}
	sort.Sort(&byKey{spans, entries})
	for _, s := range spans {
		dst = append(dst, entries[s.start:s.end]...)
	}
	return dst, nil
}

// span is where an entry of a map is: its key begins at start, its value at value.
type span struct{ start, value, end int }

// byKey sorts entries of a map by their keys. A slices.SortFunc of spans is 20 kB of each
// job's program.
type byKey struct {
	spans   []span
	entries []byte
}

func (e *byKey) key(i int) []byte   { return e.entries[e.spans[i].start:e.spans[i].value] }
func (e *byKey) Len() int           { return len(e.spans) }
func (e *byKey) Less(i, j int) bool { return bytes.Compare(e.key(i), e.key(j)) < 0 }
func (e *byKey) Swap(i, j int)      { e.spans[i], e.spans[j] = e.spans[j], e.spans[i] }

func decodeMap(a *arena, b []byte, v reflect.Value, key, value *valueCodec) ([]byte, error) {
	n, b, err := count(b, max(key.width, 0)+max(value.width, 0))
	if err != nil || n < 0 {
		v.SetZero()
		return b, err
	}
	kt, et := v.Type().Key(), v.Type().Elem()
	entries := reflect.MakeMap(v.Type())
	var before []byte
	for i := range n {
		k, e := reflect.New(kt), reflect.New(et)
		start := b
		if b, err = key.dec(a, b, k.UnsafePointer()); err != nil {
			return nil, err
		}
		encoded := start[:len(start)-len(b)]
		if i > 0 && bytes.Compare(before, encoded) >= 0 {
			return nil, errTwice
		}
		before = encoded
		if b, err = value.dec(a, b, e.UnsafePointer()); err != nil {
			return nil, err
		}
		entries.SetMapIndex(k.Elem(), e.Elem())
	}
	v.Set(entries)
	return b, nil
}

var errPointer = errors.New("a pointer begins with neither 00 nor 01")

// pointer is the codec of pointers. A value that two pointers share is encoded
// twice.
func (m *valueCodecs) pointer(t reflect.Type) (*valueCodec, error) {
	c, err := m.of(t.Elem(), false)
	if err != nil {
		return nil, err
	}
	return &valueCodec{
		name:  "*" + c.name,
		width: -1,
		refs:  true,
		enc: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			to := *(*unsafe.Pointer)(p)
			if to == nil {
				return append(dst, 0), nil
			}
			return c.enc(append(dst, 1), to)
		},
		dec: func(a *arena, b []byte, p unsafe.Pointer) ([]byte, error) {
			if len(b) == 0 {
				return nil, errShort
			}
			mark, b := b[0], b[1:]
			switch mark {
			case 0:
				*(*unsafe.Pointer)(p) = nil
				return b, nil
			case 1:
				fresh := reflect.New(t.Elem()).UnsafePointer()
				*(*unsafe.Pointer)(p) = fresh
				return c.dec(a, b, fresh)
			}
			return nil, errPointer
		},
	}, nil
}
