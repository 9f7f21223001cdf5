package compress

import (
	"bytes"
	"encoding/binary"
)

// HeadSize is how many bytes of an object Detect looks at.
const HeadSize = 64

// Magic numbers.
const (
	zstdMagic      = 0xfd2fb528
	lz4Magic       = 0x184d2204
	skippableMagic = 0x184d2a50 // of zstd and lz4 alike; its last four bits are free
	skippableMask  = 0xfffffff0
	// skippableHeader is the length of a skippable frame without its contents.
	skippableHeader = 8
	blockMagic      = 0x314159265359 // begins a block of bzip2: the digits of pi
	finalMagic      = 0x177245385090 // ends a stream of bzip2: those of its root
	magicBits       = 48
)

// Detect returns the codec of an object, by its first HeadSize bytes, or all of
// a shorter one. None means that they belong to no known codec. Data other than
// text, such as records of a fixed size, may begin with any bytes.
//
// The mark of bzip2 is ten letters and digits, such as "BZh91AY&SY". So text
// that only begins with BZh is text.
func Detect(head []byte) Codec {
	head = head[:min(len(head), HeadSize)]
	if len(head) >= skippableHeader && len(skipFrames(head)) < 4 {
		// A skippable frame that ends beyond the head, of zstd or lz4: opening it
		// as one finds the other.
		return Zstd
	}
	for c := Gzip; c <= Snappy; c++ {
		if begins(c, head) == likely {
			return c
		}
	}
	return None
}

// likeness says whether the first bytes of an object can be those of a codec's
// stream.
type likeness int

const (
	unlike  likeness = iota // no stream begins like this
	partial                 // too few bytes to decide
	likely                  // a stream begins like this
)

// begins compares head, HeadSize bytes or all there are, with a codec's magic.
func begins(c Codec, head []byte) likeness {
	switch c {
	case Gzip:
		return matches(head, []byte{0x1f, 0x8b, 8})
	case Bzip2:
		return beginsBzip2(head)
	case Zstd:
		return matches(skipFrames(head), binary.LittleEndian.AppendUint32(nil, zstdMagic))
	case Lz4:
		return matches(skipFrames(head), binary.LittleEndian.AppendUint32(nil, lz4Magic))
	case Snappy:
		return matches(head, []byte(snappyMark))
	default:
		return unlike
	}
}

//go:noinline
func matches(head, magic []byte) likeness {
	switch {
	case bytes.HasPrefix(head, magic):
		return likely
	case bytes.HasPrefix(magic, head):
		return partial
	}
	return unlike
}

// skipFrames returns the bytes after the skippable frames at the start of head,
// as far as head has them.
func skipFrames(head []byte) []byte {
	for len(head) >= 4 && binary.LittleEndian.Uint32(head)&skippableMask == skippableMagic {
		if len(head) < 8 {
			return nil
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		head = head[min(8+size, int64(len(head))):]
	}
	return head
}

func beginsBzip2(head []byte) likeness {
	if l := matches(head, []byte("BZh")); l != likely {
		return l
	}
	if len(head) > 3 && (head[3] < '1' || head[3] > '9') {
		return unlike
	}
	rest := head[min(4, len(head)):]
	return max(matches(rest, magicBytes(blockMagic)), matches(rest, magicBytes(finalMagic)))
}

// magicBytes returns the bytes of a mark of bzip2.
func magicBytes(magic uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, magic)[8-magicBits/8:]
}
