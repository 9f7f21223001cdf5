// Package compress opens compressed objects. The engine puts it under the
// formats, so that these see plain bytes.
//
// It reads:
//
//	codec  name  magic                            streams
//	gzip   .gz   1f 8b 08                         any number of members (RFC 1952); also .bgz
//	zstd   .zst  28 b5 2f fd                      any number of frames (RFC 8878)
//	bzip2  .bz2  "BZh1" to "BZh9", then the mark  any number of streams
//	             of a block or of the end
//	lz4    .lz4  04 22 4d 18                      any number of frames
//	snappy .sz   ff 06 00 00 "sNaPpY"             any number of streams in the framing format
//
// Frames of zstd and lz4 may have skippable frames before them.
//
// It writes all of them except bzip2 and snappy. It does not read frames of lz4's legacy
// format at the start of an object, since these do not say where they end, nor
// frames that need a dictionary.
//
// Three codecs can be read from within: bzip2 from any block
// ([Decompressor.OpenBlocks]), gzip in the format BGZF of bgzip from any of its blocks
// ([Blocked], [Decompressor.OpenMembers]), and zstd in its seekable format from any
// frame that the seek table at the end lists ([ReadSeekTable],
// [Decompressor.OpenFrames]).
//
// The engine and the command line call it. Codecs are plain values. A
// [Decompressor] and the streams that it opens belong to one goroutine. Streams
// must be closed.
//
// A stream that is cut short, corrupt, followed by something else, of an
// unexpected format, or beyond the [Limits] is an error. The error says at
// which byte of the compressed object it broke, and how many decompressed bytes
// came before; the caller knows the object. The wrapped error distinguishes the
// stream's own errors from those of the reader underneath. A flipped bit is
// such an error, or changes nothing. Frames of zstd and lz4 without a checksum
// promise nothing of the kind.
//
// Offsets and sizes are bytes.
//
// It is part of the engine, and may change between minor versions.
package compress

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a compression. The zero Codec is none.
type Codec uint8

// The codecs.
const (
	None Codec = iota
	Gzip
	Zstd
	Bzip2
	Lz4
	Snappy
)

// Auto replaces a codec's name for an object whose first bytes decide.
const Auto = "auto"

// known describes the codecs.
var known = [...]struct {
	name, ext string
	readOnly  bool
}{
	None:   {name: "none"},
	Gzip:   {name: "gzip", ext: ".gz"},
	Zstd:   {name: "zstd", ext: ".zst"},
	Bzip2:  {name: "bzip2", ext: ".bz2", readOnly: true},
	Lz4:    {name: "lz4", ext: ".lz4"},
	Snappy: {name: "snappy", ext: ".sz", readOnly: true},
}

// blockedExt is another extension of gzip, for what bgzip writes.
const blockedExt = ".bgz"

// FromName returns the codec of an object by the extension of its name, in
// letters of either case.
func FromName(name string) Codec {
	ext := strings.ToLower(path.Ext(name))
	if ext == blockedExt {
		return Gzip
	}
	for c := range known {
		if known[c].ext != "" && known[c].ext == ext {
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
	for c := range known {
		if known[c].name == s {
			return Codec(c), nil
		}
	}
	return None, fmt.Errorf("unknown compression %q: it is one of %s", s, list(false))
}

// ParseOutput is Parse for a codec to write with.
func ParseOutput(s string) (Codec, error) {
	c, err := Parse(s)
	switch {
	case err != nil:
		return None, fmt.Errorf("cannot write compression %q: it is one of %s", s, list(true))
	case known[c].readOnly:
		return None, readOnly(c)
	}
	return c, nil
}

func readOnly(c Codec) error {
	return fmt.Errorf("%s can be read but not written: choose one of %s", c, list(true))
}

// list names the codecs, all or those that can be written.
func list(written bool) string {
	var names []string
	for c := range known {
		if !written || !known[c].readOnly {
			names = append(names, known[c].name)
		}
	}
	return strings.Join(names, ", ")
}

// String returns the codec's name: "none", "gzip", "zstd", "bzip2", "lz4" or
// "snappy".
//
//go:noinline
func (c Codec) String() string {
	if int(c) < len(known) {
		return known[c].name
	}
	return fmt.Sprintf("codec %d", c)
}

// Ext returns the codec's extension with its dot, "" for None.
func (c Codec) Ext() string {
	if int(c) < len(known) {
		return known[c].ext
	}
	return ""
}

// Reader returns the decompressed contents of r, without limits. Closing it
// does not close r.
func (c Codec) Reader(r io.Reader) (io.ReadCloser, error) { return new(Decompressor).Open(c, r) }

const (
	// lz4Block is the size of the blocks of lz4 frames that are written.
	lz4Block = lz4.Block256Kb
	// zstdWindow is how far back a match may be in written zstd frames, in
	// bytes. A writer keeps twice as much: with the library's own 8 MiB it took
	// 18 MiB for each part. With this window the output is 0.1 % larger for
	// words, and 1.5 % for program text, at the same speed. (With
	// WithLowerEncoderMem it takes 0.6 MiB less and is slower by a tenth.)
	zstdWindow = 1 << 20
)

// Writer returns a writer that compresses to w. Close completes the stream and
// does not close w. Until then it holds up to 5 MiB for zstd, 1.5 MiB for gzip,
// and 1 MiB for lz4, which no budget counts.
func (c Codec) Writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case None:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		// A stream of no bytes has a frame too: an empty object would read as
		// cut short.
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true), zstd.WithWindowSize(zstdWindow))
	case Bzip2, Snappy:
		return nil, readOnly(c)
	case Lz4:
		z := lz4.NewWriter(w)
		return z, z.Apply(lz4.BlockSizeOption(lz4Block), lz4.ChecksumOption(true))
	}
	return nil, fmt.Errorf("cannot compress: %s", c)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
