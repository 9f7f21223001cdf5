// Command join joins orders with products with code written by hand for this one
// job: the floor of the job join, which prints the same lines in another order.
//
//	join ORDERS PRODUCTS OUT
//
// Orders are lines "number,product,pieces" and products are lines "product,cents",
// both below a header. The output has "number TAB product TAB pieces × cents" for
// each order of a product that there is. Products are in a hash table of Go, by a
// piece of the mapped input. Every processor joins its piece of the orders and
// writes it by itself.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"unsafe"

	"github.com/windrow-mr/windrow/bench/floor"
)

func main() {
	os.Exit(floor.With(os.Args, "ORDERS PRODUCTS OUT", os.Stderr, func(args []string, out *os.File) error {
		orders, err := floor.Map(args[0])
		if err != nil {
			return err
		}
		products, err := floor.Map(args[1])
		if err != nil {
			return err
		}
		prices, err := pricesOf(products)
		if err != nil {
			return fmt.Errorf("%s: %w", args[1], err)
		}
		if err := join(out, orders, prices, floor.Workers()); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return nil
	}))
}

// pricesOf returns the cents of each product.
func pricesOf(products []byte) (map[string]int64, error) {
	prices := make(map[string]int64, len(products)/15)
	err := eachLine(products, 0, func(line []byte) error {
		product, text, _ := bytes.Cut(line, []byte{','})
		cents, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || len(product) == 0 {
			return fmt.Errorf("it is %.100q, without product and cents", line)
		}
		prices[unsafe.String(&product[0], len(product))] = cents // mapped until the process ends
		return nil
	})
	return prices, err
}

// eachLine calls f for each line. The text begins at an offset of the input; the line
// at 0 is the header.
func eachLine(text []byte, offset int, f func(line []byte) error) error {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		if offset > 0 {
			if err := f(line); err != nil {
				return fmt.Errorf("line at offset %d: %w", offset, err)
			}
		}
		offset += len(text) - len(rest)
		text = rest
	}
	return nil
}

// bufferSize is the size of a write, without the end of its last line.
const bufferSize = 1 << 20

func join(to io.Writer, orders []byte, prices map[string]int64, workers int) error {
	var one sync.Mutex // of the writer
	sections := floor.Sections(orders, workers, func(c byte) bool { return c == '\n' })
	return floor.Each(workers, func(k int) error {
		var buf []byte
		flush := func(least int) error {
			if len(buf) < least {
				return nil
			}
			one.Lock()
			defer one.Unlock()
			_, err := to.Write(buf)
			buf = buf[:0]
			return err
		}
		err := eachLine(sections[k].Data, sections[k].From, func(line []byte) error {
			number, rest, _ := bytes.Cut(line, []byte{','})
			product, text, _ := bytes.Cut(rest, []byte{','})
			pieces, err := strconv.ParseInt(string(text), 10, 64)
			if err != nil {
				return fmt.Errorf("it is %.100q, without number, product and pieces", line)
			}
			cents, ok := prices[string(product)]
			if !ok {
				return nil
			}
			buf = append(append(buf, number...), '\t')
			buf = append(append(buf, product...), '\t')
			buf = append(strconv.AppendInt(buf, pieces*cents, 10), '\n')
			return flush(bufferSize)
		})
		return errors.Join(err, flush(1))
	})
}
