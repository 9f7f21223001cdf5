// Package gensort makes and sums the records of the sort benchmark
// (sortbenchmark.org). They are the same as those of its programs gensort 1.5
// and valsort, so that either can check the data and verdicts of the other.
//
// A record has 100 bytes. The first 10 are its key. Record number n is made of
// the n+1st number of a linear congruential generator modulo 2^128, in binary
// form also of the nine numbers after it:
//
//	x[0] = 0, x[i+1] = a x[i] + c
//	a = 2360ed051fc65da44385df649fccf645, from P. L'Ecuyer, "Tables of linear
//	    congruential generators of different sizes and good lattice structure",
//	    Mathematics of Computation 68 (1999)
//	c = 4a696d47726179524950202020202001
//
// So any record can be made without those before it. The jobs teragen and
// teravalidate use the package. A Generator belongs to one goroutine. Nothing
// here fails.
package gensort

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
)

const (
	// RecordSize is the length of a record in bytes.
	RecordSize = 100
	// KeySize is the length of the key that begins a record, in bytes.
	KeySize = 10
)

// number is an integer modulo 2^128.
type number struct{ hi, lo uint64 }

var (
	multiplier = number{0x2360ed051fc65da4, 0x4385df649fccf645}
	increment  = number{0x4a696d4772617952, 0x4950202020202001}
)

func (x number) plus(y number) number {
	lo, carry := bits.Add64(x.lo, y.lo, 0)
	hi, _ := bits.Add64(x.hi, y.hi, carry)
	return number{hi, lo}
}

func (x number) times(y number) number {
	hi, lo := bits.Mul64(x.lo, y.lo)
	return number{hi + x.hi*y.lo + x.lo*y.hi, lo}
}

func (x number) next() number { return multiplier.times(x).plus(increment) }

// after returns the generator's nth number. It squares the step once for each
// bit of n: two steps f(x) = ax + c make f(f(x)) = a²x + ac + c.
func after(n uint64) number {
	var x number
	a, c := multiplier, increment
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			x = a.times(x).plus(c)
		}
		a, c = a.times(a), a.times(c).plus(c)
	}
	return x
}

// parts is how many pieces of 10 bytes make a binary record. Each, except the
// key, is xored with a constant of its own, so that records do not compress.
const parts = RecordSize / KeySize

var masks = [parts]struct {
	hi uint64
	lo uint16
}{
	{},
	{0xF0E8E4E2E1D8D4D2, 0xD1CC},
	{0xCAC9C6C5C3B8B4B2, 0xB1AC},
	{0xAAA9A6A5A39C9A99, 0x9695},
	{0x938E8D8B87787472, 0x716C},
	{0x6A696665635C5A59, 0x5655},
	{0x534E4D4B473C3A39, 0x3635},
	{0x332E2D2B271E1D1B, 0x170F},
	{0xC8C4C2C198949291, 0x8CE0},
	{0x170F332E2D2B271E, 0x1D1B},
}

// Generator makes consecutive records.
type Generator struct {
	record uint64
	ascii  bool
	queue  [parts]number // x[record+1] at queue[head], and those after it
	head   int
}

// New returns a generator whose first record is number first.
func New(first uint64, ascii bool) *Generator {
	g := &Generator{record: first, ascii: ascii}
	g.queue[0] = after(first).next()
	for i := 1; i < parts; i++ {
		g.queue[i] = g.queue[i-1].next()
	}
	return g
}

// Next writes the next record to rec.
func (g *Generator) Next(rec *[RecordSize]byte) {
	if g.ascii {
		g.text(rec)
	} else {
		g.binary(rec)
	}
	last := g.head - 1
	if last < 0 {
		last = parts - 1
	}
	g.queue[g.head] = g.queue[last].next()
	if g.head++; g.head == parts {
		g.head = 0
	}
	g.record++
}

func (g *Generator) binary(rec *[RecordSize]byte) {
	at := g.head
	for i := range parts {
		x, mask := g.queue[at], masks[i]
		binary.BigEndian.PutUint64(rec[i*KeySize:], x.hi^mask.hi)
		binary.BigEndian.PutUint16(rec[i*KeySize+8:], uint16(x.lo>>48)^mask.lo)
		if at++; at == parts {
			at = 0
		}
	}
}

const (
	hexDigits = "0123456789ABCDEF"
	printable = 95 // characters from blank to tilde
)

// text makes a record of printable characters: key, two blanks, the record's
// number in 32 hexadecimal digits, two blanks, 13 hexadecimal digits of the
// random number four times each, CR LF.
func (g *Generator) text(rec *[RecordSize]byte) {
	x := g.queue[g.head]
	for i, v := 0, x.hi; i < 8; i++ {
		rec[i] = ' ' + byte(v%printable)
		v /= printable
	}
	rec[8] = ' ' + byte(x.lo%printable)
	rec[9] = ' ' + byte(x.lo/printable%printable)
	rec[10], rec[11] = ' ', ' '
	for i := range 16 {
		rec[12+i] = '0'
		rec[28+i] = hexDigits[g.record>>(60-4*i)&0xF]
	}
	rec[44], rec[45] = ' ', ' '
	for i := range 13 {
		digit := hexDigits[x.lo>>(48-4*i)&0xF]
		for j := range 4 {
			rec[46+4*i+j] = digit
		}
	}
	rec[98], rec[99] = '\r', '\n'
}

// Sum is the sum of the CRC-32 (IEEE) of records, as 128 bits. It does not
// depend on their order.
type Sum struct{ Hi, Lo uint64 }

// Add adds a record.
func (s *Sum) Add(rec []byte) { s.Merge(Sum{Lo: uint64(crc32.ChecksumIEEE(rec))}) }

// Merge adds all that o has added.
func (s *Sum) Merge(o Sum) {
	x := number{s.Hi, s.Lo}.plus(number{o.Hi, o.Lo})
	*s = Sum{x.hi, x.lo}
}

// String returns the sum in hexadecimal digits, without leading zeros.
func (s Sum) String() string {
	if s.Hi == 0 {
		return fmt.Sprintf("%x", s.Lo)
	}
	return fmt.Sprintf("%x%016x", s.Hi, s.Lo)
}
