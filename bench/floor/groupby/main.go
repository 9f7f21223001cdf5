// Command groupby answers a group-by question of the H2O db-benchmark with code
// written by hand: the floor of the jobs groupby-1 to groupby-10, which print the
// same lines in another order.
//
//	groupby QUESTION IN OUT
//
// Lines are "id1,id2,id3,id4,id5,id6,v1,v2,v3" below a header, with six decimals
// in v3. The columns of a question's key are next to each other in each line, so
// that the key is a piece of the mapped input. Every processor adds up its piece of
// the input in a hash table of Go; the tables are added up. v3 is added in
// millionths, so that sums are exact.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"unsafe"

	"github.com/windrow-mr/windrow/bench/floor"
)

func main() {
	os.Exit(floor.With(os.Args, "QUESTION IN OUT", os.Stderr, func(args []string, out *os.File) error {
		q, ok := questions()[args[0]]
		if !ok {
			return fmt.Errorf("there is no question %q", args[0])
		}
		in, err := floor.Map(args[1])
		if err != nil {
			return err
		}
		groups, err := group(in, q, floor.Workers())
		if err != nil {
			return fmt.Errorf("%s: %w", args[1], err)
		}
		return write(out, groups, q)
	}))
}

// question is a group-by question.
type question struct {
	first, last int // columns of the key, from 0 on
	line        func(dst []byte, s *sums) []byte
}

// columns of the input.
const columns = 9

func questions() map[string]question {
	return map[string]question{
		"1": {0, 0, func(dst []byte, s *sums) []byte { return whole(dst, s.v1) }},
		"2": {0, 1, func(dst []byte, s *sums) []byte { return whole(dst, s.v1) }},
		"3": {2, 2, func(dst []byte, s *sums) []byte { return s.mean(whole(dst, s.v1), s.v3, millionth) }},
		"4": {3, 3, func(dst []byte, s *sums) []byte {
			return s.mean(s.mean(s.mean(dst, s.v1, 1), s.v2, 1), s.v3, millionth)
		}},
		"5":  {5, 5, func(dst []byte, s *sums) []byte { return decimal(whole(whole(dst, s.v1), s.v2), s.v3) }},
		"7":  {2, 2, func(dst []byte, s *sums) []byte { return whole(dst, s.most1-s.least2) }},
		"10": {0, 5, func(dst []byte, s *sums) []byte { return whole(decimal(dst, s.v3), s.n) }},
	}
}

const millionth = 1e6

func whole(dst []byte, n int64) []byte { return strconv.AppendInt(append(dst, '\t'), n, 10) }

func decimal(dst []byte, n int64) []byte {
	return strconv.AppendFloat(append(dst, '\t'), float64(n)/millionth, 'f', -1, 64)
}

func (s *sums) mean(dst []byte, sum int64, unit float64) []byte {
	return strconv.AppendFloat(append(dst, '\t'), float64(sum)/unit/float64(s.n), 'f', -1, 64)
}

// sums are those of a group.
type sums struct{ n, v1, v2, v3, most1, least2 int64 }

func (s *sums) add(o *sums) {
	s.n, s.v1, s.v2, s.v3 = s.n+o.n, s.v1+o.v1, s.v2+o.v2, s.v3+o.v3
	s.most1, s.least2 = max(s.most1, o.most1), min(s.least2, o.least2)
}

// group returns the sums of each group, by the bytes of its key.
func group(in []byte, q question, workers int) (map[string]*sums, error) {
	header := bytes.IndexByte(in, '\n') + 1
	sections := floor.Sections(in[header:], workers, func(c byte) bool { return c == '\n' })
	tables := make([]map[string]*sums, workers)
	err := floor.Each(workers, func(k int) error {
		tables[k] = map[string]*sums{}
		return groupSection(tables[k], q, sections[k].Data, header+sections[k].From)
	})
	if err != nil {
		return nil, err
	}
	all := tables[0]
	for _, t := range tables[1:] {
		for key, s := range t {
			if sum := all[key]; sum != nil {
				sum.add(s)
			} else {
				all[key] = s
			}
		}
	}
	return all, nil
}

func groupSection(to map[string]*sums, q question, in []byte, offset int) error {
	for len(in) > 0 {
		line, rest, _ := bytes.Cut(in, []byte{'\n'})
		var from [columns + 1]int // of columns: each ends before the comma of the next one
		n := 1
		for i, c := range line {
			if c == ',' && n < columns {
				from[n] = i + 1
				n++
			}
		}
		if from[columns] = len(line) + 1; n < columns {
			return fmt.Errorf("line at offset %d is %.100q, without %d columns", offset, line, columns)
		}
		v1, ok1 := digits(line[from[6] : from[7]-1])
		v2, ok2 := digits(line[from[7] : from[8]-1])
		v3, ok3 := millionths(line[from[8]:])
		key := line[from[q.first] : from[q.last+1]-1]
		if !ok1 || !ok2 || !ok3 || len(key) == 0 {
			return fmt.Errorf("line at offset %d is %.100q, without numbers", offset, line)
		}
		s := to[string(key)]
		if s == nil {
			s = &sums{least2: v2}
			to[unsafe.String(&key[0], len(key))] = s // mapped until the process ends
		}
		s.add(&sums{1, v1, v2, v3, v1, v2})
		offset += len(in) - len(rest)
		in = rest
	}
	return nil
}

func digits(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}

func millionths(text []byte) (n int64, ok bool) {
	point := len(text) - 7
	if point < 1 || text[point] != '.' {
		return 0, false
	}
	left, ok1 := digits(text[:point])
	right, ok2 := digits(text[point+1:])
	return left*millionth + right, ok1 && ok2
}

func write(to io.Writer, groups map[string]*sums, q question) error {
	w := bufio.NewWriterSize(to, 1<<20)
	line := make([]byte, 0, 256)
	for key, s := range groups {
		line = append(line[:0], key...)
		for i := range line {
			if line[i] == ',' {
				line[i] = '\t'
			}
		}
		line = append(q.line(line, s), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}
