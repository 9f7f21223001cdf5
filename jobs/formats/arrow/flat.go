package arrow

import (
	"encoding/binary"
	"errors"
)

// flat reads the tables of a flatbuffer. Every place is checked before it is read. After
// an error everything is absent or zero, so callers look at err once, at the end.
type flat struct {
	b   []byte
	err error
}

var errFlat = errors.New("its metadata contradicts itself")

func (m *flat) fail() { m.failed(errFlat) }

// failed notes the first error.
func (m *flat) failed(err error) {
	if m.err == nil {
		m.err = err
	}
}

// root returns the table of the buffer.
func (m *flat) root() table {
	if len(m.b) < 4 {
		m.fail()
		return table{m: m}
	}
	return m.table(int(binary.LittleEndian.Uint32(m.b)))
}

// table is a table of a flatbuffer. Without fields it is absent.
type table struct {
	m      *flat
	at     int
	fields []byte // where each field is, from at on
}

// table returns the table at a place.
func (m *flat) table(at int) table {
	absent := table{m: m}
	if m.err != nil {
		return absent
	}
	if at < 4 || at > len(m.b)-4 {
		m.fail()
		return absent
	}
	v := at - int(int32At(m.b[at:]))
	if v < 0 || v > len(m.b)-4 {
		m.fail()
		return absent
	}
	n := int(binary.LittleEndian.Uint16(m.b[v:]))
	if n < 4 || n%2 != 0 || n > len(m.b)-v {
		m.fail()
		return absent
	}
	return table{m, at, m.b[v+4 : v+n]}
}

// field returns the place of a field of some bytes, or -1 if it is absent. The size of the
// table is not looked at: tables of several sizes share one in files of Go programs.
func (t table) field(slot, width int) int {
	if t.m.err != nil || 2*slot+2 > len(t.fields) {
		return -1
	}
	o := int(binary.LittleEndian.Uint16(t.fields[2*slot:]))
	if o == 0 {
		return -1
	}
	if o < 4 || o+width > len(t.m.b)-t.at {
		t.m.fail()
		return -1
	}
	return t.at + o
}

// has reports whether a field of a table, a vector or a text is there.
func (t table) has(slot int) bool { return t.field(slot, 4) >= 0 }

func (t table) int64(slot int) int64 {
	if p := t.field(slot, 8); p >= 0 {
		return int64At(t.m.b[p:])
	}
	return 0
}

func (t table) int32(slot int, absent int32) int {
	if p := t.field(slot, 4); p >= 0 {
		return int(int32At(t.m.b[p:]))
	}
	return int(absent)
}

// first returns the number of 16 bits in the first field, where all tables have theirs.
func (t table) first(absent int16) int {
	if p := t.field(0, 2); p >= 0 {
		return int(int16(binary.LittleEndian.Uint16(t.m.b[p:])))
	}
	return int(absent)
}

func (t table) byte(slot int) byte {
	if p := t.field(slot, 1); p >= 0 {
		return t.m.b[p]
	}
	return 0
}

// target returns the place to which a field leads, or -1.
func (t table) target(slot int) int {
	p := t.field(slot, 4)
	if p < 0 {
		return -1
	}
	return p + int(binary.LittleEndian.Uint32(t.m.b[p:]))
}

func (t table) table(slot int) table {
	p := t.target(slot)
	if p < 0 {
		return table{m: t.m}
	}
	return t.m.table(p)
}

// vector is a vector of a flatbuffer.
type vector struct {
	m    *flat
	at   int // of data
	n    int // elements
	data []byte
}

func (t table) vector(slot, width int) vector {
	p := t.target(slot)
	if p < 0 {
		return vector{m: t.m}
	}
	if p > len(t.m.b)-4 {
		t.m.fail()
		return vector{m: t.m}
	}
	n := int(binary.LittleEndian.Uint32(t.m.b[p:]))
	if n > (len(t.m.b)-p-4)/width {
		t.m.fail()
		return vector{m: t.m}
	}
	return vector{t.m, p + 4, n, t.m.b[p+4 : p+4+n*width]}
}

// table returns an element of a vector of tables.
func (v vector) table(i int) table {
	return v.m.table(v.at + 4*i + int(binary.LittleEndian.Uint32(v.data[4*i:])))
}

// text returns the bytes of a text.
func (t table) text(slot int) []byte { return t.vector(slot, 1).data }

func int32At(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }
func int64At(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
