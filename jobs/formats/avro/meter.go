package avro

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/avro"
)

// A few bytes can be many values: an array of nulls has a length and nothing else, and a
// record of a thousand nulls has no bytes. If the schema has such arrays, or values become
// maps and interfaces, records are measured before they are decoded.

const (
	// valueCost is what a value takes in memory, about, beside its bytes.
	valueCost = 64
	// spread is how many bytes of memory a byte of Max allows.
	spread = 8
	// maxDeep is how deep values can be nested.
	maxDeep = 1000
)

// meter measures records that are written with a schema.
type meter struct {
	root  *avro.SchemaNode
	named map[string]*avro.SchemaNode
	most  int64
	left  int64
	empty bool // there are arrays of values that have no bytes
}

func newMeter(root *avro.SchemaNode, most int) *meter {
	m := &meter{root: root, named: named(root), most: spread * int64(most)}
	walk(root, func(n *avro.SchemaNode) {
		if n.Type == "array" && n.Items != nil && m.noBytes(n.Items, map[*avro.SchemaNode]bool{}) {
			m.empty = true
		}
	})
	return m
}

// noBytes reports whether values of a node have no bytes.
func (m *meter) noBytes(n *avro.SchemaNode, seen map[*avro.SchemaNode]bool) bool {
	n = definition(m.named, n)
	if seen[n] {
		return true
	}
	seen[n] = true
	switch kind(n) {
	case "null":
		return true
	case "fixed":
		return n.Size == 0
	case "record":
		for i := range n.Fields {
			if !m.noBytes(&n.Fields[i].Type, seen) {
				return false
			}
		}
		return true
	}
	return false
}

// record returns an error if the record that begins with b takes too much memory. Bytes
// that are no record are for the decoder to refuse.
func (m *meter) record(b []byte) error {
	m.left = m.most
	m.value(m.root, b, 0)
	if m.left < 0 {
		return fmt.Errorf("the record takes more than %d bytes of memory: raise Max of avro.Records, which is %d", m.most, m.most/spread)
	}
	return nil
}

// value measures a value, and returns the bytes behind it. It returns false if there is no
// value, or if enough was measured.
func (m *meter) value(n *avro.SchemaNode, b []byte, depth int) ([]byte, bool) {
	n = definition(m.named, n)
	if m.left -= valueCost; m.left < 0 || depth > maxDeep {
		return nil, false
	}
	if rest, isLeaf, ok := leaf(n, b); isLeaf {
		if m.left -= int64(len(b) - len(rest)); !ok {
			return nil, false
		}
		return rest, true
	}
	switch kind(n) {
	case "union":
		i, b, ok := long(b)
		if !ok || i < 0 || i >= int64(len(n.Branches)) {
			return nil, false
		}
		return m.value(&n.Branches[i], b, depth+1)
	case "record":
		ok := true
		for i := 0; i < len(n.Fields) && ok; i++ {
			b, ok = m.value(&n.Fields[i].Type, b, depth+1)
		}
		return b, ok
	case "array":
		return m.items(b, func(b []byte) ([]byte, bool) { return m.value(n.Items, b, depth+1) })
	case "map":
		return m.items(b, func(b []byte) ([]byte, bool) {
			rest, ok := text(b)
			if !ok {
				return nil, false
			}
			m.left -= int64(len(b) - len(rest))
			return m.value(n.Values, rest, depth+1)
		})
	}
	return nil, false
}

// items measures the blocks of an array or a map.
func (m *meter) items(b []byte, item func(b []byte) ([]byte, bool)) ([]byte, bool) {
	for {
		n, rest, ok := long(b)
		if !ok || n == 0 {
			return rest, ok
		}
		if n < 0 {
			if _, rest, ok = long(rest); !ok {
				return nil, false
			}
			n = -n
		}
		if n < 0 || n > m.left/valueCost { // memory for all is allocated at first
			m.left = -1
			return nil, false
		}
		for b = rest; n > 0; n-- {
			if b, ok = item(b); !ok {
				return nil, false
			}
		}
	}
}

// skip returns the bytes behind the first n.
func skip(b []byte, n int64) ([]byte, bool) {
	if n < 0 || n > int64(len(b)) {
		return nil, false
	}
	return b[n:], true
}

// long returns the number with which b begins, and the bytes behind it.
func long(b []byte) (int64, []byte, bool) {
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// text returns the bytes behind the string or bytes with which b begins.
func text(b []byte) ([]byte, bool) {
	n, b, ok := long(b)
	if !ok {
		return nil, false
	}
	return skip(b, n)
}

// leaf returns the bytes behind a value that has no others inside, and whether the node is
// one of such values.
func leaf(n *avro.SchemaNode, b []byte) (rest []byte, isLeaf, ok bool) {
	switch n.Type {
	case "null":
		return b, true, true
	case "boolean":
		rest, ok = skip(b, 1)
	case "float":
		rest, ok = skip(b, 4)
	case "double":
		rest, ok = skip(b, 8)
	case "int", "long", "enum":
		_, rest, ok = long(b)
	case "string", "bytes":
		rest, ok = text(b)
	case "fixed":
		rest, ok = skip(b, int64(n.Size))
	default:
		return nil, false, false
	}
	return rest, true, ok
}
