package pairs

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

const (
	// SlabSize is the unit of memory in which pairs are kept, in bytes.
	SlabSize = 1 << slabBits
	// MaxPair is the greatest length of a key and its value together, in bytes.
	MaxPair = 256 << 20
	// MaxPartitions is the greatest number of partitions of one shuffle.
	MaxPartitions = 1 << 24

	slabBits  = 20
	maxSlabs  = 1 << (32 - slabBits) // the most that a 32-bit reference can name
	chunkSize = SlabSize / 16        // index entries in a slab

	shortHead = 4  // key and value length, 16 bits each
	longHead  = 12 // both lengths in 32 bits, before a short head of all ones
	longMark  = 1<<32 - 1
	maxShort  = 1<<16 - 2 // greatest length in a short head
)

// Memory lends a Collector its memory. The bytes are counted against the share
// of the attempt. One goroutine uses it at a time.
type Memory interface {
	// Slab returns n bytes, or SlabSize if that is more, and nil when the share
	// has no room for them. Their contents are arbitrary.
	Slab(n int) []byte
	// Free returns a slab of Slab to the share.
	Free(slab []byte)
	// Charge counts n bytes that the caller allocates, or returns when n is
	// negative. It returns false when the share has no room for them.
	Charge(n int64) bool
}

// heap is unlimited memory.
type heap struct{}

func (heap) Slab(n int) []byte { return make([]byte, max(n, SlabSize)) }
func (heap) Free([]byte)       {}
func (heap) Charge(int64) bool { return true }

// A Collector gathers the pairs of one map attempt in slabs without pointers.
// Its index has small entries, which can be sorted by partition and key without
// touching most keys. When its memory is full it calls its spill function and
// continues. Errors are sticky: pairs that come after one are dropped, and Err
// returns it.
type Collector struct {
	layout Layout
	mem    Memory
	spill  func() error

	slab  []byte // the last of slabs, filled up to off
	off   int
	head  int // bytes before each pair
	slabs [][]byte

	chunk   []entry // the last of chunks; full only when there is an error
	chunks  [][]entry
	sorted  []entry
	scratch []entry
	charged int      // bytes charged for scratch
	starts  []uint32 // by partition, while sorting

	bytes  int64
	err    error
	warmed byte
}

// NewCollector returns an empty collector. It calls spill when mem is
// exhausted: spill must take the pairs (Sort, At) and Reset the collector. A
// nil mem is unlimited.
func NewCollector(layout Layout, mem Memory, spill func() error) *Collector {
	c := &Collector{layout: layout, mem: mem, spill: spill}
	if mem == nil {
		c.mem = heap{}
	}
	if layout.Key == 0 || layout.Value == 0 {
		c.head = shortHead
	}
	return c
}

// Room returns the free tail of the current slab, with length 0. Append the key
// to it, then the value, and pass the result to Add. It is valid until the next
// call of Add, Append, Sort or Reset.
func (c *Collector) Room() []byte {
	at := c.off + c.head
	if at >= len(c.slab) {
		if c.err != nil || !c.grow(SlabSize) {
			return nil
		}
		at = c.head
	}
	return c.slab[at:at:len(c.slab)]
}

// Add takes the pair that was appended to Room's result: b[:keyLen] is the key,
// the rest is the value. It never fails; see Err.
func (c *Collector) Add(b []byte, keyLen int, part uint32) {
	at := c.off + c.head
	valueLen := len(b) - keyLen
	inPlace := len(b) <= len(c.slab)-at && (len(b) == 0 || &b[0] == &c.slab[at])
	if !inPlace || c.err != nil || keyLen > maxShort || valueLen > maxShort {
		c.addSlow(b, keyLen, part, inPlace)
		return
	}
	if c.head != 0 {
		binary.LittleEndian.PutUint32(c.slab[c.off:], uint32(keyLen)|uint32(valueLen)<<16)
	}
	if !c.fits(keyLen, valueLen, part) {
		return
	}
	c.push(at, keyLen, len(b), part)
}

// Append adds a copy of a pair. It never fails; see Err.
func (c *Collector) Append(key, value []byte, part uint32) {
	b := c.Room()
	b = append(b, key...)
	c.Add(append(b, value...), len(key), part)
}

// Err returns the error after which pairs were dropped: one of the spill
// function, or that of a pair that is too large.
func (c *Collector) Err() error { return c.err }

// Len returns the number of pairs held now.
func (c *Collector) Len() int {
	if len(c.chunks) == 0 {
		return 0
	}
	return (len(c.chunks)-1)*chunkSize + len(c.chunk)
}

// Bytes returns the length of all keys and values held now.
func (c *Collector) Bytes() int64 { return c.bytes }

// Spill calls the spill function before memory is full, if pairs are held.
func (c *Collector) Spill() {
	if c.err == nil && c.Len() > 0 {
		c.makeRoom()
	}
}

// Reset drops all pairs and returns their memory.
func (c *Collector) Reset() {
	for i, slab := range c.slabs {
		c.mem.Free(slab)
		c.slabs[i] = nil
	}
	for i, chunk := range c.chunks {
		c.mem.Free(asBytes(chunk))
		c.chunks[i] = nil
	}
	c.slabs, c.chunks = c.slabs[:0], c.chunks[:0]
	c.slab, c.chunk, c.sorted = nil, nil, nil
	c.off, c.bytes = 0, 0
}

// Close drops all pairs and returns all memory. The collector takes no more.
func (c *Collector) Close() {
	c.Reset()
	c.starts = nil
	c.dropScratch()
	if c.err == nil {
		c.err = fmt.Errorf("collector is closed")
	}
}

// fits checks a pair's lengths against the layout, which only a fault in a key
// or value codec can break, and that an entry can hold its partition.
func (c *Collector) fits(keyLen, valueLen int, part uint32) bool {
	if part >= MaxPartitions {
		c.err = fmt.Errorf("a pair was sent to partition %d: the greatest is %d", part, MaxPartitions-1)
		return false
	}
	if k := c.layout.Key; k != 0 && k != keyLen {
		c.err = fmt.Errorf("a key of %d bytes was encoded where all keys have %d", keyLen, k)
		return false
	}
	if v := c.layout.Value; v != 0 && v != valueLen {
		c.err = fmt.Errorf("a value of %d bytes was encoded where all values have %d", valueLen, v)
		return false
	}
	return true
}

// addSlow adds a pair that is not at the place that Room returned, or that
// needs a long head.
func (c *Collector) addSlow(b []byte, keyLen int, part uint32, inPlace bool) {
	if c.err != nil || !c.fits(keyLen, len(b)-keyLen, part) {
		return
	}
	if len(b) > MaxPair {
		c.err = fmt.Errorf("a pair of %d bytes (key %d, value %d) is over the limit of %d: split it into smaller ones",
			len(b), keyLen, len(b)-keyLen, MaxPair)
		return
	}
	head := c.head
	if head != 0 && (keyLen > maxShort || len(b)-keyLen > maxShort) {
		head = longHead
	}
	if inPlace {
		// A spill may pass the slab to another attempt while b is still in it.
		b = append([]byte(nil), b...)
	}
	if head+len(b) > len(c.slab)-c.off && !c.grow(head+len(b)) {
		return
	}
	at := c.off + head
	copy(c.slab[at:], b)
	switch head {
	case shortHead:
		binary.LittleEndian.PutUint32(c.slab[c.off:], uint32(keyLen)|uint32(len(b)-keyLen)<<16)
	case longHead:
		binary.LittleEndian.PutUint32(c.slab[c.off:], uint32(keyLen))
		binary.LittleEndian.PutUint32(c.slab[c.off+4:], uint32(len(b)-keyLen))
		binary.LittleEndian.PutUint32(c.slab[c.off+8:], longMark)
	}
	c.push(at, keyLen, len(b), part)
}

// push indexes the pair at c.slab[at:at+n] and makes room for the next entry.
func (c *Collector) push(at, keyLen, n int, part uint32) {
	if c.chunk == nil && !c.growIndex() {
		return
	}
	c.off = at + n
	c.bytes += int64(n)
	ref := uint32(len(c.slabs)-1)<<slabBits | uint32(at)
	c.chunk = append(c.chunk, makeEntry(c.slab[at:at+keyLen], part, ref))
	if len(c.chunk) == chunkSize {
		c.chunks[len(c.chunks)-1] = c.chunk
		c.growIndex()
	}
}

// grow starts a slab of at least n bytes, after a spill when memory is full.
func (c *Collector) grow(n int) bool {
	if len(c.slabs) < maxSlabs {
		if slab := c.mem.Slab(n); slab != nil {
			c.slabs = append(c.slabs, slab)
			c.slab, c.off = slab, 0
			return true
		}
	}
	if c.Len() == 0 {
		if c.dropScratch() {
			return c.grow(n)
		}
		c.err = fmt.Errorf("a pair of %d bytes does not fit into the memory of this task: give it more memory", n)
		return false
	}
	return c.makeRoom() && c.grow(n)
}

// growIndex starts a chunk of the index, after a spill when memory is full. It
// charges also the space for sorting.
func (c *Collector) growIndex() bool {
	extra := max(0, SlabSize*(len(c.chunks)+1)-c.charged)
	if !c.mem.Charge(int64(extra)) {
		return c.indexFull()
	}
	slab := c.mem.Slab(SlabSize)
	if slab == nil {
		c.mem.Charge(-int64(extra))
		return c.indexFull()
	}
	c.charged += extra
	c.chunk = asEntries(slab)
	c.chunks = append(c.chunks, c.chunk)
	return true
}

// indexFull makes room for the index, or sets an error when there is none at
// all.
func (c *Collector) indexFull() bool {
	if len(c.chunks) == 0 {
		if c.dropScratch() {
			return c.growIndex()
		}
		c.err = fmt.Errorf("the memory of this task has no room for an index of pairs: give it more memory")
		return false
	}
	return c.makeRoom()
}

// dropScratch returns the space of the last sort, which is kept for the next
// one as long as there is room.
func (c *Collector) dropScratch() bool {
	if c.charged == 0 {
		return false
	}
	c.scratch = nil
	c.mem.Charge(-int64(c.charged))
	c.charged = 0
	return true
}

// makeRoom spills all pairs.
func (c *Collector) makeRoom() bool {
	if c.spill == nil {
		c.err = fmt.Errorf("memory is full with %d pairs of %d bytes and there is nowhere to spill them", c.Len(), c.bytes)
		return false
	}
	if err := c.spill(); err != nil {
		c.err = err
		return false
	}
	return true
}

// asEntries views a slab as index entries: they hold no pointers, and a slab is
// aligned to pages because of its size.
func asEntries(slab []byte) []entry {
	return unsafe.Slice((*entry)(unsafe.Pointer(unsafe.SliceData(slab))), chunkSize)[:0]
}

// asBytes is the inverse of asEntries.
func asBytes(chunk []entry) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(chunk))), SlabSize)
}
