package table

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

type acc struct{ n, sum int64 }

// TestDrainsAddUpToWhatWasAdded verifies that the drained accumulators of a
// table of any size add up to those of a map.
func TestDrainsAddUpToWhatWasAdded(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{0, 100 << 10, 3 << 20, 64 << 20} {
		r := rand.New(rand.NewPCG(1, uint64(limit)))
		tab := New[acc](limit)
		got, want := map[string]acc{}, map[string]acc{}
		drains := 0
		drain := func() {
			drains++
			seen := map[string]bool{}
			tab.Drain(func(key []byte, a *acc) {
				if seen[string(key)] {
					t.Fatalf("key %q is drained twice at once", key)
				}
				seen[string(key)] = true
				sum := got[string(key)]
				got[string(key)] = acc{sum.n + a.n, sum.sum + a.sum}
			})
			if tab.Len() != 0 {
				t.Fatal("a drained table is not empty")
			}
		}
		for range 100_000 {
			key := fmt.Appendf(make([]byte, 0, 400), "%0*d", r.IntN(300), int(30_000*r.Float64()*r.Float64()))
			v := r.Int64N(100)
			w := want[string(key)]
			want[string(key)] = acc{w.n + 1, w.sum + v}
			hash := tab.Hash(key)
			a := tab.Find(hash, key)
			if a == nil {
				if a = tab.Insert(hash, key); a == nil {
					drain()
					if a = tab.Insert(hash, key); a == nil {
						t.Fatal("an empty table has no room")
					}
				}
				if *a != (acc{}) {
					t.Fatalf("a fresh accumulator is %+v", *a)
				}
			}
			a.n++
			a.sum += v
			if b := tab.bytes(); b > max(limit, leastSize*tab.slotSize()+chunkSize) {
				t.Fatalf("a table of %d bytes has %d", limit, b)
			}
		}
		drain()
		if len(got) != len(want) {
			t.Errorf("limit %d: %d keys, want %d", limit, len(got), len(want))
		}
		for key, w := range want {
			if got[key] != w {
				t.Fatalf("limit %d: key %q has %+v, want %+v", limit, key, got[key], w)
			}
		}
		if limit == 0 && drains < 10 {
			t.Errorf("a table without memory was drained %d times", drains)
		}
	}
}

// TestDrainsInTheOrderOfArrival holds tables of several processes, whose seeds
// differ. All are drained in the order in which the keys came, again and again.
func TestDrainsInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		tab := New[int64](16 << 20)
		tab.seed = maphash.MakeSeed()
		for round := range 3 {
			var want, got []string
			for k := range 2000 {
				key := fmt.Sprintf("%d%*d", k, r.IntN(3)*r.IntN(900), k)
				if k == 1000 {
					key = ""
				}
				want = append(want, key)
				*tab.Insert(tab.Hash([]byte(key)), []byte(key)) = int64(k)
			}
			tab.Drain(func(key []byte, v *int64) {
				if *v != int64(len(got)) {
					t.Errorf("key %.10q has the accumulator of key %d", key, *v)
				}
				got = append(got, string(key))
			})
			if !slices.Equal(got, want) {
				t.Errorf("in round %d keys are drained in another order", round)
			}
		}
	}
}

// TestLongestKeys fills chunks with keys of about the greatest length.
func TestLongestKeys(t *testing.T) {
	t.Parallel()
	tab := New[int](64 << 20)
	var want []int
	for _, n := range []int{MaxKey, 0, MaxKey - 1, chunkSize / 2, chunkSize/2 - 10, 0, 0, MaxKey, 1} {
		key := bytes.Repeat([]byte{byte(len(want))}, n)
		hash := tab.Hash(key)
		if tab.Find(hash, key) == nil {
			*tab.Insert(hash, key) = n
			want = append(want, n)
		}
	}
	var got []int
	tab.Drain(func(key []byte, n *int) {
		if len(key) != *n {
			t.Errorf("a key of %d bytes has %d", *n, len(key))
		}
		got = append(got, *n)
	})
	if !slices.Equal(got, want) {
		t.Errorf("keys of %d bytes are drained, want %d", got, want)
	}
}

// TestKeysChosenToCollideHaveSlotsOfTheirOwn verifies that keys whose hashes of
// partitions are equal, by choice, have different hashes in the table.
func TestKeysChosenToCollideHaveSlotsOfTheirOwn(t *testing.T) {
	t.Parallel()
	const n = 1 << 14
	tab := New[int](64 << 20)
	hashes, slots := map[uint64]bool{}, map[uint64]int{}
	keys := collisions(n)
	for _, key := range keys {
		if pairs.Hash(key) != pairs.Hash(keys[0]) {
			t.Fatal("the keys do not collide")
		}
		hash := tab.Hash(key)
		hashes[hash] = true
		slots[hash%n]++
	}
	if len(hashes) != n {
		t.Errorf("%d keys have %d hashes", n, len(hashes))
	}
	// Of n balls in n boxes, a box has 30 with a probability of less than 1e-25.
	for _, k := range slots {
		if k > 30 {
			t.Errorf("%d keys have one slot", k)
		}
	}
}

// collisions returns n keys of one hash of partitions. The hash multiplies the halves of each
// block of 16 bytes, and a product stays the same when its factors change
// places. So each block has two forms, and a key of k blocks has 1<<k.
func collisions(n int) [][]byte {
	const (
		mix1, mix2, mix3, mix4 = uint64(0x6a09e667f3bcc909), uint64(0xbb67ae8584caa73b), uint64(0x3c6ef372fe94f82b), uint64(0xa54ff53a5f1d36f1)
		end                    = "."
	)
	var blocks [][2][]byte
	count := bits.Len(uint(n - 1))
	state := mix1 ^ uint64(16*count+len(end))*mix4
	r := rand.New(rand.NewPCG(1, 1))
	for len(blocks) < count {
		lo, hi := r.Uint64(), r.Uint64()
		first, second := lo^mix2^state, hi^mix3
		forms := [2][]byte{block(lo, hi), block(second^mix2^state, first^mix3)}
		blocks = append(blocks, forms)
		high, low := bits.Mul64(first, second)
		state = high ^ low
	}
	keys := make([][]byte, n)
	for k := range keys {
		for i, forms := range blocks {
			keys[k] = append(keys[k], forms[k>>i&1]...)
		}
		keys[k] = append(keys[k], end...)
	}
	return keys
}

func block(lo, hi uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, lo), hi)
}

func TestKeysOfEqualHashAreKeptApart(t *testing.T) {
	t.Parallel()
	tab := New[string](1 << 20)
	for _, key := range []string{"a", "b", "", "ab"} {
		*tab.Insert(42, []byte(key)) = key
	}
	for _, key := range []string{"a", "b", "", "ab"} {
		if v := tab.Find(42, []byte(key)); v == nil || *v != key {
			t.Errorf("key %q holds %v", key, v)
		}
	}
	if tab.Find(42, []byte("c")) != nil {
		t.Error("a key that was never inserted is found")
	}
}

func TestWhatAccumulatorsPointToFillsATable(t *testing.T) {
	t.Parallel()
	tab := New[[]byte](2 << 20)
	tab.Insert(1, []byte("k"))
	if tab.Grew(1 << 20) {
		t.Error("a table is full at half its limit")
	}
	if !tab.Grew(2 << 20) {
		t.Error("a table takes more than its limit")
	}
	tab.Drain(func([]byte, *[]byte) {})
	if tab.Grew(1) {
		t.Error("a drained table is full")
	}
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{400, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			tab := New[int64](64 << 20)
			keys := make([][]byte, n)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "word%d", i)
				tab.Insert(tab.Hash(keys[i]), keys[i])
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				key := keys[i]
				*tab.Find(tab.Hash(key), key)++
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}
