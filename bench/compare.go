package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// lines are the lines of an output, read as a stream. A process begins with the
// peak memory of its parent, so this process must stay small.
type lines interface {
	// next returns a line with its line feed, which is valid until the next call,
	// and io.EOF after the last.
	next() ([]byte, error)
}

const (
	maxLine = 1 << 20
	// pollLines is the number of lines between two checks of the context.
	pollLines = 1 << 16
)

// sameLines returns an error that shows the first difference of two outputs.
func sameLines(ctx context.Context, want, got lines) error {
	return compareLines(ctx, want, got, bytes.Equal)
}

// compareLines is sameLines with another comparison of lines.
func compareLines(ctx context.Context, want, got lines, same func(want, got []byte) bool) error {
	var offset int64
	for n := 1; ; n++ {
		if n%pollLines == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		w, wantMore, err := nextOf(want)
		if err != nil {
			return err
		}
		g, gotMore, err := nextOf(got)
		switch {
		case err != nil:
			return err
		case !wantMore && !gotMore:
			return nil
		case !gotMore:
			return fmt.Errorf("it ends before line %d, %.100q", n, w)
		case !wantMore:
			return fmt.Errorf("it continues after the last line with %.100q", g)
		case !same(w, g):
			return fmt.Errorf("line %d at offset %d is %.100q, not %.100q", n, offset, g, w)
		}
		offset += int64(len(w))
	}
}

// nextOf returns a line, and false after the last.
func nextOf(l lines) (line []byte, more bool, err error) {
	line, err = l.next()
	if errors.Is(err, io.EOF) {
		return nil, false, nil
	}
	return line, err == nil, err
}

// plain returns the lines of a stream in their order.
type plain struct{ r *bufio.Reader }

func newPlain(r io.Reader) *plain { return &plain{bufio.NewReaderSize(r, maxLine)} }

func (p *plain) next() ([]byte, error) {
	line, err := p.r.ReadSlice('\n')
	switch {
	case err == nil || errors.Is(err, io.EOF) && len(line) > 0:
		return line, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("a line is longer than %d bytes: %.100q", maxLine, line)
	default:
		return nil, err
	}
}

// merged returns the lines of several sorted parts in the order of their keys.
// A key ends at the first tab.
type merged struct {
	heads []head // of parts that have lines left
	last  int    // index of the head that was returned last and must advance; -1 at first
}

type head struct {
	part *plain
	line []byte
}

// newMerged finds the parts in a file that holds one after the other: a part
// begins where keys do not ascend. If there are more parts than there can be, a
// part is out of order.
func newMerged(ctx context.Context, file *io.SectionReader, most int) (*merged, error) {
	starts, err := partStarts(ctx, file)
	if err != nil {
		return nil, err
	}
	if len(starts) > most {
		return nil, fmt.Errorf("the key at offset %d does not ascend, and the %d parts are over by then", starts[most], most)
	}
	m := &merged{last: -1}
	for i, from := range starts {
		to := file.Size()
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		part := newPlain(io.NewSectionReader(file, from, to-from))
		line, err := part.next()
		if err != nil {
			return nil, err
		}
		m.heads = append(m.heads, head{part, line})
	}
	return m, nil
}

// partStarts returns the offsets at which keys do not ascend, and 0 unless the
// file is empty.
func partStarts(ctx context.Context, file *io.SectionReader) ([]int64, error) {
	var starts []int64
	var offset int64
	var previous []byte
	all := newPlain(io.NewSectionReader(file, 0, file.Size()))
	for n := 0; ; n++ {
		if n%pollLines == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		line, err := all.next()
		if errors.Is(err, io.EOF) {
			return starts, nil
		}
		if err != nil {
			return nil, err
		}
		if key := keyOf(line); n == 0 || bytes.Compare(previous, key) >= 0 {
			starts = append(starts, offset)
		}
		previous = append(previous[:0], keyOf(line)...)
		offset += int64(len(line))
	}
}

func keyOf(line []byte) []byte {
	key, _, _ := bytes.Cut(line, []byte{'\t'})
	return key
}

func (m *merged) next() ([]byte, error) {
	if m.last >= 0 {
		if err := m.advance(m.last); err != nil {
			return nil, err
		}
		m.last = -1
	}
	if len(m.heads) == 0 {
		return nil, io.EOF
	}
	m.last = 0
	for i := range m.heads {
		if bytes.Compare(keyOf(m.heads[i].line), keyOf(m.heads[m.last].line)) < 0 {
			m.last = i
		}
	}
	return m.heads[m.last].line, nil
}

// advance moves a head to its part's next line, or removes it.
func (m *merged) advance(i int) error {
	line, err := m.heads[i].part.next()
	if errors.Is(err, io.EOF) {
		m.heads = append(m.heads[:i], m.heads[i+1:]...)
		return nil
	}
	m.heads[i].line = line
	return err
}
