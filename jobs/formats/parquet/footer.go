package parquet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
)

// Physical types.
const (
	typeBoolean = iota
	typeInt32
	typeInt64
	typeInt96
	typeFloat
	typeDouble
	typeBytes
	typeFixed
)

// typeNone is the type of a group.
const typeNone = -1

// Repetitions of elements.
const (
	required = iota
	optional
	repeated
)

// Logical types, by their field in the union of the format.
const (
	logicalString    = 1
	logicalMap       = 2
	logicalList      = 3
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInt       = 10
	logicalNull      = 11
	logicalJSON      = 12
	logicalBSON      = 13
	logicalUUID      = 14
	logicalFloat16   = 15
)

// Units of times, by their field in the union of the format.
const (
	unitMillis = 1
	unitMicros = 2
	unitNanos  = 3
)

// logical is what the values of an element mean.
type logical struct {
	kind      int // 0 if the physical type says all
	unit      int // of a time
	utc       bool
	bits      int // of a whole number
	signed    bool
	scale     int // of a decimal
	precision int
}

// element is a node of an object's schema: a column if it has a type, else a group.
type element struct {
	name       string
	parent     *element
	repetition int
	typ        int
	length     int // of values of a fixed length, in bytes
	logical    logical
	id         int // of the field; 0 for none
	children   []*element
	maxDef     int // definition level of a value that is there
	maxRep     int // repetition level of the innermost list
	leaf       int // number of the column
}

// path returns the names from the root, with dots.
func (e *element) path() string {
	if e.parent == nil || e.parent.parent == nil {
		return e.name
	}
	return e.parent.path() + "." + e.name
}

// width returns the bytes of a value, or 0 if they differ.
func (e *element) width() int {
	switch e.typ {
	case typeInt32, typeFloat:
		return 4
	case typeInt64, typeDouble:
		return 8
	case typeInt96:
		return 12
	case typeFixed:
		return e.length
	}
	return 0
}

// String describes the type of an element in the words of the format.
func (e *element) String() string {
	physical := "group"
	if e.typ != typeNone {
		physical = [...]string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}[e.typ]
	}
	if e.typ == typeFixed {
		physical = fmt.Sprintf("%s(%d)", physical, e.length)
	}
	if e.repetition == repeated {
		physical = "repeated " + physical
	}
	l := &e.logical
	unit := [...]string{"", "MILLIS", "MICROS", "NANOS"}[l.unit]
	switch l.kind {
	case 0:
		return physical
	case logicalDecimal:
		return fmt.Sprintf("%s DECIMAL(%d, %d)", physical, l.precision, l.scale)
	case logicalTime:
		return fmt.Sprintf("%s TIME(%s)", physical, unit)
	case logicalTimestamp:
		return fmt.Sprintf("%s TIMESTAMP(%s)", physical, unit)
	case logicalInt:
		if l.signed {
			return fmt.Sprintf("%s INT(%d)", physical, l.bits)
		}
		return fmt.Sprintf("%s UINT(%d)", physical, l.bits)
	}
	return physical + " " + map[int]string{
		logicalString: "STRING", logicalMap: "MAP", logicalList: "LIST", logicalEnum: "ENUM", logicalDate: "DATE", logicalNull: "NULL",
		logicalJSON: "JSON", logicalBSON: "BSON", logicalUUID: "UUID", logicalFloat16: "FLOAT16",
	}[l.kind]
}

// rowGroup is a row group of an object.
type rowGroup struct {
	number int
	rows   int64
	offset int64  // of its first byte, by which it belongs to a section
	raw    []byte // its metadata
}

// chunk is the part of a column that is in a row group.
type chunk struct {
	offset, length int64
	values         int64 // nulls included
	codec          int
	stats          statistics
}

// statistics are those of the values of a chunk; nil for unknown.
type statistics struct {
	min, max []byte
	nulls    int64 // -1 for unknown
}

// footer is the metadata of an object.
type footer struct {
	end    int64 // of the bytes that row groups can have
	root   *element
	leaves []*element
	groups []rowGroup
}

// Bounds of a footer.
const (
	tailBytes   = 64 << 10 // are requested first: most footers are within
	mostFooter  = 64 << 20
	footerFrame = 8 // bytes behind it: its length, and the magic
	magicBytes  = 4
	mostColumns = 100_000
	mostGroups  = 200_000
)

const magic, magicEncrypted = "PAR1", "PARE"

// file is what the metadata is read from.
type file struct {
	name   string
	size   int64
	readAt func(ctx context.Context, p []byte, off int64) error
}

// fileOf returns the object of a section.
func fileOf(s *jobs.Section) *file { return &file{s.Object.Name, s.Object.Size, s.ReadAt} }

// readFooter reads the metadata at the end of an object.
func readFooter(ctx context.Context, s *file) (*footer, error) {
	size := s.size
	if size < magicBytes+footerFrame {
		return nil, fmt.Errorf("%s has %d bytes, and no Parquet file has fewer than 12: it is cut short, or of another format", s.name, size)
	}
	tail := make([]byte, min(size, tailBytes))
	if err := s.readAt(ctx, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	frame := tail[len(tail)-footerFrame:]
	length := int64(binary.LittleEndian.Uint32(frame))
	switch end := string(frame[4:]); {
	case end == magicEncrypted:
		return nil, fmt.Errorf("%s is an encrypted Parquet file, which cannot be read: decrypt it first", s.name)
	case end != magic:
		return nil, fmt.Errorf("%s does not end with %s, as a Parquet file does: it is cut short, or of another format", s.name, magic)
	case length > size-magicBytes-footerFrame:
		return nil, fmt.Errorf("%s has %d bytes, and its footer claims %d: the object is damaged", s.name, size, length)
	case length > mostFooter:
		return nil, fmt.Errorf("the footer of %s has %d bytes, and at most 64 MiB can be read: write it with fewer columns or larger row groups", s.name, length)
	}
	var raw []byte
	if have := int64(len(tail)) - footerFrame; length <= have {
		raw = tail[have-length : have]
	} else {
		raw = make([]byte, length)
		missing := length - have
		if err := s.readAt(ctx, raw[:missing], size-footerFrame-length); err != nil {
			return nil, err
		}
		copy(raw[missing:], tail)
	}
	f := &footer{end: size - footerFrame - length}
	if int64(len(tail)) == size && string(tail[:magicBytes]) != magic {
		return nil, fmt.Errorf("%s does not begin with %s, as a Parquet file does: it is damaged, or of another format", s.name, magic)
	}
	if err := f.decode(raw); err != nil {
		return nil, fmt.Errorf("the footer of %s is damaged: %w", s.name, err)
	}
	return f, nil
}

// decode reads the metadata. Row groups keep their bytes, and their columns are decoded
// when they are read.
func (f *footer) decode(raw []byte) error {
	r := &thriftReader{b: raw}
	var flat []*element
	var counts []int
	r.fields(func(id int, typ byte) bool {
		switch id {
		case 2:
			r.each(typ, func(int) {
				if len(flat) == mostColumns {
					r.fail(errors.New("its schema has more than 100,000 elements"))
					return
				}
				e, children := decodeElement(r)
				flat, counts = append(flat, e), append(counts, children)
			})
		case 4:
			r.each(typ, func(i int) {
				if len(f.groups) == mostGroups {
					r.fail(errors.New("it has more than 200,000 row groups"))
					return
				}
				f.groups = append(f.groups, decodeGroup(r, i))
			})
		case 8:
			r.fail(errors.New("its columns are encrypted, and cannot be read: decrypt the object first"))
		default:
			return false
		}
		return true
	})
	switch {
	case r.err != nil:
		return r.err
	case len(flat) == 0:
		return errors.New("it has no schema")
	}
	rest := flat[1:]
	f.root = flat[0]
	f.root.repetition, f.root.typ = required, typeNone
	if err := f.tree(f.root, counts, &rest, len(flat), 0); err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d elements of its schema are in no group", len(rest))
	}
	for i := range f.groups {
		g := &f.groups[i]
		switch {
		case g.rows < 0:
			return fmt.Errorf("row group %d has %d rows", i, g.rows)
		case g.offset < 0 || g.offset >= f.end+footerFrame:
			return fmt.Errorf("row group %d begins at byte %d, and the data ends at %d", i, g.offset, f.end)
		}
	}
	return nil
}

// tree hangs the elements that follow below e.
func (f *footer) tree(e *element, counts []int, rest *[]*element, total, depth int) error {
	n := counts[total-len(*rest)-1]
	if e.typ != typeNone {
		e.leaf = len(f.leaves)
		f.leaves = append(f.leaves, e)
		if n > 0 {
			return fmt.Errorf("the column %q of its schema has columns below", e.path())
		}
		return nil
	}
	if depth > mostDepth {
		return fmt.Errorf("its schema is nested more than %d deep", mostDepth)
	}
	if n < 0 || n > len(*rest) {
		return fmt.Errorf("the group %q of its schema has %d elements, and %d follow", e.path(), n, len(*rest))
	}
	for range n {
		if len(*rest) == 0 {
			return fmt.Errorf("the group %q of its schema is cut short", e.path())
		}
		c := (*rest)[0]
		*rest = (*rest)[1:]
		c.parent = e
		c.maxDef, c.maxRep = e.maxDef, e.maxRep
		if c.repetition != required {
			c.maxDef++
		}
		if c.repetition == repeated {
			c.maxRep++
		}
		e.children = append(e.children, c)
		if err := f.tree(c, counts, rest, total, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func decodeElement(r *thriftReader) (e *element, children int) {
	e = &element{typ: typeNone}
	converted, scale, precision := -1, 0, 0
	r.fields(func(id int, typ byte) bool {
		switch id {
		case 1:
			if e.typ = r.int32(typ); e.typ < typeBoolean || e.typ > typeFixed {
				r.fail(errThrift)
			}
		case 2:
			e.length = r.int32(typ)
		case 3:
			if e.repetition = r.int32(typ); e.repetition < required || e.repetition > repeated {
				r.fail(errThrift)
			}
		case 4:
			e.name = string(r.bytes(typ))
		case 5:
			children = r.int32(typ)
		case 6:
			converted = r.int32(typ)
		case 7:
			scale = r.int32(typ)
		case 8:
			precision = r.int32(typ)
		case 9:
			e.id = r.int32(typ)
		case 10:
			e.logical = decodeLogical(r, typ)
		default:
			return false
		}
		return true
	})
	if e.logical.kind == 0 {
		e.logical = fromConverted(converted, scale, precision)
	}
	if e.typ == typeFixed && (e.length <= 0 || e.length > mostPage) {
		r.fail(fmt.Errorf("the column %q has values of %d bytes", e.name, e.length))
	}
	if l := &e.logical; l.kind == logicalDecimal && (l.scale < 0 || l.precision < l.scale || l.precision > 10_000) {
		r.fail(fmt.Errorf("the column %q is a DECIMAL(%d, %d)", e.name, l.precision, l.scale))
	}
	return e, children
}

func decodeLogical(r *thriftReader, typ byte) (l logical) {
	if typ != thriftStruct {
		r.fail(errThrift)
		return l
	}
	r.fields(func(kind int, typ byte) bool {
		if typ != thriftStruct {
			r.fail(errThrift)
			return true
		}
		l.kind = kind
		r.fields(func(id int, typ byte) bool {
			switch {
			case kind == logicalDecimal && id == 1:
				l.scale = r.int32(typ)
			case kind == logicalDecimal && id == 2:
				l.precision = r.int32(typ)
			case (kind == logicalTime || kind == logicalTimestamp) && id == 1:
				l.utc = r.bool(typ)
			case (kind == logicalTime || kind == logicalTimestamp) && id == 2 && typ == thriftStruct:
				r.fields(func(unit int, _ byte) bool { l.unit = unit; return false })
				if l.unit < unitMillis || l.unit > unitNanos {
					r.fail(errThrift)
					l.unit = 0
				}
			case kind == logicalInt && id == 1:
				l.bits = int(r.int(typ))
			case kind == logicalInt && id == 2:
				l.signed = r.bool(typ)
			default:
				return false
			}
			return true
		})
		return true
	})
	return l
}

// fromConverted returns the meaning that older writers give by a single number.
func fromConverted(converted, scale, precision int) logical {
	switch converted {
	case 0:
		return logical{kind: logicalString}
	case 1, 2:
		return logical{kind: logicalMap}
	case 3:
		return logical{kind: logicalList}
	case 4:
		return logical{kind: logicalEnum}
	case 5:
		return logical{kind: logicalDecimal, scale: scale, precision: precision}
	case 6:
		return logical{kind: logicalDate}
	case 7, 8:
		return logical{kind: logicalTime, utc: true, unit: converted - 6}
	case 9, 10:
		return logical{kind: logicalTimestamp, utc: true, unit: converted - 8}
	case 11, 12, 13, 14:
		return logical{kind: logicalInt, bits: 8 << (converted - 11)}
	case 15, 16, 17, 18:
		return logical{kind: logicalInt, bits: 8 << (converted - 15), signed: true}
	case 19:
		return logical{kind: logicalJSON}
	case 20:
		return logical{kind: logicalBSON}
	}
	return logical{}
}

// decodeGroup reads what says to which section a row group belongs. Its first byte is
// that of its first column.
func decodeGroup(r *thriftReader, number int) rowGroup {
	g := rowGroup{number: number, offset: magicBytes}
	from := r.at
	r.fields(func(id int, typ byte) bool {
		switch id {
		case 1:
			r.each(typ, func(i int) {
				if i > 0 {
					r.skip(thriftStruct)
					return
				}
				c, err := decodeChunk(r)
				if err != nil {
					r.fail(err)
				}
				g.offset = c.offset
			})
		case 3:
			g.rows = r.int(typ)
		default:
			return false
		}
		return true
	})
	g.raw = r.b[from:r.at]
	return g
}

// chunks decodes the chunks of the wanted columns, which are in order of their numbers,
// and checks that each is within the object.
func (f *footer) chunks(g *rowGroup, wanted []*element) ([]chunk, error) {
	r := &thriftReader{b: g.raw}
	chunks := make([]chunk, 0, len(wanted))
	count := 0
	r.fields(func(id int, typ byte) bool {
		if id != 1 {
			return false
		}
		count = 0
		r.each(typ, func(i int) {
			count++
			if len(chunks) == len(wanted) || wanted[len(chunks)].leaf != i {
				r.skip(thriftStruct)
				return
			}
			c, err := decodeChunk(r)
			if err == nil {
				err = f.check(g, &c, wanted[len(chunks)])
			}
			if err != nil {
				r.fail(fmt.Errorf("column %q: %w", wanted[len(chunks)].path(), err))
				return
			}
			chunks = append(chunks, c)
		})
		return true
	})
	switch {
	case r.err != nil:
		return nil, r.err
	case count != len(f.leaves):
		return nil, fmt.Errorf("it has %d columns, and the schema %d", count, len(f.leaves))
	case len(chunks) < len(wanted):
		return nil, errors.New("it lacks columns")
	}
	return chunks, nil
}

// check returns an error for a chunk that cannot be.
func (f *footer) check(g *rowGroup, c *chunk, e *element) error {
	switch {
	case c.offset < magicBytes || c.length < 0 || c.offset > f.end || c.length > f.end-c.offset:
		return fmt.Errorf("its bytes %d to %d are outside of the data, which ends at byte %d", c.offset, c.offset+c.length, f.end)
	case c.values < 0 || e.maxRep == 0 && c.values != g.rows || c.values < g.rows:
		return fmt.Errorf("it has %d values, and the row group %d rows", c.values, g.rows)
	}
	return nil
}

// decodeChunk reads where a chunk is.
func decodeChunk(r *thriftReader) (c chunk, err error) {
	c.stats.nulls = -1
	var data, dictionary int64
	found := false
	r.fields(func(id int, typ byte) bool {
		switch id {
		case 1:
			if len(r.bytes(typ)) > 0 {
				err = errors.New("its data is in another file, which cannot be read")
			}
		case 3:
			found = true
			if typ != thriftStruct {
				r.fail(errThrift)
				break
			}
			r.fields(func(id int, typ byte) bool {
				switch id {
				case 4:
					c.codec = r.int32(typ)
				case 5:
					c.values = r.int(typ)
				case 7:
					c.length = r.int(typ)
				case 9:
					data = r.int(typ)
				case 11:
					dictionary = r.int(typ)
				case 12:
					c.stats = decodeStatistics(r, typ)
				default:
					return false
				}
				return true
			})
		case 8, 9:
			err = errors.New("it is encrypted, and cannot be read: decrypt the object first")
			return false
		default:
			return false
		}
		return true
	})
	if !found && err == nil {
		err = errors.New("it has no metadata")
	}
	// Some writers say 0 for no dictionary.
	if c.offset = data; dictionary > 0 && dictionary < data {
		c.offset = dictionary
	}
	return c, err
}

// decodeStatistics reads the least and the greatest value. Their older fields are left
// out: writers did not agree on their order.
func decodeStatistics(r *thriftReader, typ byte) statistics {
	s := statistics{nulls: -1}
	if typ != thriftStruct {
		r.fail(errThrift)
		return s
	}
	r.fields(func(id int, typ byte) bool {
		switch id {
		case 3:
			s.nulls = r.int(typ)
		case 5:
			s.max = r.bytes(typ)
		case 6:
			s.min = r.bytes(typ)
		default:
			return false
		}
		return true
	})
	return s
}
