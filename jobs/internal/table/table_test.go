package table

import (
	"fmt"
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
			tab.Drain(func(hash uint64, key []byte, a *acc) {
				if seen[string(key)] {
					t.Fatalf("key %q is drained twice at once", key)
				}
				if hash != pairs.Hash(key) {
					t.Fatalf("key %q has another hash", key)
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
			hash := pairs.Hash(key)
			a := tab.Find(hash, key)
			if a == nil {
				var full bool
				if a, full = tab.Insert(hash, key); full {
					drain()
					a, full = tab.Insert(hash, key)
				}
				if a == nil {
					t.Fatalf("a table has no room (full: %v)", full)
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

func TestDrainingIsInTheSameOrderEachTime(t *testing.T) {
	t.Parallel()
	var runs [2][]string
	for i := range runs {
		tab := New[int64](8 << 20)
		for k := range 5000 {
			key := fmt.Appendf(nil, "%d", k*7)
			insert(t, tab, pairs.Hash(key), string(key), 1)
		}
		tab.Drain(func(_ uint64, key []byte, _ *int64) { runs[i] = append(runs[i], string(key)) })
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Error("equal tables are drained in different order")
	}
}

func TestKeysOfEqualHashAreKeptApart(t *testing.T) {
	t.Parallel()
	tab := New[string](1 << 20)
	for _, key := range []string{"a", "b", "", "ab"} {
		insert(t, tab, 42, key, key)
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

// insert adds a key, and reports whether there was a slot for it.
func insert[A any](t *testing.T, tab *Table[A], hash uint64, key string, value A) bool {
	t.Helper()
	a, full := tab.Insert(hash, []byte(key))
	if full {
		t.Fatal("the table is full")
	}
	if a != nil {
		*a = value
	}
	return a != nil
}

// TestCrowdedKeysAreNotTaken verifies that a table takes a bounded number of keys of
// one hash, and of one slot, and finds those that it took, also after it grew.
func TestCrowdedKeysAreNotTaken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hash  func(i int) uint64
		taken int
	}{
		"one hash":         {func(int) uint64 { return 1<<64 - 1 }, mostAlike},
		"one slot":         {func(i int) uint64 { return uint64(i)<<40 | 1<<39 }, mostProbes},
		"one, at the end":  {func(i int) uint64 { return uint64(i)<<40 | (1<<40 - 1) }, mostProbes},
		"a slot for each":  {func(i int) uint64 { return uint64(i) }, 5000},
		"two slots, apart": {func(i int) uint64 { return uint64(i)<<40 | uint64(i%2)<<9 }, 2 * mostProbes},
	} {
		tab := New[int](64 << 20)
		taken := map[int]bool{}
		for i := range 5000 {
			if insert(t, tab, tt.hash(i), fmt.Sprint(i), i) {
				taken[i] = true
			}
		}
		if len(taken) != tt.taken {
			t.Errorf("%s: %d keys are taken, want %d", name, len(taken), tt.taken)
		}
		for i := range 5000 {
			if v := tab.Find(tt.hash(i), []byte(fmt.Sprint(i))); (v != nil) != taken[i] || v != nil && *v != i {
				t.Errorf("%s: key %d has %v, and was taken: %v", name, i, v, taken[i])
			}
		}
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
	tab.Drain(func(uint64, []byte, *[]byte) {})
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
				if a, _ := tab.Insert(pairs.Hash(keys[i]), keys[i]); a == nil {
					b.Fatal("no room")
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				key := keys[i]
				*tab.Find(pairs.Hash(key), key)++
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkFill inserts as many keys as a table of a map task takes, and drains it.
func BenchmarkFill(b *testing.B) {
	tab := New[int64](64 << 20)
	keys := make([][]byte, 600_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "word%d", i*7919)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, key := range keys {
			hash := pairs.Hash(key)
			if tab.Find(hash, key) == nil {
				if a, _ := tab.Insert(hash, key); a != nil {
					*a = 1
				}
			}
		}
		sum := 0
		tab.Drain(func(hash uint64, key []byte, _ *int64) { sum += int(hash) + int(key[len(key)-1]) })
		_ = sum
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
}
