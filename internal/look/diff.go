package look

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	wcli "github.com/windrow-mr/windrow/internal/cli"
)

// Bounds of a comparison's memory: it divides records by their digests, and holds the
// digests of some divisions at a time.
const (
	divisions  = 1 << 16
	heldAtOnce = 4 << 20 // digests
)

// digest is that of a record. Equal digests mean equal records.
type digest [16]byte

// differing is a record that one of both has n times more often.
type differing struct {
	of digest
	n  int64
}

// comparison compares two sets of records, each of which may have a record several times.
type comparison struct {
	d       *data
	objects [2][]object
	sums    [divisions]division
	rows    [2]int64
	only    [2]int64       // records that the other one lacks
	shown   [2][]differing // some of them, at most `most`
	most    int
}

// division is what the records of a division add up to: those of A less those of B.
type division struct {
	low, high uint64
	rows      int64
}

// diff prints how A and B differ, and at most n records that only one of them has. The
// error says that they do.
func diff(ctx context.Context, to io.Writer, d *data, a, b string, n int) error {
	c := &comparison{d: d, most: n}
	for side, url := range []string{a, b} {
		var err error
		if c.objects[side], err = d.find(ctx, []string{url}); err != nil {
			return err
		}
	}
	if err := c.each(ctx, func(side int, of digest, _ string) error {
		c.rows[side]++
		c.sums[of.division()].add(of, side)
		return nil
	}); err != nil {
		return err
	}
	if err := c.compare(ctx); err != nil {
		return err
	}
	if err := c.show(ctx, wcli.Visible(to)); err != nil {
		return err
	}
	fmt.Fprintf(to, "%d records only in %s, %d only in %s, %d in both\n", c.only[0], a, c.only[1], b, c.rows[0]-c.only[0])
	if c.only[0]+c.only[1] > 0 {
		return errDifferent{}
	}
	return nil
}

// errDifferent ends the command with a status, and without words: the differences are
// printed.
type errDifferent struct{}

func (errDifferent) Error() string { return "" }

// each passes on the digests of all records, of A first.
func (c *comparison) each(ctx context.Context, yield func(side int, of digest, line string) error) error {
	for side := range c.objects {
		for _, o := range c.objects[side] {
			if err := c.d.read(ctx, o, func(r Row) error {
				line := canonical(r)
				sum := sha256.Sum256([]byte(line))
				return yield(side, digest(sum[:len(digest{})]), line)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// canonical returns a record as text: equal for the same columns with the same values, in
// any order and of any format.
func canonical(r Row) string {
	fields := make([]string, 0, len(r))
	for _, f := range r {
		if isNull(f.Value) {
			continue // a format may leave it out
		}
		value := text(f.Value)
		if raw, ok := f.Value.(json.RawMessage); ok && (raw[0] == '{' || raw[0] == '[') {
			value = canonicalJSON(raw)
		}
		fields = append(fields, fmt.Sprintf("%q: %q", f.Name, value))
	}
	slices.Sort(fields)
	return strings.Join(fields, ", ")
}

func (of digest) division() int { return int(binary.BigEndian.Uint16(of[:])) }

func (v *division) add(of digest, side int) {
	low, high := binary.BigEndian.Uint64(of[:]), binary.BigEndian.Uint64(of[8:])
	if side == 0 {
		v.low, v.high = v.low+low, v.high+high
	} else {
		v.low, v.high = v.low-low, v.high-high
	}
	v.rows++
}

// equal reports whether the records of A and B in a division are the same.
func (v *division) equal() bool { return v.low == 0 && v.high == 0 }

// compare finds the records that are not in both equally often.
func (c *comparison) compare(ctx context.Context) error {
	for from := 0; from < divisions; {
		var wanted [divisions]bool
		held := int64(0)
		for ; from < divisions; from++ {
			v := &c.sums[from]
			if v.equal() {
				continue
			}
			if held > 0 && held+v.rows > heldAtOnce {
				break
			}
			wanted[from] = true
			held += v.rows
		}
		if held == 0 {
			return nil
		}
		net := make(map[digest]int64)
		if err := c.each(ctx, func(side int, of digest, _ string) error {
			if !wanted[of.division()] {
				return nil
			}
			if net[of] += 1 - 2*int64(side); net[of] == 0 {
				delete(net, of)
			}
			return nil
		}); err != nil {
			return err
		}
		for of, n := range net {
			c.note(of, n)
		}
	}
	return nil
}

// note counts a record that is n times more often in A, or in B if n is negative. Those
// with the least digests are shown.
func (c *comparison) note(of digest, n int64) {
	side := 0
	if n < 0 {
		side, n = 1, -n
	}
	c.only[side] += n
	c.shown[side] = append(c.shown[side], differing{of, n})
	if all := c.shown[side]; len(all) > 2*c.most {
		slices.SortFunc(all, func(x, y differing) int { return bytes.Compare(x.of[:], y.of[:]) })
		c.shown[side] = all[:c.most]
	}
}

// show prints some of the records that only one has, - of A and + of B.
func (c *comparison) show(ctx context.Context, to io.Writer) error {
	wanted := make(map[digest]int64)
	for side, all := range c.shown {
		slices.SortFunc(all, func(x, y differing) int { return bytes.Compare(x.of[:], y.of[:]) })
		for _, f := range all[:min(len(all), c.most)] {
			wanted[f.of] = f.n * (1 - 2*int64(side))
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	err := c.each(ctx, func(side int, of digest, line string) error {
		n, ok := wanted[of]
		if !ok || (n < 0) != (side == 1) {
			return nil
		}
		times := ""
		if n = max(n, -n); n > 1 {
			times = fmt.Sprintf(" (%d times)", n)
		}
		delete(wanted, of)
		if _, err := fmt.Fprintf(to, "%c %s%s\n", "-+"[side], line, times); err != nil {
			return err
		}
		if len(wanted) == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
