package arrow

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

const (
	magic       = "ARROW1"
	magicOld    = "FEA1" // of Feather, version 1
	headBytes   = 8      // the magic, padded
	footerFrame = 4 + len(magic)
	tailBytes   = 64 << 10 // requested at the end of an object, for the footer
	mostFooter  = 32 << 20
	windowBytes = 1 << 20 // of small batches that are requested at once
)

// storeError is an error of reading the object. It says nothing about the data, and is
// returned as it is.
type storeError struct{ error }

// Unwrap returns the error of the store.
func (e *storeError) Unwrap() error { return e.error }

// source yields the messages of a section: dictionaries, and batches.
type source interface {
	// next returns the next message, or nil at the end.
	next() (*message, error)
	close()
}

// block is the place of a message in a file.
type block struct{ offset, header, body int64 }

func (b *block) end() int64 { return b.offset + b.header + b.body }

// file reads the messages that a footer lists.
type file struct {
	ctx    context.Context
	s      *jobs.Section
	blocks []block
	until  []int64 // where the last one of the same kind ends
	window []byte
	at     int64 // of the window
}

func (f *file) close() {}

// openFile reads the footer whose end is in tail, and returns the columns. Dictionaries
// are listed if needed returns true for the columns.
func openFile(ctx context.Context, s *jobs.Section, tail []byte, needed func([]*field) (bool, error)) (*file, error) {
	size := s.Object.Size
	frame := tail[len(tail)-footerFrame:]
	length := int64(int32At(frame))
	switch {
	case length <= 0 || length > size-headBytes-int64(footerFrame):
		return nil, fmt.Errorf("%s has %d bytes, and its footer claims %d: the object is damaged", s.Object.Name, size, length)
	case length > mostFooter:
		return nil, fmt.Errorf("the footer of %s has %d bytes, and at most 32 MiB can be read: write it with fewer columns or larger batches", s.Object.Name, length)
	}
	var raw []byte
	if have := int64(len(tail) - footerFrame); length <= have {
		raw = tail[have-length : have]
	} else {
		raw = make([]byte, length)
		missing := length - have
		if err := s.ReadAt(ctx, raw[:missing], size-int64(footerFrame)-length); err != nil {
			return nil, err
		}
		copy(raw[missing:], tail)
	}
	f := &file{ctx: ctx, s: s}
	if err := f.list(raw, size-int64(footerFrame)-length, needed); err != nil {
		return nil, err
	}
	return f, nil
}

// list lists the batches that begin in the section, and the dictionaries for them.
func (f *file) list(raw []byte, end int64, needed func([]*field) (bool, error)) error {
	flat := &flat{b: raw}
	t := flat.root()
	if version := t.first(0); flat.err == nil && version != 3 && version != 4 {
		return fmt.Errorf("%s has the version %d of the format, and 4 and 5 can be read: write it again", f.s.Object.Name, version+1)
	}
	damaged := func(err error) error {
		return fmt.Errorf("the footer of %s: %w", f.s.Object.Name, err)
	}
	fields, err := schemaOf(t.table(1))
	if err != nil {
		return damaged(err)
	}
	batches, err := blocksOf(t.vector(3, 24), end)
	if err != nil {
		return damaged(err)
	}
	dictionaries, err := blocksOf(t.vector(2, 24), end)
	if err == nil {
		err = flat.err
	}
	if err != nil {
		return damaged(err)
	}
	want, err := needed(fields)
	if err != nil {
		return err
	}
	batches = slices.DeleteFunc(batches, func(b block) bool {
		return b.offset < f.s.Offset || b.offset >= f.s.Offset+f.s.Length
	})
	if want && len(batches) > 0 {
		f.add(dictionaries)
	}
	f.add(batches)
	return nil
}

func (f *file) add(blocks []block) {
	until := int64(0)
	for _, b := range blocks {
		until = max(until, b.end())
	}
	for range blocks {
		f.until = append(f.until, until)
	}
	f.blocks = append(f.blocks, blocks...)
}

// blocksOf returns the places of messages, which are before end. No two have bytes in
// common, so that no record is read twice.
func blocksOf(v vector, end int64) ([]block, error) {
	all := make([]block, v.n)
	for i := range all {
		raw := v.data[24*i:]
		b := block{int64At(raw), int64(int32At(raw[8:])), int64At(raw[16:])}
		if b.offset < headBytes || b.offset > end || b.header < 8 || b.header > end-b.offset || b.body < 0 || b.body > end-b.offset-b.header {
			return nil, fmt.Errorf("block %d, of %d and %d bytes at byte %d, is outside of the data: the object is damaged", i, b.header, b.body, b.offset)
		}
		all[i] = b
	}
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b block) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].offset < sorted[i-1].end() {
			return nil, fmt.Errorf("the blocks at the bytes %d and %d overlap: the object is damaged", sorted[i-1].offset, sorted[i].offset)
		}
	}
	return all, nil
}

func (f *file) next() (*message, error) {
	if len(f.blocks) == 0 {
		return nil, nil
	}
	b, until := f.blocks[0], f.until[0]
	f.blocks, f.until = f.blocks[1:], f.until[1:]
	m := &message{offset: b.offset}
	if b.header > mostMetadata {
		return m, fmt.Errorf("its metadata has %d bytes, and at most 16 MiB can be read", b.header)
	}
	n := b.header
	if n+b.body <= smallMessage {
		n += b.body
	} else {
		until = b.offset + b.header
	}
	raw, err := f.bytes(b.offset, n, until)
	if err != nil {
		return m, err
	}
	metadata, err := frame(raw[:b.header])
	if err != nil {
		return m, err
	}
	if err := m.decode(metadata); err != nil {
		return m, err
	}
	if m.body > b.body {
		return m, fmt.Errorf("its body has %d bytes, and the footer says %d: the object is damaged", m.body, b.body)
	}
	if n > b.header || b.body == 0 {
		m.whole = raw[b.header:n]
	}
	m.read = func(dst []byte, at int64) error {
		if err := f.s.ReadAt(f.ctx, dst, b.offset+b.header+at); err != nil {
			return &storeError{err}
		}
		return nil
	}
	return m, nil
}

// bytes returns n bytes at a place, until the next call. It requests those behind them too,
// up to until and the size of the window.
func (f *file) bytes(at, n, until int64) ([]byte, error) {
	if at >= f.at && at+n <= f.at+int64(len(f.window)) {
		return f.window[at-f.at : at-f.at+n], nil
	}
	size := max(n, min(windowBytes, until-at))
	if int64(cap(f.window)) < size {
		f.window = make([]byte, size)
	}
	f.window, f.at = f.window[:size], at
	if err := f.s.ReadAt(f.ctx, f.window, at); err != nil {
		f.window = f.window[:0]
		return nil, &storeError{err}
	}
	return f.window[:n], nil
}

// stream reads the messages of a stream, one after the other.
type stream struct {
	ctx    context.Context
	s      *jobs.Section
	body   io.ReadCloser
	r      *bufio.Reader
	at     int64 // the next byte
	ends   int64 // where the current body ends
	header []byte
	whole  []byte
}

func (s *stream) close() { s.body.Close() }

// openStream begins to read an object as a stream.
func openStream(ctx context.Context, s *jobs.Section) (*stream, error) {
	body, err := s.Open(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &stream{ctx: ctx, s: s, body: body, r: bufio.NewReaderSize(body, 64<<10)}, nil
}

// schema reads the message at the beginning.
func (s *stream) schema() ([]*field, error) {
	metadata, err := s.metadata()
	if err != nil {
		return nil, err
	}
	if metadata == nil {
		return nil, errors.New("it ends before its schema: the object is damaged")
	}
	var m message
	if err := m.decode(metadata); err != nil {
		return nil, err
	}
	if m.kind != headerSchema {
		return nil, errors.New("it does not begin with a schema: it is damaged, or of another format")
	}
	s.ends = s.at + m.body
	return schemaOf(m.header)
}

var errCut = errors.New("the stream ends without its end mark: it is cut short")

// full reads b.
func (s *stream) full(b []byte) error {
	n, err := io.ReadFull(s.r, b)
	s.at += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	if err != nil {
		return &storeError{err}
	}
	return nil
}

// skip passes bytes up to a place.
func (s *stream) skip(to int64) error {
	n, err := io.CopyN(io.Discard, s.r, to-s.at)
	s.at += n
	if errors.Is(err, io.EOF) {
		return errCut
	}
	if err != nil {
		return &storeError{err}
	}
	return nil
}

// metadata returns the metadata of the next message, until the one after it; nil at the
// end.
func (s *stream) metadata() ([]byte, error) {
	if err := s.skip(s.ends); err != nil {
		return nil, err
	}
	var prefix [4]byte
	if err := s.full(prefix[:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(prefix[:]) == continuation {
		if err := s.full(prefix[:]); err != nil {
			return nil, err
		}
	}
	n := int64(binary.LittleEndian.Uint32(prefix[:]))
	switch {
	case n == 0:
		if _, err := s.r.ReadByte(); !errors.Is(err, io.EOF) {
			if err != nil {
				return nil, &storeError{err}
			}
			return nil, fmt.Errorf("there are bytes after the end mark, at byte %d: write each stream as an object of its own", s.at)
		}
		return nil, nil
	case n > mostMetadata:
		return nil, fmt.Errorf("its metadata has %d bytes, and at most 16 MiB can be read: the object is damaged", n)
	}
	if int64(cap(s.header)) < n {
		// A length that is not true costs no more than what is there.
		read, err := io.ReadAll(io.LimitReader(s.r, n))
		s.at += int64(len(read))
		if err != nil {
			return nil, &storeError{err}
		}
		if int64(len(read)) < n {
			return nil, errCut
		}
		s.header = read
		return read, nil
	}
	s.header = s.header[:n]
	return s.header, s.full(s.header)
}

func (s *stream) next() (*message, error) {
	m := &message{offset: max(s.at, s.ends)}
	metadata, err := s.metadata()
	if err != nil || metadata == nil {
		if err != nil {
			return m, err
		}
		return nil, nil
	}
	if err := m.decode(metadata); err != nil {
		return m, err
	}
	if rest := s.s.Object.Size - s.at; !s.s.Whole && m.body > rest {
		return m, fmt.Errorf("its body has %d bytes, and the object has %d: %w", m.body, rest, errCut)
	}
	begin := s.at
	if s.ends = begin + m.body; s.ends < begin {
		return m, errFlat
	}
	if m.body <= smallMessage {
		if s.whole == nil {
			s.whole = make([]byte, smallMessage)
		}
		m.whole = s.whole[:m.body]
		return m, s.full(m.whole)
	}
	m.read = func(dst []byte, at int64) error {
		if err := s.skip(begin + at); err != nil {
			return err
		}
		return s.full(dst)
	}
	return m, nil
}

// looksLikeStream reports whether an object begins with the metadata of a message.
func looksLikeStream(head []byte) bool {
	if len(head) < headBytes {
		return false
	}
	n := binary.LittleEndian.Uint32(head)
	if n == continuation {
		n = binary.LittleEndian.Uint32(head[4:])
	}
	return n > 0 && n <= mostMetadata && n%4 == 0
}

// isStream reports whether a name is that of a stream.
func isStream(name string) bool {
	base, _, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "?")
	return strings.HasSuffix(base, ".arrows")
}

// unknown is the error of an object that is neither a file nor a stream.
func unknown(name string, head []byte) error {
	switch {
	case bytes.HasPrefix(head, []byte(magicOld)):
		return fmt.Errorf("%s is a Feather file of version 1, which cannot be read: write it as version 2, which is an Arrow file", name)
	case bytes.HasPrefix(head, []byte(magic)):
		return fmt.Errorf("%s begins like an Arrow file, and does not end like one: it is cut short", name)
	}
	return fmt.Errorf("%s is no Arrow file and no stream: it is damaged, or of another format", name)
}
