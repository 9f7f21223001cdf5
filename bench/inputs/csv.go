package inputs

import (
	"bufio"
	"math/bits"
	"strconv"
)

// counter is SplitMix64: a stream of random numbers that other languages make
// in three lines.
type counter uint64

// below returns a number from 0 to n-1.
func (c *counter) below(n int64) int64 {
	*c += 0x9e3779b97f4a7c15
	high, _ := bits.Mul64(mix(uint64(*c)), uint64(n))
	return int64(high)
}

// digits appends a number with zeros before it, so that it has a width.
func digits(dst []byte, number int64, width int) []byte {
	for most := int64(10); width > 1; width-- {
		if number < most {
			dst = append(dst, '0')
		}
		most *= 10
	}
	return strconv.AppendInt(dst, number, 10)
}

// Groups of the table of the same name.
const (
	groupsOfFew = 100
	decimals    = 1_000_000
)

func groups(w *bufio.Writer, rows int64) error {
	if _, err := w.WriteString("id1,id2,id3,id4,id5,id6,v1,v2,v3\n"); err != nil {
		return err
	}
	many := max(rows/groupsOfFew, 1)
	var c counter
	line := make([]byte, 0, 80)
	for range rows {
		line = digits(append(line[:0], "id"...), 1+c.below(groupsOfFew), 3)
		line = digits(append(line, ",id"...), 1+c.below(groupsOfFew), 3)
		line = digits(append(line, ",id"...), 1+c.below(many), 10)
		for _, most := range [...]int64{groupsOfFew, groupsOfFew, many, 5, 15} {
			line = strconv.AppendInt(append(line, ','), 1+c.below(most), 10)
		}
		v3 := c.below(100*decimals + 1)
		line = strconv.AppendInt(append(line, ','), v3/decimals, 10)
		line = append(digits(append(line, '.'), v3%decimals, 6), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func orders(w *bufio.Writer, rows int64) error {
	if _, err := w.WriteString("number,product,pieces\n"); err != nil {
		return err
	}
	products := max(rows/10, 1)
	var c counter
	line := make([]byte, 0, 40)
	for n := range rows {
		line = digits(append(line[:0], 'o'), n+1, 9)
		line = digits(append(line, ",p"...), 1+c.below(products+products/9), 8)
		line = append(strconv.AppendInt(append(line, ','), 1+c.below(20), 10), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// step is a prime above all counts of products, so that its multiples meet each
// product once.
const step = 1_000_000_007

func products(w *bufio.Writer, rows int64) error {
	if _, err := w.WriteString("product,cents\n"); err != nil {
		return err
	}
	var c counter
	line := make([]byte, 0, 40)
	for n := range rows {
		line = digits(append(line[:0], 'p'), 1+n*step%rows, 8)
		line = append(strconv.AppendInt(append(line, ','), 1+c.below(10_000), 10), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}
