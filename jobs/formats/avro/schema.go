package avro

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/twmb/avro"
)

// safely calls f, and returns a panic as an error. The library reads bytes that any
// program may have written.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	return f()
}

// plain returns an error without the name of the library.
func plain(err error) error {
	if text, ok := strings.CutPrefix(err.Error(), "avro: "); ok {
		return errors.New(text)
	}
	return err
}

// maxValues is how many values of JSON a schema can have, about three for a field. A value
// takes some kilobytes while a schema is parsed and resolved.
const maxValues = 32 << 10

// values returns how many values a text in JSON has at most.
func values(text string) (n int) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n + 1
}

// parse parses a schema.
func parse(text string) (s *avro.Schema, err error) {
	if n := values(text); n > maxValues {
		return nil, fmt.Errorf("the schema has more than %d values of JSON: divide its records", maxValues)
	}
	err = safely(func() error {
		s, err = avro.Parse(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the schema is invalid: %w", plain(err))
	}
	return s, nil
}

// decoder decodes records that were written with one schema into Ts.
type decoder[T any] struct {
	schema *avro.Schema
	meter  *meter // nil if the size of the bytes bounds that of records
}

// newDecoder returns the decoder for a schema in JSON. The schema of T is nil if T takes
// all; named says that the names in it matter.
func newDecoder[T any](written string, own *avro.Schema, named bool, most int) (*decoder[T], error) {
	writer, err := parse(written)
	if err != nil {
		return nil, err
	}
	t := reflect.TypeFor[T]()
	d := &decoder[T]{schema: writer}
	err = safely(func() error {
		root := rootOf(writer)
		if own != nil {
			if d.schema, err = resolve(writer, own, root, t, named); err != nil {
				return err
			}
		}
		m := newMeter(root, most)
		if m.empty || holdsAny(t, nil) {
			d.meter = m
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the schema of the object does not fit a %v: %w", t, err)
	}
	return d, nil
}

// record decodes one record, and returns the bytes behind it.
func (d *decoder[T]) record(b []byte, rec *T) (rest []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	if d.meter != nil {
		if err := d.meter.record(b); err != nil {
			return nil, err
		}
	}
	if rest, err = d.schema.Decode(b, rec); err != nil {
		return nil, plain(err)
	}
	return rest, nil
}

// resolve returns the schema that decodes what was written with one schema by the other.
func resolve(writer, own *avro.Schema, written *avro.SchemaNode, t reflect.Type, named bool) (*avro.Schema, error) {
	reader := own
	if !named {
		node := own.Root()
		a := aligner{pairs: newPairs(node, written)}
		a.align(node, written, t)
		var err error
		if reader, err = node.Schema(); err != nil {
			return nil, plain(err)
		}
	}
	node := rootOf(reader)
	u := units{pairs: newPairs(node, written), named: named}
	if err := u.agree(node, written, ""); err != nil {
		return nil, err
	}
	resolved, err := avro.Resolve(writer, reader)
	if err == nil {
		return resolved, nil
	}
	e, ok := errors.AsType[*avro.CompatibilityError](err)
	if !ok {
		return nil, plain(err)
	}
	place := e.Path
	if place == "" {
		place = "the record"
	}
	switch e.WriterType {
	case "":
		return nil, fmt.Errorf("field %.200s: the object has none, and it is no pointer and has no default: give its tag a default or the name of a field", place)
	case "null":
		return nil, fmt.Errorf("field %.200s: a null cannot be a %.100s: use a pointer", place, e.ReaderType)
	}
	return nil, fmt.Errorf("field %.200s: a %.200s cannot be a %.200s: %.200s", place, e.WriterType, e.ReaderType, e.Detail)
}

// pairs walks two schemas together.
type pairs struct {
	reader, writer map[string]*avro.SchemaNode // named types
	seen           map[[2]*avro.SchemaNode]bool
}

func newPairs(reader, writer *avro.SchemaNode) pairs {
	return pairs{named(reader), named(writer), map[[2]*avro.SchemaNode]bool{}}
}

// named returns the definitions of named types below a node, by their full names.
func named(n *avro.SchemaNode) map[string]*avro.SchemaNode {
	all := map[string]*avro.SchemaNode{}
	walk(n, func(n *avro.SchemaNode) {
		if isNamed(n) {
			all[fullName(n)] = n
		}
	})
	return all
}

// rootOf returns a schema as a tree of its own, in which references are full names, and
// fields have no logical types beside those of their types.
func rootOf(s *avro.Schema) *avro.SchemaNode {
	root := s.Root()
	qualify(root, "", named(root))
	return root
}

func qualify(n *avro.SchemaNode, space string, all map[string]*avro.SchemaNode) {
	switch {
	case isNamed(n):
		name := fullName(n)
		space = name[:max(strings.LastIndexByte(name, '.'), 0)]
	case space != "" && !strings.Contains(n.Type, ".") && all[space+"."+n.Type] != nil:
		n.Type = space + "." + n.Type
	}
	if kind(n) == "record" {
		for i := range n.Fields {
			f := &n.Fields[i]
			if logical, ok := f.Props["logicalType"].(string); ok && f.Type.LogicalType == "" {
				f.Type.LogicalType = logical
			}
		}
	}
	for child := range children(n) {
		qualify(child, space, all)
	}
}

// children yields the nodes that a node has by its kind.
func children(n *avro.SchemaNode) iter.Seq[*avro.SchemaNode] {
	return func(yield func(*avro.SchemaNode) bool) {
		switch kind(n) {
		case "array":
			yield(n.Items)
		case "map":
			yield(n.Values)
		case "record":
			for i := range n.Fields {
				if !yield(&n.Fields[i].Type) {
					return
				}
			}
		case "union":
			for i := range n.Branches {
				if !yield(&n.Branches[i]) {
					return
				}
			}
		}
	}
}

// walk visits all nodes below one. References are leaves.
func walk(n *avro.SchemaNode, visit func(n *avro.SchemaNode)) {
	visit(n)
	for child := range children(n) {
		walk(child, visit)
	}
}

func isNamed(n *avro.SchemaNode) bool {
	return kind(n) == "record" || n.Type == "enum" || n.Type == "fixed"
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || strings.Contains(n.Name, ".") {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// definition returns what a node refers to, or the node itself.
func definition(all map[string]*avro.SchemaNode, n *avro.SchemaNode) *avro.SchemaNode {
	if def := all[n.Type]; def != nil {
		return def
	}
	return n
}

// begin returns the definitions of two nodes, and false if they were visited.
func (p *pairs) begin(r, w *avro.SchemaNode) (rd, wd *avro.SchemaNode, fresh bool) {
	rd, wd = definition(p.reader, r), definition(p.writer, w)
	pair := [2]*avro.SchemaNode{rd, wd}
	if p.seen[pair] {
		return nil, nil, false
	}
	p.seen[pair] = true
	return rd, wd, true
}

// field returns the field of a written record that a field of the reader's takes, or nil.
func field(f *avro.SchemaField, w *avro.SchemaNode) *avro.SchemaNode {
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		for i := range w.Fields {
			if w.Fields[i].Name == name {
				return &w.Fields[i].Type
			}
		}
	}
	return nil
}

// aligner changes a schema that was made of a Go type so that it takes what a writer chose
// and the type leaves open: names of types, units of times, scales of decimals, and enums
// and fixed types for strings and bytes.
type aligner struct{ pairs }

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// align aligns a node for a Go type, which is nil if it is unknown.
func (a *aligner) align(r, w *avro.SchemaNode, t reflect.Type) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if w = definition(a.writer, w); w.Type == "union" {
		for i := range w.Branches {
			if w.Branches[i].Type != "null" {
				a.align(r, &w.Branches[i], t)
			}
		}
		return
	}
	if r.Type == "union" {
		for i := range r.Branches {
			if r.Branches[i].Type != "null" {
				a.align(&r.Branches[i], w, t)
			}
		}
		return
	}
	if adopts(r, w, t) {
		*r = copyOf(w)
		return
	}
	r, w, fresh := a.begin(r, w)
	if !fresh || kind(r) != kind(w) {
		return
	}
	switch kind(r) {
	case "record":
		a.rename(r, w)
		for i := range r.Fields {
			f := &r.Fields[i]
			wf := field(f, w)
			if wf == nil {
				continue
			}
			a.align(&f.Type, wf, fieldType(t, f.Name))
			f.Default, f.HasDefault = nil, false // it is not used, and may be of another type now
		}
	case "fixed":
		a.rename(r, w)
	case "array":
		a.align(r.Items, w.Items, elem(t))
	case "map":
		a.align(r.Values, w.Values, elem(t))
	}
}

// rename makes a type of the reader match one of the writer.
func (a *aligner) rename(r, w *avro.SchemaNode) {
	if name := fullName(w); fullName(r) != name && !slices.Contains(r.Aliases, name) {
		r.Aliases = append(r.Aliases, name)
	}
}

func elem(t reflect.Type) reflect.Type {
	if t == nil || t.Kind() != reflect.Slice && t.Kind() != reflect.Array && t.Kind() != reflect.Map {
		return nil
	}
	return t.Elem()
}

// kind is the type of a node, with one name for records.
func kind(n *avro.SchemaNode) string {
	if n.Type == "error" {
		return "record"
	}
	return n.Type
}

// adopts reports whether a Go type takes what the writer wrote although its own schema is
// another one.
func adopts(r, w *avro.SchemaNode, t reflect.Type) bool {
	switch {
	case t == timeType:
		return isInstant(r) && isInstant(w)
	case t == durationType:
		return isTimeOfDay(r) && isTimeOfDay(w)
	case r.LogicalType == "decimal" && w.LogicalType == "decimal":
		return true
	case r.Type == "string" && w.Type == "enum":
		return t != nil && t.Kind() == reflect.String
	case r.Type == "bytes" && r.LogicalType == "" && w.Type == "fixed" && w.LogicalType == "":
		return true
	}
	return false
}

// copyOf returns a type without parts as the writer defined it.
func copyOf(w *avro.SchemaNode) avro.SchemaNode {
	return avro.SchemaNode{
		Type: w.Type, LogicalType: w.LogicalType, Precision: w.Precision, Scale: w.Scale,
		Name: w.Name, Namespace: w.Namespace, Size: w.Size, Symbols: slices.Clone(w.Symbols),
	}
}

func isInstant(n *avro.SchemaNode) bool {
	return n.LogicalType == "date" || strings.HasPrefix(n.LogicalType, "timestamp-") || strings.HasPrefix(n.LogicalType, "local-timestamp-")
}

func isTimeOfDay(n *avro.SchemaNode) bool { return strings.HasPrefix(n.LogicalType, "time-") }

// fieldType returns the type of the Go field with a name of Avro, as the library finds it:
// a field with a tag counts before others, then the one that is embedded the least. It is
// nil if there is none.
func fieldType(t reflect.Type, name string) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for _, tagged := range []bool{true, false} {
		level := []reflect.Type{t}
		for seen := map[reflect.Type]bool{}; len(level) > 0; {
			var below []reflect.Type
			for _, t := range level {
				if seen[t] {
					continue
				}
				seen[t] = true
				for f := range t.Fields() {
					tag, options, _ := strings.Cut(f.Tag.Get("avro"), ",")
					inner := f.Type
					for inner.Kind() == reflect.Pointer {
						inner = inner.Elem()
					}
					switch {
					case tag == "-":
					case inner.Kind() == reflect.Struct && tag == "" && (f.Anonymous || slices.Contains(strings.Split(options, ","), "inline")):
						below = append(below, inner)
					case tagged && tag == name, !tagged && tag == "" && f.Name == name:
						return f.Type
					}
				}
			}
			level = below
		}
	}
	return nil
}

// units verifies that two schemas mean the same by numbers. The rules of Avro do not: by
// them milliseconds can be read as microseconds.
type units struct {
	pairs
	named bool
}

// agree verifies two nodes at the path of a field.
func (u *units) agree(r, w *avro.SchemaNode, path string) error {
	r, w, fresh := u.begin(r, w)
	if !fresh {
		return nil
	}
	if w.Type == "union" {
		for i := range w.Branches {
			if err := u.agree(r, &w.Branches[i], path); err != nil {
				return err
			}
		}
		return nil
	}
	if r.Type == "union" {
		if b := u.branch(r, w); b != nil {
			return u.agree(b, w, path)
		}
		return nil
	}
	if !u.sameUnit(r, w) {
		return fmt.Errorf("field %.200s: a %s cannot be a %s: choose the unit of the object in the tag or in Schema", path, meaning(w), meaning(r))
	}
	if kind(r) != kind(w) {
		return nil
	}
	switch kind(r) {
	case "record":
		for i := range r.Fields {
			f := &r.Fields[i]
			wf := field(f, w)
			if wf == nil {
				continue
			}
			if err := u.agree(&f.Type, wf, strings.TrimPrefix(path+"."+f.Name, ".")); err != nil {
				return err
			}
		}
	case "array":
		return u.agree(r.Items, w.Items, path+".items")
	case "map":
		return u.agree(r.Values, w.Values, path+".values")
	}
	return nil
}

// branch returns the branch of a union that takes what is written, or nil.
func (u *units) branch(r, w *avro.SchemaNode) *avro.SchemaNode {
	var same *avro.SchemaNode
	for i := range r.Branches {
		b := definition(u.reader, &r.Branches[i])
		switch {
		case kind(b) != kind(w):
		case !isNamed(b) || fullName(b) == fullName(w) || slices.Contains(b.Aliases, fullName(w)):
			return b
		case same == nil:
			same = b
		}
	}
	if same != nil {
		return same
	}
	for i := range r.Branches {
		if b := definition(u.reader, &r.Branches[i]); w.Type == "int" && b.Type == "long" || w.Type == "bytes" && b.Type == "string" {
			return b
		}
	}
	return nil
}

// sameUnit reports whether a number that was written means the same when it is read.
func (u *units) sameUnit(r, w *avro.SchemaNode) bool {
	timed := func(n *avro.SchemaNode) bool {
		return (n.Type == "int" || n.Type == "long") && (isInstant(n) || isTimeOfDay(n))
	}
	switch {
	case timed(r) && timed(w):
		return r.LogicalType == w.LogicalType
	case timed(r) && (w.Type == "int" || w.Type == "long"), r.LogicalType == "decimal" && w.LogicalType != "decimal" && (w.Type == "bytes" || w.Type == "fixed"):
		return u.named // Schema says what such a number means
	case w.LogicalType == "decimal":
		return r.Type != "string"
	}
	return true
}

// meaning names a type and its unit.
func meaning(n *avro.SchemaNode) string {
	if n.LogicalType == "" {
		return n.Type
	}
	return n.Type + " of " + n.LogicalType
}

// holdsAny reports whether values of a type can hold values of any other.
func holdsAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen == nil {
		seen = map[reflect.Type]bool{}
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsAny(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if holdsAny(f.Type, seen) {
				return true
			}
		}
	}
	return false
}
