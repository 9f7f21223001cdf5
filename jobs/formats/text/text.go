// Package text reads and writes lines of text. Constructors of jobs use its
// formats in Read and Write. ReadLines and WriteTSV of package jobs are short
// for Lines{} and TSV[T]{}.
//
// The formats are plain values and safe for concurrent use. Readers and writers
// that they open belong to one task. Errors name the object and the offset in
// bytes, or the column of the record. Lengths are bytes.
package text

import (
	"bytes"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/lines"
	"github.com/windrow-mr/windrow/jobs/internal/tsv"
)

// Lines are records that are lines, without their line ends. On input, a line
// ends in LF or CR LF, and the last one of an object needs no end. A byte order
// mark of UTF-8 at the beginning of an object is no part of its first line. An
// object can be split anywhere, and a compressed one if its codec allows it. On
// output, a line ends in LF, and one whose last byte is CR ends in CR LF, so that
// the record is read as it was written.
type Lines struct {
	// Max is the length of the longest valid line, in bytes; 0 means 16 MiB. A
	// longer line is an error.
	Max int
	// KeepCR makes LF the only end of a line. A CR before it is a part of the line,
	// on input and on output.
	KeepCR bool
}

// Split divides an object at any byte.
func (Lines) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	return jobs.ByteRanges(obj, target), nil
}

// Textual returns true: an object that begins like a compressed stream is one.
func (Lines) Textual() bool { return true }

// LineBased returns true: blocks of a compressed object can be read on their
// own.
func (Lines) LineBased() bool { return true }

const bufferSize = 256 << 10

// Scan yields each line that begins in s. A line that continues after the
// section's end belongs to it whole.
func (l Lines) Scan(ctx *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	return lines.Scan(ctx, lines.Section{
		Where: s.Where, Offset: s.Offset, Length: s.Length, Whole: s.Whole, First: s.First(),
		Max: l.Max, KeepCR: l.KeepCR, Buffer: s.Buffer(bufferSize), Open: s.Open,
	}, func(offset int64, line []byte) error {
		s.At(offset)
		return yield(line)
	})
}

// Ext is ".txt".
func (Lines) Ext() string { return ".txt" }

// Compressible returns true: the engine may compress parts.
func (Lines) Compressible() bool { return true }

// Open begins a part.
func (l Lines) Open(w jobs.Part) (jobs.RecordWriter[[]byte], error) {
	return &lineWriter{w: w, keepCR: l.KeepCR}, nil
}

// lineWriter gathers lines into larger writes.
type lineWriter struct {
	w      jobs.Part
	buf    []byte
	keepCR bool
	began  bool // a line was written
}

const flushAt = 64 << 10

func (w *lineWriter) Write(line []byte) error {
	if at := bytes.IndexByte(line, '\n'); at >= 0 {
		return fmt.Errorf("a record has a line break after %d bytes, and would be read as two lines: choose another format or replace it", at)
	}
	start := len(w.buf)
	w.buf = lines.Finish(append(w.buf, line...), start, !w.began, w.keepCR)
	w.began = true
	if len(w.buf) < flushAt {
		return nil
	}
	return w.Close()
}

func (w *lineWriter) Close() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// TSV writes a record as a line, its fields with tabs between them. It writes
// strings and bytes as they are, numbers and truth values as Go does, and types
// with AppendText, MarshalText or String by that method. A struct, such as a
// jobs.Pair, is written by its exported fields, one after the other. struct{}
// is written as nothing, without a tab. Nothing is escaped; a line break is an
// error. A line ends as one of Lines does.
type TSV[T any] struct{}

// Ext is ".tsv".
func (TSV[T]) Ext() string { return ".tsv" }

// Compressible returns true: the engine may compress parts.
func (TSV[T]) Compressible() bool { return true }

// Open begins a part. It fails when a T cannot be written as text.
func (TSV[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) { return tsv.NewWriter[T](w) }
