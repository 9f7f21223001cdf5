// Package lines finds the lines of a section of an object. Packages jobs and
// formats/text read text by it.
//
// A scan belongs to one goroutine and reads forward once. It fails on a line
// over the limit and on errors of Open and its reader. It passes on errors of
// yield unchanged. Offsets and lengths are bytes.
package lines

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
)

// DefaultMax is the default for the length of the longest valid line: 16 MiB.
const DefaultMax = 16 << 20

// Section says which lines to find.
type Section struct {
	Where  func(offset int64) string // names a byte for messages
	Offset int64
	Length int64
	Whole  bool // to the end of the bytes, despite Length
	First  bool // the bytes at Offset are the first of the object
	Max    int  // greatest length of a line without its end; 0 for DefaultMax
	KeepCR bool // a CR before LF is a part of the line
	Buffer []byte
	Open   func(ctx context.Context, off int64) (io.ReadCloser, error)
}

// mark is the byte order mark of UTF-8. At the beginning of an object it says how the
// text is encoded, and is no part of the first line. Elsewhere it is data.
const mark = "\xef\xbb\xbf"

// Scan yields each line that begins in the section, whole and without its end,
// which is LF or CR LF. The last line of an object needs no end. A byte order mark
// at the beginning of an object is skipped: the first line begins behind it. A line
// is valid until yield returns.
func Scan(ctx context.Context, s Section, yield func(offset int64, line []byte) error) (err error) {
	if s.Max <= 0 {
		s.Max = DefaultMax
	}
	from := s.Offset
	if from > 0 {
		from-- // the byte before decides whether a line begins at Offset
	}
	in, err := s.Open(ctx, from)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
	}()
	sc := scanner{in: in, buf: s.Buffer, at: from, s: &s}
	if s.Offset > 0 {
		if found, err := sc.skipLine(); err != nil || !found {
			return err
		}
	}
	if s.First && (s.Whole || s.Length > 0) {
		if err := sc.skipMark(); err != nil {
			return err
		}
	}
	// The first line may begin behind a mark that is longer than the section.
	for first := s.First && s.Length > 0; first || s.Whole || sc.at < s.Offset+s.Length; first = false {
		line, size, err := sc.line()
		if err != nil || size == 0 {
			return err
		}
		if err := yield(sc.at, line); err != nil {
			return err
		}
		sc.start += size
		sc.at += int64(size)
	}
	return nil
}

// cr may precede the line feed that ends a line. Elsewhere it is data.
var cr = []byte{'\r'}

// scanner reads lines through a buffer.
type scanner struct {
	in         io.Reader
	buf        []byte
	start, end int   // of the bytes in buf that are not done
	at         int64 // offset of buf[start] in the object
	eof        bool
	s          *Section
}

// Finish ends the line b[start:], so that Scan reads it as it is. The end is LF. A
// line that ends in CR ends in CR LF, since a reader takes one CR before LF for a part
// of the end; keepCR says that this one does not. first says that the line is the first one of its object. If it begins
// with a byte order mark, it gets another one, which a reader skips.
func Finish(b []byte, start int, first, keepCR bool) []byte {
	if first && bytes.HasPrefix(b[start:], []byte(mark)) {
		b = slices.Insert(b, start, mark[0], mark[1], mark[2])
	}
	if !keepCR && len(b) > start && b[len(b)-1] == '\r' {
		b = append(b, '\r')
	}
	return append(b, '\n')
}

// line returns the line at start and its size with its end; size is 0 at the
// end of the object.
func (sc *scanner) line() (line []byte, size int, err error) {
	seen := 0
	for {
		if i := bytes.IndexByte(sc.buf[sc.start+seen:sc.end], '\n'); i >= 0 {
			size = seen + i + 1
			line = sc.buf[sc.start : sc.start+size-1]
			if !sc.s.KeepCR {
				line = bytes.TrimSuffix(line, cr)
			}
			break
		}
		seen = sc.end - sc.start
		if seen > sc.s.Max+1 { // the 1 is for a CR
			return nil, 0, sc.tooLong()
		}
		if sc.eof {
			size, line = seen, sc.buf[sc.start:sc.end]
			break
		}
		if err := sc.fill(); err != nil {
			return nil, 0, err
		}
	}
	if len(line) > sc.s.Max {
		return nil, 0, sc.tooLong()
	}
	return slices.Clip(line), size, nil
}

// skipMark skips a byte order mark.
func (sc *scanner) skipMark() error {
	for !sc.eof && sc.end < len(mark) && string(sc.buf[:sc.end]) == mark[:sc.end] {
		if err := sc.fill(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(sc.buf[:sc.end], []byte(mark)) {
		sc.start, sc.at = len(mark), sc.at+int64(len(mark))
	}
	return nil
}

func (sc *scanner) tooLong() error {
	return fmt.Errorf("the line at %s is longer than %d bytes: raise the limit of the reader, or check that the object is text",
		sc.s.Where(sc.at), sc.s.Max)
}

// skipLine advances to the start of the next line; found is false when there is
// none. It keeps no bytes, so the line may have any length.
func (sc *scanner) skipLine() (found bool, err error) {
	for {
		if i := bytes.IndexByte(sc.buf[sc.start:sc.end], '\n'); i >= 0 {
			sc.start += i + 1
			sc.at += int64(i + 1)
			return true, nil
		}
		sc.at += int64(sc.end - sc.start)
		sc.start = sc.end
		if sc.eof || !sc.s.Whole && sc.at >= sc.s.Offset+sc.s.Length {
			return false, nil
		}
		if err := sc.fill(); err != nil {
			return false, err
		}
	}
}

const leastBuffer = 4 << 10

// fill reads more bytes after those in the buffer. It moves them or makes room.
func (sc *scanner) fill() error {
	if sc.start > 0 {
		sc.end = copy(sc.buf, sc.buf[sc.start:sc.end])
		sc.start = 0
	}
	if sc.end == len(sc.buf) {
		bigger := make([]byte, max(2*len(sc.buf), leastBuffer))
		copy(bigger, sc.buf)
		sc.buf = bigger
	}
	for tries := 0; ; tries++ {
		n, err := sc.in.Read(sc.buf[sc.end:])
		sc.end += n
		switch {
		case err == io.EOF:
			sc.eof = true
			return nil
		case err != nil:
			return err
		case n > 0:
			return nil
		case tries == 100:
			return fmt.Errorf("read %s: %w", sc.s.Where(sc.at+int64(sc.end-sc.start)), io.ErrNoProgress)
		}
	}
}
