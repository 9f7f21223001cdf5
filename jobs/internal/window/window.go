// Package window holds a part of a stream in memory, for readers of binary formats.
//
// A Window belongs to one goroutine.
package window

import "io"

// A Window is a part of a stream. It moves forward.
type Window struct {
	in         io.Reader
	buf        []byte
	start, end int   // of the bytes in buf
	at         int64 // offset of buf[start] in the stream
	eof        bool
}

// New returns a Window without bytes that begins at an offset. It uses the buffer, which
// is not empty, until it needs a larger one.
func New(in io.Reader, buffer []byte, at int64) *Window {
	return &Window{in: in, buf: buffer, at: at}
}

// At returns the offset of the first byte.
func (w *Window) At() int64 { return w.at }

// Bytes returns the bytes that were read, until the next call of Have.
func (w *Window) Bytes() []byte { return w.buf[w.start:w.end] }

// Skip moves the beginning forward by n bytes, which were read.
func (w *Window) Skip(n int) {
	w.start += n
	w.at += int64(n)
}

// Have reads until there are n bytes, or all that are left. It returns how many there are,
// at most n. The memory grows with the bytes that come, whatever n is.
func (w *Window) Have(n int) (int, error) {
	for tries := 0; w.end-w.start < n && !w.eof; {
		if w.start > 0 && w.start+n > len(w.buf) {
			w.end = copy(w.buf, w.Bytes())
			w.start = 0
		}
		if w.end == len(w.buf) {
			bigger := make([]byte, 2*len(w.buf))
			copy(bigger, w.buf)
			w.buf = bigger
		}
		got, err := w.in.Read(w.buf[w.end:])
		w.end += got
		switch {
		case err == io.EOF:
			w.eof = true
		case err != nil:
			return 0, err
		case got > 0:
			tries = 0
		default:
			if tries++; tries == 100 {
				return 0, io.ErrNoProgress
			}
		}
	}
	return min(n, w.end-w.start), nil
}
