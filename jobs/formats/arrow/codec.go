package arrow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs, by their number in the format.
const (
	codecNone = -1
	codecLZ4  = 0
	codecZstd = 1
)

const (
	lz4Magic = "\x04\x22\x4d\x18"
	lz4Ratio = 255 // no block grows more than this many times
)

// codecs decompress and compress buffers for one goroutine.
type codecs struct {
	zstd   *zstd.Decoder
	lz4    *lz4.Reader
	packer *lz4.Writer
}

func (c *codecs) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
}

var errSize = errors.New("a buffer does not decompress to the size that it says: the object is damaged")

// plainSize returns the size that a compressed buffer says. One that is impossible is
// refused before memory is allocated for it.
func plainSize(codec int, b []byte) (int64, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) < 8 {
		return 0, errSize
	}
	n, packed := int64At(b), b[8:]
	switch {
	case n == -1:
		return int64(len(packed)), nil
	case n < 0, codec == codecLZ4 && n > lz4Ratio*int64(len(packed)):
		return 0, errSize
	case codec == codecZstd:
		var h zstd.Header
		if err := h.Decode(packed); err != nil || h.Skippable || h.HasFCS && h.FrameContentSize != uint64(n) {
			return 0, errSize
		}
	}
	return n, nil
}

// decompress fills dst, which has the size that plainSize returns.
func (c *codecs) decompress(codec int, dst, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	packed := b[8:]
	if int64At(b) == -1 {
		copy(dst, packed)
		return nil
	}
	if codec == codecZstd {
		return c.unzstd(dst, packed)
	}
	if !bytes.HasPrefix(packed, []byte(lz4Magic)) {
		return errSize
	}
	if c.lz4 == nil {
		c.lz4 = lz4.NewReader(nil)
	}
	c.lz4.Reset(bytes.NewReader(packed))
	if _, err := io.ReadFull(c.lz4, dst); err != nil {
		return fmt.Errorf("%w: %w", errSize, err)
	}
	var one [1]byte
	switch n, err := io.ReadFull(c.lz4, one[:]); {
	case n > 0:
		return errSize
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", errSize, err)
	}
	return nil
}

// mostPlain is the size of the largest buffer that is decompressed.
const mostPlain = 1 << 32

func (c *codecs) unzstd(dst, packed []byte) error {
	if c.zstd == nil {
		var err error
		// Not more than fits into dst is decompressed.
		c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(mostPlain))
		if err != nil {
			return err
		}
	}
	got, err := c.zstd.DecodeAll(packed, dst[:0:len(dst)])
	if err != nil {
		return fmt.Errorf("%w: %w", errSize, err)
	}
	if len(got) != len(dst) {
		return errSize
	}
	return nil
}

// zstdEncoder returns the encoder of all writers of the process: a task may have many of
// them open. Many goroutines may use it at the same time.
var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
})

// compress appends a compressed buffer to dst: its size and a frame, or -1 and its bytes.
// An empty one stays empty. The same bytes give the same result.
func (c *codecs) compress(codec int, dst, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return dst, nil
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(b)))
	switch codec {
	case codecZstd:
		encoder, err := zstdEncoder()
		if err != nil {
			return nil, err
		}
		dst = encoder.EncodeAll(b, dst)
	case codecLZ4:
		out := bytes.NewBuffer(dst)
		if c.packer == nil {
			c.packer = lz4.NewWriter(out)
			if err := c.packer.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)); err != nil {
				return nil, err
			}
		} else {
			c.packer.Reset(out)
		}
		if _, err := c.packer.Write(b); err != nil {
			return nil, err
		}
		if err := c.packer.Close(); err != nil {
			return nil, err
		}
		dst = out.Bytes()
	}
	if len(dst)-start >= 8+len(b) {
		dst = binary.LittleEndian.AppendUint64(dst[:start], ^uint64(0))
		dst = append(dst, b...)
	}
	return dst, nil
}
