package attempts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/packed"
)

// A table at rest is magic and version (8 bytes), the CRC32C of the rest (4
// bytes, big-endian) and a sequence of values in MessagePack. The values are
// the fields of the table, the words that objects share, the objects, and the
// splits, whose sections name objects by their number. A big object is in many
// sections, and a root or the name of an input in all objects. In a table of version 2
// each split also has its Only: builds that do not know that would read all records.
const (
	tableMagic = "WRTAB\x00\x00\x01"
	listMagic  = "WRTAB\x00\x00\x02"
	tableLimit = 1 << 30 // bytes
)

// Encode returns the table at rest.
func (t *Table) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := encoder{out: msgpack.NewEncoder(&b), words: make(map[string]int), objects: make(map[plan.Object]int), lists: t.lists()}
	magic := tableMagic
	if e.lists {
		magic = listMagic
	}
	b.WriteString(magic)
	b.Write(make([]byte, 4))
	e.table(t)
	out := b.Bytes()
	if e.err == nil && len(out) > tableLimit {
		e.err = fmt.Errorf("it has %d bytes, and %d are allowed: give a greater --split-size, or less input", len(out), tableLimit)
	}
	if e.err != nil {
		return nil, fmt.Errorf("encode the %d map tasks of job %s: %w", len(t.Splits), t.Job, e.err)
	}
	binary.BigEndian.PutUint32(out[len(tableMagic):], checksum.SumCRC32C(out[len(tableMagic)+4:]))
	return out, nil
}

// DecodeTable is the inverse of Encode. The memory it takes is bounded by the
// length of b.
func DecodeTable(b []byte) (*Table, error) {
	const header = len(tableMagic) + 4
	if len(b) < header || string(b[:len(tableMagic)]) != tableMagic && string(b[:len(tableMagic)]) != listMagic {
		return nil, fmt.Errorf("%d bytes that do not begin as a task table of this version", len(b))
	}
	if sum := binary.BigEndian.Uint32(b[len(tableMagic):]); sum != checksum.SumCRC32C(b[header:]) {
		return nil, fmt.Errorf("damaged: its %d bytes do not have the checksum %08x", len(b), sum)
	}
	rest := bytes.NewReader(b[header:])
	d := decoder{in: msgpack.NewDecoder(rest), rest: rest, lists: string(b[:len(listMagic)]) == listMagic}
	t := d.table()
	if d.err == nil && rest.Len() > 0 {
		d.err = fmt.Errorf("%d bytes follow it", rest.Len())
	}
	if d.err != nil {
		return nil, fmt.Errorf("damaged: %w", d.err)
	}
	return t, nil
}

// lists reports whether only some records of sections are read.
func (t *Table) lists() bool {
	for i := range t.Splits {
		if t.Splits[i].Only != nil {
			return true
		}
	}
	return false
}

// encoder writes values and keeps the first error.
type encoder struct {
	out     *msgpack.Encoder
	words   map[string]int
	objects map[plan.Object]int
	lists   bool
	err     error
}

//go:noinline
func (e *encoder) number(n int64) {
	if e.err == nil {
		e.err = e.out.EncodeInt(n)
	}
}

//go:noinline
func (e *encoder) text(s string) {
	if e.err == nil {
		e.err = e.out.EncodeString(s)
	}
}

func (e *encoder) table(t *Table) {
	e.text(string(t.Job))
	e.text(t.Ext)
	e.number(int64(t.Partitions))
	if e.err == nil {
		e.err = e.out.EncodeBool(t.PartOnce)
	}
	e.number(t.Input)
	e.number(int64(t.LeftOut.Hidden))
	objects, words := e.intern(t.Splits, t.Samples)
	e.number(int64(len(words)))
	for _, w := range words {
		e.text(w)
	}
	e.number(int64(len(objects)))
	for i := range objects {
		e.object(&objects[i])
	}
	e.splits(t.Splits)
	e.splits(t.Samples)
	// Tables of earlier versions end here, and those versions read no more.
	if t.LeftOut.Links > 0 || t.LeftOut.Special > 0 || t.LeftOut.Untried > 0 || t.Stages != nil {
		e.number(int64(t.LeftOut.Links))
		e.number(int64(t.LeftOut.Special))
	}
	if t.LeftOut.Untried > 0 {
		e.number(int64(t.LeftOut.Untried))
	}
	if t.Stages != nil && e.err == nil {
		e.err = e.out.Encode(t.Stages)
	}
}

// intern numbers objects, and the words that they share.
func (e *encoder) intern(lists ...[]plan.Split) (objects []plan.Object, words []string) {
	for _, splits := range lists {
		for i := range splits {
			for j := range splits[i].Sections {
				o := splits[i].Sections[j].Object
				if _, known := e.objects[o]; known {
					continue
				}
				e.objects[o] = len(objects)
				objects = append(objects, o)
				for _, w := range [...]string{o.Input, o.Root, o.Codec} {
					if _, known := e.words[w]; !known {
						e.words[w] = len(words)
						words = append(words, w)
					}
				}
			}
		}
	}
	return objects, words
}

func (e *encoder) object(o *plan.Object) {
	e.number(int64(e.words[o.Input]))
	e.number(int64(e.words[o.Root]))
	e.number(int64(e.words[o.Codec]))
	e.text(o.Key)
	e.number(o.Size)
	e.text(o.ETag)
	e.number(int64(o.Sum.Algorithm))
	if e.err == nil {
		e.err = e.out.EncodeUint(o.Sum.Value)
	}
}

func (e *encoder) splits(splits []plan.Split) {
	e.number(int64(len(splits)))
	for i := range splits {
		e.number(int64(splits[i].Input))
		e.number(int64(len(splits[i].Sections)))
		for j := range splits[i].Sections {
			s := &splits[i].Sections[j]
			e.number(int64(e.objects[s.Object]))
			e.number(s.Offset)
			e.number(s.Length)
			e.number(s.PlainOffset)
			e.number(s.PlainLength)
		}
		if e.lists {
			e.only(splits[i].Only)
		}
	}
}

// only writes the Only of a split: each offset as its distance from the one before.
func (e *encoder) only(lists [][]int64) {
	e.number(int64(len(lists)))
	for _, offsets := range lists {
		e.number(int64(len(offsets)))
		last := int64(0)
		for _, at := range offsets {
			e.number(at - last)
			last = at
		}
	}
}

// decoder reads values and keeps the first error. It makes a list only if there
// are enough bytes left for it.
type decoder struct {
	in      *msgpack.Decoder
	rest    *bytes.Reader
	words   []string
	objects []plan.Object
	lists   bool
	err     error
}

// The least number of bytes of a thing.
const (
	leastWord    = 1
	leastObject  = 8
	leastSplit   = 2
	leastSection = 5
)

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// number reads a number from 0 to most.
func (d *decoder) number(most int64) int64 {
	if d.err != nil {
		return 0
	}
	n, err := d.in.DecodeInt64()
	switch {
	case err != nil:
		d.fail(err)
		return 0
	case n < 0 || n > most:
		d.fail(fmt.Errorf("number %d is out of range", n))
		return 0
	}
	return n
}

// size reads a number of bytes, or an offset.
//
//go:noinline
func (d *decoder) size() int64 { return d.number(1<<63 - 1) }

// length reads how many things of at least that many bytes follow.
func (d *decoder) length(least int) int { return int(d.number(int64(d.rest.Len() / least))) }

// index reads the number of one of n things.
func (d *decoder) index(n int) int {
	if n == 0 {
		d.fail(errors.New("it names an entry that is not there"))
		return 0
	}
	return int(d.number(int64(n - 1)))
}

func (d *decoder) text() string {
	if d.err != nil {
		return ""
	}
	s, err := d.in.DecodeString()
	if err != nil {
		d.fail(err)
	}
	return s
}

func (d *decoder) table() *Table {
	t := &Table{Job: plan.JobID(d.text()), Ext: d.text(), Partitions: int(d.number(MaxPartitions))}
	if d.err == nil {
		t.PartOnce, d.err = d.in.DecodeBool()
	}
	t.Input, t.LeftOut.Hidden = d.size(), int(d.size())
	n := d.length(leastWord)
	d.words = make([]string, 0, n)
	for range n {
		d.words = append(d.words, d.text())
	}
	n = d.length(leastObject)
	d.objects = make([]plan.Object, 0, n)
	for range n {
		d.objects = append(d.objects, d.object())
	}
	t.Splits, t.Samples = d.splits(), d.splits()
	if d.err == nil && d.rest.Len() > 0 {
		t.LeftOut.Links, t.LeftOut.Special = int(d.size()), int(d.size())
	}
	if d.err == nil && d.rest.Len() > 0 {
		if code, err := d.in.PeekCode(); err == nil && (msgpcode.IsFixedNum(code) || code >= msgpcode.Uint8 && code <= msgpcode.Int64) {
			t.LeftOut.Untried = int(d.size())
		}
	}
	if d.err == nil && d.rest.Len() > 0 {
		t.Stages = d.stages()
	}
	return t
}

// stages reads what a job of several stages has, and checks it.
func (d *decoder) stages() *Stages {
	if d.rest.Len() > mostStages {
		d.fail(fmt.Errorf("%d bytes for its stages", d.rest.Len()))
		return nil
	}
	body := make([]byte, d.rest.Len())
	if _, err := io.ReadFull(d.rest, body); err != nil {
		d.fail(err)
		return nil
	}
	if err := packed.Check(body); err != nil {
		d.fail(err)
		return nil
	}
	s := new(Stages)
	if err := msgpack.Unmarshal(body, s); err != nil {
		d.fail(err)
		return nil
	}
	if err := s.Graph.Check(); err != nil {
		d.fail(err)
	}
	return s
}

// mostStages bounds the bytes of a job's stages in a table.
const mostStages = 16 << 20

//go:noinline
func (d *decoder) word() string {
	i := d.index(len(d.words))
	if d.err != nil {
		return ""
	}
	return d.words[i]
}

func (d *decoder) object() plan.Object {
	o := plan.Object{Input: d.word(), Root: d.word(), Codec: d.word(), Key: d.text(), Size: d.size(), ETag: d.text()}
	o.Sum.Algorithm = uint8(d.number(0xff))
	if d.err == nil {
		o.Sum.Value, d.err = d.in.DecodeUint64()
	}
	return o
}

func (d *decoder) splits() []plan.Split {
	n := d.length(leastSplit)
	if n == 0 {
		return nil
	}
	splits := make([]plan.Split, 0, n)
	for range n {
		if d.err != nil {
			return nil
		}
		split := plan.Split{Input: int(d.number(1 << 16))}
		sections := d.length(leastSection)
		split.Sections = make([]plan.Section, 0, sections)
		for range sections {
			split.Sections = append(split.Sections, d.section())
		}
		if d.lists {
			split.Only = d.only(sections)
		}
		splits = append(splits, split)
	}
	return splits
}

// section reads a section, which must lie within its object.
func (d *decoder) section() plan.Section {
	i := d.index(len(d.objects))
	s := plan.Section{Offset: d.size(), Length: d.size(), PlainOffset: d.size(), PlainLength: d.size()}
	if d.err != nil {
		return s
	}
	s.Object = d.objects[i]
	if s.Offset > s.Object.Size || s.Length > s.Object.Size-s.Offset {
		d.fail(fmt.Errorf("a section of %d bytes from %d on of an object of %d", s.Length, s.Offset, s.Object.Size))
	}
	return s
}

// only reads the Only of a split of so many sections.
func (d *decoder) only(sections int) [][]int64 {
	n := d.length(1)
	if n == 0 {
		return nil
	}
	if n != sections {
		d.fail(fmt.Errorf("it lists the records of %d sections of %d", n, sections))
		return nil
	}
	lists := make([][]int64, n)
	for i := range lists {
		lists[i] = make([]int64, d.length(1))
		last := int64(0)
		for k := range lists[i] {
			last += d.number(1<<63 - 1 - last)
			lists[i][k] = last
		}
	}
	return lists
}
