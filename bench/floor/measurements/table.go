package main

import (
	"bytes"
	"fmt"

	"github.com/windrow-mr/windrow/bench/floor"
)

// stats are the statistics of a name's values, in tenths.
type stats struct {
	hash            uint64
	name            []byte // aliases the input
	least, greatest int32
	n, sum          int64
}

func (s *stats) merge(o *stats) {
	s.least, s.greatest = min(s.least, o.least), max(s.greatest, o.greatest)
	s.n += o.n
	s.sum += o.sum
}

const (
	slots     = 1 << 15
	maxNames  = slots / 2
	maxDigits = 8 // before the point, so that tenths fit an int32
)

// FNV-1a (Fowler, Noll, Vo), 64 bits.
const (
	fnvBasis = 14695981039346656037
	fnvPrime = 1099511628211
)

// table holds the stats of names: a hash table with open addressing that does
// not grow.
type table struct {
	slots [slots]stats // free where name is nil
	used  int
}

// measure adds every line of the section. It hashes a name while it looks for
// its end. It is one function because calls would be visible in the figures.
func (t *table) measure(section floor.Section) error {
	data := section.Data
	for i := 0; i < len(data); {
		start := i
		hash := uint64(fnvBasis)
		for i < len(data) && data[i] != ';' {
			hash = (hash ^ uint64(data[i])) * fnvPrime
			i++
		}
		name := data[start:i]
		i++
		negative := i < len(data) && data[i] == '-'
		if negative {
			i++
		}
		first := i
		var value int32
		for i < len(data) && data[i]-'0' < 10 {
			value = value*10 + int32(data[i]-'0')
			i++
		}
		digits := i - first
		if digits == 0 || digits > maxDigits || !endsLine(data, i) {
			return malformed(section, start)
		}
		value = value*10 + int32(data[i+1]-'0')
		i += 3
		if negative {
			value = -value
		}
		hash ^= hash >> 32
		for k := hash % slots; ; k = (k + 1) % slots {
			s := &t.slots[k]
			if s.name == nil {
				// A line without ; makes a name with its line feed, which is
				// new at least once: no need to look at every name.
				if len(name) == 0 || bytes.IndexByte(name, '\n') >= 0 {
					return malformed(section, start)
				}
				if t.used++; t.used > maxNames {
					return fmt.Errorf("line at offset %d: more than %d names; this program is made for few", section.From+start, maxNames)
				}
				*s = stats{hash, name, value, value, 1, int64(value)}
				break
			}
			if s.hash == hash && bytes.Equal(s.name, name) {
				s.least = min(s.least, value)
				s.greatest = max(s.greatest, value)
				s.n++
				s.sum += int64(value)
				break
			}
		}
	}
	return nil
}

// endsLine reports whether a point, a digit and the line's end follow at i.
func endsLine(data []byte, i int) bool {
	return i+1 < len(data) && data[i] == '.' && data[i+1]-'0' < 10 && (i+2 == len(data) || data[i+2] == '\n')
}

func malformed(section floor.Section, start int) error {
	line := section.Data[start:]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	return fmt.Errorf("line at offset %d is not of the form name;-12.3 with 1 to %d digits before the point: %.50q",
		section.From+start, maxDigits, line)
}
