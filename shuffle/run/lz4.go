package run

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pierrec/lz4/v4"
)

// A compressed buffer is its raw length as int64 and an LZ4 frame, or -1 and
// the raw bytes. Frames are assembled here from blocks, so that neither side
// allocates and a reader accepts no other kind of frame.
const (
	// lz4Head is the magic, version 1 with independent blocks of at most 4 MiB
	// and no checksums, and the checksum of these two bytes.
	lz4Head   = "\x04\x22\x4d\x18\x60\x70\x73"
	lz4Block  = 4 << 20
	lz4Stored = 1 << 31 // set in the length of a block that is not compressed
	lz4Ratio  = 255     // no block expands more than this many times
)

// appendLZ4 appends buffer b in compressed form. An empty one stays empty.
func appendLZ4(dst, b []byte, c *lz4.Compressor) ([]byte, error) {
	if len(b) == 0 {
		return dst, nil
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(b)))
	dst = append(dst, lz4Head...)
	for rest := b; len(rest) > 0; {
		block := rest[:min(len(rest), lz4Block)]
		rest = rest[len(block):]
		at := len(dst) + 4
		bound := lz4.CompressBlockBound(len(block))
		dst = append(dst, make([]byte, 4+bound)...)
		n, err := c.CompressBlock(block, dst[at:])
		if err != nil {
			return nil, fmt.Errorf("compressing %d bytes: %w", len(block), err)
		}
		size := uint32(n)
		if n == 0 || n >= len(block) {
			n = copy(dst[at:], block)
			size = uint32(n) | lz4Stored
		}
		binary.LittleEndian.PutUint32(dst[at-4:], size)
		dst = dst[:at+n]
	}
	dst = append(dst, 0, 0, 0, 0)
	if len(dst)-start >= 8+len(b) {
		dst = binary.LittleEndian.AppendUint64(dst[:start], ^uint64(0))
		dst = append(dst, b...)
	}
	return dst, nil
}

var errLZ4 = errors.New("compressed buffer is malformed")

// rawLength returns the decompressed length that compressed buffer b states.
func rawLength(b []byte) (int64, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) < 8 {
		return 0, errLZ4
	}
	n := int64(binary.LittleEndian.Uint64(b))
	if n == -1 {
		return int64(len(b) - 8), nil
	}
	if n < 0 || n > MaxBatch || n > lz4Ratio*int64(len(b)) {
		return 0, errLZ4
	}
	return n, nil
}

// readLZ4 decompresses b to all of dst, which has the length that b states.
func readLZ4(dst, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	stored := binary.LittleEndian.Uint64(b) == ^uint64(0)
	b = b[8:]
	if stored {
		copy(dst, b)
		return nil
	}
	if len(b) < len(lz4Head) || string(b[:len(lz4Head)]) != lz4Head {
		return errLZ4
	}
	b = b[len(lz4Head):]
	for len(dst) > 0 {
		if len(b) < 4 {
			return errLZ4
		}
		size := binary.LittleEndian.Uint32(b)
		n := int(size &^ lz4Stored)
		b = b[4:]
		if n == 0 || n > len(b) {
			return errLZ4
		}
		block := dst[:min(len(dst), lz4Block)]
		if size&lz4Stored != 0 {
			if n != len(block) {
				return errLZ4
			}
			copy(block, b[:n])
		} else if got, err := lz4.UncompressBlock(b[:n], block); err != nil || got != len(block) {
			return errLZ4
		}
		dst, b = dst[len(block):], b[n:]
	}
	if len(b) != 4 || binary.LittleEndian.Uint32(b) != 0 {
		return errLZ4
	}
	return nil
}
