package yaml

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/windrow-mr/windrow/plan/nearest"
)

// reader sets the fields of a specification from nodes, by the names that they have in
// JSON, and keeps where they are.
type reader struct {
	places   map[string]place
	mistakes []Mistake
}

func (r *reader) addf(node *yaml.Node, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{node.Line, node.Column, fmt.Sprintf(format, args...)})
}

// value sets what a pointer points to.
func (r *reader) value(node *yaml.Node, field string, pointer any) {
	r.set(node, field, reflect.ValueOf(pointer).Elem())
}

func (r *reader) set(node *yaml.Node, field string, to reflect.Value) {
	r.places[field] = place{node.Line, node.Column}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		r.addf(node, "%s: anchors and aliases are not read: write the value", field)
		return
	}
	if t, ok := reflect.TypeAssert[encoding.TextUnmarshaler](to.Addr()); ok {
		r.text(node, field, t)
		return
	}
	switch to.Kind() {
	case reflect.Struct:
		r.fields(node, field, to)
	case reflect.Map:
		r.entries(node, field, to)
	case reflect.Slice:
		r.list(node, field, to)
	default:
		r.scalar(node, field, to)
	}
}

// text sets a value that reads itself from a text.
func (r *reader) text(node *yaml.Node, field string, to encoding.TextUnmarshaler) {
	if node.Kind != yaml.ScalarNode {
		r.addf(node, "%s: it is not a text", field)
		return
	}
	if err := to.UnmarshalText([]byte(node.Value)); err != nil {
		if _, isTime := to.(*time.Time); isTime {
			r.addf(node, "%s: %q is not a time such as 2026-01-31T00:00:00Z", field, node.Value)
			return
		}
		r.addf(node, "%s: %v", field, err)
	}
}

// pairs calls a function for each key of a mapping, and refuses keys that occur twice.
func (r *reader) pairs(node *yaml.Node, field string, each func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		if field == "" {
			field = "the document"
		}
		r.addf(node, "%s: it must have fields of its own, NAME: VALUE", field)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			r.addf(key, "%s is given twice", join(field, key.Value))
			continue
		}
		seen[key.Value] = true
		each(key, value)
	}
}

// join returns the path of a field of a field.
func join(field, name string) string { return strings.TrimPrefix(field+"."+name, ".") }

func (r *reader) fields(node *yaml.Node, field string, to reflect.Value) {
	numbers, names := map[string]int{}, []string(nil)
	for i := range to.NumField() {
		name, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ",")
		numbers[name], names = i, append(names, name)
	}
	r.pairs(node, field, func(key, value *yaml.Node) {
		n, known := numbers[key.Value]
		switch {
		case known:
			r.set(value, join(field, key.Value), to.Field(n))
		case nearest.Name(key.Value, names) != "":
			r.addf(key, "unknown field %q; did you mean %q?", join(field, key.Value), join(field, nearest.Name(key.Value, names)))
		default:
			slices.Sort(names)
			r.addf(key, "unknown field %q: there are %s", join(field, key.Value), strings.Join(names, ", "))
		}
	})
}

func (r *reader) entries(node *yaml.Node, field string, to reflect.Value) {
	to.Set(reflect.MakeMap(to.Type()))
	r.pairs(node, field, func(key, value *yaml.Node) {
		entry := reflect.New(to.Type().Elem()).Elem()
		r.set(value, join(field, key.Value), entry)
		to.SetMapIndex(reflect.ValueOf(key.Value), entry)
	})
}

// list sets a list. One value is a list of one.
func (r *reader) list(node *yaml.Node, field string, to reflect.Value) {
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	for i, n := range nodes {
		element := reflect.New(to.Type().Elem()).Elem()
		r.set(n, fmt.Sprintf("%s[%d]", field, i), element)
		to.Set(reflect.Append(to, element))
	}
}

// scalar sets a text, a number or a switch.
func (r *reader) scalar(node *yaml.Node, field string, to reflect.Value) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		r.addf(node, "%s: it is not a single value", field)
		return
	}
	switch to.Kind() { //nolint:exhaustive // schedule.Spec has no other
	case reflect.String:
		to.SetString(node.Value)
	case reflect.Bool:
		b, err := strconv.ParseBool(node.Value)
		if err != nil || node.Tag != "!!bool" {
			r.addf(node, "%s: %q is neither true nor false", field, node.Value)
			return
		}
		to.SetBool(b)
	default:
		n, err := strconv.ParseInt(node.Value, 10, to.Type().Bits())
		if err != nil || node.Tag != "!!int" {
			r.addf(node, "%s: %q is not a whole number", field, node.Value)
			return
		}
		to.SetInt(n)
	}
}
