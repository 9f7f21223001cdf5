// Package fixed reads and writes binary records that all have the same size,
// with nothing between them, such as the sort benchmark's. Constructors of jobs
// use its format in Read and Write.
//
// The format is a plain value and safe for concurrent use. Readers and writers
// that it opens belong to one task. Errors name the object and the offset.
// Sizes are bytes.
package fixed

import (
	"errors"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/jobs"
)

// Records are records of Size bytes each. An object is split between records,
// and must hold a whole number of them. The function that receives a record
// borrows it until it returns.
type Records struct {
	Size int // bytes, 1 or more
}

func (r Records) check() error {
	if r.Size < 1 || r.Size > 1<<28 {
		return fmt.Errorf("fixed.Records{Size: %d}: a record has 1 byte to 256 MiB", r.Size)
	}
	return nil
}

// Split divides an object between records. It fails when the last record is
// incomplete.
func (r Records) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if over := obj.Size % int64(r.Size); over != 0 {
		return nil, r.partial(obj.Name, obj.Size-over, over)
	}
	return jobs.Ranges(obj, target, int64(r.Size)), nil
}

func (r Records) partial(object string, offset, n int64) error {
	return fmt.Errorf("the record at byte %d of %s has %d bytes, where all have %d: the object is cut short, or has records of another size",
		offset, object, n, r.Size)
}

const bufferSize = 256 << 10

// Scan yields each record of s.
func (r Records) Scan(ctx *jobs.Context, s *jobs.Section, yield func([]byte) error) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	in, err := s.Open(ctx, s.Offset)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
	}()
	buf := s.Buffer(max(bufferSize/r.Size, 1) * r.Size)
	for at, end := s.Offset, s.Offset+s.Length; s.Whole || at < end; {
		want := buf
		if left := end - at; !s.Whole && left < int64(len(buf)) {
			want = buf[:left]
		}
		n, err := io.ReadFull(in, want)
		for from := 0; from+r.Size <= n; from += r.Size {
			s.At(at)
			if err := yield(want[from : from+r.Size : from+r.Size]); err != nil {
				return err
			}
			at += int64(r.Size)
		}
		over := int64(n % r.Size)
		switch {
		case err == nil && over == 0:
		case err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
			return err
		case over != 0:
			return r.partial(s.Object.Name, at, over)
		case s.Whole:
			return nil
		default:
			return fmt.Errorf("%s ends at byte %d, before byte %d", s.Object.Name, at, end)
		}
	}
	return nil
}

// Ext is ".dat".
func (Records) Ext() string { return ".dat" }

// Open begins a part.
func (r Records) Open(w jobs.Part) (jobs.RecordWriter[[]byte], error) {
	return &writer{w: w, size: r.Size}, r.check()
}

type writer struct {
	w    jobs.Part
	size int
	buf  []byte
}

const flushAt = 64 << 10

// Write writes one record, which must have Size bytes.
func (w *writer) Write(rec []byte) error {
	if len(rec) != w.size {
		return fmt.Errorf("a record of %d bytes was written, where all have %d", len(rec), w.size)
	}
	w.buf = append(w.buf, rec...)
	if len(w.buf) < flushAt {
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
