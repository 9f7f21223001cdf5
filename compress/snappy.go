package compress

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The framing format of snappy (framing_format.txt in its repository): chunks, each with a
// type of one byte and a length of three, in little endian. The first one is a mark. Others
// have a checksum of at most 64 KiB of contents, and these, compressed or not.
const (
	snappyMark      = "\xff\x06\x00\x00sNaPpY"
	s2Mark          = "\xff\x06\x00\x00S2sTwO"
	chunkHeader     = 4
	chunkCompressed = 0x00
	chunkPlain      = 0x01
	chunkIndex      = 0x99 // of S2, at the end
	chunkPadding    = 0xfe
	chunkMark       = 0xff
	chunkSum        = 4
	longestChunk    = 64 << 10 // of contents
	// longestPacked is more than what 64 KiB can be compressed to.
	longestPacked = chunkSum + 32 + longestChunk + longestChunk/6
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedSum returns the checksum of a chunk's contents. It is masked, since contents may
// have checksums of their own.
func maskedSum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

var errS2 = errors.New("it is S2, an extension of snappy")

// chunks reads the chunks of a snappy stream one after the other. Marks may be between
// them, where streams follow each other.
type chunks struct {
	in     *bufio.Reader
	packed []byte
	held   []byte // the contents of a chunk
	plain  []byte // the rest of them
}

// reset begins to read a stream, which begins with a mark.
func (c *chunks) reset(in *bufio.Reader) { c.in, c.plain = in, nil }

// Read reads decompressed bytes.
func (c *chunks) Read(p []byte) (int, error) {
	for len(c.plain) == 0 && len(p) > 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

// next reads a chunk. The format lets a reader skip chunks of other types from 0x80 on. No
// program is known to write them, and a chunk of data with one wrong bit would be one, so
// they are errors.
func (c *chunks) next() error {
	var header [chunkHeader]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return err // io.EOF: between two chunks
	}
	kind := header[0]
	size := int(binary.LittleEndian.Uint32(header[:]) >> 8)
	switch {
	case kind == chunkMark:
		return c.mark(size)
	case kind == chunkPadding, kind == chunkIndex:
		return discard(c.in, int64(size))
	case kind > chunkPlain:
		return fmt.Errorf("a chunk has the type %#02x, which is reserved", kind)
	case size < chunkSum || kind == chunkPlain && size > chunkSum+longestChunk || size > longestPacked:
		return fmt.Errorf("a chunk has %d bytes, and one holds at most 64 KiB", size)
	}
	if c.packed == nil {
		c.packed, c.held = make([]byte, longestPacked), make([]byte, longestChunk)
	}
	packed := c.packed[:size]
	if err := full(c.in, packed); err != nil {
		return err
	}
	plain := packed[chunkSum:]
	if kind == chunkCompressed {
		n, at := binary.Uvarint(plain)
		if at <= 0 || n > longestChunk {
			return fmt.Errorf("a chunk holds %d bytes, and at most 64 KiB are valid", n)
		}
		if !unsnap(c.held[:n], plain[at:]) {
			return errors.New("a chunk cannot be decompressed")
		}
		plain = c.held[:n]
	}
	if maskedSum(plain) != binary.LittleEndian.Uint32(packed) {
		return errors.New("the checksum of a chunk does not match")
	}
	c.plain = plain
	return nil
}

// unsnap decompresses a block of snappy (format_description.txt in its repository) that
// fills dst, and reports whether it does. The library's decoder takes 8 kB more of each
// job's program.
func unsnap(dst, src []byte) bool {
	d := 0
	for len(src) > 0 {
		// The lowest two bits of a tag say how many bytes have the offset of a copy.
		tag := int(src[0])
		n, extra := tag>>2+1, [...]int{0, 1, 2, 4}[tag&3]
		if tag&3 == 0 && n > 60 { // a long literal: its length follows
			extra = n - 60
		}
		if src = src[1:]; len(src) < extra {
			return false
		}
		v := 0
		for i := range extra {
			v |= int(src[i]) << (8 * i)
		}
		src = src[extra:]
		if tag&3 == 0 {
			if extra > 0 {
				n = v + 1
			}
			if n < 1 || n > len(src) || n > len(dst)-d {
				return false
			}
			d += copy(dst[d:], src[:n])
			src = src[n:]
			continue
		}
		if tag&3 == 1 {
			n, v = tag>>2&7+4, v|tag>>5<<8
		}
		if v < 1 || v > d || n > len(dst)-d {
			return false
		}
		for range n { // what is copied can overlap
			dst[d] = dst[d-v]
			d++
		}
	}
	return d == len(dst)
}

// mark reads the rest of a mark.
func (c *chunks) mark(size int) error {
	if size != len(snappyMark)-chunkHeader {
		return fmt.Errorf("a mark has %d bytes", size)
	}
	name := make([]byte, size)
	if err := full(c.in, name); err != nil {
		return err
	}
	switch string(name) {
	case snappyMark[chunkHeader:]:
		return nil
	case s2Mark[chunkHeader:]:
		return errS2
	}
	return fmt.Errorf("a mark is %q", name)
}

// full fills b from a stream that must not end before.
func full(in io.Reader, b []byte) error {
	_, err := io.ReadFull(in, b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// discard skips bytes that must be there.
func discard(in *bufio.Reader, left int64) error {
	for left > 0 {
		n, err := in.Discard(int(min(left, inBuffer)))
		if left -= int64(n); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
