package avro

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/twmb/avro"
)

// sorter puts the entries of maps into the order of their keys, so that the same records
// are the same bytes. The library writes them as Go does, in any order.
type sorter struct {
	root  *avro.SchemaNode
	named map[string]*avro.SchemaNode
}

// newSorter returns nil if no record has a map.
func newSorter(schema *avro.Schema) *sorter {
	s := &sorter{root: rootOf(schema)}
	s.named = named(s.root)
	maps := false
	walk(s.root, func(n *avro.SchemaNode) { maps = maps || n.Type == "map" })
	if !maps {
		return nil
	}
	return s
}

var errSorted = errors.New("the library wrote other bytes than its schema says")

// append appends a record with sorted maps.
func (s *sorter) append(dst, rec []byte) ([]byte, error) {
	dst, rest, ok := s.value(s.root, dst, rec)
	if !ok || len(rest) > 0 {
		return nil, errSorted
	}
	return dst, nil
}

// value appends a value, and returns the bytes behind it.
func (s *sorter) value(n *avro.SchemaNode, dst, b []byte) (out, rest []byte, ok bool) {
	n = definition(s.named, n)
	if rest, isLeaf, ok := leaf(n, b); isLeaf {
		return append(dst, b[:len(b)-len(rest)]...), rest, ok
	}
	switch kind(n) {
	case "record":
		ok = true
		for i := 0; i < len(n.Fields) && ok; i++ {
			dst, b, ok = s.value(&n.Fields[i].Type, dst, b)
		}
		return dst, b, ok
	case "union":
		i, rest, ok := long(b)
		if !ok || i < 0 || i >= int64(len(n.Branches)) {
			return nil, nil, false
		}
		return s.value(&n.Branches[i], append(dst, b[:len(b)-len(rest)]...), rest)
	case "array", "map":
		return s.items(n, dst, b)
	}
	return nil, nil, false
}

// items appends an array or a map, in one block.
func (s *sorter) items(n *avro.SchemaNode, dst, b []byte) (out, rest []byte, ok bool) {
	count, rest, ok := long(b)
	if !ok || count < 0 || n.Type == "map" && count > int64(len(rest)) {
		return nil, nil, false
	}
	dst = binary.AppendVarint(dst, count)
	if count == 0 {
		return dst, rest, true
	}
	if n.Type == "array" {
		for ; count > 0 && ok; count-- {
			dst, rest, ok = s.value(n.Items, dst, rest)
		}
	} else {
		dst, rest, ok = s.entries(n, dst, rest, count)
	}
	if !ok || len(rest) == 0 || rest[0] != 0 {
		return nil, nil, false
	}
	return append(dst, 0), rest[1:], true
}

// entries appends the entries of a map by their keys.
func (s *sorter) entries(n *avro.SchemaNode, dst, b []byte, count int64) (out, rest []byte, ok bool) {
	type entry struct{ key, all []byte }
	entries := make([]entry, count)
	for i := range entries {
		_, key, _ := long(b)
		rest, ok := text(b)
		if !ok {
			return nil, nil, false
		}
		key = key[:len(key)-len(rest)]
		all := b[: len(b)-len(rest) : len(b)-len(rest)]
		if all, rest, ok = s.value(n.Values, all, rest); !ok {
			return nil, nil, false
		}
		entries[i], b = entry{key, all}, rest
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	for _, e := range entries {
		dst = append(dst, e.all...)
	}
	return dst, b, true
}
