package run

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"sort"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Heavy finds the keys that hold much of what an attempt writes. Equal keys are
// neighbours in a run. So it looks at a few pairs of each batch, finds the ends of their
// keys by bisection, and costs nothing for each pair.
type Heavy struct {
	group      func(key []byte) []byte // nil: the whole key
	text       func(key []byte) string
	partitions int

	pairs, bytes int64 // of everything
	keys         []plan.HeavyKey
	last         plan.HeavyKey // of the last batch, may continue in the next one
	named        bool          // last has its text
}

const (
	// probes is how many pairs of a batch are looked at, evenly spaced by weight. A
	// key is found if it has two distances.
	probes = 32
	// pairWeight is what a pair weighs beside its bytes.
	pairWeight = 32
	// leastHeavy is the least weight that is worth a place in a manifest.
	leastHeavy = 4 << 10
	// leastShare is the part of all pairs, or bytes, that is worth a place: one of so
	// many. With many partitions a key with two of the parts of a partition is.
	leastShare = 100
)

// NewHeavy returns an empty Heavy for runs of so many partitions. Group returns the part
// of a key that counts, nil for all of it, and text describes that part for people.
func NewHeavy(group func(key []byte) []byte, text func(key []byte) string, partitions int) *Heavy {
	return &Heavy{group: group, text: text, partitions: partitions}
}

// Reset forgets everything.
func (h *Heavy) Reset() {
	*h = Heavy{group: h.group, text: h.text, partitions: h.partitions, keys: h.keys[:0]}
}

// Keys returns what was found, the heaviest key first.
func (h *Heavy) Keys() *plan.Heavy {
	found := &plan.Heavy{Bytes: h.bytes}
	parts := int64(max(leastShare, h.partitions/2))
	for i := range h.keys {
		k := &h.keys[i]
		if weight(k.Pairs, k.Bytes) >= leastHeavy && (k.Pairs >= h.pairs/parts || k.Bytes >= h.bytes/parts) {
			found.Keys = append(found.Keys, *k)
		}
	}
	sort.Sort(byWeight(found.Keys))
	return found
}

// byWeight sorts keys, the heaviest first.
type byWeight []plan.HeavyKey

func (k byWeight) Len() int      { return len(k) }
func (k byWeight) Swap(i, j int) { k[i], k[j] = k[j], k[i] }
func (k byWeight) Less(i, j int) bool {
	a, b := &k[i], &k[j]
	if c := cmp.Compare(weight(b.Pairs, b.Bytes), weight(a.Pairs, a.Bytes)); c != 0 {
		return c < 0
	}
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Hash, b.Hash)) < 0
}

func weight(pairs, bytes int64) int64 { return bytes + pairs*pairWeight }

// take looks at the open batch of a writer.
func (h *Heavy) take(w *Writer) {
	b := batch{w: w, group: h.group, head: w.codec.HeaderSize()}
	n := w.rows
	h.pairs += int64(n)
	h.bytes += b.bytes(0, n)
	from := 0
	if h.last.Pairs > 0 {
		if from = h.resume(&b); from == n {
			return
		}
		h.settle()
	}
	// The last key may continue in the next batch.
	tail := b.first(n-1, from)
	step := max(b.weight(0, n)/probes, 1)
	low := from
	for i := from; i < tail; {
		start, end := b.first(i, low), b.end(i, tail)
		if b.weight(start, end) >= 2*step {
			h.add(b.heavy(start, end), b.key(start))
		}
		low = end
		i = max(end, b.after(i, step, tail))
	}
	h.last, h.named = b.heavy(tail, n), false
	if b.weight(tail, n) >= 2*step {
		h.name(b.key(tail))
	}
}

// resume adds the pairs at the beginning of a batch that have the last key of the batch
// before, and returns their number.
func (h *Heavy) resume(b *batch) int {
	key := b.key(0)
	if b.w.first != h.last.Partition || pairs.Hash(key) != h.last.Hash {
		return 0
	}
	end := b.end(0, b.w.rows)
	h.last.Pairs += int64(end)
	h.last.Bytes += b.bytes(0, end)
	h.name(key)
	return end
}

// name gives the last key its text.
func (h *Heavy) name(key []byte) {
	if !h.named {
		h.last.Text, h.named = plan.KeyText(h.text(key)), true
	}
}

// settle adds the last key. One without a text was light.
func (h *Heavy) settle() {
	if h.last.Pairs > 0 && h.named {
		h.add(h.last, nil)
	}
	h.last = plan.HeavyKey{}
}

// add takes pairs of a key. Without a key it has its text. Where there is no room, the
// lightest key goes.
func (h *Heavy) add(k plan.HeavyKey, key []byte) {
	lightest := 0
	for i := range h.keys {
		known := &h.keys[i]
		if known.Hash == k.Hash && known.Partition == k.Partition {
			known.Pairs += k.Pairs
			known.Bytes += k.Bytes
			return
		}
		if weight(known.Pairs, known.Bytes) < weight(h.keys[lightest].Pairs, h.keys[lightest].Bytes) {
			lightest = i
		}
	}
	full := len(h.keys) == plan.MostHeavy
	if full && weight(k.Pairs, k.Bytes) <= weight(h.keys[lightest].Pairs, h.keys[lightest].Bytes) {
		return
	}
	if key != nil {
		k.Text = plan.KeyText(h.text(key))
	}
	if full {
		h.keys[lightest] = k
	} else {
		h.keys = append(h.keys, k)
	}
}

// batch is the open batch of a writer, to look at its pairs.
type batch struct {
	w     *Writer
	group func(key []byte) []byte
	head  int
}

// key returns the part of a pair's key that counts.
func (b *batch) key(row int) []byte {
	var key []byte
	if width := b.w.o.Layout.Key; width > 0 {
		at := b.head + row*width
		key = b.w.front[at : at+width]
	} else {
		key = b.w.keys[b.keyAt(row):b.keyAt(row+1)]
	}
	if b.group != nil {
		return b.group(key)
	}
	return key
}

// keyAt returns where the key of a pair begins.
func (b *batch) keyAt(row int) int64 {
	if width := b.w.o.Layout.Key; width > 0 {
		return int64(row * width)
	}
	return int64(binary.LittleEndian.Uint32(b.w.front[b.head+4*row:]))
}

// valueAt returns where the value of a pair begins.
func (b *batch) valueAt(row int) int64 {
	if width := b.w.o.Layout.Value; width > 0 {
		return int64(row * width)
	}
	return int64(binary.LittleEndian.Uint32(b.w.ends[4*row:]))
}

// bytes returns the bytes of pairs.
func (b *batch) bytes(from, to int) int64 {
	return b.keyAt(to) - b.keyAt(from) + b.valueAt(to) - b.valueAt(from)
}

func (b *batch) weight(from, to int) int64 { return weight(int64(to-from), b.bytes(from, to)) }

// partition returns the partition of a pair.
func (b *batch) partition(row int) int {
	for p := b.w.part; p > b.w.first; p-- {
		if e := &b.w.partitions[p]; e.Rows > 0 && e.FirstRow <= int64(row) {
			return p
		}
	}
	return b.w.first
}

// heavy describes pairs of one key.
func (b *batch) heavy(from, to int) plan.HeavyKey {
	return plan.HeavyKey{Partition: b.partition(from), Hash: pairs.Hash(b.key(from)), Pairs: int64(to - from), Bytes: b.bytes(from, to)}
}

// first returns the first pair, from low on, with the key of a pair.
func (b *batch) first(row, low int) int {
	key := b.key(row)
	reach := 1
	for row-reach >= low && bytes.Equal(b.key(row-reach), key) {
		reach *= 2
	}
	low = max(low, row-reach)
	return low + sort.Search(row-low, func(i int) bool { return bytes.Equal(b.key(low+i), key) })
}

// end returns the pair after the last one, before high, with the key of a pair.
func (b *batch) end(row, high int) int {
	key := b.key(row)
	reach := 1
	for row+reach < high && bytes.Equal(b.key(row+reach), key) {
		reach *= 2
	}
	high = min(high, row+reach)
	return row + 1 + sort.Search(high-row-1, func(i int) bool { return !bytes.Equal(b.key(row+1+i), key) })
}

// after returns the last pair that begins within a distance from a pair; at least the
// next one, and at most high.
func (b *batch) after(row int, distance int64, high int) int {
	n := sort.Search(high-row-1, func(i int) bool { return b.weight(row, row+2+i) > distance })
	return row + 1 + n
}
