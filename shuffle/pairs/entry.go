package pairs

import "encoding/binary"

// entry represents a pair while it is sorted.
//
// prefix holds 8 bytes of the key, big-endian and padded with zeros. tail
// holds, from the top: 24 bits of partition, 8 bits of class and 32 bits of
// reference. The class is the number of key bytes in the prefix, or more (9)
// when the key continues. With equal prefixes the lower class sorts first, as
// its key is a prefix of the other, and equal classes of 8 or less mean equal
// keys. The reference is the place of the pair, which grows as pairs are added.
// So entries never compare equal, and sorting them keeps the order of equal
// keys.
type entry struct {
	prefix uint64
	tail   uint64
}

const (
	partShift  = 40
	classShift = 32
	more       = 9
)

func makeEntry(key []byte, part, ref uint32) entry {
	prefix, class := prefixOf(key)
	return entry{prefix, uint64(part)<<partShift | class<<classShift | uint64(ref)}
}

// prefixOf returns the first 8 bytes of b as a number and the class of b.
func prefixOf(b []byte) (prefix, class uint64) {
	if len(b) > 8 {
		return binary.BigEndian.Uint64(b), more
	}
	switch n := len(b); {
	case n == 8:
		return binary.BigEndian.Uint64(b), 8
	case n >= 4:
		// The two words overlap; where they do they agree.
		prefix = uint64(binary.BigEndian.Uint32(b))<<32 | uint64(binary.BigEndian.Uint32(b[n-4:]))<<(64-8*n)
	default:
		for i, c := range b {
			prefix |= uint64(c) << (56 - 8*i)
		}
	}
	return prefix, uint64(len(b))
}

func (e entry) part() uint32 { return uint32(e.tail >> partShift) }
func (e entry) ref() uint32  { return uint32(e.tail) }

// class returns how many bytes the prefix holds, or more.
func (e entry) class() uint64 { return e.tail >> classShift & 0xff }

func (e entry) less(o entry) bool {
	return e.prefix < o.prefix || e.prefix == o.prefix && e.tail < o.tail
}
