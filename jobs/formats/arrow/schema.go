package arrow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Numbers of the format: Schema.fbs of the Arrow project,
// https://arrow.apache.org/docs/format/Columnar.html.
const (
	typeNull            = 1
	typeInt             = 2
	typeFloat           = 3
	typeBinary          = 4
	typeText            = 5
	typeBool            = 6
	typeDecimal         = 7
	typeDate            = 8
	typeTime            = 9
	typeTimestamp       = 10
	typeInterval        = 11
	typeList            = 12
	typeStruct          = 13
	typeUnion           = 14
	typeFixedSizeBinary = 15
	typeFixedSizeList   = 16
	typeMap             = 17
	typeDuration        = 18
	typeLargeBinary     = 19
	typeLargeText       = 20
	typeLargeList       = 21
	typeRunEnd          = 22
	typeBinaryView      = 23
	typeTextView        = 24
	typeListView        = 25
	typeLargeListView   = 26
)

// Units of times.
const (
	unitSeconds = iota
	unitMillis
	unitMicros
	unitNanos
)

var unitNames = []string{"s", "ms", "us", "ns"}

// dataType is the type of a column.
type dataType struct {
	kind             int
	bits             int // of a number or a time
	signed           bool
	unit             int
	width            int // bytes of a FixedSizeBinary, elements of a FixedSizeList
	precision, scale int
	dense            bool // of a union
	zone             string
}

// field is a column, or a part of one.
type field struct {
	dataType
	name       string
	nullable   bool
	parent     *field
	children   []*field
	indices    *dataType // of a column with a dictionary
	dictionary int64
	wanted     bool // the record's type has it
}

// Bounds of schemas.
const (
	mostFields  = 100_000
	mostDepth   = 64
	mostNames   = 16 << 20 // bytes of all names
	mostDecimal = 100      // places before or behind the point
)

// schemaReader reads a Schema table.
type schemaReader struct {
	fields, names int
}

// schemaOf returns the columns of a Schema table.
func schemaOf(t table) ([]*field, error) {
	if t.first(0) != 0 {
		return nil, errors.New("its numbers have the highest byte first: write it on a computer that has the lowest first")
	}
	r := &schemaReader{}
	fields, err := r.below(t.vector(1, 4), nil, 0)
	if err == nil {
		err = t.m.err
	}
	return fields, err
}

func (r *schemaReader) below(v vector, parent *field, depth int) ([]*field, error) {
	if r.fields += v.n; r.fields > mostFields {
		return nil, errors.New("its schema has more than 100,000 columns and parts of columns")
	}
	if depth > mostDepth {
		return nil, fmt.Errorf("its columns are nested more than %d deep", mostDepth)
	}
	all := make([]*field, v.n)
	for i := range all {
		f, err := r.field(v.table(i), parent, depth)
		if err != nil {
			return nil, err
		}
		all[i] = f
	}
	return all, nil
}

func (r *schemaReader) field(t table, parent *field, depth int) (*field, error) {
	name := t.text(0)
	if r.names += len(name); r.names > mostNames {
		return nil, errors.New("the names of its columns have more than 16 MiB")
	}
	f := &field{name: string(name), nullable: t.byte(1) != 0, parent: parent}
	f.kind = int(t.byte(2))
	if err := f.decode(t.table(3)); err != nil {
		return nil, fmt.Errorf("column %.100q: %w", f.path(), err)
	}
	if d := t.table(4); d.fields != nil {
		f.dictionary = d.int64(0)
		f.indices = &dataType{kind: typeInt, bits: 32, signed: true}
		if d.has(1) {
			f.indices.integer(d.table(1))
		}
		if !validBits(f.indices.bits) {
			return nil, fmt.Errorf("column %.100q: the places in its dictionary have %d bits", f.path(), f.indices.bits)
		}
	}
	var err error
	if f.children, err = r.below(t.vector(5, 4), f, depth+1); err != nil {
		return nil, err
	}
	if t.m.err != nil {
		return nil, t.m.err
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("column %.100q: %w", f.path(), err)
	}
	return f, nil
}

func validBits(n int) bool { return n == 8 || n == 16 || n == 32 || n == 64 }

func (d *dataType) integer(t table) {
	d.bits, d.signed = t.int32(0, 0), t.byte(1) != 0
}

// decode reads the table of a type.
func (d *dataType) decode(t table) error {
	ok := true
	switch d.kind {
	case typeInt:
		d.integer(t)
		ok = validBits(d.bits)
	case typeFloat:
		precision := t.first(0)
		if ok = precision >= 0 && precision <= 2; ok {
			d.bits = 16 << precision
		}
	case typeDecimal:
		d.precision, d.scale, d.bits = t.int32(0, 0), t.int32(1, 0), t.int32(2, 128)
		ok = slices.Contains([]int{32, 64, 128, 256}, d.bits) && d.scale >= -mostDecimal && d.scale <= mostDecimal
	case typeDate:
		d.unit = t.first(1)
		if ok = d.unit == 0 || d.unit == 1; ok {
			d.bits = 32 << d.unit
		}
	case typeTime:
		d.unit, d.bits = t.first(unitMillis), t.int32(1, 32)
		ok = d.unit >= 0 && d.unit <= unitNanos && d.bits == 32<<(d.unit/2)
	case typeTimestamp:
		d.unit, d.bits = t.first(unitSeconds), 64
		ok = d.unit >= 0 && d.unit <= unitNanos
		if zone := t.text(1); len(zone) <= 100 {
			d.zone = string(zone)
		}
	case typeDuration:
		d.unit, d.bits = t.first(unitMillis), 64
		ok = d.unit >= 0 && d.unit <= unitNanos
	case typeFixedSizeBinary, typeFixedSizeList:
		d.width = t.int32(0, 0)
		ok = d.width >= 0
	case typeUnion:
		d.dense = t.first(0) != 0
	default:
		if d.kind < typeNull || d.kind > typeLargeListView {
			return fmt.Errorf("its type has the number %d, which is unknown: write it with a type of version 1.5 of the format or before", d.kind)
		}
	}
	if !ok && t.m.err == nil {
		return fmt.Errorf("its type is no valid %s", typeNames[d.kind])
	}
	return t.m.err
}

// check verifies the number of parts of a nested type.
func (f *field) check() error {
	parts := 0
	switch f.kind {
	case typeStruct, typeUnion:
		return nil
	case typeList, typeLargeList, typeFixedSizeList, typeListView, typeLargeListView, typeMap:
		parts = 1
	case typeRunEnd:
		parts = 2
	}
	if len(f.children) != parts {
		return fmt.Errorf("a %s has %d parts, and not %d", typeNames[f.kind], parts, len(f.children))
	}
	if f.kind == typeMap {
		if e := f.children[0]; e.kind != typeStruct || len(e.children) != 2 || e.indices != nil {
			return errors.New("the entries of a map are structs of two parts")
		}
	}
	if f.kind == typeRunEnd {
		if e := f.children[0]; e.kind != typeInt || !e.signed || e.bits == 8 || e.indices != nil {
			return errors.New("the ends of runs are whole numbers")
		}
	}
	return nil
}

// path returns the names from the column to the part.
func (f *field) path() string {
	if f.parent == nil {
		return f.name
	}
	return f.parent.path() + "." + f.name
}

// bytes returns how many bytes each value has, or 0 if that differs or is not whole.
func (d *dataType) bytes() int {
	switch d.kind {
	case typeInt, typeFloat, typeDecimal, typeDate, typeTime, typeTimestamp, typeDuration:
		return d.bits / 8
	case typeFixedSizeBinary:
		return d.width
	}
	return 0
}

var typeNames = []string{"", "null", "int", "float", "binary", "utf8", "bool", "decimal", "date", "time", "timestamp", "interval",
	"list", "struct", "union", "fixed_size_binary", "fixed_size_list", "map", "duration", "large_binary", "large_utf8", "large_list",
	"run_end_encoded", "binary_view", "utf8_view", "list_view", "large_list_view"}

// String returns the type as people write it.
func (d *dataType) String() string {
	switch d.kind {
	case typeInt:
		if !d.signed {
			return fmt.Sprintf("uint%d", d.bits)
		}
		return fmt.Sprintf("int%d", d.bits)
	case typeFloat:
		return fmt.Sprintf("float%d", d.bits)
	case typeDecimal:
		return fmt.Sprintf("decimal%d(%d, %d)", d.bits, d.precision, d.scale)
	case typeDate:
		return fmt.Sprintf("date%d", d.bits)
	case typeTime:
		return fmt.Sprintf("time%d[%s]", d.bits, unitNames[d.unit])
	case typeTimestamp:
		if d.zone != "" {
			return fmt.Sprintf("timestamp[%s, %s]", unitNames[d.unit], d.zone)
		}
		return fmt.Sprintf("timestamp[%s]", unitNames[d.unit])
	case typeDuration:
		return fmt.Sprintf("duration[%s]", unitNames[d.unit])
	case typeFixedSizeBinary, typeFixedSizeList:
		return fmt.Sprintf("%s[%d]", typeNames[d.kind], d.width)
	}
	return typeNames[d.kind]
}

// shown lists the names of columns for a message.
func shown(fields []*field) string {
	const most = 20
	var b strings.Builder
	for i, f := range fields {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(fields)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.100q", f.name)
	}
	return b.String()
}

// encodeSchema adds the Schema table of columns.
func encodeSchema(b *flatbuffers.Builder, fields []*field) flatbuffers.UOffsetT {
	all := encodeFields(b, fields)
	b.StartObject(4)
	b.PrependUOffsetTSlot(1, all, 0)
	return b.EndObject()
}

func encodeFields(b *flatbuffers.Builder, fields []*field) flatbuffers.UOffsetT {
	tables := make([]flatbuffers.UOffsetT, len(fields))
	for i, f := range fields {
		tables[i] = f.encode(b)
	}
	b.StartVector(4, len(tables), 4)
	for _, t := range slices.Backward(tables) {
		b.PrependUOffsetT(t)
	}
	return b.EndVector(len(tables))
}

func (f *field) encode(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	name := b.CreateString(f.name)
	children := encodeFields(b, f.children)
	typ := f.dataType.encode(b)
	b.StartObject(7)
	b.PrependUOffsetTSlot(0, name, 0)
	b.PrependBoolSlot(1, f.nullable, false)
	b.PrependByteSlot(2, byte(f.kind), 0)
	b.PrependUOffsetTSlot(3, typ, 0)
	b.PrependUOffsetTSlot(5, children, 0)
	return b.EndObject()
}

// encode adds the table of a type. The defaults of the format are left out.
func (d *dataType) encode(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	var zone flatbuffers.UOffsetT
	if d.zone != "" {
		zone = b.CreateString(d.zone)
	}
	b.StartObject(3)
	switch d.kind {
	case typeInt:
		b.PrependInt32Slot(0, int32(d.bits), 0)
		b.PrependBoolSlot(1, d.signed, false)
	case typeFloat:
		b.PrependInt16Slot(0, int16(d.bits/32), 0)
	case typeDecimal:
		b.PrependInt32Slot(0, int32(d.precision), 0)
		b.PrependInt32Slot(1, int32(d.scale), 0)
		b.PrependInt32Slot(2, int32(d.bits), 128)
	case typeDate, typeDuration:
		b.PrependInt16Slot(0, int16(d.unit), 1)
	case typeTime:
		b.PrependInt16Slot(0, int16(d.unit), unitMillis)
		b.PrependInt32Slot(1, int32(d.bits), 32)
	case typeTimestamp:
		b.PrependInt16Slot(0, int16(d.unit), unitSeconds)
		b.PrependUOffsetTSlot(1, zone, 0)
	case typeFixedSizeBinary:
		b.PrependInt32Slot(0, int32(d.width), 0)
	case typeMap:
		b.PrependBoolSlot(0, true, false) // sorted by key
	}
	return b.EndObject()
}
