package pairs

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Cuts chooses at most partitions-1 keys that divide samples into ranges of
// similar size: range p begins at cut p-1. Cuts are distinct and ascending.
// Equal samples stay in one range. So a key that fills more than its share gets
// a range of its own, and the others share the rest. There are fewer cuts when
// there are fewer distinct samples. Cuts sorts samples, and the result aliases
// them.
func Cuts(samples [][]byte, partitions int) [][]byte {
	slices.SortFunc(samples, bytes.Compare)
	cuts := make([][]byte, 0, max(0, min(partitions-1, len(samples))))
	start := 0
	for left := partitions; left > 1; left-- {
		cut := boundary(samples, start, start+(len(samples)-start)/left)
		if cut == len(samples) {
			break
		}
		cuts = append(cuts, samples[cut])
		start = cut
	}
	return cuts
}

// boundary returns the place nearest to at, after start, where a new key
// begins, or len(s) when there is none.
func boundary(s [][]byte, start, at int) int {
	at = max(at, start+1)
	if at >= len(s) {
		return len(s)
	}
	key := s[at]
	first := start + lowerBound(s[start:], key)
	after := at + 1
	for after < len(s) && bytes.Equal(s[after], key) {
		after++
	}
	if first > start && (after == len(s) || at-first <= after-at) {
		return first
	}
	return after
}

// lowerBound returns how many of the sorted keys are less than key.
func lowerBound(s [][]byte, key []byte) int {
	i, _ := slices.BinarySearchFunc(s, key, bytes.Compare)
	return i
}

// RangePartition returns the range of key among ascending cuts: the number of
// cuts that are not greater than key.
func RangePartition(cuts [][]byte, key []byte) uint32 {
	prefix, _ := prefixOf(key)
	lo, hi := 0, len(cuts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		var below bool // the cut is not greater
		if cut := cuts[mid]; len(cut) >= 8 && binary.BigEndian.Uint64(cut) != prefix {
			below = binary.BigEndian.Uint64(cut) < prefix
		} else {
			below = bytes.Compare(cut, key) <= 0
		}
		if below {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint32(lo)
}
