package jobs

import (
	"github.com/windrow-mr/windrow/jobs/internal/lines"
	"github.com/windrow-mr/windrow/jobs/internal/tsv"
)

// lineBuffer is how many bytes a reader of lines asks for at once.
const lineBuffer = 256 << 10

// lineReader is the reader of ReadLines. Package jobs/formats/text has one with
// options; this one is here so that package jobs imports no format.
type lineReader struct{}

func (lineReader) Split(obj Object, target int64) ([]Section, error) {
	return ByteRanges(obj, target), nil
}

func (lineReader) Textual() bool   { return true }
func (lineReader) LineBased() bool { return true }

func (lineReader) Scan(ctx *Context, s *Section, yield func([]byte) error) error {
	return lines.Scan(ctx, lines.Section{
		Where: s.Where, Offset: s.Offset, Length: s.Length, Whole: s.Whole, First: s.First(),
		Buffer: s.Buffer(lineBuffer), Open: s.Open,
	}, func(offset int64, line []byte) error {
		s.At(offset)
		return yield(line)
	})
}

// tsvWriter is the writer of WriteTSV.
type tsvWriter[T any] struct{}

func (tsvWriter[T]) Ext() string        { return ".tsv" }
func (tsvWriter[T]) Compressible() bool { return true }

func (tsvWriter[T]) Open(w Part) (RecordWriter[T], error) { return tsv.NewWriter[T](w) }
