// Package inputs makes the inputs of the benchmarks: text, measurements and
// records, the same bytes for the same arguments on every machine and in every
// version, so that figures can be compared. The commands of the benchmark folder
// call it.
//
// The functions are safe for concurrent use; each writes to its own writer,
// through a buffer, and returns the first error of that writer. Sizes are in
// bytes, rows are lines or records.
package inputs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
)

// Kind names a generator.
type Kind string

// The generators.
const (
	// Words is text of words that Zipf's law (s = 1.07) draws from 100,000
	// made-up ones, in lines of about 72 bytes. Its count is in bytes.
	Words Kind = "words"
	// Distinct is text in which 95 of 100 words occur nowhere else: 32 to 95
	// letters and digits drawn from ten times as many words as there are in
	// the text. Its count is in bytes; there is a word to every 64.
	Distinct Kind = "distinct"
	// Stations are lines "name;-12.3": 413 names, one decimal, as in the
	// one-billion-row challenge. Its count is in lines.
	Stations Kind = "stations"
	// Records are 100 bytes each: 10 printable key bytes, 88 printable bytes,
	// CR and LF, the shape of the sort benchmark's ASCII records.
	Records Kind = "records"
	// Groups is the table G1 of the H2O db-benchmark, as CSV with a header: id1
	// and id2 of 100 texts, id3 of one text for 100 lines, id4 and id5 of 100
	// numbers, id6 of one number for 100 lines, v1 to 5, v2 to 15, v3 to 100 with
	// six decimals. Its count is in lines.
	Groups Kind = "groups"
	// Orders are lines "number,product,pieces" of CSV with a header. Each is of
	// one of so many products: a tenth of the count, and a ninth of these more,
	// which Products does not have. Its count is in lines.
	Orders Kind = "orders"
	// Products are lines "product,cents" of CSV with a header, each product once
	// and in no order. Its count is in lines.
	Products Kind = "products"
)

// Kinds returns all generators.
func Kinds() []Kind {
	return []Kind{Words, Distinct, Stations, Records, Groups, Orders, Products}
}

// RecordSize is the size of a record of the kind Records, in bytes.
const RecordSize = 100

const (
	bufferSize = 1 << 20
	lineWidth  = 72
)

// Write writes an input of the kind. The count is of bytes or of rows, as the
// kind says; texts end with the word that reaches the count.
func Write(w io.Writer, kind Kind, count int64) error {
	if count < 0 {
		return fmt.Errorf("%d is no size of an input", count)
	}
	b := bufio.NewWriterSize(w, bufferSize)
	r := rand.New(rand.NewPCG(1, 2))
	var err error
	switch kind {
	case Words:
		err = words(b, r, count)
	case Distinct:
		err = distinct(b, r, count)
	case Stations:
		err = stations(b, r, count)
	case Records:
		err = records(b, r, count)
	case Groups:
		err = groups(b, count)
	case Orders:
		err = orders(b, count)
	case Products:
		err = products(b, count)
	default:
		return fmt.Errorf("unknown kind of input %q; there are %v", kind, Kinds())
	}
	if err != nil {
		return err
	}
	return b.Flush()
}

// Make writes an input to the file, and stops when ctx ends.
func Make(ctx context.Context, path string, kind Kind, count int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := Write(&stoppable{ctx, f}, kind, count); err != nil {
		return errors.Join(fmt.Errorf("make input %s: %w", kind, err), f.Close())
	}
	return f.Close()
}

// stoppable is a writer that fails when its context ends.
type stoppable struct {
	ctx context.Context
	to  io.Writer
}

func (s *stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.to.Write(p)
}

// name makes a name of at least so many letters and fewer than spread more.
func name(r *rand.Rand, least, spread int) string {
	b := make([]byte, least+r.IntN(spread))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

// text sets words in lines.
type text struct {
	w       *bufio.Writer
	column  int
	written int64 // bytes, with the separators
}

func (t *text) word(b []byte) error {
	if _, err := t.w.Write(b); err != nil {
		return err
	}
	t.written += int64(len(b)) + 1
	t.column += len(b) + 1
	if t.column > lineWidth {
		t.column = 0
		return t.w.WriteByte('\n')
	}
	return t.w.WriteByte(' ')
}

func words(w *bufio.Writer, r *rand.Rand, size int64) error {
	vocabulary := make([][]byte, 100_000)
	for i := range vocabulary {
		vocabulary[i] = []byte(name(r, 2, 9))
	}
	rank := rand.NewZipf(r, 1.07, 2, uint64(len(vocabulary)-1))
	t := text{w: w}
	for t.written < size {
		if err := t.word(vocabulary[rank.Uint64()]); err != nil {
			return err
		}
	}
	return w.WriteByte('\n')
}

const (
	distinctLeast  = 32
	distinctSpread = 64
	distinctMean   = 64 // bytes of a word and its separator
)

func distinct(w *bufio.Writer, r *rand.Rand, size int64) error {
	space := uint64(size/distinctMean)*10 + 1
	buf := make([]byte, 0, distinctLeast+distinctSpread)
	t := text{w: w}
	for t.written < size {
		buf = appendNumbered(buf[:0], r.Uint64N(space))
		if err := t.word(buf); err != nil {
			return err
		}
	}
	return w.WriteByte('\n')
}

// appendNumbered appends the word of that number: its length and its letters
// are digits of a random stream that the number seeds.
func appendNumbered(dst []byte, number uint64) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	length := distinctLeast + int(mix(number)%distinctSpread)
	for len(dst) < length {
		number += 0x9e3779b97f4a7c15
		bits := mix(number)
		for n := min(12, length-len(dst)); n > 0; n-- {
			dst = append(dst, letters[bits&31])
			bits >>= 5
		}
	}
	return dst
}

// mix is the output function of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func stations(w *bufio.Writer, r *rand.Rand, rows int64) error {
	names := make([]string, 413)
	for i := range names {
		names[i] = name(r, 3, 20)
	}
	line := make([]byte, 0, 64)
	for range rows {
		line = append(line[:0], names[r.IntN(len(names))]...)
		line = append(line, ';')
		line = strconv.AppendFloat(line, r.NormFloat64()*10+12, 'f', 1, 64)
		line = append(line, '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func records(w *bufio.Writer, r *rand.Rand, rows int64) error {
	var record [RecordSize]byte
	const printable = RecordSize - 2
	record[printable], record[printable+1] = '\r', '\n'
	for range rows {
		for i := range record[:printable] {
			record[i] = byte(' ' + r.IntN(95))
		}
		if _, err := w.Write(record[:]); err != nil {
			return err
		}
	}
	return nil
}
