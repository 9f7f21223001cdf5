package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs, by their number in the format.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecLZO    = 3
	codecBrotli = 4
	codecLZ4    = 5
	codecZstd   = 6
	codecLZ4Raw = 7
)

var codecNames = []string{"uncompressed", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"}

// codecs decompress and compress pages for one goroutine.
type codecs struct {
	zstd   *zstd.Decoder
	gzip   *gzip.Reader
	brotli *brotli.Reader
	packer *gzip.Writer
	lz4    lz4.Compressor
}

func (c *codecs) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
}

// known returns an error for a codec that cannot be read.
func known(codec int) error {
	switch {
	case codec == codecLZ4 || codec == codecLZO:
		return fmt.Errorf("it is compressed with %s, which other programs read in different ways and this one not at all: write the file with zstd, snappy or lz4_raw", codecNames[codec])
	case codec < 0 || codec >= len(codecNames):
		return fmt.Errorf("it is compressed with codec %d, which is unknown", codec)
	}
	return nil
}

// plausible reports whether a codec can make size bytes of packed ones. An
// impossible size is refused before memory is allocated for it.
func plausible(codec int, size, packed int64) bool {
	switch codec {
	case codecNone:
		return size == packed
	case codecSnappy:
		return size <= 64*packed
	case codecGzip:
		return size <= 1100*packed
	case codecLZ4Raw:
		return size <= 256*packed
	}
	return packed > 0 || size == 0
}

var errSize = errors.New("it does not decompress to the size that its page says")

// decompress fills dst.
func (c *codecs) decompress(codec int, dst, src []byte) error {
	switch codec {
	case codecNone:
		if copy(dst, src) != len(dst) || len(src) != len(dst) {
			return errSize
		}
		return nil
	case codecSnappy:
		if n, err := snappy.DecodedLen(src); err != nil || n != len(dst) {
			return errSize
		}
		_, err := snappy.Decode(dst, src)
		return err
	case codecLZ4Raw:
		if len(dst) == 0 {
			return nil
		}
		n, err := lz4.UncompressBlock(src, dst)
		if err == nil && n != len(dst) {
			err = errSize
		}
		return err
	case codecZstd:
		return c.unzstd(dst, src)
	case codecGzip:
		var err error
		if c.gzip == nil {
			c.gzip, err = gzip.NewReader(bytes.NewReader(src))
		} else {
			err = c.gzip.Reset(bytes.NewReader(src))
		}
		if err != nil {
			c.gzip = nil
			return err
		}
		return fill(c.gzip, dst)
	case codecBrotli:
		if c.brotli == nil {
			c.brotli = brotli.NewReader(bytes.NewReader(src))
		} else if err := c.brotli.Reset(bytes.NewReader(src)); err != nil {
			return err
		}
		return fill(c.brotli, dst)
	}
	return known(codec)
}

func (c *codecs) unzstd(dst, src []byte) error {
	if c.zstd == nil {
		var err error
		// Not more than fits into dst is decompressed.
		c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(mostPage))
		if err != nil {
			return err
		}
	}
	got, err := c.zstd.DecodeAll(src, dst[:0:len(dst)])
	if err == nil && len(got) != len(dst) {
		err = errSize
	}
	return err
}

// fill reads dst from r, which must then end.
func fill(r io.Reader, dst []byte) error {
	if _, err := io.ReadFull(r, dst); err != nil {
		return fmt.Errorf("%w: %w", errSize, err)
	}
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return errSize
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// zstdEncoder returns the encoder of all writers of the process: a task may have many of
// them open. Many goroutines may use it at the same time.
var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
})

// compress appends src to dst, compressed. The same bytes give the same result.
func (c *codecs) compress(codec int, dst, src []byte) ([]byte, error) {
	switch codec {
	case codecNone:
		return append(dst, src...), nil
	case codecSnappy:
		return append(dst, snappy.Encode(nil, src)...), nil
	case codecZstd:
		encoder, err := zstdEncoder()
		if err != nil {
			return nil, err
		}
		return encoder.EncodeAll(src, dst), nil
	case codecGzip:
		out := bytes.NewBuffer(dst)
		if c.packer == nil {
			c.packer = gzip.NewWriter(out)
		} else {
			c.packer.Reset(out)
		}
		if _, err := c.packer.Write(src); err != nil {
			return nil, err
		}
		err := c.packer.Close()
		return out.Bytes(), err
	case codecLZ4Raw:
		at := len(dst)
		dst = append(dst, make([]byte, lz4.CompressBlockBound(len(src)))...)
		n, err := c.lz4.CompressBlock(src, dst[at:])
		return dst[:at+n], err
	}
	return nil, fmt.Errorf("pages are not written with codec %d", codec)
}
