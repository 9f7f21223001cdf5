package parquet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// shredder adds a part of a record to the columns. def and rep are the levels of an entry
// at this place.
type shredder interface {
	write(p unsafe.Pointer, def, rep int) error
	// nothing adds the entries of a place at which there is no value.
	nothing(def, rep int)
}

// schema makes the columns for records of type n.
func (w *rows) schema(n *node) {
	w.root = &element{name: "record", typ: typeNone}
	w.record = w.group(n, w.root)
}

func (w *rows) group(n *node, e *element) shredder {
	g := &groupShredder{}
	for _, f := range n.below {
		g.parts = append(g.parts, w.shred(f, f.name, e))
		g.offsets = append(g.offsets, f.offset)
	}
	return g
}

// below adds an element to a group.
func (e *element) below(name string, repetition int) *element {
	c := &element{name: name, parent: e, repetition: repetition, typ: typeNone, maxDef: e.maxDef, maxRep: e.maxRep}
	if repetition != required {
		c.maxDef++
	}
	if repetition == repeated {
		c.maxRep++
	}
	e.children = append(e.children, c)
	return c
}

// shred makes the columns of a type, in an element of that name below a group.
func (w *rows) shred(n *node, name string, in *element) shredder {
	of, repetition := n, required
	if n.kind == kindPointer {
		of = n.below[0]
	}
	if n.kind == kindPointer || n.tag.optional {
		repetition = optional
	}
	e := in.below(name, repetition)
	e.id = n.tag.id
	inner := w.shredValue(of, e)
	switch {
	case n.kind == kindPointer:
		return &pointerShredder{inner}
	case n.tag.optional:
		return &zeroShredder{inner, n.typ}
	}
	return inner
}

func (w *rows) shredValue(n *node, e *element) shredder {
	switch n.kind {
	case kindStruct:
		return w.group(n, e)
	case kindList:
		e.logical.kind = logicalList
		r := e.below("list", repeated)
		return &listShredder{w.shred(n.below[0], "element", r), n.typ, r}
	case kindMap:
		e.logical.kind = logicalMap
		r := e.below("key_value", repeated)
		return &mapShredder{w.shred(n.below[0], "key", r), w.shred(n.below[1], "value", r), n.typ, r}
	}
	c := &columnWriter{w: w, e: e, codec: w.codec}
	if n.tag.codec >= 0 {
		c.codec = n.tag.codec
	}
	e.leaf = len(w.columns)
	w.columns = append(w.columns, c)
	leaf := &leafShredder{c: c}
	leaf.encode = encoderOf(n, e)
	c.compare, c.number = compareOf(e), floatOf(e)
	c.always = n.tag.plain || e.typ == typeBoolean
	c.plain = c.always
	return leaf
}

// leafShredder adds a value.
type leafShredder struct {
	c      *columnWriter
	encode func(dst []byte, p unsafe.Pointer) ([]byte, error)
	buf    []byte
}

func (l *leafShredder) write(p unsafe.Pointer, def, rep int) (err error) {
	if l.buf, err = l.encode(l.buf[:0], p); err != nil {
		return fmt.Errorf("column %q of a record: %w", l.c.e.path(), err)
	}
	l.c.entry(def, rep, l.buf)
	return nil
}

func (l *leafShredder) nothing(def, rep int) { l.c.entry(def, rep, nil) }

// groupShredder adds the fields of a struct.
type groupShredder struct {
	parts   []shredder
	offsets []uintptr
}

func (g *groupShredder) write(p unsafe.Pointer, def, rep int) error {
	for i, part := range g.parts {
		if err := part.write(unsafe.Add(p, g.offsets[i]), def, rep); err != nil {
			return err
		}
	}
	return nil
}

func (g *groupShredder) nothing(def, rep int) {
	for _, part := range g.parts {
		part.nothing(def, rep)
	}
}

// pointerShredder adds what a pointer leads to; nil is null.
type pointerShredder struct{ shredder }

func (s *pointerShredder) write(p unsafe.Pointer, def, rep int) error {
	to := *(*unsafe.Pointer)(p)
	if to == nil {
		s.nothing(def, rep)
		return nil
	}
	return s.shredder.write(to, def+1, rep)
}

// zeroShredder adds a zero value as null.
type zeroShredder struct {
	shredder
	typ reflect.Type
}

func (s *zeroShredder) write(p unsafe.Pointer, def, rep int) error {
	if reflect.NewAt(s.typ, p).Elem().IsZero() {
		s.nothing(def, rep)
		return nil
	}
	return s.shredder.write(p, def+1, rep)
}

// listShredder adds the elements of a slice.
type listShredder struct {
	shredder
	typ reflect.Type
	r   *element
}

func (s *listShredder) write(p unsafe.Pointer, def, rep int) error {
	slice := reflect.NewAt(s.typ, p).Elem()
	if slice.Len() == 0 {
		s.nothing(def, rep)
		return nil
	}
	for i := range slice.Len() {
		if err := s.shredder.write(slice.Index(i).Addr().UnsafePointer(), s.r.maxDef, rep); err != nil {
			return err
		}
		rep = s.r.maxRep
	}
	return nil
}

// mapShredder adds the entries of a map, in order of its keys.
type mapShredder struct {
	key, value shredder
	typ        reflect.Type
	r          *element
}

func (s *mapShredder) nothing(def, rep int) {
	s.key.nothing(def, rep)
	s.value.nothing(def, rep)
}

func (s *mapShredder) write(p unsafe.Pointer, def, rep int) error {
	from := reflect.NewAt(s.typ, p).Elem()
	if from.Len() == 0 {
		s.nothing(def, rep)
		return nil
	}
	keys := from.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.CanInt():
			return cmp.Compare(a.Int(), b.Int())
		case a.CanUint():
			return cmp.Compare(a.Uint(), b.Uint())
		}
		return cmp.Compare(a.String(), b.String())
	})
	key, value := reflect.New(s.typ.Key()), reflect.New(s.typ.Elem())
	for _, k := range keys {
		key.Elem().Set(k)
		value.Elem().Set(from.MapIndex(k))
		if err := s.key.write(key.UnsafePointer(), s.r.maxDef, rep); err != nil {
			return err
		}
		if err := s.value.write(value.UnsafePointer(), s.r.maxDef, rep); err != nil {
			return err
		}
		rep = s.r.maxRep
	}
	return nil
}

// encoder appends the bytes of a value.
type encoder = func(dst []byte, p unsafe.Pointer) ([]byte, error)

// encoderOf sets the type of the column of an n, and returns what appends its values.
func encoderOf(n *node, e *element) encoder {
	e.logical = n.tag.logical
	switch {
	case n.typ == timeType && n.tag.logical.kind == logicalDate:
		e.typ = typeInt32
		return encodeDate
	case n.typ == timeType:
		e.typ, e.logical = typeInt64, logical{kind: logicalTimestamp, unit: max(n.tag.timestamp, 0), utc: true}
		if e.logical.unit == 0 {
			e.logical.unit = unitNanos
		}
		return timeEncoder(e.logical.unit)
	case n.typ == durationType && n.tag.times != 0:
		e.typ, e.logical = typeInt64, logical{kind: logicalTime, unit: n.tag.times, utc: true}
		if n.tag.times == unitMillis {
			e.typ = typeInt32
		}
		return timeOfDay(e)
	case n.typ == bytesType:
		e.typ = typeBytes
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) { return append(dst, *(*[]byte)(p)...), nil }
	}
	switch n.typ.Kind() {
	case reflect.Bool:
		e.typ = typeBoolean
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) { return append(dst, *(*byte)(p)), nil }
	case reflect.String:
		e.typ = typeBytes
		if e.logical.kind == 0 {
			e.logical.kind = logicalString
		}
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) { return append(dst, *(*string)(p)...), nil }
	case reflect.Array:
		e.typ, e.length = typeFixed, n.typ.Len()
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return append(dst, unsafe.Slice((*byte)(p), e.length)...), nil
		}
	case reflect.Float32, reflect.Float64:
		e.typ = typeFloat
		if n.typ.Bits() == 64 {
			e.typ = typeDouble
		}
	default:
		return integerEncoder(n, e)
	}
	return bitsOf(n.typ.Size())
}

// bitsOf appends the 4 or 8 bytes of a number, the lowest first.
func bitsOf(size uintptr) encoder {
	if size == 4 {
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, *(*uint32)(p)), nil
		}
	}
	return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		return binary.LittleEndian.AppendUint64(dst, *(*uint64)(p)), nil
	}
}

func integerEncoder(n *node, e *element) encoder {
	signed := n.typ.Kind() < reflect.Uint
	e.typ = typeInt32
	if n.typ.Bits() == 64 {
		e.typ = typeInt64
	}
	if n.tag.timestamp != 0 {
		e.logical = logical{kind: logicalTimestamp, unit: n.tag.timestamp, utc: true}
	}
	if e.logical.kind == 0 && (!signed || n.typ.Bits() < 32) {
		e.logical = logical{kind: logicalInt, bits: n.typ.Bits(), signed: signed}
	}
	if l := e.logical; l.kind == logicalDecimal {
		inner, bound := bitsOf(n.typ.Size()), int64(math.Pow10(l.precision))
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			v := reflect.NewAt(n.typ, p).Elem().Int()
			if v >= bound || v <= -bound {
				return dst, fmt.Errorf("%d has more than the %d digits of its decimal", v, l.precision)
			}
			return inner(dst, p)
		}
	}
	switch n.typ.Kind() {
	case reflect.Int8:
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, uint32(*(*int8)(p))), nil
		}
	case reflect.Int16:
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, uint32(*(*int16)(p))), nil
		}
	case reflect.Uint8:
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, uint32(*(*uint8)(p))), nil
		}
	case reflect.Uint16:
		return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, uint32(*(*uint16)(p))), nil
		}
	}
	return bitsOf(n.typ.Size())
}

// encodeDate appends the day of a time in UTC.
func encodeDate(dst []byte, p unsafe.Pointer) ([]byte, error) {
	t := *(*time.Time)(p)
	seconds := t.Unix()
	days := seconds / 86400
	if seconds%86400 < 0 {
		days--
	}
	if days != int64(int32(days)) {
		return dst, fmt.Errorf("the date %v is outside of those that a column can have", t)
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(days)), nil
}

func timeEncoder(unit int) encoder {
	per := int64(time.Second / durationOf(unit))
	return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		t := *(*time.Time)(p)
		s, part := t.Unix(), int64(t.Nanosecond())/int64(durationOf(unit))
		if s > math.MaxInt64/per-1 || s < math.MinInt64/per+1 {
			return dst, fmt.Errorf("the time %v is outside of those that a column in %ss can have: set a coarser unit by the tag, such as timestamp(microsecond)", t, durationOf(unit))
		}
		return binary.LittleEndian.AppendUint64(dst, uint64(s*per+part)), nil
	}
}

// timeOfDay appends the time since midnight.
func timeOfDay(e *element) encoder {
	unit := durationOf(e.logical.unit)
	return func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		d := *(*time.Duration)(p)
		if d < 0 || d >= 24*time.Hour {
			return dst, fmt.Errorf("%v is no time of a day: leave out the tag time to write a number", d)
		}
		if e.typ == typeInt32 {
			return binary.LittleEndian.AppendUint32(dst, uint32(d/unit)), nil
		}
		return binary.LittleEndian.AppendUint64(dst, uint64(d/unit)), nil
	}
}

// compareOf returns the order of a column's values; nil for none.
func compareOf(e *element) func(a, b []byte) int {
	switch e.typ {
	case typeInt32, typeInt64:
		of, unsigned := int64At, e.logical.kind == logicalInt && !e.logical.signed
		if e.typ == typeInt32 {
			of = func(b []byte) int64 {
				if unsigned {
					return int64(uint32(int32At(b)))
				}
				return int64(int32At(b))
			}
		}
		if unsigned {
			return func(a, b []byte) int { return cmp.Compare(uint64(of(a)), uint64(of(b))) }
		}
		return func(a, b []byte) int { return cmp.Compare(of(a), of(b)) }
	case typeFloat, typeDouble:
		of := floatOf(e)
		return func(a, b []byte) int { return cmp.Compare(of(a), of(b)) }
	}
	return bytes.Compare
}
