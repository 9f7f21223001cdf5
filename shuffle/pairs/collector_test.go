package pairs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// pair is a pair of the oracle.
type pair struct {
	part       uint32
	key, value string
}

// limited is memory that can be exhausted.
type limited struct{ left int64 }

func (m *limited) Slab(n int) []byte {
	n = max(n, SlabSize)
	if !m.Charge(int64(n)) {
		return nil
	}
	b := make([]byte, n)
	for i := 0; i < n; i += 7 {
		b[i] = 0xa5 // zeros are not guaranteed
	}
	return b
}

// Free overwrites b, as another user of the slab would.
func (m *limited) Free(b []byte) {
	m.left += int64(len(b))
	for i := range b {
		b[i] = 0x5a
	}
}

func (m *limited) Charge(n int64) bool {
	if n > m.left {
		return false
	}
	m.left -= n
	return true
}

// drain returns the pairs in sorted order.
func drain(tb testing.TB, c *Collector, partitions int, byValue bool) []pair {
	tb.Helper()
	if err := c.Sort(partitions, byValue); err != nil {
		tb.Fatal(err)
	}
	var got []pair
	for p := range partitions {
		c.Warm(len(got), c.End(p))
		for i := len(got); i < c.End(p); i++ {
			k, v := c.At(i)
			got = append(got, pair{uint32(p), string(k), string(v)})
		}
	}
	if len(got) != c.Len() {
		tb.Fatalf("%d of %d pairs are in a partition", len(got), c.Len())
	}
	return got
}

// naive sorts as Sort must.
func naive(all []pair, byValue bool) []pair {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b pair) int {
		c := cmp.Or(cmp.Compare(a.part, b.part), strings.Compare(a.key, b.key))
		if c == 0 && byValue {
			c = strings.Compare(a.value, b.value)
		}
		return c
	})
	return all
}

// text returns strings with long common prefixes: few letters, zeros, long
// equal heads.
func text(rng *rand.Rand, width int) string {
	b := make([]byte, width)
	if width == 0 {
		b = make([]byte, rng.IntN(20))
		if rng.IntN(4) == 0 {
			b = append([]byte(strings.Repeat("http://windrow/", 1+rng.IntN(30))), b...)
		}
	}
	for i := range b {
		if b[i] == 0 && rng.IntN(2) == 0 {
			b[i] = byte(rng.IntN(3))
		}
	}
	return string(b)
}

func TestSortIsThatOfANaiveSort(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		layout := Layout{[]int{0, 0, 1, 8, 12}[rng.IntN(5)], []int{0, 3, 9}[rng.IntN(3)]}
		partitions, byValue := 1+rng.IntN(20), rng.IntN(2) == 0
		c := NewCollector(layout, nil, nil)
		var all []pair
		for range rng.IntN(3000) {
			p := pair{uint32(rng.IntN(partitions)), text(rng, layout.Key), text(rng, layout.Value)}
			all = append(all, p)
			c.Append([]byte(p.key), []byte(p.value), p.part)
		}
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
		if got := drain(t, c, partitions, byValue); !slices.Equal(got, naive(all, byValue)) {
			t.Fatalf("seed %d: %v, %d partitions, by value %v: order differs from a naive sort", seed, layout, partitions, byValue)
		}
	}
}

func FuzzSort(f *testing.F) {
	f.Add([]byte("b\x00a\x01\x02c"), uint8(1), true)
	f.Add(bytes.Repeat([]byte("same"), 50), uint8(9), false)
	f.Fuzz(func(t *testing.T, data []byte, step uint8, byValue bool) {
		c := NewCollector(Layout{}, nil, nil)
		var all []pair
		for n := int(step)%40 + 1; len(data) > 0; {
			b := data[:min(n, len(data))]
			data = data[len(b):]
			p := pair{uint32(b[0]) % 3, string(b[:len(b)/2]), string(b[len(b)/2:])}
			all = append(all, p)
			c.Append([]byte(p.key), []byte(p.value), p.part)
		}
		if got := drain(t, c, 3, byValue); !slices.Equal(got, naive(all, byValue)) {
			t.Fatalf("%v is not the order of %v", got, all)
		}
	})
}

func TestSpillsLoseNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 2))
		const share = 6 << 20
		mem := &limited{share}
		var c *Collector
		var all, got []pair
		spills := 0
		c = NewCollector(Layout{}, mem, func() error {
			spills++
			got = append(got, drain(t, c, 4, false)...)
			c.Reset()
			return nil
		})
		for i := range 120_000 {
			key, value := text(rng, 0), ""
			switch {
			case i%20_000 == 7:
				value = strings.Repeat("huge", 500_000)
			case i%5000 == 3:
				value = strings.Repeat("long", 40_000)
			case i%5000 == 4:
				key = strings.Repeat("long", 40_000)
			}
			p := pair{uint32(rng.IntN(4)), key, value}
			all = append(all, p)
			b := append(c.Room(), key...)
			c.Add(append(b, value...), len(key), p.part)
		}
		got = append(got, drain(t, c, 4, false)...)
		if c.Err() != nil || spills < 3 {
			t.Fatalf("%d spills, %v", spills, c.Err())
		}
		order := func(a, b pair) int {
			return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
		}
		slices.SortFunc(all, order)
		slices.SortFunc(got, order)
		if !slices.Equal(all, got) {
			t.Fatalf("seed %d: %d pairs in, %d out, or others", seed, len(all), len(got))
		}
		c.Close()
		if mem.left != share {
			t.Errorf("%d bytes were not returned", share-mem.left)
		}
	}
}

// TestAPairSurvivesTheSpillOfItsOwnSlab: a pair fills a slab to its end, then
// needs a longer head, and moves to another slab. Memory for that one is
// available only after a spill.
func TestAPairSurvivesTheSpillOfItsOwnSlab(t *testing.T) {
	t.Parallel()
	var c *Collector
	spills := 0
	c = NewCollector(Layout{}, &limited{3 << 20}, func() error {
		spills++
		c.Reset()
		return nil
	})
	c.Append([]byte("first"), []byte("pair"), 0)
	b := c.Room()
	for len(b) < cap(b)-4 {
		b = append(b, byte(len(b)*7))
	}
	want := string(b)
	c.Add(b, 10, 0)
	got := drain(t, c, 1, false)
	if c.Err() != nil || spills != 1 || len(got) != 1 || got[0].key+got[0].value != want {
		t.Errorf("after %d spills the pair has changed: %v", spills, c.Err())
	}
}

// TestALargePairAfterManySmallOnes verifies that the space for sorting that is
// kept after a spill does not keep a large pair out.
func TestALargePairAfterManySmallOnes(t *testing.T) {
	t.Parallel()
	mem := &limited{9 << 20}
	var c *Collector
	c = NewCollector(Layout{1, 0}, mem, func() error { c.Reset(); return nil })
	for range 300_000 {
		c.Append([]byte("k"), nil, 0)
	}
	c.Append([]byte("k"), make([]byte, 6<<20), 0)
	if c.Err() != nil {
		t.Error(c.Err())
	}
	if c.Close(); mem.left != 9<<20 {
		t.Errorf("%d bytes were not returned", 9<<20-mem.left)
	}
}

func TestErrorsAreSticky(t *testing.T) {
	t.Parallel()
	t.Run("too large a pair", func(t *testing.T) {
		t.Parallel()
		c := NewCollector(Layout{}, nil, nil)
		c.Append([]byte("a"), []byte("1"), 0)
		c.Add(make([]byte, MaxPair+1), 1000, 0)
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "268435457") {
			t.Fatalf("error is %v", err)
		}
		first := c.Err()
		c.Append([]byte("b"), []byte("2"), 0)
		if c.Len() != 1 || !errors.Is(c.Err(), first) {
			t.Errorf("%d pairs, %v", c.Len(), c.Err())
		}
	})
	t.Run("a pair of the greatest size", func(t *testing.T) {
		t.Parallel()
		c := NewCollector(Layout{}, nil, nil)
		c.Add(make([]byte, MaxPair), 1000, 0)
		if err := c.Sort(1, false); err != nil || c.Err() != nil || c.Len() != 1 {
			t.Fatal(err, c.Err())
		}
		if k, v := c.At(0); len(k) != 1000 || len(v) != MaxPair-1000 {
			t.Errorf("lengths %d and %d", len(k), len(v))
		}
	})
	t.Run("spill fails", func(t *testing.T) {
		t.Parallel()
		full := errors.New("store is full")
		c := NewCollector(Layout{}, &limited{4 << 20}, func() error { return full })
		for range 100_000 {
			c.Append([]byte("some key"), []byte("some long value with many bytes"), 0)
		}
		if !errors.Is(c.Err(), full) {
			t.Errorf("error is %v", c.Err())
		}
	})
	t.Run("no memory at all", func(t *testing.T) {
		t.Parallel()
		c := NewCollector(Layout{}, &limited{1 << 20}, func() error { return nil })
		c.Append([]byte("k"), []byte("v"), 0)
		if c.Err() == nil || !strings.Contains(c.Err().Error(), "more memory") {
			t.Errorf("error is %v", c.Err())
		}
	})
	t.Run("widths that are not the layout's", func(t *testing.T) {
		t.Parallel()
		for _, p := range []pair{{0, "abc", "12345678"}, {0, "ab", "1234567"}} {
			c := NewCollector(Layout{2, 8}, nil, nil)
			c.Append([]byte(p.key), []byte(p.value), 0)
			if c.Err() == nil || c.Len() != 0 {
				t.Errorf("%v is accepted", p)
			}
		}
	})
	t.Run("partition out of range", func(t *testing.T) {
		t.Parallel()
		c := NewCollector(Layout{}, nil, nil)
		c.Append([]byte("k"), []byte("v"), 5)
		if err := c.Sort(5, false); err == nil {
			t.Error("partition 5 of 5 is accepted")
		}
		c = NewCollector(Layout{}, nil, nil)
		if c.Append([]byte("k"), []byte("v"), MaxPartitions); c.Err() == nil || c.Len() != 0 {
			t.Error("a partition that no entry can hold is accepted")
		}
	})
}

// Not parallel: allocations are counted for the whole process.
func TestAddDoesNotAllocatePerPair(t *testing.T) {
	c := NewCollector(Layout{}, nil, nil)
	key := []byte("key")
	n := testing.AllocsPerRun(5, func() {
		c.Reset()
		for i := range 100_000 {
			b := append(c.Room(), key...)
			b = append(b, byte(i), byte(i>>8))
			c.Add(b, 4, 0)
		}
	})
	if n > 20 {
		t.Errorf("%v allocations in 100,000 pairs", n)
	}
}

func ExampleCollector() {
	c := NewCollector(Layout{}, nil, nil)
	for _, word := range []string{"rake", "hay", "rake"} {
		b := append(c.Room(), word...)
		c.Add(append(b, '1'), len(word), PartitionOf(Hash([]byte(word)), 1))
	}
	if err := c.Sort(1, false); err != nil {
		fmt.Println(err)
	}
	for i := range c.Len() {
		key, value := c.At(i)
		fmt.Printf("%s=%s\n", key, value)
	}
	// Output:
	// hay=1
	// rake=1
	// rake=1
}
