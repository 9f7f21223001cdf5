package arrow

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
	"unsafe"
)

// builder gathers the values of a column of a batch, or of a part of one.
type builder struct {
	f       *field
	typ     reflect.Type // of the value
	pointer bool
	zero    bool // a zero value is null
	// put adds a value, without its bit of validity.
	put func(b *builder, p unsafe.Pointer) error

	rows, nulls int
	valid       []byte
	data        []byte
	offsets     []byte
	below       []*builder

	marked struct{ rows, nulls, data, offsets int }
}

// mark notes the state before a record, and rollBack returns to it.
func (b *builder) mark() {
	b.marked.rows, b.marked.nulls, b.marked.data, b.marked.offsets = b.rows, b.nulls, len(b.data), len(b.offsets)
	for _, c := range b.below {
		c.mark()
	}
}

func (b *builder) rollBack() {
	b.rows, b.nulls, b.data, b.offsets = b.marked.rows, b.marked.nulls, b.data[:b.marked.data], b.offsets[:b.marked.offsets]
	if b.f.nullable {
		b.valid = trim(b.valid, b.rows)
	}
	if b.f.kind == typeBool {
		b.data = trim(b.data, b.rows)
	}
	for _, c := range b.below {
		c.rollBack()
	}
}

// used returns the bytes in memory.
func (b *builder) used() int64 {
	n := int64(len(b.valid) + len(b.data) + len(b.offsets))
	for _, c := range b.below {
		n += c.used()
	}
	return n
}

// reset begins a batch.
func (b *builder) reset() {
	b.rows, b.nulls, b.valid, b.data, b.offsets = 0, 0, b.valid[:0], b.data[:0], b.offsets[:0]
	if b.varies() {
		b.offsets = append(b.offsets, 0, 0, 0, 0)
	}
	for _, c := range b.below {
		c.reset()
	}
}

// varies reports whether the column has offsets.
func (b *builder) varies() bool {
	return slices.Contains([]int{typeText, typeBinary, typeList, typeMap}, b.f.kind)
}

// setBit sets bit i of bits, which has those before it and no others.
func setBit(bits []byte, i int, on bool) []byte {
	if i/8 == len(bits) {
		bits = append(bits, 0)
	}
	if on {
		bits[i/8] |= 1 << (i % 8)
	}
	return bits
}

// trim returns the first n bits, and clears those behind them.
func trim(bits []byte, n int) []byte {
	bits = bits[:(n+7)/8]
	if n%8 != 0 {
		bits[n/8] &= 1<<(n%8) - 1
	}
	return bits
}

// add adds the value at p.
func (b *builder) add(p unsafe.Pointer) error {
	switch {
	case b.pointer:
		if p = *(*unsafe.Pointer)(p); p == nil {
			b.nothing()
			return nil
		}
	case b.zero && reflect.NewAt(b.typ, p).Elem().IsZero():
		b.nothing()
		return nil
	}
	if err := b.put(b, p); err != nil {
		return err
	}
	b.end(true)
	return nil
}

// end ends a row.
func (b *builder) end(valid bool) {
	if b.f.nullable {
		b.valid = setBit(b.valid, b.rows, valid)
		if !valid {
			b.nulls++
		}
	}
	b.rows++
}

// nothing adds a null, or below one a value that is not looked at.
func (b *builder) nothing() {
	switch {
	case b.f.kind == typeBool:
		b.data = setBit(b.data, b.rows, false)
	case b.varies():
		b.offsets = append(b.offsets, b.offsets[len(b.offsets)-4:]...)
	case b.f.kind == typeStruct:
		for _, c := range b.below {
			c.nothing()
		}
	default:
		b.data = append(b.data, make([]byte, b.f.bytes())...)
	}
	b.end(false)
}

// failed adds the name of the column to an error.
func (b *builder) failed(err error) error {
	return fmt.Errorf("column %q of a record: %w", b.f.path(), err)
}

var errLarge = errors.New("the values of a batch would have more than 2 GiB, which a column cannot have: set a smaller Batch, or write smaller records")

// offset adds the offset behind a value.
func (b *builder) offset(n int) error {
	if n > math.MaxInt32 {
		return b.failed(errLarge)
	}
	b.offsets = binary.LittleEndian.AppendUint32(b.offsets, uint32(n))
	return nil
}

// buildersOf returns what gathers the fields of a struct.
func buildersOf(n *node, parent *field) (all []*builder, err error) {
	for _, f := range n.below {
		b, err := builderOf(f, f.name, parent)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// builderOf returns what gathers an n.
func builderOf(n *node, name string, parent *field) (*builder, error) {
	b := &builder{f: &field{name: name, parent: parent}, typ: n.typ}
	if !utf8.ValidString(name) {
		return nil, fmt.Errorf("the column name %q is not UTF-8", name)
	}
	b.zero = n.tag.optional
	b.f.nullable = n.kind == kindPointer || n.tag.optional
	if n.kind == kindPointer {
		n = n.below[0]
		b.pointer = true
	}
	var err error
	switch n.kind {
	case kindStruct:
		b.f.kind = typeStruct
		b.below, err = buildersOf(n, b.f)
		offsets := make([]uintptr, len(n.below))
		for i, f := range n.below {
			offsets[i] = f.offset
		}
		b.put = func(b *builder, p unsafe.Pointer) error { return b.putStruct(p, offsets) }
	case kindList:
		b.f.kind = typeList
		var item *builder
		item, err = builderOf(n.below[0], "item", b.f)
		b.below = []*builder{item}
		b.put = func(b *builder, p unsafe.Pointer) error { return b.putList(p, n.typ) }
	case kindMap:
		b.f.kind = typeMap
		entries := &node{kind: kindStruct, typ: n.typ, below: slices.Clone(n.below)}
		for i, name := range []string{"key", "value"} {
			part := *n.below[i]
			part.name = name
			entries.below[i] = &part
		}
		var of *builder
		of, err = builderOf(entries, "entries", b.f)
		b.below = []*builder{of}
		b.put = func(b *builder, p unsafe.Pointer) error { return b.putMap(p, n.typ) }
	default:
		b.leaf(n)
	}
	if err != nil {
		return nil, err
	}
	for _, c := range b.below {
		b.f.children = append(b.f.children, c.f)
	}
	return b, nil
}

func (b *builder) putStruct(p unsafe.Pointer, offsets []uintptr) error {
	for i, c := range b.below {
		if err := c.add(unsafe.Add(p, offsets[i])); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) putList(p unsafe.Pointer, typ reflect.Type) error {
	slice, of := reflect.NewAt(typ, p).Elem(), b.below[0]
	for i := range slice.Len() {
		if err := of.add(slice.Index(i).Addr().UnsafePointer()); err != nil {
			return err
		}
	}
	return b.offset(of.rows)
}

// putMap adds the entries of a map, in order of its keys.
func (b *builder) putMap(p unsafe.Pointer, typ reflect.Type) error {
	from, entries := reflect.NewAt(typ, p).Elem(), b.below[0]
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
	key, value := reflect.New(typ.Key()), reflect.New(typ.Elem())
	for _, k := range keys {
		key.Elem().Set(k)
		value.Elem().Set(from.MapIndex(k))
		if err := entries.below[0].add(key.UnsafePointer()); err != nil {
			return err
		}
		if err := entries.below[1].add(value.UnsafePointer()); err != nil {
			return err
		}
		entries.end(true)
	}
	return b.offset(entries.rows)
}

// leaf sets the type of the column of an n, and what adds its values.
func (b *builder) leaf(n *node) {
	f, kind, unit := b.f, n.tag.kind, n.tag.unit
	if kind == 0 {
		unit = unitNanos
	}
	switch {
	case n.typ == timeType && kind == typeDate:
		f.dataType = dataType{kind: typeDate, bits: 32}
		b.put = putDate
		return
	case n.typ == timeType:
		f.dataType = dataType{kind: typeTimestamp, bits: 64, unit: unit, zone: "UTC"}
		b.put = putTime
		return
	case n.typ == durationType && kind == typeTime:
		f.dataType = dataType{kind: typeTime, bits: 32 << (unit / 2), unit: unit}
		b.put = putTimeOfDay
		return
	case n.typ == durationType:
		f.dataType = dataType{kind: typeDuration, bits: 64, unit: unit}
		each := 1e9 / unitsOf(unit)
		b.put = func(b *builder, p unsafe.Pointer) error {
			b.data = binary.LittleEndian.AppendUint64(b.data, uint64(*(*int64)(p)/each))
			return nil
		}
		return
	case n.typ == bytesType:
		f.kind = typeBinary
		b.put = func(b *builder, p unsafe.Pointer) error {
			b.data = append(b.data, *(*[]byte)(p)...)
			return b.offset(len(b.data))
		}
		return
	}
	switch n.typ.Kind() {
	case reflect.Bool:
		f.kind = typeBool
		b.put = func(b *builder, p unsafe.Pointer) error { b.data = setBit(b.data, b.rows, *(*bool)(p)); return nil }
	case reflect.String:
		f.kind = typeText
		b.put = func(b *builder, p unsafe.Pointer) error {
			text := *(*string)(p)
			if !utf8.ValidString(text) {
				return b.failed(fmt.Errorf("the text %.100q is not UTF-8: a []byte can be written", text))
			}
			b.data = append(b.data, text...)
			return b.offset(len(b.data))
		}
	case reflect.Array:
		f.dataType = dataType{kind: typeFixedSizeBinary, width: n.typ.Len()}
		b.put = putBytes(n.typ.Size())
	case reflect.Float32, reflect.Float64:
		f.dataType = dataType{kind: typeFloat, bits: n.typ.Bits()}
		b.put = putBytes(n.typ.Size())
	default:
		b.integer(n)
	}
}

// putBytes adds the bytes of a value as they are in memory, where Go has the lowest byte
// first on each platform that Windrow runs on.
func putBytes(size uintptr) func(*builder, unsafe.Pointer) error {
	return func(b *builder, p unsafe.Pointer) error {
		b.data = append(b.data, unsafe.Slice((*byte)(p), size)...)
		return nil
	}
}

func (b *builder) integer(n *node) {
	f := b.f
	b.put = putBytes(n.typ.Size())
	switch n.tag.kind {
	case typeDate:
		f.dataType = dataType{kind: typeDate, bits: 32}
	case typeTimestamp:
		f.dataType = dataType{kind: typeTimestamp, bits: 64, unit: n.tag.unit, zone: "UTC"}
	case typeDecimal:
		f.dataType = dataType{kind: typeDecimal, bits: 128, scale: n.tag.scale, precision: n.tag.precision}
		bound := int64(math.Pow10(n.tag.precision))
		b.put = func(b *builder, p unsafe.Pointer) error {
			v := reflect.NewAt(n.typ, p).Elem().Int()
			if v >= bound || v <= -bound {
				return b.failed(fmt.Errorf("%d has more than the %d digits of its decimal", v, b.f.precision))
			}
			b.data = binary.LittleEndian.AppendUint64(b.data, uint64(v))
			b.data = binary.LittleEndian.AppendUint64(b.data, uint64(v>>63))
			return nil
		}
	default:
		f.dataType = dataType{kind: typeInt, bits: n.typ.Bits(), signed: n.typ.Kind() < reflect.Uint}
	}
}

// putDate adds the day of a time in UTC.
func putDate(b *builder, p unsafe.Pointer) error {
	t := *(*time.Time)(p)
	seconds := t.Unix()
	days := seconds / 86400
	if seconds%86400 < 0 {
		days--
	}
	if days != int64(int32(days)) {
		return b.failed(fmt.Errorf("the date %v is outside of those that a column can have", t))
	}
	b.data = binary.LittleEndian.AppendUint32(b.data, uint32(days))
	return nil
}

func putTime(b *builder, p unsafe.Pointer) error {
	t, per := *(*time.Time)(p), unitsOf(b.f.unit)
	s, part := t.Unix(), int64(t.Nanosecond())/(1e9/per)
	if s > math.MaxInt64/per-1 || s < math.MinInt64/per+1 {
		return b.failed(fmt.Errorf("the time %v is outside of those that a column in %s can have: set a coarser unit by the tag, such as timestamp(microsecond)", t, unitNames[b.f.unit]))
	}
	b.data = binary.LittleEndian.AppendUint64(b.data, uint64(s*per+part))
	return nil
}

// putTimeOfDay adds the time since midnight.
func putTimeOfDay(b *builder, p unsafe.Pointer) error {
	d := *(*time.Duration)(p)
	if d < 0 || d >= 24*time.Hour {
		return b.failed(fmt.Errorf("%v is no time of a day: leave out the tag time to write a duration", d))
	}
	n := int64(d) / (1e9 / unitsOf(b.f.unit))
	if b.f.bits == 32 {
		b.data = binary.LittleEndian.AppendUint32(b.data, uint32(n))
	} else {
		b.data = binary.LittleEndian.AppendUint64(b.data, uint64(n))
	}
	return nil
}
