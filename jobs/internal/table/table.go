// Package table is the hash table in which a map task folds the values of a key
// before they are encoded. Only package jobs calls it.
//
// Keys are encoded keys, copied into chunks without pointers. Accumulators are
// beside them in the slots, typed. A table holds a bounded number of bytes.
// When Insert reports that there is no room, the caller drains the table and
// starts again. A table belongs to one goroutine. It never fails. Sizes are
// bytes.
//
// The author of the data chooses the keys, and can choose keys of one slot, since
// the hash is public. The table bounds what a key costs instead of hiding the hash:
// a key that is too far from its slot is not taken. So the order of Drain is the
// same in every process, and every attempt of a task writes the same bytes.
package table

import (
	"bytes"
	"unsafe"
)

const (
	chunkBits = 20
	chunkSize = 1 << chunkBits
	maxChunks = 1 << (32 - chunkBits) // the most that a 32-bit reference can name
	leastSize = 1 << 10               // slots

	// mostProbes is how many slots are tried for a key. In a table that is as full
	// as it gets, about one new key of a hundred needs more.
	mostProbes = 512
	// mostAlike is how many keys may have one hash. By chance no two have.
	mostAlike = 8

	// MaxKey is the length of the longest key that fits.
	MaxKey = chunkSize
)

// Table maps keys to accumulators of type A.
type Table[A any] struct {
	slots  []slot[A]
	used   int
	chunks [][]byte
	last   int // chunk that is being filled
	filled int // its bytes
	limit  int64
	extra  int64
}

type slot[A any] struct {
	hash  uint64
	key   uint32 // chunk and offset
	size  uint32 // length of the key + 1; 0 in an empty slot
	value A
}

// Least returns how many bytes the slots of an empty table take.
func Least[A any]() int64 { return leastSize * int64(unsafe.Sizeof(slot[A]{})) }

// New returns a table that takes at most limit bytes, or its initial size if
// that is more. Memory that accumulators point to may take as many again; see
// Grew.
func New[A any](limit int64) *Table[A] {
	return &Table[A]{slots: make([]slot[A], leastSize), limit: limit}
}

// Len returns the number of keys.
func (t *Table[A]) Len() int { return t.used }

// Find returns the accumulator of key, nil if the table has none. It is valid
// until the next Insert or Drain.
func (t *Table[A]) Find(hash uint64, key []byte) *A {
	mask := uint64(len(t.slots) - 1)
	for i := range uint64(mostProbes) {
		s := &t.slots[(hash+i)&mask]
		if s.hash == hash && int(s.size) == len(key)+1 && bytes.Equal(t.keyOf(s), key) {
			return &s.value
		}
		if s.size == 0 {
			return nil
		}
	}
	return nil
}

// Insert adds a key that Find did not find, and returns its accumulator, which
// is zero. It returns nil and full when the table has no room; the caller must then
// call Drain. An empty table has room for any key of up to MaxKey bytes. Insert
// returns nil alone when the key has too many neighbours; the caller then does
// without the table.
func (t *Table[A]) Insert(hash uint64, key []byte) (value *A, full bool) {
	if t.used*2 >= len(t.slots) && !t.grow() {
		return nil, true
	}
	s := t.free(hash)
	if s == nil {
		return nil, false
	}
	if (len(t.chunks) == 0 || chunkSize-t.filled < max(len(key), 1)) && !t.chunk() {
		return nil, true
	}
	copy(t.chunks[t.last][t.filled:], key)
	ref := uint32(t.last<<chunkBits | t.filled)
	t.filled += len(key)
	t.used++
	s.hash, s.key, s.size = hash, ref, uint32(len(key))+1
	return &s.value, false
}

// free returns the empty slot for hash, nil if there is none near.
func (t *Table[A]) free(hash uint64) *slot[A] {
	mask := uint64(len(t.slots) - 1)
	alike := 0
	for i := range uint64(mostProbes) {
		s := &t.slots[(hash+i)&mask]
		if s.size == 0 {
			return s
		}
		if s.hash == hash {
			if alike++; alike == mostAlike {
				break
			}
		}
	}
	return nil
}

// Grew counts n more bytes to which accumulators point, and reports whether the
// table must be drained.
func (t *Table[A]) Grew(n int) (full bool) {
	t.extra += int64(n)
	return t.extra > t.limit
}

// Drain calls f for each key and empties the table. The order depends only on
// the keys and on when they came. f must keep neither argument.
func (t *Table[A]) Drain(f func(hash uint64, key []byte, value *A)) {
	for i := range t.slots {
		if s := &t.slots[i]; s.size > 0 {
			f(s.hash, t.keyOf(s), &s.value)
		}
	}
	clear(t.slots)
	t.used, t.extra, t.last, t.filled = 0, 0, 0, 0
}

func (t *Table[A]) keyOf(s *slot[A]) []byte {
	at := s.key & (chunkSize - 1)
	return t.chunks[s.key>>chunkBits][at : at+s.size-1]
}

// empty returns the empty slot for hash.
func (t *Table[A]) empty(hash uint64) *slot[A] {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].size > 0 {
		i = (i + 1) & mask
	}
	return &t.slots[i]
}

func (t *Table[A]) bytes() int64 {
	return int64(len(t.slots))*t.slotSize() + int64(len(t.chunks))*chunkSize
}

func (t *Table[A]) slotSize() int64 { return int64(unsafe.Sizeof(t.slots[0])) }

// grow makes room for another key. A table at its limit fills its slots
// further, up to 7 of 8, before it gives up.
func (t *Table[A]) grow() bool {
	n := len(t.slots)
	// The old slots live until the keys have moved.
	if t.bytes()+2*int64(n)*t.slotSize() > t.limit {
		return t.used < n-n/8
	}
	old := t.slots
	t.slots = make([]slot[A], 2*n)
	for i := range old {
		if s := &old[i]; s.size > 0 {
			*t.empty(s.hash) = *s
		}
	}
	return true
}

// chunk advances to the next chunk of keys.
func (t *Table[A]) chunk() bool {
	n := len(t.chunks)
	if t.last+1 >= n {
		if n == maxChunks || n > 0 && t.bytes()+chunkSize > t.limit {
			return false
		}
		t.chunks = append(t.chunks, make([]byte, chunkSize))
	}
	if n > 0 {
		t.last++
	}
	t.filled = 0
	return true
}
