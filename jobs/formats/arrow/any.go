package arrow

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs"
)

// Records of a map[string]any have all columns of an object, whatever they are.

// takesAny reports whether a T takes records of any schema.
func takesAny(t reflect.Type) bool {
	return t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.Interface && t.Elem().NumMethod() == 0
}

// recordOf returns the columns of records of type t, nil if t takes all.
func recordOf(t reflect.Type) (*node, error) {
	if takesAny(t) {
		return nil, nil
	}
	return nodeOf(t)
}

// anyCost is what a value takes in memory, about, beside its bytes.
const anyCost = 64

// anyRecord reads a record into a map.
type anyRecord struct{ columns []*anyColumn }

func (r *anyRecord) value(v *values, i int, p unsafe.Pointer) (err error) {
	*(*map[string]any)(p), err = fieldsOf(r.columns, v, i)
	return err
}

// fieldsOf reads the parts of a struct. They are the first parts of v.
func fieldsOf(columns []*anyColumn, v *values, i int) (map[string]any, error) {
	fields := make(map[string]any, len(columns))
	for k, c := range columns {
		value, err := c.read(v.below[k], i)
		if err != nil {
			return nil, err
		}
		fields[c.f.name] = value
	}
	return fields, nil
}

// anyColumn reads a column, or a part of one.
type anyColumn struct {
	f      *field
	kind   int          // of its values
	typ    reflect.Type // of a leaf
	set    setter       // of a leaf
	below  []*anyColumn
	texts  bool // of a map: its keys are text
	budget *budget
}

// all returns the part that reads all columns.
func (m *matcher) all(fields []*field) (part, error) {
	columns, err := m.allOf(fields)
	return &anyRecord{columns}, err
}

func (m *matcher) allOf(fields []*field) ([]*anyColumn, error) {
	all := make([]*anyColumn, len(fields))
	for i, f := range fields {
		if slices.ContainsFunc(fields[:i], func(o *field) bool { return o.name == f.name }) {
			return nil, fmt.Errorf("%s has more than one column %q: write it with names that differ", m.object, f.path())
		}
		var err error
		if all[i], err = m.any(f); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// any returns what reads f.
func (m *matcher) any(f *field) (*anyColumn, error) {
	of := m.want(f)
	c := &anyColumn{f: f, kind: of.kind, budget: m.budget}
	var err error
	switch of.kind {
	case typeNull:
	case typeStruct, typeList, typeLargeList, typeFixedSizeList, typeListView, typeLargeListView:
		c.below, err = m.allOf(of.children)
	case typeMap:
		entries := of.children[0]
		entries.wanted = true
		c.below = make([]*anyColumn, 2)
		for i := range c.below {
			if c.below[i], err = m.any(entries.children[i]); err != nil {
				return nil, err
			}
		}
		c.texts = c.below[0].typ == reflect.TypeFor[string]()
	case typeUnion, typeInterval:
		err = fmt.Errorf("column %q of %s is a %v, which cannot be read", f.path(), m.object, of)
	default:
		c.typ = goTypeOf(&of.dataType)
		if c.set, err = m.setter(&node{typ: c.typ}, of); err != nil {
			err = fmt.Errorf("column %q of %s is a %v, which cannot be a Go %v: %w", f.path(), m.object, of, c.typ, err)
		}
	}
	return c, err
}

// goTypeOf returns the type of a value of a leaf.
func goTypeOf(d *dataType) reflect.Type {
	switch d.kind {
	case typeBool:
		return reflect.TypeFor[bool]()
	case typeInt:
		if d.signed {
			return reflect.TypeFor[int64]()
		}
		return reflect.TypeFor[uint64]()
	case typeFloat:
		if d.bits < 64 {
			return reflect.TypeFor[float32]()
		}
		return reflect.TypeFor[float64]()
	case typeDate, typeTimestamp:
		return timeType
	case typeTime, typeDuration:
		return durationType
	case typeBinary, typeLargeBinary, typeBinaryView, typeFixedSizeBinary:
		return bytesType
	}
	return reflect.TypeFor[string]() // text, and decimals
}

// read returns a value: nil for null.
func (c *anyColumn) read(v *values, i int) (any, error) {
	v, i, null, err := v.at(i)
	if err == nil {
		err = c.budget.charge(anyCost)
	}
	switch {
	case err != nil:
		return nil, c.failed(err)
	case null || c.kind == typeNull:
		return nil, nil
	case c.set != nil:
		to := reflect.New(c.typ)
		if err := c.set(v, i, to.UnsafePointer()); err != nil {
			return nil, c.failed(err)
		}
		return to.Elem().Interface(), nil
	case c.kind == typeStruct:
		return fieldsOf(c.below, v, i)
	}
	from, n, err := v.span(i)
	if err == nil {
		err = charged(c.budget, n, anyCost)
	}
	if err != nil {
		return nil, c.failed(err)
	}
	if c.kind == typeMap {
		return c.entries(v.below[0], from, n)
	}
	list := make([]any, n)
	for k := range list {
		if list[k], err = c.below[0].read(v.below[0], from+k); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// entries returns a map: a map[string]any if its keys are text, else a list of pairs. The
// last of several equal keys counts.
func (c *anyColumn) entries(v *values, from, n int) (any, error) {
	texts, pairs := map[string]any{}, []any{}
	for k := range n {
		key, err := c.below[0].read(v.below[0], from+k)
		if err != nil {
			return nil, err
		}
		value, err := c.below[1].read(v.below[1], from+k)
		if err != nil {
			return nil, err
		}
		if text, ok := key.(string); ok && c.texts {
			texts[text] = value
		} else {
			pairs = append(pairs, map[string]any{c.below[0].f.name: key, c.below[1].f.name: value})
		}
	}
	if c.texts {
		return texts, nil
	}
	return pairs, nil
}

func (c *anyColumn) failed(err error) error { return fmt.Errorf("column %q: %w", c.f.path(), err) }

// Column is a column of an object, or a part of one.
type Column struct {
	Name     string
	Type     string // such as int64, "timestamp[us, UTC]" or list
	Nullable bool
	Columns  []Column // parts: fields of a struct, the element of a list, the entries of a map
}

// Schema reads the columns of objects, in place of their records. It needs no more than
// their schema.
type Schema struct{}

// Split makes one section of an object.
func (Schema) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return jobs.ByteRanges(obj, obj.Size), nil
}

// Scan yields the columns of an object, in their order.
func (Schema) Scan(ctx *jobs.Context, s *jobs.Section, yield func(Column) error) error {
	r := &reader{ctx: ctx, s: s, budget: budget{limit: usualMax}}
	defer r.close()
	var columns []*field
	if _, err := r.open(func(fields []*field) (bool, error) {
		columns = fields
		return false, nil
	}); err != nil {
		return err
	}
	for i, c := range columnsOf(columns) {
		s.At(int64(i))
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

// Scattered returns true: the footer of an object has its schema.
func (Schema) Scattered() bool { return true }

func columnsOf(fields []*field) []Column {
	var all []Column
	for _, f := range fields {
		c := Column{f.name, f.String(), f.nullable, columnsOf(f.children)}
		if f.indices != nil {
			c.Type += " dictionary"
		}
		all = append(all, c)
	}
	return all
}
