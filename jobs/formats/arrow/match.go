package arrow

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// matcher matches the type of records with the schema of an object.
type matcher struct {
	object       string
	missing      bool // a column that is not there is zero
	nulls        bool // a null is zero
	budget       *budget
	dictionaries []*field // columns that have one
}

// part reads a part of a record from a value that is not null.
type part interface {
	value(v *values, i int, p unsafe.Pointer) error
}

// slot reads a part of a record that may be null.
type slot struct {
	part
	f       *field
	typ     reflect.Type // to which a pointer leads, or of the value
	pointer bool
	zero    bool // a null is zero
}

func (s *slot) read(v *values, i int, p unsafe.Pointer) error {
	v, i, null, err := v.at(i)
	switch {
	case err != nil:
		return fmt.Errorf("column %q: %w", s.f.path(), err)
	case null && (s.pointer || s.zero):
		return nil
	case null:
		return fmt.Errorf("column %q is null, and cannot be a Go %v: a *%v is nil then, or set Nulls", s.f.path(), s.typ, s.typ)
	case s.pointer:
		to := reflect.New(s.typ)
		*(*unsafe.Pointer)(p) = to.UnsafePointer()
		p = to.UnsafePointer()
	}
	return s.value(v, i, p)
}

// match returns the slot that reads f into an n.
func (m *matcher) match(n *node, f *field) (slot, error) {
	s := slot{f: f, typ: n.typ, zero: m.nulls || n.tag.optional || n.kind == kindList || n.kind == kindMap}
	if n.kind == kindPointer {
		n = n.below[0]
		s.pointer, s.typ = true, n.typ
	}
	var err error
	s.part, err = m.part(n, f, m.want(f))
	return s, err
}

// want notes that f is read, and returns the field that has the type of its values.
func (m *matcher) want(f *field) *field {
	for {
		f.wanted = true
		if f.indices != nil {
			m.dictionaries = append(m.dictionaries, f)
		}
		if f.kind != typeRunEnd {
			return f
		}
		f.children[0].wanted = true
		f = f.children[1]
	}
}

// part returns the part that reads values of f, whose values have the type of.
func (m *matcher) part(n *node, f, of *field) (part, error) {
	switch {
	case of.kind == typeNull:
		return nothing{}, nil
	case n.kind == kindStruct:
		if of.kind != typeStruct {
			return nil, m.mismatch(n, f, of, "")
		}
		return m.group(n, of, of.children)
	case n.kind == kindList:
		return m.list(n, f, of)
	case n.kind == kindMap:
		return m.mapped(n, f, of)
	}
	set, err := m.setter(n, of)
	if err != nil {
		return nil, m.mismatch(n, f, of, err.Error())
	}
	return &leafPart{of, set}, nil
}

func (m *matcher) mismatch(n *node, f, of *field, advice string) error {
	text := fmt.Sprintf("column %q of %s is a %v, which cannot be a Go %v", f.path(), m.object, of, n.typ)
	if advice != "" {
		text += ": " + advice
	}
	return fmt.Errorf("%s", text)
}

// group matches the fields of a struct with columns, or the parts of one.
func (m *matcher) group(n *node, f *field, columns []*field) (*structPart, error) {
	g := &structPart{}
	for _, of := range n.below {
		named := func(c *field) bool { return c.name == of.name }
		i := slices.IndexFunc(columns, named)
		if i < 0 {
			if m.missing {
				continue
			}
			name := of.name
			if f != nil {
				name = f.path() + "." + name
			}
			return nil, fmt.Errorf("%s has no column %q: the columns are %s; name one of them in the tag of the field, or set Missing", m.object, name, shown(columns))
		}
		if slices.ContainsFunc(columns[i+1:], named) {
			return nil, fmt.Errorf("%s has more than one column %q: write it with names that differ", m.object, columns[i].path())
		}
		s, err := m.match(of, columns[i])
		if err != nil {
			return nil, err
		}
		g.slots, g.offsets, g.places = append(g.slots, s), append(g.offsets, of.offset), append(g.places, i)
	}
	return g, nil
}

func (m *matcher) list(n *node, f, of *field) (part, error) {
	switch of.kind {
	case typeList, typeLargeList, typeFixedSizeList, typeListView, typeLargeListView:
	default:
		return nil, m.mismatch(n, f, of, "")
	}
	s, err := m.match(n.below[0], of.children[0])
	if err != nil {
		return nil, err
	}
	return &listPart{s, of, n.typ, int64(n.typ.Elem().Size()), m.budget}, nil
}

func (m *matcher) mapped(n *node, f, of *field) (part, error) {
	if of.kind != typeMap {
		return nil, m.mismatch(n, f, of, "")
	}
	entries := of.children[0]
	entries.wanted = true
	key, err := m.match(n.below[0], entries.children[0])
	if err != nil {
		return nil, err
	}
	value, err := m.match(n.below[1], entries.children[1])
	if err != nil {
		return nil, err
	}
	return &mapPart{key, value, of, n.typ, 2 * int64(n.typ.Key().Size()+n.typ.Elem().Size()+8), m.budget}, nil
}

// nothing is the part of a column of nulls alone.
type nothing struct{}

func (nothing) value(*values, int, unsafe.Pointer) error { return nil }

// leafPart reads one value.
type leafPart struct {
	f   *field
	set setter
}

func (l *leafPart) value(v *values, i int, p unsafe.Pointer) error {
	if err := l.set(v, i, p); err != nil {
		return fmt.Errorf("column %q: %w", l.f.path(), err)
	}
	return nil
}

// structPart reads a struct.
type structPart struct {
	slots   []slot
	offsets []uintptr
	places  []int // of the columns
}

func (s *structPart) value(v *values, i int, p unsafe.Pointer) error {
	for k := range s.slots {
		if err := s.slots[k].read(v.below[s.places[k]], i, unsafe.Add(p, s.offsets[k])); err != nil {
			return err
		}
	}
	return nil
}

// listPart reads a slice.
type listPart struct {
	of     slot
	f      *field
	typ    reflect.Type
	size   int64
	budget *budget
}

// charged counts n elements to the record.
func charged(b *budget, n int, size int64) error {
	if int64(n) > b.limit/max(size, 1) {
		return b.charge(b.limit + 1)
	}
	return b.charge(int64(n) * size)
}

func (l *listPart) value(v *values, i int, p unsafe.Pointer) error {
	from, n, err := v.span(i)
	if err == nil {
		err = charged(l.budget, n, l.size)
	}
	if err != nil {
		return fmt.Errorf("column %q: %w", l.f.path(), err)
	}
	slice := reflect.MakeSlice(l.typ, n, n)
	reflect.NewAt(l.typ, p).Elem().Set(slice)
	first := slice.UnsafePointer()
	for k := range n {
		if err := l.of.read(v.below[0], from+k, unsafe.Add(first, int64(k)*l.size)); err != nil {
			return err
		}
	}
	return nil
}

// mapPart reads a map. The last of several equal keys counts.
type mapPart struct {
	key, of slot
	f       *field
	typ     reflect.Type
	size    int64
	budget  *budget
}

func (m *mapPart) value(v *values, i int, p unsafe.Pointer) error {
	from, n, err := v.span(i)
	if err == nil {
		err = charged(m.budget, n, m.size)
	}
	if err != nil {
		return fmt.Errorf("column %q: %w", m.f.path(), err)
	}
	to := reflect.MakeMapWithSize(m.typ, n)
	reflect.NewAt(m.typ, p).Elem().Set(to)
	entries := v.below[0]
	for k := range n {
		key, value := reflect.New(m.typ.Key()), reflect.New(m.typ.Elem())
		if err := m.key.read(entries.below[0], from+k, key.UnsafePointer()); err != nil {
			return err
		}
		if err := m.of.read(entries.below[1], from+k, value.UnsafePointer()); err != nil {
			return err
		}
		to.SetMapIndex(key.Elem(), value.Elem())
	}
	return nil
}
