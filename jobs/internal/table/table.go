// Package table is the hash table in which a map task folds the values of a key
// before they are encoded. Only package jobs calls it.
//
// Keys are encoded keys, copied into chunks without pointers. Accumulators are
// beside them in the slots, typed. A table holds a bounded number of bytes.
// When Insert reports that there is no room, the caller drains the table and
// starts again. A table belongs to one goroutine. It never fails. Sizes are
// bytes.
//
// The slot of a key comes from a hash with a seed of the process. Keys are data,
// and their author could choose keys of one slot if the hash were known.
// The order of Drain does not depend on the seed, so that every attempt of a
// task writes the same bytes.
package table

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"unsafe"
)

const (
	chunkBits = 20
	chunkSize = 1 << chunkBits
	maxChunks = 1 << (32 - chunkBits) // the most that a 32-bit reference can name
	leastSize = 1 << 10               // slots
	maxPrefix = 3                     // bytes of the longest length before a key

	// MaxKey is the length of the longest key that fits.
	MaxKey = chunkSize - maxPrefix
)

// seed is the process's.
var seed = maphash.MakeSeed()

// Table maps keys to accumulators of type A.
type Table[A any] struct {
	seed   maphash.Seed
	slots  []slot[A]
	used   int
	chunks []chunk
	last   int // chunk that is being filled
	limit  int64
	extra  int64
}

// chunk holds keys in the order in which they came. The length of each, as a
// varint, is before it.
type chunk struct {
	bytes  []byte // chunkSize of them
	filled int
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
	return &Table[A]{seed: seed, slots: make([]slot[A], leastSize), limit: limit}
}

// Hash returns the hash of a key that Find and Insert take.
func (t *Table[A]) Hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) }

// Len returns the number of keys.
func (t *Table[A]) Len() int { return t.used }

// Find returns the accumulator of key, nil if the table has none. It is valid
// until the next Insert or Drain.
func (t *Table[A]) Find(hash uint64, key []byte) *A {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.hash == hash && int(s.size) == len(key)+1 && bytes.Equal(t.keyOf(s), key) {
			return &s.value
		}
		if s.size == 0 {
			return nil
		}
	}
}

// Insert adds a key that Find did not find, and returns its accumulator, which
// is zero. It returns nil when the table has no room; the caller must then call
// Drain. An empty table has room for any key of up to MaxKey bytes.
func (t *Table[A]) Insert(hash uint64, key []byte) *A {
	if t.used*2 >= len(t.slots) && !t.grow() {
		return nil
	}
	if (len(t.chunks) == 0 || chunkSize-t.chunks[t.last].filled < maxPrefix+max(len(key), 1)) && !t.chunk() {
		return nil
	}
	c := &t.chunks[t.last]
	at := c.filled + binary.PutUvarint(c.bytes[c.filled:], uint64(len(key)))
	c.filled = at + copy(c.bytes[at:], key)
	ref := uint32(t.last<<chunkBits | at)
	t.used++
	s := t.empty(hash)
	s.hash, s.key, s.size = hash, ref, uint32(len(key))+1
	return &s.value
}

// Grew counts n more bytes to which accumulators point, and reports whether the
// table must be drained.
func (t *Table[A]) Grew(n int) (full bool) {
	t.extra += int64(n)
	return t.extra > t.limit
}

// Drain calls f for each key, in the order in which the keys came, and empties
// the table. f must keep neither argument.
func (t *Table[A]) Drain(f func(key []byte, value *A)) {
	for i := range t.chunks[:min(t.last+1, len(t.chunks))] {
		c := &t.chunks[i]
		for at := 0; at < c.filled; {
			size, prefix := binary.Uvarint(c.bytes[at:])
			at += prefix
			key := c.bytes[at : at+int(size)]
			f(key, &t.slotAt(t.Hash(key), uint32(i<<chunkBits|at)).value)
			at += len(key)
		}
		c.filled = 0
	}
	clear(t.slots)
	t.used, t.extra, t.last = 0, 0, 0
}

func (t *Table[A]) keyOf(s *slot[A]) []byte {
	at := s.key & (chunkSize - 1)
	return t.chunks[s.key>>chunkBits].bytes[at : at+s.size-1]
}

// slotAt returns the slot of the key with that hash, which is at ref.
func (t *Table[A]) slotAt(hash uint64, ref uint32) *slot[A] {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].size == 0 || t.slots[i].key != ref {
		i = (i + 1) & mask
	}
	return &t.slots[i]
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
		t.chunks = append(t.chunks, chunk{bytes: make([]byte, chunkSize)})
	}
	if n > 0 {
		t.last++
	}
	return true
}
