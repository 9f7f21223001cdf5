// Package object reads objects as they are: one record for each, with its name. It is for
// images, documents, archives and whatever else is not made of records.
//
// The formats are plain values and safe for concurrent use. Readers that they open belong
// to one task. Objects that are compressed as a whole are decompressed first, and sizes are
// those of the decompressed bytes unless they say otherwise. An empty object is a record
// too. Errors name the object and the offset in bytes.
package object

import (
	"errors"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/jobs"
)

// File is an object with its bytes.
type File struct {
	Name string // root and key, as users know it
	Data []byte // borrowed: valid until the function that receives the File returns
}

// Whole reads each object as one record, in memory. For objects of any size there is
// Streams.
type Whole struct {
	// Max is the size of the greatest valid object, at most 1 GiB; 0 means 64 MiB. A
	// greater one is an error.
	Max int
}

const (
	defaultMax = 64 << 20
	mostMax    = 1 << 30
	bufferSize = 256 << 10
)

func (f Whole) limit() (int, error) {
	if f.Max < 0 || f.Max > mostMax {
		return 0, fmt.Errorf("object.Whole{Max: %d}: an object has 1 byte to 1 GiB; use object.Streams for others", f.Max)
	}
	if f.Max == 0 {
		return defaultMax, nil
	}
	return f.Max, nil
}

func tooLarge(name, size string, limit int) error {
	return fmt.Errorf("%s has %s, and the limit is %d: raise Max of object.Whole, or read it with object.Streams", name, size, limit)
}

// Split returns the object as one section. It fails when the object is over the limit.
func (f Whole) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	limit, err := f.limit()
	if err != nil {
		return nil, err
	}
	if obj.Size > int64(limit) {
		return nil, tooLarge(obj.Name, fmt.Sprint(obj.Size, " bytes"), limit)
	}
	return one(obj), nil
}

// one returns an object as one section.
func one(obj jobs.Object) []jobs.Section { return []jobs.Section{{Object: obj, Length: obj.Size}} }

// Scan yields the object.
func (f Whole) Scan(ctx *jobs.Context, s *jobs.Section, yield func(File) error) (err error) {
	limit, err := f.limit()
	if err != nil {
		return err
	}
	in, err := s.Open(ctx, 0)
	if err != nil {
		return err
	}
	defer closing(in, &err)
	size := bufferSize
	if !s.Whole {
		size = int(s.Object.Size) + 1 // one more, to see the end
	}
	buf, n := s.Buffer(size), 0
	for {
		got, err := io.ReadFull(in, buf[n:])
		if n += got; n > limit {
			return tooLarge(s.Object.Name, "more bytes when it is decompressed", limit)
		}
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) && n < len(buf) {
			break
		}
		if err != nil {
			return err
		}
		bigger := make([]byte, min(2*len(buf), limit+1))
		copy(bigger, buf)
		buf = bigger
	}
	if !s.Whole && int64(n) != s.Object.Size {
		return fmt.Errorf("%s: the object ends there, and has %d bytes by its plan", s.Where(int64(n)), s.Object.Size)
	}
	s.At(0)
	return yield(File{s.Object.Name, buf[:n:n]})
}

func closing(in io.Closer, err *error) {
	if closeErr := in.Close(); *err == nil {
		*err = closeErr
	}
}

// Stream is an object that is read while a function works on it.
type Stream struct {
	// Reader returns the object's bytes. It is valid until the function that receives
	// the Stream returns, which need not read to the end.
	io.Reader
	Name string // root and key, as users know it
	Size int64  // as the object is stored: a compressed one is longer when it is read
}

// Streams reads objects of any size in constant memory, each as one record.
type Streams struct{}

// Split returns the object as one section.
func (Streams) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) { return one(obj), nil }

// Scan yields the object.
func (Streams) Scan(ctx *jobs.Context, s *jobs.Section, yield func(Stream) error) (err error) {
	in, err := s.Open(ctx, 0)
	if err != nil {
		return err
	}
	defer closing(in, &err)
	from := &stream{in: in}
	s.At(0)
	err = yield(Stream{from, s.Object.Name, s.Object.Size})
	from.in = nil
	if err != nil || from.err == nil {
		return err
	}
	return from.err // the function may have ignored it
}

// stream reads an object until the function that has it returns.
type stream struct {
	in  io.Reader
	err error // of in, other than its end
}

var errOver = errors.New("the stream of an object was read after the function that received it returned: read it before, or use object.Whole and copy the bytes")

// Read reads the next bytes.
func (r *stream) Read(p []byte) (int, error) {
	if r.in == nil {
		return 0, errOver
	}
	n, err := r.in.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
