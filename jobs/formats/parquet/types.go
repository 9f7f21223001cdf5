package parquet

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kinds of Go types.
const (
	kindLeaf = iota
	kindPointer
	kindStruct
	kindList
	kindMap
)

// node is a Go type, as a part of a record.
type node struct {
	kind   int
	typ    reflect.Type
	below  []*node // fields; the element of a pointer or list; key and value of a map
	name   string  // of a field: of its column
	offset uintptr // of a field
	tag    tag
}

// tag is what the tag of a field says, beside the name.
type tag struct {
	optional         bool
	id               int
	logical          logical // of a decimal, a time, a date, a UUID, an enum or JSON
	plain            bool
	codec            int // -1 for that of the file
	timestamp, times int // units; 0 for none
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[[]byte]()
)

// nodeOf returns the columns of records of type t.
func nodeOf(t reflect.Type) (*node, error) {
	if t.Kind() != reflect.Struct || t == timeType {
		return nil, fmt.Errorf("records of Parquet are structs, not %v; to read, also map[string]any", t)
	}
	return typeOf(t, tag{codec: -1}, nil)
}

// typeOf returns the columns of a type that is within others.
func typeOf(t reflect.Type, of tag, within []reflect.Type) (*node, error) {
	n := &node{typ: t, tag: of}
	if slices.Contains(within, t) {
		return nil, fmt.Errorf("a %v has itself within: columns have an end", t)
	}
	within = append(slices.Clip(within), t)
	inner := tag{codec: of.codec, plain: of.plain, logical: of.logical, timestamp: of.timestamp, times: of.times}
	below := func(types ...reflect.Type) (*node, error) {
		for _, t := range types {
			b, err := typeOf(t, inner, within)
			if err != nil {
				return nil, err
			}
			n.below = append(n.below, b)
		}
		return n, nil
	}
	switch {
	case t == timeType || t == bytesType:
		return n, n.check()
	case t.Kind() == reflect.Pointer:
		if t.Elem().Kind() == reflect.Pointer {
			return nil, fmt.Errorf("a %v is no column: one pointer is enough for null", t)
		}
		n.kind = kindPointer
		return below(t.Elem())
	case t.Kind() == reflect.Slice:
		n.kind = kindList
		return below(t.Elem())
	case t.Kind() == reflect.Map:
		n.kind = kindMap
		switch t.Key().Kind() {
		case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		default:
			return nil, fmt.Errorf("a %v is no column: the keys of a map are strings or whole numbers", t)
		}
		inner = tag{codec: of.codec, plain: of.plain}
		return below(t.Key(), t.Elem())
	case t.Kind() == reflect.Struct:
		n.kind = kindStruct
		if err := n.fields(t, 0, within); err != nil {
			return nil, err
		}
		for i, f := range n.below {
			if slices.ContainsFunc(n.below[:i], func(o *node) bool { return o.name == f.name }) {
				return nil, fmt.Errorf("%v has two columns %q: give one the tag `parquet:\"other\"`, or `parquet:\"-\"`", t, f.name)
			}
		}
		if len(n.below) == 0 && len(within) > 1 {
			return nil, fmt.Errorf("%v has no exported fields, and so no columns", t)
		}
		return n, nil
	}
	return n, n.check()
}

// fields adds the fields of a struct that is at an offset.
func (n *node) fields(t reflect.Type, offset uintptr, within []reflect.Type) error {
	for f := range t.Fields() {
		text, tagged := f.Tag.Lookup("parquet")
		name, options, _ := strings.Cut(text, ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct && f.Type != timeType {
			if err := n.fields(f.Type, offset+f.Offset, within); err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		of, err := parseTag(options)
		if err == nil {
			var c *node
			if c, err = typeOf(f.Type, of, within); err == nil {
				c.name, c.offset = name, offset+f.Offset
				n.below = append(n.below, c)
				continue
			}
		}
		return fmt.Errorf("field %s of %v: %w", f.Name, t, err)
	}
	return nil
}

// check returns an error for a type or a tag that no column can have.
func (n *node) check() error {
	wrong := false
	switch n.typ.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64, reflect.Struct, reflect.Slice,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	case reflect.Array:
		wrong = n.typ.Elem().Kind() != reflect.Uint8 || n.typ.Len() == 0
	default:
		wrong = true
	}
	if wrong {
		return fmt.Errorf("a %v is no column: choose another type, or the tag `parquet:\"-\"`", n.typ)
	}
	isTime, kind := n.typ == timeType, n.typ.Kind()
	switch {
	case n.tag.logical.kind == logicalDecimal && kind != reflect.Int32 && kind != reflect.Int64 && kind != reflect.Int,
		n.tag.logical.kind == logicalDate && !isTime && kind != reflect.Int32,
		n.tag.logical.kind == logicalUUID && (kind != reflect.Array || n.typ.Len() != 16),
		(n.tag.logical.kind == logicalEnum || n.tag.logical.kind == logicalJSON) && kind != reflect.String && n.typ != bytesType,
		n.tag.timestamp != 0 && !isTime && kind != reflect.Int64,
		n.tag.times != 0 && kind != reflect.Int64:
		return fmt.Errorf("the tag is not for a %v: see the table of package parquet", n.typ)
	}
	if kind == reflect.Array && n.typ.Len() == 16 && n.typ.Name() == "UUID" {
		n.tag.logical.kind = logicalUUID
	}
	return nil
}

// parseTag reads the options of a tag.
func parseTag(text string) (of tag, err error) {
	of.codec = -1
	for text != "" {
		option := text
		if at := strings.IndexAny(text, ",("); at < 0 {
			text = ""
		} else if text[at] == ',' {
			option, text = text[:at], text[at+1:]
		} else if end := strings.IndexByte(text, ')'); end < 0 {
			return of, fmt.Errorf("the tag has no closing parenthesis in %q", text)
		} else {
			option, text = text[:end+1], strings.TrimPrefix(text[end+1:], ",")
		}
		if err := of.set(option); err != nil {
			return of, err
		}
	}
	return of, nil
}

func (of *tag) set(option string) (err error) {
	name, argument, _ := strings.Cut(strings.TrimSuffix(option, ")"), "(")
	unit := map[string]int{"": unitNanos, "millisecond": unitMillis, "microsecond": unitMicros, "nanosecond": unitNanos}[argument]
	switch name {
	case "", "list", "dict":
	case "optional":
		of.optional = true
	case "plain":
		of.plain = true
	case "date":
		of.logical.kind = logicalDate
	case "uuid":
		of.logical.kind = logicalUUID
	case "enum":
		of.logical.kind = logicalEnum
	case "json":
		of.logical.kind = logicalJSON
	case "timestamp":
		of.timestamp = unit
		if unit == 0 {
			return fmt.Errorf("the tag has %q: units are millisecond, microsecond and nanosecond", option)
		}
	case "time":
		of.times = unit
		if unit == 0 {
			return fmt.Errorf("the tag has %q: units are millisecond, microsecond and nanosecond", option)
		}
	case "decimal":
		scale, precision, _ := strings.Cut(argument, ":")
		l := logical{kind: logicalDecimal}
		l.scale, err = strconv.Atoi(scale)
		if err == nil {
			l.precision, err = strconv.Atoi(precision)
		}
		if err != nil || l.scale < 0 || l.precision < max(l.scale, 1) || l.precision > 18 {
			return fmt.Errorf("the tag has %q: write decimal(scale:precision), with a precision up to 18", option)
		}
		of.logical = l
	case "id":
		if of.id, err = strconv.Atoi(argument); err != nil {
			return fmt.Errorf("the tag has %q: write id(number)", option)
		}
	case "uncompressed":
		of.codec = codecNone
	case "snappy", "gzip", "zstd", "lz4_raw":
		of.codec = slices.Index(codecNames, name)
	default:
		return fmt.Errorf("the tag has %q, which is unknown: options are optional, list, id(n), plain, dict, date, time(unit), timestamp(unit), decimal(scale:precision), uuid, enum, json, and names of codecs", option)
	}
	return nil
}
