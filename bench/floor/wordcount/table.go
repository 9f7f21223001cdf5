package main

import "bytes"

// table counts words: a hash table with open addressing, at most half full. Its
// words are in chunks of its own, so that they are close to each other.
type table struct {
	slots []word // a power of two; free where text is nil
	used  int
	chunk []byte
}

const (
	firstSlots = 1 << 16
	chunkSize  = 1 << 20
)

// FNV-1a (Fowler, Noll, Vo), 64 bits.
const (
	fnvBasis = 14695981039346656037
	fnvPrime = 1099511628211
)

func newTable() *table { return &table{slots: make([]word, firstSlots)} }

// count adds every word of the text. It hashes a word while it looks for its
// end.
func (t *table) count(text []byte) {
	for i := 0; i < len(text); {
		for i < len(text) && space(text[i]) {
			i++
		}
		start := i
		hash := uint64(fnvBasis)
		for i < len(text) && !space(text[i]) {
			hash = (hash ^ uint64(text[i])) * fnvPrime
			i++
		}
		if i > start {
			t.add(hash^hash>>32, text[start:i], 1)
		}
	}
}

func (t *table) add(hash uint64, text []byte, n int64) {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		w := &t.slots[i]
		if w.text == nil {
			*w = word{hash, t.keep(text), n}
			t.used++
			if t.used*2 > len(t.slots) {
				t.grow()
			}
			return
		}
		if w.hash == hash && bytes.Equal(w.text, text) {
			w.n += n
			return
		}
	}
}

// keep copies a word into the current chunk.
func (t *table) keep(text []byte) []byte {
	if cap(t.chunk)-len(t.chunk) < len(text) {
		t.chunk = make([]byte, 0, chunkSize+len(text))
	}
	from := len(t.chunk)
	t.chunk = append(t.chunk, text...)
	return t.chunk[from:len(t.chunk):len(t.chunk)]
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]word, 2*len(old))
	mask := uint64(len(t.slots) - 1)
	for k := range old {
		if old[k].text == nil {
			continue
		}
		i := old[k].hash & mask
		for t.slots[i].text != nil {
			i = (i + 1) & mask
		}
		t.slots[i] = old[k]
	}
}
