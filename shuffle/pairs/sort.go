package pairs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

const (
	smallSort = 24  // up to so many entries are sorted by insertion
	smallTies = 8   // up to so many equal prefixes are resolved by comparing
	deepTies  = 256 // key bytes after which equal prefixes are resolved by comparing
)

// Sort orders the pairs by partition, then key. Pairs of equal keys are ordered
// by value if byValue is set, else in the order in which they were added. It
// fails if a pair has a partition that is not below partitions.
//
// Entries are counted into partitions and then sorted by their prefix with an
// MSD radix sort. It reads keys only if prefixes are equal and the keys
// continue: then their next 8 bytes become the prefix, and those entries are
// sorted again.
func (c *Collector) Sort(partitions int, byValue bool) error {
	if err := c.scatter(partitions); err != nil {
		return err
	}
	s := sorter{c: c, byValue: byValue}
	s.noTies = !byValue && c.layout.Key > 0 && c.layout.Key <= 8
	var start uint32
	for _, end := range c.starts {
		if end-start > 1 {
			s.sort(c.sorted[start:end], 0, false)
		}
		start = end
	}
	return nil
}

// At returns pair i in sorted order. The slices are valid until the next call
// of Add, Append, Sort or Reset.
func (c *Collector) At(i int) (key, value []byte) { return c.pair(c.sorted[i].ref()) }

// Warm loads pairs i to j-1 into the processor's cache. Sorted pairs are
// scattered over memory. Loads that do not wait for each other take a fraction
// of the time that At would spend on one cache miss after the other. A few
// dozen pairs at a time are best.
func (c *Collector) Warm(i, j int) {
	const line = 64
	var sum byte
	for ; i < j; i++ {
		ref := c.sorted[i].ref()
		b := c.slabs[ref>>slabBits]
		at := int(ref & (SlabSize - 1))
		sum += b[at-c.head]
		if at+line < len(b) {
			sum += b[at+line]
		}
	}
	c.warmed = sum // so that the loads are not optimised away
}

// End returns, after Sort, the index that follows the last pair of a partition.
func (c *Collector) End(partition int) int { return int(c.starts[partition]) }

// pair returns the pair that ref names.
func (c *Collector) pair(ref uint32) (key, value []byte) {
	b := c.slabs[ref>>slabBits]
	at := ref & (SlabSize - 1)
	keyLen, n := c.layout.Key, c.layout.Key+c.layout.Value
	if c.head != 0 {
		h := binary.LittleEndian.Uint32(b[at-shortHead:])
		if h == longMark {
			keyLen = int(binary.LittleEndian.Uint32(b[at-longHead:]))
			n = keyLen + int(binary.LittleEndian.Uint32(b[at-longHead+4:]))
		} else {
			keyLen = int(h & 0xffff)
			n = keyLen + int(h>>16)
		}
	}
	p := b[at : int(at)+n : int(at)+n]
	return p[:keyLen:keyLen], p[keyLen:]
}

// scatter moves the entries to c.sorted, by partition, in the order in which
// they were added; c.starts becomes the ends of the partitions.
func (c *Collector) scatter(partitions int) error {
	n := c.Len()
	if n > 0 {
		c.chunks[len(c.chunks)-1] = c.chunk
	}
	if cap(c.scratch) < n {
		size := len(c.chunks) * chunkSize // the charged number
		if len(c.chunks) == 1 {
			size = n
		}
		c.scratch = make([]entry, size)
	}
	c.sorted = c.scratch[:n]
	c.starts = slices.Grow(c.starts[:0], partitions)[:partitions]
	starts := c.starts
	clear(starts)
	for _, chunk := range c.chunks {
		for i := range chunk {
			p := chunk[i].part()
			if int(p) >= partitions {
				return fmt.Errorf("a pair was sent to partition %d of %d", p, partitions)
			}
			starts[p]++
		}
	}
	var sum uint32
	for p, k := range starts {
		starts[p] = sum
		sum += k
	}
	for _, chunk := range c.chunks {
		for _, e := range chunk {
			p := e.part()
			c.sorted[starts[p]] = e
			starts[p]++
		}
	}
	return nil
}

type sorter struct {
	c       *Collector
	byValue bool
	noTies  bool // equal prefixes are equal keys, and need no order
}

// sort orders entries whose prefix holds the bytes of key (or value) from depth
// on, and all bytes before are equal.
func (s *sorter) sort(a []entry, depth int, inValue bool) {
	radixSort(a)
	if s.noTies {
		return
	}
	for i := 0; i < len(a); {
		j := i + 1
		for j < len(a) && a[j].prefix == a[i].prefix && (a[j].tail^a[i].tail)>>classShift == 0 {
			j++
		}
		if j-i > 1 {
			s.ties(a[i:j], depth, inValue)
		}
		i = j
	}
}

// ties orders entries of equal prefix and class.
func (s *sorter) ties(a []entry, depth int, inValue bool) {
	switch goesOn := a[0].class() == more; {
	case !goesOn && (inValue || !s.byValue):
		return // equal, and in the order of their references
	case len(a) <= smallTies || depth >= deepTies:
		slices.SortFunc(a, func(x, y entry) int { return s.compare(x, y, inValue) })
		return
	case goesOn:
		depth += 8
	default:
		depth, inValue = 0, true
	}
	for i := range a {
		b, value := s.c.pair(a[i].ref())
		if inValue {
			b = value
		}
		prefix, class := prefixOf(b[depth:])
		a[i].prefix = prefix
		a[i].tail = a[i].tail&^(0xff<<classShift) | class<<classShift
	}
	s.sort(a, depth, inValue)
}

// compare orders two entries by all their bytes.
func (s *sorter) compare(x, y entry, inValue bool) int {
	xk, xv := s.c.pair(x.ref())
	yk, yv := s.c.pair(y.ref())
	if !inValue {
		if d := bytes.Compare(xk, yk); d != 0 {
			return d
		}
	}
	if s.byValue {
		if d := bytes.Compare(xv, yv); d != 0 {
			return d
		}
	}
	return cmp.Compare(x.ref(), y.ref())
}

// radixSort orders entries by prefix, then tail, as one number of 128 bits. It
// starts at the highest bit in which any two differ, so that common bits cost
// nothing.
func radixSort(a []entry) {
	if len(a) <= smallSort {
		insertionSort(a)
		return
	}
	var diff, tailDiff uint64
	sorted := true
	prev := a[0]
	for _, e := range a[1:] {
		diff |= e.prefix ^ prev.prefix
		tailDiff |= e.tail ^ prev.tail
		sorted = sorted && prev.less(e)
		prev = e
	}
	if sorted {
		return
	}
	if diff != 0 {
		radixPass(a, digit{prefix: ^uint64(0), shift: topDigit(diff)})
	} else {
		radixPass(a, digit{tail: ^uint64(0), shift: topDigit(tailDiff)})
	}
}

// digit selects the 8 bits of an entry by which a pass sorts: those from bit
// shift on of the one word whose mask is all ones. A branch would cost more
// than masks.
type digit struct {
	prefix, tail uint64
	shift        uint
}

// topDigit returns the shift of the 8 bits that start at the highest set one.
func topDigit(diff uint64) uint { return uint(max(bits.Len64(diff), 8) - 8) }

func (d digit) of(e *entry) uint8 { return uint8((e.prefix&d.prefix | e.tail&d.tail) >> d.shift) }

// radixPass permutes a in place by one digit and sorts each bucket.
func radixPass(a []entry, by digit) {
	var heads, ends [256]int
	for i := range a {
		ends[by.of(&a[i])]++
	}
	sum := 0
	for d := range ends {
		heads[d] = sum
		sum += ends[d]
		ends[d] = sum
	}
	for d := range heads {
		for heads[d] < ends[d] {
			e := a[heads[d]]
			for {
				k := by.of(&e)
				i := heads[k]
				heads[k] = i + 1
				if int(k) == d {
					a[i] = e
					break
				}
				a[i], e = e, a[i]
			}
		}
	}
	start := 0
	for _, end := range ends {
		if end-start > 1 {
			radixSort(a[start:end])
		}
		start = end
	}
}

func insertionSort(a []entry) {
	for i := 1; i < len(a); i++ {
		e := a[i]
		j := i
		for j > 0 && e.less(a[j-1]) {
			a[j] = a[j-1]
			j--
		}
		a[j] = e
	}
}
