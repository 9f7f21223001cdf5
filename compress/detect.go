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
	blockMagic     = 0x314159265359 // begins a block of bzip2: the digits of pi
	finalMagic     = 0x177245385090 // ends a stream of bzip2: those of its root
	magicBits      = 48
)

// Detect returns the codec that the first HeadSize bytes of an object tell, or
// all of a shorter one: None when it is none of those known. What is no text,
// such as records of a fixed size, may begin like anything.
//
// The mark of bzip2 is ten letters and digits, "BZh91AY&SY" and the like: text
// that merely begins with BZh is text.
func Detect(head []byte) Codec {
	head = head[:min(len(head), HeadSize)]
	for c := Gzip; c <= Lz4; c++ {
		if begins(c, head) == likely {
			return c
		}
	}
	return None
}

// likeness says how a stream of a codec and the first bytes of an object go
// together.
type likeness int

const (
	unlike  likeness = iota // no stream begins so
	partial                 // they end before that can be said
	likely                  // they are those of a stream
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
	default:
		return unlike
	}
}

func matches(head, magic []byte) likeness {
	switch {
	case bytes.HasPrefix(head, magic):
		return likely
	case bytes.HasPrefix(magic, head):
		return partial
	}
	return unlike
}

// skipFrames returns what follows the skippable frames at the head, as far as
// that is at hand.
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
