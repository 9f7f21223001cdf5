package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"sort"

	"github.com/windrow-mr/windrow/bench/floor"
)

const (
	buckets    = 1 << 16
	bufferSize = 1 << 20
)

// ref is a record's key and its number.
type ref struct {
	high  uint64 // the key's first 8 bytes
	low   uint16 // the key's other 2
	index uint32
}

// sorter sorts one input.
type sorter struct {
	data    []byte
	records int
	workers int
	refs    []ref
	starts  []int // of each bucket in refs, and the end of the last
}

// sortRecords writes the records in order.
func sortRecords(data []byte, out io.WriterAt, workers int) error {
	n := len(data) / recordSize
	s := &sorter{data: data, records: n, workers: workers, refs: make([]ref, n), starts: make([]int, buckets+1)}
	if err := s.deal(); err != nil {
		return err
	}
	return floor.Each(workers, func(k int) error {
		return s.writeBuckets(out, s.firstBucket(k), s.firstBucket(k+1))
	})
}

// deal fills the buckets. Every worker counts its records first, so that each
// has its own place in every bucket.
func (s *sorter) deal() error {
	next := make([][buckets]uint32, s.workers)
	err := floor.Each(s.workers, func(k int) error {
		for i := s.share(k); i < s.share(k+1); i++ {
			next[k][binary.BigEndian.Uint16(s.data[i*recordSize:])]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	sum := 0
	for b := range buckets {
		s.starts[b] = sum
		for k := range next {
			count := next[k][b]
			next[k][b] = uint32(sum)
			sum += int(count)
		}
	}
	s.starts[buckets] = sum
	return floor.Each(s.workers, func(k int) error {
		for i := s.share(k); i < s.share(k+1); i++ {
			key := s.data[i*recordSize:]
			b := binary.BigEndian.Uint16(key)
			s.refs[next[k][b]] = ref{binary.BigEndian.Uint64(key), binary.BigEndian.Uint16(key[8:]), uint32(i)}
			next[k][b]++
		}
		return nil
	})
}

// share returns the number of worker k's first record.
func (s *sorter) share(k int) int { return s.records * k / s.workers }

// firstBucket returns the first bucket that worker k sorts: all workers write
// about the same number of records.
func (s *sorter) firstBucket(k int) int {
	if k == s.workers {
		return buckets
	}
	return sort.SearchInts(s.starts[:buckets], s.share(k))
}

// writeBuckets sorts a range of buckets and writes it to its place.
func (s *sorter) writeBuckets(out io.WriterAt, from, to int) error {
	at := int64(s.starts[from]) * recordSize
	buf := make([]byte, 0, bufferSize)
	flush := func() error {
		_, err := out.WriteAt(buf, at)
		at += int64(len(buf))
		buf = buf[:0]
		return err
	}
	for b := from; b < to; b++ {
		bucket := s.refs[s.starts[b]:s.starts[b+1]]
		slices.SortFunc(bucket, s.compare)
		for i := range bucket {
			if len(buf)+recordSize > cap(buf) {
				if err := flush(); err != nil {
					return err
				}
			}
			buf = append(buf, s.record(bucket[i].index)...)
		}
	}
	return flush()
}

func (s *sorter) record(index uint32) []byte {
	return s.data[int(index)*recordSize:][:recordSize]
}

func (s *sorter) compare(a, b ref) int {
	switch {
	case a.high != b.high:
		return cmp.Compare(a.high, b.high)
	case a.low != b.low:
		return int(a.low) - int(b.low)
	default:
		return bytes.Compare(s.record(a.index), s.record(b.index))
	}
}
