// Command measurements finds the least, mean and greatest value of each name
// with code written by hand for this one job: the floor of the job
// measurements, which prints the same lines.
//
//	measurements IN OUT
//
// Lines are "name;-12.3" with exactly one decimal; any other line is an error
// that names its offset. Every processor adds up its piece of the mapped input
// in a hash table of fixed size, made for few names; values are whole tenths,
// so that sums are exact.
package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/windrow-mr/windrow/bench/floor"
)

func main() {
	os.Exit(floor.Main(os.Args, os.Stderr, func(in []byte, out *os.File) error {
		names, err := measure(in, floor.Workers())
		if err != nil {
			return err
		}
		return write(out, names)
	}))
}

// measure returns the statistics of each name, by name.
func measure(data []byte, workers int) ([]*stats, error) {
	sections := floor.Sections(data, workers, func(c byte) bool { return c == '\n' })
	tables := make([]*table, workers)
	err := floor.Each(workers, func(k int) error {
		tables[k] = new(table)
		return tables[k].measure(sections[k])
	})
	if err != nil {
		return nil, err
	}
	return total(tables), nil
}

// total adds the tables up.
func total(tables []*table) []*stats {
	byName := make(map[string]*stats)
	var all []*stats
	for _, t := range tables {
		for i := range t.slots {
			s := &t.slots[i]
			if s.name == nil {
				continue
			}
			if sum := byName[string(s.name)]; sum != nil {
				sum.merge(s)
				continue
			}
			byName[string(s.name)] = s
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *stats) int { return bytes.Compare(a.name, b.name) })
	return all
}

func write(to io.Writer, names []*stats) error {
	w := bufio.NewWriter(to)
	var line []byte
	for _, s := range names {
		line = append(line[:0], s.name...)
		line = append(line, '\t')
		line = append(appendTenths(line, int64(s.least)), '/')
		line = append(appendTenths(line, mean(s.sum, s.n)), '/')
		line = append(appendTenths(line, int64(s.greatest)), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// mean returns sum/n as the nearest whole number. A half is rounded away from zero.
func mean(sum, n int64) int64 {
	q, r := sum/n, sum%n
	switch { // twice r may be beyond 64 bits
	case r > 0 && r >= n-r:
		return q + 1
	case r < 0 && -r >= n+r:
		return q - 1
	}
	return q
}

// appendTenths appends a number of tenths with its decimal. There is no -0.0.
func appendTenths(dst []byte, v int64) []byte {
	u := uint64(v)
	if v < 0 {
		dst, u = append(dst, '-'), -u
	}
	return append(strconv.AppendUint(dst, u/10, 10), '.', byte('0'+u%10))
}
