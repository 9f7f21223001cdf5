// Command tables has the jobs of the benchmark that package jobs/library has not:
// questions of the H2O db-benchmark, a join, and word count with the ten most
// frequent words. They are written as a user of the SDK writes them, without
// knowledge of the engine.
//
//	tables run groupby-3 --input groups.csv --out out
//	tables run join --input orders=orders.csv --input products=products.csv --out out
//
// Lines of CSV have no quotes, and are cut at commas. A line that is not of the form
// is an error that names its object and offset. Decimals are kept as whole
// millionths: sums are exact, and do not depend on how the work is divided.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
)

func main() { windrow.Main(all()...) }

func all() []*jobs.Job { return append(questions(), join, words, wordsTop) }

// row is a line of the table G1: id1 to id6, v1 to v3.
type row [9][]byte

// The columns of a row.
const (
	id1 = iota
	id2
	id3
	id4
	id5
	id6
	v1
	v2
	v3
)

// rows passes on the pairs that f makes of the lines of a table.
func rows[K, V any](p *jobs.Pipeline, f func(r row, emit jobs.Emit[K, V]) error) jobs.Pairs[K, V] {
	return jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[K, V]) error {
		if ctx.Position().Offset == 0 {
			return nil // the header
		}
		var r row
		if !cut(line, r[:]) {
			return fmt.Errorf("the line has not the %d columns of the table", len(r))
		}
		return f(r, emit)
	})
}

// cut cuts a line at its commas. It reports whether there are as many columns.
func cut(line []byte, columns [][]byte) bool {
	last := len(columns) - 1
	for i := range last {
		at := bytes.IndexByte(line, ',')
		if at < 0 {
			return false
		}
		columns[i], line = line[:at], line[at+1:]
	}
	columns[last] = line
	return bytes.IndexByte(line, ',') < 0
}

// ints parses whole numbers.
func ints(texts ...[]byte) (n [3]int64, err error) {
	for i, text := range texts {
		if n[i], err = strconv.ParseInt(string(text), 10, 64); err != nil {
			return n, err
		}
	}
	return n, nil
}

var errDecimal = errors.New("the number has not six decimals")

// micros is a number of millionths.
type micros int64

// parseMicros parses a number with six decimals.
func parseMicros(text []byte) (micros, error) {
	const decimals = 6
	point := len(text) - decimals - 1
	if point < 1 || text[point] != '.' {
		return 0, errDecimal
	}
	n, err := ints(text[:point], text[point+1:])
	return micros(n[0]*1e6 + n[1]), err
}

func (m micros) float() float64 { return float64(m) / 1e6 }

// join joins orders "number,product,pieces" with products "product,cents", and writes
// the price of each order.
var join = jobs.Define("join", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	type order struct {
		Number []byte
		Pieces int64
	}
	type priced struct {
		Number, Product []byte
		Cents           int64
	}
	orders := jobs.Map(jobs.ReadLines(p).Named("orders"), func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, order]) error {
		var columns [3][]byte
		if ctx.Position().Offset == 0 || !cut(line, columns[:]) {
			return header(ctx)
		}
		n, err := ints(columns[2])
		emit(columns[1], order{columns[0], n[0]})
		return err
	})
	products := jobs.Map(jobs.ReadLines(p).Named("products"), func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		var columns [2][]byte
		if ctx.Position().Offset == 0 || !cut(line, columns[:]) {
			return header(ctx)
		}
		n, err := ints(columns[1])
		emit(columns[0], n[0])
		return err
	})
	jobs.Join(orders, products, func(_ *jobs.Context, product []byte, o order, cents int64, emit func(priced)) error {
		emit(priced{o.Number, product, o.Pieces * cents})
		return nil
	}).WriteTSV()
	return nil
}).Described("join orders with products")

// header returns an error unless the record is the header.
func header(ctx *jobs.Context) error {
	if ctx.Position().Offset == 0 {
		return nil
	}
	return errors.New("the line has another number of columns")
}

// words counts words. wordsTop also finds the ten that occur most often.
var (
	words = jobs.Define("words", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.ReadLines(p), tokenize).Fold(jobs.Sum).WriteTSV()
		return nil
	}).Described("count words")
	wordsTop = jobs.Define("words-top", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		counts := jobs.Map(jobs.ReadLines(p), tokenize).Fold(jobs.Sum)
		counts.WriteTSV().Named("counts")
		counts.Top(10, jobs.ByValue).WriteTSV().Named("top")
		return nil
	}).Described("count words, and find the ten that occur most often")
)

func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for word := range bytes.FieldsSeq(line) {
		emit(word, 1)
	}
	return nil
}
