// Package compress opens compressed streams. The engine puts it under the
// formats, so that these see plain bytes.
//
// Codecs are plain values. What they open belongs to one goroutine and must be
// closed. A stream that is cut short, corrupt or followed by something else is
// an error that says how many decompressed bytes came before; the caller knows
// the object. What an error wraps tells the stream's own errors from those of
// the reader underneath. Offsets are bytes.
package compress

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Codec is a compression. The zero Codec is none.
type Codec uint8

// The codecs.
const (
	None Codec = iota
	Gzip       // RFC 1952, any number of members
	Zstd       // RFC 8878, any number of frames
)

var names = [...]string{None: "none", Gzip: "gzip", Zstd: "zstd"}
var extensions = [...]string{None: "", Gzip: ".gz", Zstd: ".zst"}

// FromName returns the codec that the name of an object tells by its extension.
func FromName(name string) Codec {
	ext := strings.ToLower(path.Ext(name))
	for c, e := range extensions {
		if e != "" && e == ext {
			return Codec(c)
		}
	}
	return None
}

// Parse is the inverse of String. The empty text is None too.
func Parse(s string) (Codec, error) {
	if s == "" {
		return None, nil
	}
	for c, name := range names {
		if name == s {
			return Codec(c), nil
		}
	}
	return None, fmt.Errorf("unknown compression %q: it is one of %s", s, strings.Join(names[:], ", "))
}

// String returns the codec's name: "none", "gzip" or "zstd".
func (c Codec) String() string {
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("codec %d", c)
}

// Ext returns the codec's extension with its dot, "" for None.
func (c Codec) Ext() string {
	if int(c) < len(extensions) {
		return extensions[c]
	}
	return ""
}

// Reader returns what r holds, decompressed. Closing it does not close r.
func (c Codec) Reader(r io.Reader) (io.ReadCloser, error) {
	if c == None {
		return io.NopCloser(r), nil
	}
	d := &decompressor{codec: c, in: &source{r: r}}
	switch c {
	case Gzip:
		z, err := gzip.NewReader(d.in)
		if err != nil {
			return nil, d.explain(err)
		}
		d.out, d.close = z, z.Close
	case Zstd:
		// One goroutine: a task is one, and its memory is counted.
		z, err := zstd.NewReader(d.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, d.explain(err)
		}
		d.out, d.close = z, func() error { z.Close(); return nil }
	default:
		return nil, fmt.Errorf("cannot decompress: %s", c)
	}
	return d, nil
}

// Writer returns a writer that compresses to w. Close completes the stream and
// does not close w.
func (c Codec) Writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case None:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		// A frame for no bytes too: nothing at all reads as cut short.
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	}
	return nil, fmt.Errorf("cannot compress: %s", c)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// source remembers why reading compressed bytes ended.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil {
		s.err = err
	}
	return n, err
}

type decompressor struct {
	codec Codec
	in    *source
	out   io.Reader
	close func() error
	n     int64 // bytes that came out
}

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.out.Read(p)
	d.n += int64(n)
	if err == nil {
		return n, nil
	}
	return n, d.explain(err)
}

// explain says where the stream broke. io.EOF alone is a good end.
func (d *decompressor) explain(err error) error {
	switch {
	case d.in.err != nil && !errors.Is(d.in.err, io.EOF) && errors.Is(err, d.in.err):
		return err // of the store; the stream may be sound
	case errors.Is(err, io.EOF) && d.in.n > 0 && d.out != nil:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s stream is cut short after %d decompressed bytes (%d compressed): %w", d.codec, d.n, d.in.n, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s stream is corrupt after %d decompressed bytes: %w", d.codec, d.n, err)
}

func (d *decompressor) Close() error { return d.close() }
