package jobs

import (
	"context"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// A Reader reads records of type T from objects. Its fields are its options and
// part of the pipeline. Many goroutines may call the methods at the same time.
//
// Readers see plain bytes: the engine decompresses underneath. A compressed
// object is not passed to Split: it is one section, or several if the Reader is
// LineBased. The engine recognizes a compressed object by its name, by its
// first bytes if the Reader is Textual, or because the user says so.
type Reader[T any] interface {
	// Split returns the parts of obj that can be read on their own, each about
	// target bytes long. Together they cover the object exactly once. An empty
	// object has no part, or one if it is a record.
	Split(obj Object, target int64) ([]Section, error)
	// Scan yields each record that begins in s, whole, and calls s.At before
	// each. The job may use a record until yield returns. When yield returns an
	// error, Scan returns that error. Scan's own errors name the object and the
	// offset.
	Scan(ctx *Context, s *Section, yield func(T) error) error
}

// A Generator is a Reader that makes records without input. A job that reads by
// one takes no input objects. Scan receives the sections that Generate
// returned, and does not open them.
type Generator interface {
	// Generate returns sections of synthetic objects, about slots of them. Each
	// becomes a map task.
	Generate(slots int) ([]Section, error)
}

// Textual is an optional interface of Readers. It reports whether objects of
// the format are text. An object of text that begins like a compressed stream
// is one, whatever its name. Objects of other formats may begin with any bytes.
type Textual interface{ Textual() bool }

// LineBased is an optional interface of Readers. It reports whether every
// record ends with a line feed and holds no other, where the last record of an
// object needs none. Parts of one object in bzip2 or BGZF, or of a zstd object with
// a seek table, can then be sections. Two sections of such an object meet just after
// the first line feed at or after the byte with which the first block of the
// later one begins. If there is none, the earlier section continues to the end
// of the object. Neither section needs to know where the other's records are.
// Scan does not notice: it receives the lines of one section, whole.
type LineBased interface{ LineBased() bool }

// Headed is an optional interface of Readers. It reports whether sections that are
// not the first of their object read its beginning too, such as the names of
// columns. A plan counts the requests.
type Headed interface{ Headed() bool }

// Probing is an optional interface of Readers. It reports whether sections look at the
// bytes where they begin and end within their object before they read them: the place
// of a record follows from those after it. A plan counts the requests.
type Probing interface{ Probing() bool }

// Scattered is an optional interface of Readers. It reports whether sections are read by
// Section.ReadAt, at places that an object itself lists. A plan counts one request of each
// section, and says that there may be more.
type Scattered interface{ Scattered() bool }

// A Writer writes records of type T to parts. Its fields are its options and
// part of the pipeline.
type Writer[T any] interface {
	// Ext is the extension of the parts' names, with its dot.
	Ext() string
	// Open begins a part. The writer may buffer.
	Open(w Part) (RecordWriter[T], error)
}

// A RecordWriter writes one part. Write must not keep rec. Close writes what is
// buffered; it is called once, unless the task failed.
type RecordWriter[T any] interface {
	Write(rec T) error
	Close() error
}

// Compressible is an optional interface of Writers. It reports whether a part
// is plain text, which the engine may compress as a whole when the user asks
// for it.
type Compressible interface{ Compressible() bool }

// An Object is an input object.
type Object struct {
	Name string // root and key, as users know it
	Size int64  // bytes
}

// A Section is a part of an object that can be read on its own: the records
// that begin in [Offset, Offset+Length).
type Section struct {
	Object Object
	Offset int64
	Length int64
	// Whole says that the section is all that Open returns: a compressed
	// object, lines of one, or an object that may be compressed. Its length is
	// unknown: read to the end. Offset is 0. Length is the size at rest, and
	// does not bound the section. Offsets count the bytes that Open returns;
	// the engine adds the bytes before them in the object.
	Whole bool

	of       *pipeline.Section
	run      *run
	where    *Position
	buffer   *[]byte // of the task
	inBlocks bool    // AtBlock was called
}

// First reports whether the section begins with the first byte of its object, or of
// what comes out of a compressed one. A mark that only the beginning of an object has
// is there.
func (s *Section) First() bool { return s.of.Offset == 0 }

// At sets the offset at which the next yielded record begins. Context.Position
// and errors report it.
func (s *Section) At(offset int64) { s.where.Offset = offset }

// MaxInBlocks is the size from which AtBlock does not identify the records of an object.
const MaxInBlocks = plan.MaxPlaced

// MaxBlock is the size that a decompressed block can have at most for AtBlock.
const MaxBlock = 1 << plan.PlaceBits

// AtBlock is At for a format that compresses blocks of records: the next record begins
// at an offset of what comes out of the block at a byte of the object. That byte is
// less than MaxInBlocks and not among the first four, and the offset is less than
// MaxBlock. All records of an object are reported by At, or all by AtBlock.
func (s *Section) AtBlock(block, offset int64) {
	s.of.Blocks, s.inBlocks = true, true
	s.where.Offset = plan.Place(block, offset)
}

// Where names the byte of the object at an offset, for messages: "byte 12 of
// s3://bucket/object".
func (s *Section) Where(offset int64) string {
	of := s.of
	if s.inBlocks {
		plain := *of
		plain.Blocks = false
		of = &plain
	}
	return positionText(of, Position{s.Object.Name, offset})
}

// WhereInBlock names a byte that AtBlock reports, for messages.
func (s *Section) WhereInBlock(block, offset int64) string {
	return blockText(block, offset, s.Object.Name)
}

// positionText names a position in a section, as its reader reported it.
func positionText(s *pipeline.Section, p Position) string {
	block := int64(0)
	if s.Place != nil {
		p.Offset = s.Place(p.Offset)
	}
	if s.Blocks {
		block, p.Offset = plan.SplitPlace(p.Offset)
	}
	if block == 0 {
		return fmt.Sprintf("byte %d of %s", p.Offset, p.Object)
	}
	return blockText(block, p.Offset, p.Object)
}

func blockText(block, offset int64, object string) string {
	return fmt.Sprintf("byte %d of the decompressed block at byte %d of %s", offset, block, object)
}

// Open returns the object's bytes from off to its end. A Whole section opens
// only at 0. An offset before the
// section is for a header: the bytes come in short requests. Reading fails when the
// object has changed since planning.
func (s *Section) Open(ctx context.Context, off int64) (io.ReadCloser, error) {
	if s.of.Open == nil {
		return nil, fmt.Errorf("section of %s was generated: it has no bytes", s.Object.Name)
	}
	return s.of.Open(ctx, off)
}

// ReadAt fills p with the bytes of the object from off on, which may be anywhere in it.
// It makes one request of a remote store, or more for a large p, so read neighbours
// together. It fails beyond the end of the object, for a section that is Whole, and when
// the object has changed since planning.
func (s *Section) ReadAt(ctx context.Context, p []byte, off int64) error {
	switch {
	case s.Whole:
		return fmt.Errorf("%s is or may be compressed as a whole, and the format needs to read it at any place: decompress the object first", s.Object.Name)
	case s.of.ReadAt == nil:
		return fmt.Errorf("section of %s was generated: it has no bytes", s.Object.Name)
	case off < 0 || off > s.Object.Size || int64(len(p)) > s.Object.Size-off:
		return fmt.Errorf("bytes %d to %d of %s were asked for, which has %d: the object is cut short, or its format is another one",
			off, off+int64(len(p)), s.Object.Name, s.Object.Size)
	}
	return s.of.ReadAt(ctx, p, off)
}

// Bad says that the record at the offset that was passed to At cannot be decoded, and why.
// raw is its text, as far as the Reader has it. A nil result means that the job leaves the
// record out: Scan continues after it. Otherwise Scan returns the result. Errors that leave
// open where the next record begins are not for Bad.
func (s *Section) Bad(raw []byte, err error) error {
	r := s.run
	if r.listed != nil {
		if take, stop := r.listed.takes(r); !take {
			return stop
		}
	}
	t := r.tolerance
	if t == nil {
		return err
	}
	r.ctx.node = nil
	e := r.ctx.recordError(err)
	if !t.about(e) {
		return err
	}
	r.undecoded++
	if r.ctx.quiet[r.root] { // another step reads the same record, and notes it
		return nil
	}
	return t.note(e, plan.BadRecord{Record: textOf(raw)})
}

// Buffer lends n bytes until Scan returns, so that a task of many small
// sections does not allocate them for each. Their contents are arbitrary.
func (s *Section) Buffer(n int) []byte {
	if len(*s.buffer) < n {
		*s.buffer = make([]byte, n)
	}
	return (*s.buffer)[:n:n]
}

// ByteRanges divides obj into sections of about target bytes, at any byte. It
// suits formats whose records can be found from anywhere. An empty object has no section.
func ByteRanges(obj Object, target int64) []Section { return Ranges(obj, target, 1) }

// Ranges is ByteRanges for records of a fixed size: every section but the last
// holds a whole number of them.
func Ranges(obj Object, target, record int64) []Section {
	if obj.Size == 0 {
		return nil
	}
	records := (obj.Size + record - 1) / record
	n := max(1, min((obj.Size+target/2)/max(target, 1), records))
	sections := make([]Section, 0, n)
	for i := range n {
		from, to := records*i/n*record, min(records*(i+1)/n*record, obj.Size)
		sections = append(sections, Section{Object: obj, Offset: from, Length: to - from})
	}
	return sections
}

// A Part is the destination of one task's records.
type Part struct {
	io.Writer
	Task Task
}

// splitter adapts a Reader's Split to the engine.
func splitter[T any](r Reader[T]) func(o plan.Object, target int64) ([]plan.Section, error) {
	return func(o plan.Object, target int64) ([]plan.Section, error) {
		sections, err := r.Split(Object{o.Name(), o.Size}, target)
		if err != nil {
			return nil, fmt.Errorf("split %s: %w", o.Name(), err)
		}
		out := make([]plan.Section, len(sections))
		var end int64
		for i, s := range sections {
			if s.Offset != end || s.Length < 0 || s.Length == 0 && o.Size > 0 {
				return nil, fmt.Errorf("split %s: %T returned section %d at byte %d, %d long, after %d bytes; sections must follow each other",
					o.Name(), r, i, s.Offset, s.Length, end)
			}
			end += s.Length
			out[i] = plan.Section{Object: o, Offset: s.Offset, Length: s.Length}
		}
		if end != o.Size {
			return nil, fmt.Errorf("split %s: the sections that %T returned end at byte %d of %d", o.Name(), r, end, o.Size)
		}
		return out, nil
	}
}

// generator adapts a Generator to the engine; nil for other readers.
func generator(r any) func(slots int) ([]plan.Section, error) {
	g, ok := r.(Generator)
	if !ok {
		return nil
	}
	return func(slots int) ([]plan.Section, error) {
		sections, err := g.Generate(slots)
		if err != nil {
			return nil, err
		}
		out := make([]plan.Section, len(sections))
		for i, s := range sections {
			object := plan.Object{Root: s.Object.Name, Size: s.Object.Size}
			out[i] = plan.Section{Object: object, Offset: s.Offset, Length: s.Length}
		}
		return out, nil
	}
}

// begin returns the offset with which a section begins for its Reader.
func begin(s *pipeline.Section) int64 {
	if s.Whole {
		return 0
	}
	return s.Offset
}

// sectionOf returns a section as its Reader sees it.
func sectionOf(s *pipeline.Section, r *run) *Section {
	return &Section{
		Object: Object{r.ctx.where.Object, s.Object.Size},
		Offset: begin(s),
		Length: s.Length,
		Whole:  s.Whole,
		of:     s,
		run:    r,
		where:  &r.ctx.where,
		buffer: &r.buffer,
	}
}
