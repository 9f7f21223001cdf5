package parquet

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// matcher matches the type of records with the schema of an object.
type matcher struct {
	object  string
	missing bool // a column that is not there is zero
	nulls   bool // a null is zero
	columns map[int]*column
	charge  func(bytes int64) error // memory of the current record
}

// column returns the column of an element, which may be wanted twice.
func (m *matcher) column(e *element) *column {
	c := m.columns[e.leaf]
	if c == nil {
		c = &column{e: e}
		m.columns[e.leaf] = c
	}
	return c
}

// part reads a part of a record from its columns, and proceeds to their next entries.
type part interface {
	read(p unsafe.Pointer) error
	// leaves returns the columns of the part.
	leaves() []*column
}

// match returns the part that reads e into an n.
func (m *matcher) match(n *node, e *element) (part, error) {
	switch n.kind {
	case kindPointer:
		of, err := m.value(n.below[0], e)
		if err != nil {
			return nil, err
		}
		return &pointerPart{below{of}, n.typ.Elem(), e}, nil
	case kindList:
		return m.list(n, e)
	case kindMap:
		return m.mapped(n, e)
	}
	of, err := m.value(n, e)
	if err != nil || e.repetition != optional {
		return of, err
	}
	return &nullablePart{below{of}, e, m.nulls || n.tag.optional, n.typ}, nil
}

// value returns the part that reads values of e that are there.
func (m *matcher) value(n *node, e *element) (part, error) {
	switch {
	case n.kind == kindList || n.kind == kindMap:
		return m.match(n, e)
	case e.repetition == repeated:
		return nil, m.mismatch(n, e, "a slice holds it")
	case n.kind == kindStruct:
		return m.group(n, e)
	}
	set, err := setterOf(n, e)
	if err != nil {
		return nil, m.mismatch(n, e, err.Error())
	}
	c := m.column(e)
	return &leafPart{c, []*column{c}, set}, nil
}

func (m *matcher) mismatch(n *node, e *element, advice string) error {
	text := fmt.Sprintf("column %q of %s is a %v, which cannot be a Go %v", e.path(), m.object, e, n.typ)
	if advice != "" {
		text += ": " + advice
	}
	return fmt.Errorf("%s", text)
}

// group matches the fields of a struct with the elements of a group.
func (m *matcher) group(n *node, e *element) (part, error) {
	if e.typ != typeNone {
		return nil, m.mismatch(n, e, "")
	}
	g := &structPart{}
	for _, f := range n.below {
		i := slices.IndexFunc(e.children, func(c *element) bool { return c.name == f.name })
		if i < 0 {
			if m.missing {
				continue
			}
			name := f.name
			if e.path() != "" && e.parent != nil {
				name = e.path() + "." + name
			}
			return nil, fmt.Errorf("%s has no column %q: the columns are %s; name one of them in the tag of the field, or set Missing", m.object, name, shown(e.children))
		}
		p, err := m.match(f, e.children[i])
		if err != nil {
			return nil, err
		}
		g.parts, g.offsets = append(g.parts, p), append(g.offsets, f.offset)
		g.columns = append(g.columns, p.leaves()...)
	}
	return g, nil
}

// shown lists the names of elements for a message.
func shown(elements []*element) string {
	const most = 20
	var b strings.Builder
	for i, e := range elements {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(elements)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.100q", e.name)
	}
	return b.String()
}

// list matches a slice with a list in any form that writers have used: a group with the
// annotation, or a column that is repeated.
func (m *matcher) list(n *node, e *element) (part, error) {
	r, of, ok := entriesOf(e)
	if !ok {
		return nil, m.mismatch(n, e, "")
	}
	inner, err := m.match(n.below[0], of)
	if err != nil {
		return nil, err
	}
	if len(inner.leaves()) == 0 {
		return nil, m.mismatch(n, e, "it has none of the columns")
	}
	return &listPart{below{inner}, e, r, n.typ, m.charge}, nil
}

// entriesOf returns the repeated element of a list, and that of its entries.
func entriesOf(e *element) (r, of *element, ok bool) {
	if e.repetition == repeated {
		return e, onceOf(e), true
	}
	if e.logical.kind != logicalList || len(e.children) != 1 || e.children[0].repetition != repeated {
		return nil, nil, false
	}
	r = e.children[0]
	if r.typ != typeNone || len(r.children) != 1 || r.name == "array" || r.name == e.name+"_tuple" {
		return r, onceOf(r), true // the entry itself is repeated
	}
	return r, r.children[0], true
}

// onceOf returns a repeated element as one of its values.
func onceOf(e *element) *element {
	once := *e
	once.repetition = required
	return &once
}

// mapped matches a map with a group of keys and values.
func (m *matcher) mapped(n *node, e *element) (part, error) {
	if e.logical.kind != logicalMap || len(e.children) != 1 || e.children[0].repetition != repeated || len(e.children[0].children) != 2 {
		return nil, m.mismatch(n, e, "")
	}
	r := e.children[0]
	key, err := m.match(n.below[0], r.children[0])
	if err != nil {
		return nil, err
	}
	value, err := m.match(n.below[1], r.children[1])
	if err != nil {
		return nil, err
	}
	all := append(slices.Clone(key.leaves()), value.leaves()...)
	return &mapPart{key, value, all, e, r, n.typ, m.charge}, nil
}

// below is the part below another.
type below struct{ part }

// damage is the error of columns whose levels contradict each other.
func damage(c *column) error {
	return fmt.Errorf("column %q has the levels %d and %d, which do not fit those around them: the object is damaged", c.e.path(), c.def, c.rep)
}

// pass goes over one entry of each column, at which there is nothing.
func pass(columns []*column, below int) error {
	for _, c := range columns {
		if c.done || c.def >= below {
			return damage(c)
		}
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// next is advance with the name of the column in errors.
func (c *column) next() error {
	if err := c.advance(); err != nil {
		return fmt.Errorf("column %q: %w", c.e.path(), err)
	}
	return nil
}

// leafPart reads one value.
type leafPart struct {
	c   *column
	all []*column
	set func(p unsafe.Pointer, c *column) error
}

func (l *leafPart) leaves() []*column { return l.all }

func (l *leafPart) read(p unsafe.Pointer) error {
	c := l.c
	if c.def != c.e.maxDef {
		return damage(c)
	}
	if err := l.set(p, c); err != nil {
		return fmt.Errorf("column %q: %w", c.e.path(), err)
	}
	return c.next()
}

// nullablePart reads a value that may be null into a type that has no null.
type nullablePart struct {
	below
	e   *element
	ok  bool // a null is zero
	typ reflect.Type
}

func (n *nullablePart) read(p unsafe.Pointer) error {
	all := n.leaves()
	if len(all) == 0 || all[0].def >= n.e.maxDef {
		return n.part.read(p)
	}
	if !n.ok {
		return fmt.Errorf("column %q is null, and cannot be a Go %v: a *%v is nil then, or set Nulls", n.e.path(), n.typ, n.typ)
	}
	return pass(all, n.e.maxDef)
}

// pointerPart reads a null as nil.
type pointerPart struct {
	below
	typ reflect.Type
	e   *element
}

func (n *pointerPart) read(p unsafe.Pointer) error {
	all := n.leaves()
	if n.e.repetition == optional && len(all) > 0 && all[0].def < n.e.maxDef {
		return pass(all, n.e.maxDef)
	}
	v := reflect.New(n.typ)
	*(*unsafe.Pointer)(p) = v.UnsafePointer()
	return n.part.read(v.UnsafePointer())
}

// structPart reads a group.
type structPart struct {
	parts   []part
	offsets []uintptr
	columns []*column
}

func (s *structPart) leaves() []*column { return s.columns }

func (s *structPart) read(p unsafe.Pointer) error {
	for i, part := range s.parts {
		if err := part.read(unsafe.Add(p, s.offsets[i])); err != nil {
			return err
		}
	}
	return nil
}

// entries calls read for each entry of a list whose first one is current. r is the
// repeated element.
func entries(all []*column, r *element, read func() error) error {
	for {
		if err := read(); err != nil {
			return err
		}
		if all[0].rep < r.maxRep || all[0].done {
			return nil
		}
		for _, c := range all {
			if c.rep != r.maxRep || c.done {
				return damage(c)
			}
		}
	}
}

// listPart reads a slice.
type listPart struct {
	below
	e, r   *element // of the list, and the repeated one
	typ    reflect.Type
	charge func(int64) error
}

func (l *listPart) read(p unsafe.Pointer) error {
	all := l.leaves()
	if l.e != l.r && l.e.repetition == optional && all[0].def < l.e.maxDef {
		return pass(all, l.e.maxDef) // nil
	}
	slice := reflect.NewAt(l.typ, p).Elem()
	if all[0].def < l.r.maxDef {
		slice.Set(reflect.MakeSlice(l.typ, 0, 0))
		return pass(all, l.r.maxDef)
	}
	size := int64(l.typ.Elem().Size())
	return entries(all, l.r, func() error {
		n := slice.Len()
		if n == slice.Cap() {
			if err := l.charge(size * int64(n+1)); err != nil {
				return err
			}
			slice.Grow(1)
		}
		slice.SetLen(n + 1)
		return l.part.read(slice.Index(n).Addr().UnsafePointer())
	})
}

// mapPart reads a map. The last of several equal keys counts.
type mapPart struct {
	key, value part
	all        []*column
	e, r       *element
	typ        reflect.Type
	charge     func(int64) error
}

func (m *mapPart) leaves() []*column { return m.all }

func (m *mapPart) read(p unsafe.Pointer) error {
	if m.e.repetition == optional && m.all[0].def < m.e.maxDef {
		return pass(m.all, m.e.maxDef) // nil
	}
	to := reflect.MakeMap(m.typ)
	reflect.NewAt(m.typ, p).Elem().Set(to)
	if m.all[0].def < m.r.maxDef {
		return pass(m.all, m.r.maxDef)
	}
	size := 2 * int64(m.typ.Key().Size()+m.typ.Elem().Size()+8)
	return entries(m.all, m.r, func() error {
		if err := m.charge(size); err != nil {
			return err
		}
		key, value := reflect.New(m.typ.Key()), reflect.New(m.typ.Elem())
		if err := m.key.read(key.UnsafePointer()); err != nil {
			return err
		}
		if err := m.value.read(value.UnsafePointer()); err != nil {
			return err
		}
		to.SetMapIndex(key.Elem(), value.Elem())
		return nil
	})
}
