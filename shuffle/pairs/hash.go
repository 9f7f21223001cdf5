package pairs

import (
	"encoding/binary"
	"math/bits"
)

// Odd constants with about as many ones as zeros: the fractional parts of the
// square roots of 2, 3, 5 and 7.
const (
	mix1 = 0x6a09e667f3bcc909
	mix2 = 0xbb67ae8584caa73b
	mix3 = 0x3c6ef372fe94f82b
	mix4 = 0xa54ff53a5f1d36f1
)

// Hash returns a hash of b that is the same in every process, on every machine
// and in every version, since the partition of a key depends on it. Keys can be
// chosen to collide: they come to one partition, which is sorted, and cost no
// more there than other keys. A hash table needs a hash with a seed.
func Hash(b []byte) uint64 {
	h := mix1 ^ uint64(len(b))*mix4
	for len(b) > 16 {
		h = fold(binary.LittleEndian.Uint64(b)^mix2^h, binary.LittleEndian.Uint64(b[8:])^mix3)
		b = b[16:]
	}
	var lo, hi uint64
	switch n := len(b); {
	case n >= 8: // the two words overlap unless n is 16
		lo = binary.LittleEndian.Uint64(b)
		hi = binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		lo = uint64(binary.LittleEndian.Uint32(b))
		hi = uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		lo = uint64(b[0])<<16 | uint64(b[n>>1])<<8 | uint64(b[n-1])
	}
	h = fold(lo^mix2^h, hi^mix3)
	return fold(h^mix4, mix1)
}

// fold multiplies to 128 bits and folds the halves, so that every bit of the
// result depends on every bit of both. A factor of 0 does not take the other
// one away.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi|lo == 0 {
		hi, lo = bits.Mul64(a|b, mix4)
	}
	return hi ^ lo
}

// PartitionOf maps a hash to one of n partitions by its high bits, without a
// division.
func PartitionOf(hash uint64, n int) uint32 {
	hi, _ := bits.Mul64(hash, uint64(n))
	return uint32(hi)
}
