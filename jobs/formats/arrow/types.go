package arrow

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
	kind             int // typeDate, typeTime, typeTimestamp, typeDecimal, or 0
	unit             int
	scale, precision int
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[[]byte]()
)

// nodeOf returns the columns of records of type t.
func nodeOf(t reflect.Type) (*node, error) {
	if t.Kind() != reflect.Struct || t == timeType {
		return nil, fmt.Errorf("records of Arrow are structs, not %v; to read, also map[string]any", t)
	}
	return typeOf(t, tag{}, nil)
}

// typeOf returns the columns of a type that is within others.
func typeOf(t reflect.Type, of tag, within []reflect.Type) (*node, error) {
	n := &node{typ: t, tag: of}
	if slices.Contains(within, t) {
		return nil, fmt.Errorf("a %v has itself within: columns have an end", t)
	}
	within = append(slices.Clip(within), t)
	inner := of
	inner.optional = false
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
		if k := t.Key().Kind(); k != reflect.String && (k < reflect.Int || k > reflect.Uint64) {
			return nil, fmt.Errorf("a %v is no column: the keys of a map are strings or whole numbers", t)
		}
		inner = tag{}
		return below(t.Key(), t.Elem())
	case t.Kind() == reflect.Struct:
		n.kind = kindStruct
		if of.kind != 0 {
			return nil, n.check()
		}
		if err := n.fields(t, 0, within); err != nil {
			return nil, err
		}
		for i, f := range n.below {
			if slices.ContainsFunc(n.below[:i], func(o *node) bool { return o.name == f.name }) {
				return nil, fmt.Errorf("%v has two columns %q: give one the tag `arrow:\"other\"`, or `arrow:\"-\"`", t, f.name)
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
		text, tagged := f.Tag.Lookup("arrow")
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
	isTime, kind := n.typ == timeType, n.typ.Kind()
	wrong := false
	switch kind {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64, reflect.Struct, reflect.Slice,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	case reflect.Array:
		wrong = n.typ.Elem().Kind() != reflect.Uint8 || n.typ.Len() == 0
	default:
		wrong = true
	}
	if wrong {
		return fmt.Errorf("a %v is no column: choose another type, or the tag `arrow:\"-\"`", n.typ)
	}
	ok := true
	switch n.tag.kind {
	case typeDecimal:
		ok = (kind == reflect.Int32 || kind == reflect.Int64 || kind == reflect.Int) && n.typ != durationType
	case typeDate:
		ok = isTime || kind == reflect.Int32
	case typeTimestamp:
		ok = isTime || kind == reflect.Int64 && n.typ != durationType
	case typeTime, typeDuration:
		ok = n.typ == durationType
	}
	if !ok {
		return fmt.Errorf("the tag is not for a %v: see the table of package arrow", n.typ)
	}
	return nil
}

// parseTag reads the options of a tag.
func parseTag(text string) (of tag, err error) {
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
	switch name {
	case "":
	case "optional":
		of.optional = true
	case "date":
		of.kind = typeDate
	case "timestamp", "time", "duration":
		of.kind = map[string]int{"timestamp": typeTimestamp, "time": typeTime, "duration": typeDuration}[name]
		of.unit = slices.Index([]string{"second", "millisecond", "microsecond", "nanosecond"}, argument)
		if argument == "" {
			of.unit = unitNanos
		}
		if of.unit < 0 {
			return fmt.Errorf("the tag has %q: units are second, millisecond, microsecond and nanosecond", option)
		}
	case "decimal":
		scale, precision, _ := strings.Cut(argument, ":")
		of.kind = typeDecimal
		of.scale, err = strconv.Atoi(scale)
		if err == nil {
			of.precision, err = strconv.Atoi(precision)
		}
		if err != nil || of.scale < 0 || of.precision < max(of.scale, 1) || of.precision > 18 {
			return fmt.Errorf("the tag has %q: write decimal(scale:precision), with a precision up to 18", option)
		}
	default:
		return fmt.Errorf("the tag has %q, which is unknown: options are optional, date, time(unit), timestamp(unit), duration(unit) and decimal(scale:precision)", option)
	}
	return nil
}
