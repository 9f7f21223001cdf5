package compress

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Limits keep a small object from becoming an endless one.
type Limits struct {
	// Ratio is how many decompressed bytes may come of each compressed one. It
	// is checked once 64 MiB have come out. 0: any number.
	Ratio int64
	// Size is how many decompressed bytes may come out of one object, or of
	// the part of it that is read. 0: any number.
	Size int64
	// Window is the most memory that zstd may request to look back into. 0:
	// MaxWindow.
	Window int64
}

// DefaultRatio is a limit that text hardly reaches. The most that gzip makes of
// a byte is 1,032, and lz4 255. Zstd and bzip2 make many thousands of one, but
// only of the same few bytes repeated.
const DefaultRatio = 1000

// ratioFrom is how many bytes must come out before the ratio counts: smaller
// outputs do no harm.
const ratioFrom = 64 << 20

// Windows of zstd. MaxWindow is what its own program accepts by default.
// MinWindow is what every decoder should accept (RFC 8878, 3.1.1.1.2).
const (
	MaxWindow = 128 << 20
	MinWindow = 8 << 20
)

// ErrLimit says that a stream goes beyond the Limits.
var ErrLimit = errors.New("limit exceeded")

// Decompressor opens streams, one after the other. It keeps their memory for
// the next one, so that many small objects cost little. The zero value is
// ready, and has no limits.
type Decompressor struct {
	Limits Limits

	in     *bufio.Reader
	source source
	gzip   *members
	zstd   *zstd.Decoder
	window int64 // that zstd was made for
	lz4    *lz4.Reader
	snappy *chunks
}

// inBuffer is how much is read of a compressed stream at once, at least.
const inBuffer = 16 << 10

// keepSize is how many decompressed bytes a stream may have so that its memory
// is kept: a larger one may have requested a large window.
const keepSize = 4 << 20

// Open returns the decompressed contents of r. The previous stream must be
// closed. Closing a stream does not close r.
func (d *Decompressor) Open(c Codec, r io.Reader) (io.ReadCloser, error) {
	if c == None {
		return io.NopCloser(r), nil
	}
	return d.open(c, r, 0)
}

// open opens a stream whose first byte is byte base of its object.
func (d *Decompressor) open(c Codec, r io.Reader, base int64) (*stream, error) {
	d.source = source{r: r}
	if d.in == nil {
		d.in = bufio.NewReaderSize(&d.source, inBuffer)
	} else {
		d.in.Reset(&d.source)
	}
	s := &stream{d: d, codec: c, base: base}
	skipped, err := d.skipFrames(c)
	if err != nil {
		return nil, s.explain(err)
	}
	head, err := d.in.Peek(HeadSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err // of the store
	}
	if skipped {
		// The bytes after skippable frames show which of the two codecs it is; if
		// nothing follows, there is no data.
		if found := Detect(head); found == Zstd || found == Lz4 {
			c, s.codec = found, found
		}
		if len(head) == 0 {
			s.out = bytes.NewReader(nil)
			return s, nil
		}
	}
	switch begins(c, head) {
	case unlike:
		return nil, s.strange(head)
	case partial:
		return nil, s.cutShort()
	default:
	}
	if err := d.start(s); err != nil {
		s.out = nil
		return nil, s.explain(err)
	}
	return s, nil
}

// skipFrames skips the skippable frames at the beginning of a stream of zstd or lz4,
// whatever their size, and reports whether there were any.
func (d *Decompressor) skipFrames(c Codec) (skipped bool, err error) {
	if c != Zstd && c != Lz4 {
		return false, nil
	}
	for {
		head, err := d.in.Peek(skippableHeader)
		if err != nil && !errors.Is(err, io.EOF) {
			return skipped, err
		}
		if len(head) < 4 || binary.LittleEndian.Uint32(head)&skippableMask != skippableMagic {
			return skipped, nil
		}
		if len(head) < skippableHeader {
			return skipped, io.ErrUnexpectedEOF
		}
		if err := discard(d.in, skippableHeader+int64(binary.LittleEndian.Uint32(head[4:]))); err != nil {
			return skipped, err
		}
		skipped = true
	}
}

// start makes or reuses the codec's reader.
func (d *Decompressor) start(s *stream) (err error) {
	switch s.codec {
	case Gzip:
		if d.gzip == nil {
			d.gzip = &members{gz: new(gzip.Reader)}
		}
		s.out, err = d.gzip, d.gzip.reset(d.in)
	case Zstd:
		s.needs = windowOf(d.in)
		if d.zstd == nil || d.window != d.Limits.window() {
			// One goroutine: a task is one, and its memory is counted.
			d.window = d.Limits.window()
			d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(uint64(d.window)))
			if err != nil {
				return err
			}
		}
		s.out, err = d.zstd, d.zstd.Reset(d.in)
	case Bzip2:
		s.out = bzip2.NewReader(d.in)
	case Lz4:
		if head, _ := d.in.Peek(lz4Flags + 1); len(head) > lz4Flags && head[lz4Flags]&lz4HasDictionary != 0 {
			return errDictionary
		}
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(nil)
		}
		d.lz4.Reset(d.in)
		s.out = d.lz4
	case Snappy:
		if d.snappy == nil {
			d.snappy = new(chunks)
		}
		d.snappy.reset(d.in)
		s.out = d.snappy
	default:
		return fmt.Errorf("cannot decompress: %s", s.codec)
	}
	return err
}

// errDictionary says that a frame of lz4 needs a dictionary.
var errDictionary = errors.New("it needs a dictionary")

// The flags of a frame of lz4 follow its magic. A bit says that there is the id of a
// dictionary.
const (
	lz4Flags         = 4
	lz4HasDictionary = 1
)

// windowOf returns how far back the frame of zstd that begins here looks, in bytes;
// 0 if its header does not say.
func windowOf(in *bufio.Reader) int64 {
	head, _ := in.Peek(zstd.HeaderMaxSize) // fewer bytes are a short frame
	var h zstd.Header
	if err := h.Decode(head); err != nil || h.WindowSize > 1<<62 {
		return 0
	}
	return int64(h.WindowSize)
}

// window returns the greatest window that zstd may have.
func (l Limits) window() int64 {
	if l.Window <= 0 {
		return MaxWindow
	}
	return max(l.Window, zstd.MinWindowSize)
}

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

// stream is a compressed stream under decompression.
type stream struct {
	d     *Decompressor
	codec Codec
	base  int64
	out   io.Reader
	n     int64 // bytes that came out
	needs int64 // bytes of memory that the first frame of zstd looks back into
	err   error // that ended it
}

// Read decompresses.
func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.out.Read(p)
	s.n += int64(n)
	switch {
	case err != nil:
		s.err = s.explain(err)
	default:
		s.err = s.d.Limits.check(s.codec, s.consumed(), s.n)
	}
	return n, s.err
}

// consumed returns how many compressed bytes were used.
func (s *stream) consumed() int64 { return s.d.source.n - int64(s.d.in.Buffered()) }

// check compares the compressed bytes read and the bytes that came out with the
// limits.
func (l Limits) check(c Codec, in, out int64) error {
	switch {
	case l.Size > 0 && out > l.Size:
		return fmt.Errorf("%s stream: more than %d bytes come out of its first %d: %w; raise --max-decompressed if they are meant to", c, l.Size, in, ErrLimit)
	case l.Ratio > 0 && out > ratioFrom && out/l.Ratio > in:
		return fmt.Errorf("%s stream: %d bytes come out of its first %d, more than %d of each: %w; raise --max-ratio if they are meant to", c, out, in, l.Ratio, ErrLimit)
	}
	return nil
}

// explain says where the stream broke. io.EOF alone is a good end.
func (s *stream) explain(err error) error {
	source := s.d.source.err
	switch {
	case source != nil && !errors.Is(source, io.EOF) && errors.Is(err, source):
		return err // of the store; the stream may be sound
	case errors.Is(err, io.EOF) && s.out != nil:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return s.cutShort()
	case errors.Is(err, errTrailing):
		return followed(s.codec, s.base+s.consumed(), soFar(s.n, s.base), err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return s.wideWindow()
	case errors.Is(err, errS2):
		return fmt.Errorf("%s stream: before byte %d %w, which is not read: compress the object again without the extension", s.codec, s.base+s.consumed(), err)
	case errors.Is(err, zstd.ErrUnknownDictionary), errors.Is(err, errDictionary):
		return fmt.Errorf("%s stream: the frame that begins before byte %d was compressed with a dictionary, which is not in the object: compress it again without one", s.codec, s.base+s.consumed())
	}
	return corrupt(s.codec, s.base+s.consumed(), soFar(s.n, s.base), err)
}

// followed makes the error of a stream behind which something else is.
func followed(c Codec, at int64, soFar string, err error) error {
	return fmt.Errorf("%s stream ends before byte %d, %s, and %w; remove that, or give --decompress none to read the bytes as they are", c, at, soFar, err)
}

// corrupt makes the error of a stream that cannot be read on.
func corrupt(c Codec, at int64, soFar string, err error) error {
	return fmt.Errorf("%s stream is corrupt at or before byte %d, %s: %w", c, at, soFar, err)
}

// WindowShare says which part of a slot's memory a window of zstd may have: a
// quarter.
const WindowShare = 4

// wideWindow makes the error of a frame of zstd that needs more memory to look back
// into than it may have.
func (s *stream) wideWindow() error {
	may, needs := s.d.Limits.window(), "more"
	advice := "give more --memory or fewer --slots"
	if s.needs > may {
		needs = fmt.Sprintf("%d MiB", (s.needs+1<<20-1)>>20)
		advice = fmt.Sprintf("give more --memory or fewer --slots, so that there are %d MiB for each slot", (WindowShare*s.needs+1<<20-1)>>20)
	}
	return fmt.Errorf("zstd stream: the frame that begins before byte %d needs a window of %s, and %d MiB of memory are free for it: %w; %s, or compress the object again without --long", s.base+s.consumed(), needs, may>>20, ErrLimit, advice)
}

func (s *stream) cutShort() error { return cutShort(s.codec, s.base+s.d.source.n, s.n, s.base) }

// cutShort makes the error of a stream that has no end.
func cutShort(c Codec, end, plain, base int64) error {
	return fmt.Errorf("%s stream is cut short: it ends at byte %d, %s: %w", c, end, soFar(plain, base), io.ErrUnexpectedEOF)
}

// soFar describes how many bytes came out from a byte of the object on.
func soFar(plain, base int64) string {
	if base == 0 {
		return fmt.Sprintf("after %d decompressed bytes", plain)
	}
	return fmt.Sprintf("after %d decompressed bytes from byte %d on", plain, base)
}

// strange makes the error of bytes that are not a stream of the codec.
func (s *stream) strange(head []byte) error {
	what, hint := "", "if it is not compressed, rename it or give --decompress none"
	if c := Detect(head); c != None {
		what, hint = " but like "+c.String(), fmt.Sprintf("rename it or give --decompress %s", c)
	} else if name, advice := Foreign("", head); name != "" {
		what, hint = " but like "+name, advice+", or give --decompress none to read its bytes as they are"
	}
	return fmt.Errorf("byte %d does not begin a %s stream%s (it is % x…): %s", s.base, s.codec, what, head[:min(len(head), 10)], hint)
}

// Close releases the stream.
func (s *stream) Close() error {
	if errors.Is(s.err, errClosed) {
		return nil
	}
	var err error
	d := s.d
	switch s.codec {
	case Gzip:
		err = d.gzip.gz.Close()
	case Zstd:
		if s.n > keepSize {
			d.zstd.Close()
			d.zstd = nil
		}
	case Lz4:
		if s.n > keepSize {
			d.lz4 = nil
		}
	default:
	}
	s.err, s.out = errClosed, bytes.NewReader(nil)
	d.source = source{}
	return err
}

var errClosed = errors.New("the stream was closed")
