// Package lengths reads and writes binary records of any size, each behind its length, as
// streams of protocol buffers and many logs have them.
//
// The format is a plain value and safe for concurrent use. Readers and writers that it
// opens belong to one task. Errors name the object and the offset. Sizes are bytes.
package lengths

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/window"
)

// A Prefix says how the length of a record is written before it.
type Prefix int

// Prefixes of records.
const (
	Uvarint Prefix = iota // 1 to 10 bytes, 7 bits each, the lowest first, as of encoding/binary
	Big32                 // 4 bytes, big endian
	Little32
	Big64 // 8 bytes, big endian
	Little64
)

// String returns the name of a Prefix.
func (p Prefix) String() string {
	names := []string{"Uvarint", "Big32", "Little32", "Big64", "Little64"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("Prefix(%d)", int(p))
	}
	return names[p]
}

// Records are records of bytes, each behind its length, with nothing between them. Only the
// first record of an object can be found without the others, so an object is read in one
// task. A record may be empty. The function that receives a record borrows it until it
// returns.
type Records struct {
	// Prefix is how lengths are written; the zero value is Uvarint.
	Prefix Prefix
	// Max is the size of the greatest valid record, at most 1 GiB; 0 means 16 MiB. A
	// greater one is an error.
	Max int
}

const (
	defaultMax = 16 << 20
	mostMax    = 1 << 30
	bufferSize = 256 << 10
)

// check returns the options with their defaults, or an error.
func (r Records) check() (Records, error) {
	switch {
	case r.Prefix < Uvarint || r.Prefix > Little64:
		return r, fmt.Errorf("lengths.Records{Prefix: %v}: choose Uvarint, Big32, Little32, Big64 or Little64", r.Prefix)
	case r.Max < 0 || r.Max > mostMax:
		return r, fmt.Errorf("lengths.Records{Max: %d}: a record has at most 1 GiB", r.Max)
	case r.Max == 0:
		r.Max = defaultMax
	}
	return r, nil
}

// Split returns the object as one section.
func (r Records) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	if _, err := r.check(); err != nil {
		return nil, err
	}
	return jobs.ByteRanges(obj, max(obj.Size, 1)), nil
}

// Scan yields each record of the object.
func (r Records) Scan(ctx *jobs.Context, s *jobs.Section, yield func([]byte) error) (err error) {
	if r, err = r.check(); err != nil {
		return err
	}
	in, err := s.Open(ctx, 0)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
	}()
	w := window.New(in, s.Buffer(bufferSize), 0)
	for {
		record, size, err := r.next(w, s)
		if err != nil || record == nil {
			return err
		}
		s.At(w.At())
		if err := yield(record[len(record)-size : len(record) : len(record)]); err != nil {
			return err
		}
		w.Skip(len(record))
	}
}

// next returns the next record behind its length, and its size; nil at the end of the
// object.
func (r Records) next(w *window.Window, s *jobs.Section) (record []byte, size int, err error) {
	have, err := w.Have(binary.MaxVarintLen64 + 1) // one more shows a longer length
	if err != nil || have == 0 {
		return nil, 0, err
	}
	length, n := r.length(w.Bytes()[:have])
	switch {
	case n == 0:
		return nil, 0, fmt.Errorf("%s: the object ends in the length of the record that begins there: it is cut short, or its records have another Prefix than %v", s.Where(w.At()), r.Prefix)
	case n < 0:
		return nil, 0, fmt.Errorf("%s: the length of the record that begins there has more than 64 bits: the object is damaged, or its records have another Prefix than %v", s.Where(w.At()), r.Prefix)
	case length > uint64(r.Max):
		return nil, 0, fmt.Errorf("%s: the record that begins there has %d bytes, and the limit is %d: raise Max of lengths.Records, or check that Prefix is not another one than %v", s.Where(w.At()), length, r.Max, r.Prefix)
	}
	total := n + int(length)
	if have, err = w.Have(total); err != nil {
		return nil, 0, err
	}
	if have < total {
		return nil, 0, fmt.Errorf("%s: the record that begins there has %d bytes, and the object ends after %d: it is cut short, or its records have another Prefix than %v",
			s.Where(w.At()), length, have-n, r.Prefix)
	}
	return w.Bytes()[:total], int(length), nil
}

// length returns the length with which b begins, and how many bytes it takes: 0 if b is too
// short, less if the length has more than 64 bits.
func (r Records) length(b []byte) (size uint64, n int) {
	switch {
	case r.Prefix == Uvarint:
		return binary.Uvarint(b)
	case r.Prefix == Big32 && len(b) >= 4:
		return uint64(binary.BigEndian.Uint32(b)), 4
	case r.Prefix == Little32 && len(b) >= 4:
		return uint64(binary.LittleEndian.Uint32(b)), 4
	case r.Prefix == Big64 && len(b) >= 8:
		return binary.BigEndian.Uint64(b), 8
	case r.Prefix == Little64 && len(b) >= 8:
		return binary.LittleEndian.Uint64(b), 8
	}
	return 0, 0
}

// Ext is ".dat".
func (Records) Ext() string { return ".dat" }

// Open begins a part.
func (r Records) Open(w jobs.Part) (jobs.RecordWriter[[]byte], error) {
	r, err := r.check()
	return &writer{w: w, f: r}, err
}

type writer struct {
	w   jobs.Part
	f   Records
	buf []byte
}

const flushAt = 64 << 10

// Write writes one record behind its length.
func (w *writer) Write(rec []byte) error {
	if len(rec) > w.f.Max {
		return fmt.Errorf("a record of %d bytes was written, and the limit is %d: raise Max of lengths.Records", len(rec), w.f.Max)
	}
	n := uint64(len(rec))
	switch w.f.Prefix {
	case Uvarint:
		w.buf = binary.AppendUvarint(w.buf, n)
	case Big32:
		w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(n))
	case Little32:
		w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(n))
	case Big64:
		w.buf = binary.BigEndian.AppendUint64(w.buf, n)
	case Little64:
		w.buf = binary.LittleEndian.AppendUint64(w.buf, n)
	default:
		return errors.New("the writer has no Prefix")
	}
	if w.buf = append(w.buf, rec...); len(w.buf) < flushAt {
		return nil
	}
	return w.Close()
}

// Close writes what is buffered.
func (w *writer) Close() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}
