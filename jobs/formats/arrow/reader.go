package arrow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs"
)

// reader reads the batches of a section.
type reader struct {
	ctx          context.Context
	s            *jobs.Section
	budget       budget
	codecs       codecs
	source       source
	fields       []*field
	record       part
	dictionaries map[int64]*dictionary
	shared       map[int64]*field // a column of each dictionary
	plain        []byte           // buffers of a batch, decompressed

	batch     int   // its number in the section
	offset    int64 // of the message; -1 before the first one
	columns   values
	row, rows int
}

func (r *reader) close() {
	r.codecs.close()
	if r.source != nil {
		r.source.close()
	}
}

// recovered makes a panic an error. Objects are written by others, and what decompresses
// their buffers by other packages.
func (r *reader) recovered(err *error) {
	if p := recover(); p != nil {
		*err = r.at(fmt.Errorf("the object is damaged in a way that no check found: %v", p))
	}
}

// at adds the place to an error of the data. Errors of the store are about requests, and
// are returned as they are.
func (r *reader) at(err error) error {
	if e, ok := errors.AsType[*storeError](err); ok {
		return e.error
	}
	if r.offset < 0 {
		return fmt.Errorf("%s: %w", r.s.Object.Name, err)
	}
	return fmt.Errorf("%s: batch %d of the section, row %d: %w", r.s.Where(r.offset), r.batch, r.row, err)
}

// open finds out whether the object is a file or a stream, and passes on its columns.
// matched reports whether dictionaries are needed. It reports whether the section has
// batches to read.
func (r *reader) open(matched func([]*field) (bool, error)) (ok bool, err error) {
	defer r.recovered(&err)
	r.offset, r.batch = -1, -1
	if r.s.Whole || isStream(r.s.Object.Name) && r.s.Offset == 0 && r.s.Length == r.s.Object.Size {
		switch done, err := r.stream(matched); {
		case err != nil:
			return false, err
		case done:
			return true, nil
		}
	}
	size := r.s.Object.Size
	tail := make([]byte, min(size, tailBytes))
	if err := r.s.ReadAt(r.ctx, tail, size-int64(len(tail))); err != nil {
		return false, err
	}
	ends := strings.HasSuffix(string(tail), magic)
	head := tail
	switch {
	case int64(len(tail)) == size:
	case ends && r.s.Offset > 0:
		head = []byte(magic) // the first section looks at the beginning
	default:
		head = make([]byte, headBytes)
		if err := r.s.ReadAt(r.ctx, head, 0); err != nil {
			return false, err
		}
	}
	switch {
	case ends && strings.HasPrefix(string(head), magic) && size > int64(headBytes+footerFrame):
		r.source, err = openFile(r.ctx, r.s, tail, matched)
		return err == nil, err
	case !looksLikeStream(head):
		return false, unknown(r.s.Object.Name, head)
	case r.s.Offset > 0:
		return false, nil // the first section reads a stream
	}
	return r.stream(matched)
}

// stream begins to read a stream. It returns false if the object is a file.
func (r *reader) stream(matched func([]*field) (bool, error)) (bool, error) {
	s, err := openStream(r.ctx, r.s)
	if err != nil {
		return false, err
	}
	head, err := s.r.Peek(headBytes)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	isFile := strings.HasPrefix(string(head), magic)
	if err == nil && !isFile && !looksLikeStream(head) {
		err = unknown(r.s.Object.Name, head)
	}
	if err != nil || isFile {
		s.close()
		return false, err
	}
	r.source = s
	fields, err := s.schema()
	if err == nil {
		_, err = matched(fields)
	}
	if err != nil {
		return false, r.at(err)
	}
	return true, nil
}

// match matches the columns with the type of records, nil for all columns, and reports whether dictionaries are needed.
func (r *reader) match(n *node, fields []*field, missing, nulls bool) (bool, error) {
	m := &matcher{object: r.s.Object.Name, missing: missing, nulls: nulls, budget: &r.budget}
	var err error
	if n == nil {
		r.record, err = m.all(fields)
	} else {
		r.record, err = m.group(n, nil, fields)
	}
	if err != nil {
		return false, err
	}
	r.fields = fields
	r.dictionaries, r.shared = map[int64]*dictionary{}, map[int64]*field{}
	for _, f := range m.dictionaries {
		if r.shared[f.dictionary] == nil {
			r.shared[f.dictionary], r.dictionaries[f.dictionary] = f, &dictionary{}
		}
	}
	for _, f := range m.dictionaries { // twice, because what is wanted of one is wanted of all
		if !unite(r.shared[f.dictionary], f) {
			return false, fmt.Errorf("the columns %q and %q of %s have the dictionary %d, and other types: the object is damaged",
				r.shared[f.dictionary].path(), f.path(), r.s.Object.Name, f.dictionary)
		}
	}
	return len(r.shared) > 0, nil
}

// unite makes all parts of a wanted that are wanted in b. It returns false if their types
// differ.
func unite(a, b *field) bool {
	if a == b {
		return true
	}
	if a.dataType != b.dataType || len(a.children) != len(b.children) {
		return false
	}
	for i, c := range a.children {
		d := b.children[i]
		if (c.indices == nil) != (d.indices == nil) || c.indices != nil && (*c.indices != *d.indices || c.dictionary != d.dictionary) {
			return false
		}
		c.wanted = c.wanted || d.wanted
		if !unite(c, d) {
			return false
		}
	}
	return true
}

// next goes to the next batch. It returns false at the end of the section.
func (r *reader) next() (ok bool, err error) {
	defer r.recovered(&err)
	r.batch++
	r.row, r.rows, r.budget.batch = 0, 0, 0
	for {
		if err := r.ctx.Err(); err != nil {
			return false, err
		}
		m, err := r.source.next()
		if m != nil {
			r.offset = m.offset
		}
		if err != nil {
			return false, r.at(err)
		}
		switch {
		case m == nil:
			return false, nil
		case m.kind == headerDictionary:
			if err := r.dictionary(m); err != nil {
				return false, r.at(fmt.Errorf("a dictionary: %w", err))
			}
		case m.kind != headerBatch:
			return false, r.at(fmt.Errorf("the message is of the kind %d, and no batch: the object is damaged", m.kind))
		default:
			r.rows, r.columns.below, r.budget.batch, err = r.load(m, m.header, r.fields, false)
			if err != nil {
				r.rows = 0
				return false, r.at(err)
			}
			return true, nil
		}
	}
}

// dictionary reads a dictionary, or an addition to one.
func (r *reader) dictionary(m *message) error {
	id, batch, delta := m.header.int64(0), m.header.table(1), m.header.byte(2) != 0
	if m.header.m.err != nil || batch.fields == nil {
		return errFlat
	}
	d := r.dictionaries[id]
	if d == nil {
		return nil // of a column that is not wanted
	}
	_, inFile := r.source.(*file)
	switch {
	case !delta && len(d.chunks) > 0 && inFile:
		return fmt.Errorf("the file has more than one with the number %d: the object is damaged", id)
	case !delta:
		r.budget.held -= d.held
		*d = dictionary{}
	}
	rows, columns, held, err := r.load(m, batch, []*field{r.shared[id]}, true)
	if err != nil {
		return err
	}
	columns[0].owner, columns[0].budget = d, &r.budget
	d.held += held
	r.budget.held += held
	end := rows
	if n := len(d.ends); n > 0 {
		if end += d.ends[n-1]; end < rows {
			return errFlat
		}
	}
	d.chunks, d.ends = append(d.chunks, columns[0]), append(d.ends, end)
	return nil
}

// checkEvery is after how many rows the reader looks whether it must stop.
const checkEvery = 4096

// read reads the next row into p.
func (r *reader) read(p unsafe.Pointer) (err error) {
	defer r.recovered(&err)
	if r.row%checkEvery == 0 {
		if err := r.ctx.Err(); err != nil {
			return err // a few bytes may be any number of rows
		}
	}
	r.budget.record = 0
	if err := r.record.value(&r.columns, r.row, p); err != nil {
		return r.at(err)
	}
	r.row++
	return nil
}
