package main

import (
	"bytes"
	"fmt"
	"io"
)

// check takes the output of a job, and reports whether it is complete.
type check interface {
	io.Writer
	// complete returns an error unless all of the input is in the output.
	complete(in input) error
}

func checkOf(j job) check {
	if j.name == terasort().name {
		return new(sorted)
	}
	return &counts{words: map[uint64]bool{}, hash: offset64}
}

// counts adds up the lines "word TAB count". Each word must be there once.
type counts struct {
	total, count int64
	inCount      bool
	hash         uint64
	words        map[uint64]bool
	twice        int
}

// The hash is FNV-1a of 64 bits.
const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

func (c *counts) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n':
			if c.words[c.hash] {
				c.twice++
			}
			c.words[c.hash] = true
			c.total += c.count
			c.count, c.inCount, c.hash = 0, false, offset64
		case b == '\t':
			c.inCount = true
		case c.inCount && (b < '0' || b > '9'):
			return 0, fmt.Errorf("%q is no digit of a count", b)
		case c.inCount:
			c.count = c.count*10 + int64(b-'0')
		default:
			c.hash = (c.hash ^ uint64(b)) * prime64
		}
	}
	return len(p), nil
}

func (c *counts) complete(in input) error {
	if c.total != in.words || c.twice > 0 {
		return fmt.Errorf("the counts add up to %d words, and the input has %d; %d words are there twice", c.total, in.words, c.twice)
	}
	return nil
}

const (
	recordSize = 100
	keySize    = 10
)

// sorted counts records, whose keys must not descend.
type sorted struct {
	records int64
	at      int // bytes of a record that are there
	key     [keySize]byte
	last    [keySize]byte
}

func (s *sorted) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		if s.at < keySize {
			n := copy(s.key[s.at:], p)
			s.at += n
			p = p[n:]
			continue
		}
		n := min(recordSize-s.at, len(p))
		s.at += n
		p = p[n:]
		if s.at == recordSize {
			if bytes.Compare(s.key[:], s.last[:]) < 0 {
				return 0, fmt.Errorf("the key of record %d, %q, is before %q", s.records, s.key, s.last)
			}
			s.last, s.at = s.key, 0
			s.records++
		}
	}
	return all, nil
}

func (s *sorted) complete(in input) error {
	if s.at != 0 || s.records != in.bytes/recordSize {
		return fmt.Errorf("there are %d records and %d bytes, and %d records in the input", s.records, s.at, in.bytes/recordSize)
	}
	return nil
}
