package parquet

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// Records of a map[string]any have all columns of an object, whatever they are. Their parts
// read into an any.

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
type anyRecord struct{ anyGroup }

func (r *anyRecord) read(p unsafe.Pointer) (err error) {
	*(*map[string]any)(p), err = r.fields()
	return err
}

// all returns the part that reads all columns of an object.
func (m *matcher) all(root *element) (part, error) {
	g, err := m.anyGroup(root)
	if err != nil {
		return nil, err
	}
	return &anyRecord{*g}, nil
}

// any returns the part that reads e.
func (m *matcher) any(e *element) (part, error) {
	if e.repetition == repeated || e.logical.kind == logicalList && e.typ == typeNone {
		if r, of, ok := entriesOf(e); ok {
			inner, err := m.any(of)
			if err != nil {
				return nil, err
			}
			if len(inner.leaves()) == 0 {
				return nil, fmt.Errorf("the list %q of %s has no columns: the object is damaged", e.path(), m.object)
			}
			return &anyList{below{inner}, e, r, m.charge}, nil
		}
	}
	var inner part
	var err error
	switch {
	case e.typ != typeNone:
		c := m.column(e)
		inner = &leafPart{c, []*column{c}, anySetter(e)}
	case isMap(e) && textual(e.children[0].children[0]):
		return m.anyMap(e)
	default:
		inner, err = m.anyGroup(e)
	}
	if err != nil || e.repetition != optional {
		return inner, err
	}
	return &anyNull{below{inner}, e}, nil
}

// isMap reports whether an element is a group of keys and values.
func isMap(e *element) bool {
	return e.logical.kind == logicalMap && len(e.children) == 1 && e.children[0].repetition == repeated && len(e.children[0].children) == 2
}

// textual reports whether the values of a column, none of which is null, are text.
func textual(e *element) bool {
	return e.repetition == required && e.typ == typeBytes && isText(e)
}

func isText(e *element) bool {
	switch e.logical.kind {
	case logicalString, logicalEnum, logicalJSON:
		return e.typ == typeBytes
	}
	return false
}

// anySetter returns what stores a value of a column in an any.
func anySetter(e *element) setter {
	of := anyOf(e)
	return func(p unsafe.Pointer, c *column) (err error) {
		if err := c.budget.charge(anyCost); err != nil {
			return err
		}
		*(*any)(p), err = of(c)
		return err
	}
}

// anyOf returns what makes a Go value of the current value of a column.
func anyOf(e *element) func(c *column) (any, error) {
	l := &e.logical
	if of := timeOf(e); of != nil {
		return func(c *column) (any, error) { return of(c.raw), nil }
	}
	if of := floatOf(e); of != nil && e.typ != typeDouble {
		return func(c *column) (any, error) { return float32(of(c.raw)), nil }
	} else if of != nil {
		return func(c *column) (any, error) { return of(c.raw), nil }
	}
	switch {
	case l.kind == logicalDecimal && e.typ != typeBoolean:
		set := decimalText(e)
		return func(c *column) (any, error) {
			var text string
			err := set(unsafe.Pointer(&text), c)
			return text, err
		}
	case e.typ == typeBoolean:
		return func(c *column) (any, error) { return c.raw[0] != 0, nil }
	case isText(e):
		return func(c *column) (any, error) { return c.text() }
	case l.kind == logicalUUID && e.typ == typeFixed && e.length == 16:
		return func(c *column) (any, error) { return uuidText(c.raw), nil }
	case e.typ != typeInt32 && e.typ != typeInt64:
		return func(c *column) (any, error) {
			return slices.Clone(c.raw), c.budget.charge(int64(len(c.raw)))
		}
	case l.kind == logicalTime:
		unit := durationOf(l.unit)
		return func(c *column) (any, error) { return time.Duration(integer(c)) * unit, nil }
	case l.kind == logicalInt && !l.signed:
		return func(c *column) (any, error) {
			if c.width == 4 {
				return uint64(uint32(integer(c))), nil
			}
			return uint64(integer(c)), nil
		}
	}
	return func(c *column) (any, error) { return integer(c), nil }
}

// uuidText returns the usual text of a UUID.
func uuidText(b []byte) string {
	text := hex.EncodeToString(b)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// anyNull reads a value that may be null, as nil.
type anyNull struct {
	below
	e *element
}

func (n *anyNull) read(p unsafe.Pointer) error {
	all := n.leaves()
	if len(all) == 0 || all[0].def >= n.e.maxDef {
		return n.part.read(p)
	}
	return pass(all, n.e.maxDef)
}

// anyGroup reads a group into a map.
type anyGroup struct {
	names   []string
	parts   []part
	columns []*column
	charge  func(int64) error
}

func (m *matcher) anyGroup(e *element) (*anyGroup, error) {
	g := &anyGroup{charge: m.charge}
	names := make(map[string]bool, len(e.children))
	for _, c := range e.children {
		if names[c.name] {
			return nil, fmt.Errorf("%s has two columns %q, and a map has one: name the others in a struct", m.object, c.path())
		}
		names[c.name] = true
		p, err := m.any(c)
		if err != nil {
			return nil, err
		}
		g.names, g.parts = append(g.names, c.name), append(g.parts, p)
		g.columns = append(g.columns, p.leaves()...)
	}
	return g, nil
}

func (g *anyGroup) leaves() []*column { return g.columns }

// fields reads the values of a group that is there.
func (g *anyGroup) fields() (map[string]any, error) {
	if err := g.charge(anyCost * int64(1+len(g.parts))); err != nil {
		return nil, err
	}
	fields := make(map[string]any, len(g.parts))
	for i, part := range g.parts {
		var v any
		if err := part.read(unsafe.Pointer(&v)); err != nil {
			return nil, err
		}
		fields[g.names[i]] = v
	}
	return fields, nil
}

func (g *anyGroup) read(p unsafe.Pointer) error {
	fields, err := g.fields()
	*(*any)(p) = fields
	return err
}

// anyList reads a list.
type anyList struct {
	below
	e, r   *element // of the list, and the repeated one
	charge func(int64) error
}

func (l *anyList) read(p unsafe.Pointer) error {
	all := l.leaves()
	if l.e != l.r && l.e.repetition == optional && all[0].def < l.e.maxDef {
		return pass(all, l.e.maxDef) // nil
	}
	list := []any{}
	if all[0].def < l.r.maxDef {
		*(*any)(p) = list
		return pass(all, l.r.maxDef)
	}
	err := entries(all, l.r, func() error {
		if err := l.charge(anyCost); err != nil {
			return err
		}
		var v any
		err := l.part.read(unsafe.Pointer(&v))
		list = append(list, v)
		return err
	})
	*(*any)(p) = list
	return err
}

// anyMap reads a map with text as keys. The last of several equal keys counts.
type anyMap struct {
	key    *leafPart
	value  part
	leaf   []*column
	e, r   *element
	charge func(int64) error
}

func (m *matcher) anyMap(e *element) (part, error) {
	r := e.children[0]
	value, err := m.any(r.children[1])
	if err != nil {
		return nil, err
	}
	c := m.column(r.children[0])
	key := &leafPart{c, []*column{c}, func(p unsafe.Pointer, c *column) (err error) { *(*string)(p), err = c.text(); return err }}
	return &anyMap{key, value, append([]*column{c}, value.leaves()...), e, r, m.charge}, nil
}

func (m *anyMap) leaves() []*column { return m.leaf }

func (m *anyMap) read(p unsafe.Pointer) error {
	if m.e.repetition == optional && m.leaf[0].def < m.e.maxDef {
		return pass(m.leaf, m.e.maxDef) // nil
	}
	to := map[string]any{}
	*(*any)(p) = to
	if m.leaf[0].def < m.r.maxDef {
		return pass(m.leaf, m.r.maxDef)
	}
	return entries(m.leaf, m.r, func() error {
		if err := m.charge(2 * anyCost); err != nil {
			return err
		}
		var key string
		if err := m.key.read(unsafe.Pointer(&key)); err != nil {
			return err
		}
		var v any
		err := m.value.read(unsafe.Pointer(&v))
		to[key] = v
		return err
	})
}
