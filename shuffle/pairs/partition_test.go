package pairs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// TestHashNeverChanges verifies the values of Hash. They are part of every
// stored shuffle: a change sends equal keys of an old and a new process to
// different partitions.
func TestHashNeverChanges(t *testing.T) {
	t.Parallel()
	text := "The rows of hay that are raked together for pick-up are called windrows."
	golden := map[int]uint64{
		0:  0xb6ae07679d180e7f,
		1:  0x90d86e08585029fa,
		2:  0xd2f1ef49aaa11e25,
		3:  0x6de1073fb4812f80,
		4:  0x4c8d8d18d1e36e0a,
		5:  0x6353f2176bd1cab6,
		7:  0x96a2701071d682d2,
		8:  0xe9dc1de74949e1c7,
		9:  0x1df95fe29da4ac84,
		15: 0x188a5cd1923f8266,
		16: 0xf1dd212bdc47ad94,
		17: 0x89465ce4b7c4e544,
		24: 0x57c8d65411838ead,
		31: 0x2615c1776a7977c7,
		32: 0x5ab60bc90bb56f14,
		33: 0x0f609f92a5d77a86,
		48: 0x418fb65e7229c9ed,
		64: 0x08b6549f14de7399,
		72: 0xb9c2737af5d20b9d,
	}
	for n, want := range golden {
		if got := Hash([]byte(text[:n])); got != want {
			t.Errorf("hash of %d bytes is %#x, want %#x", n, got, want)
		}
	}
}

func TestHashSpreadsKeys(t *testing.T) {
	t.Parallel()
	keys := map[string]func(i int) []byte{
		"decimal":    func(i int) []byte { return fmt.Appendf(nil, "%d", i) },
		"big-endian": func(i int) []byte { return []byte{0, 0, 0, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)} },
		"low bytes":  func(i int) []byte { return []byte{byte(i), byte(i >> 8), byte(i >> 16), 0, 0, 0, 0, 0} },
		"zeros":      func(i int) []byte { return make([]byte, i%5000) },
		"long":       func(i int) []byte { return fmt.Appendf(nil, "%060d", i) },
		// The end that makes the second factor of the last product 0, and the
		// same in the middle.
		"one end":    func(i int) []byte { return fmt.Appendf(nil, "%08d\x2b\xf8\x94\xfe\x72\xf3\x6e\x3c", i) },
		"one middle": func(i int) []byte { return fmt.Appendf(nil, "%08d\x2b\xf8\x94\xfe\x72\xf3\x6e\x3cand more", i) },
	}
	for name, key := range keys {
		for _, n := range []int{2, 7, 64, 500} {
			const total = 20_000
			counts := make([]int, n)
			seen := make(map[uint64]bool)
			for i := range total {
				h := Hash(key(i))
				if seen[h] {
					continue
				}
				seen[h] = true
				counts[PartitionOf(h, n)]++
			}
			if name != "zeros" && len(seen) != total || name == "zeros" && len(seen) != 5000 {
				t.Errorf("%s: %d keys share hashes", name, total-len(seen))
			}
			// Chi-squared has n-1 degrees of freedom; 6 standard deviations.
			mean, chi := float64(len(seen))/float64(n), 0.0
			for _, c := range counts {
				chi += (float64(c) - mean) * (float64(c) - mean) / mean
			}
			if d := chi - float64(n-1); d*d > 36*2*float64(n) {
				t.Errorf("%s into %d partitions: chi-squared is %.0f", name, n, chi)
			}
		}
	}
}

func TestPartitionOfIsInRange(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 1000, MaxPartitions} {
		for _, h := range []uint64{0, 1, 1 << 63, ^uint64(0)} {
			if p := PartitionOf(h, n); int(p) >= n {
				t.Errorf("partition %d of %d", p, n)
			}
		}
	}
	if PartitionOf(^uint64(0), 10) != 9 || PartitionOf(0, 10) != 0 {
		t.Error("the ends of the hashes are not in the first and last partition")
	}
}

func TestRangePartitionCountsCuts(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var cuts [][]byte
		for range rng.IntN(30) {
			cuts = append(cuts, []byte(text(rng, 0)))
		}
		slices.SortFunc(cuts, bytes.Compare)
		cuts = slices.CompactFunc(cuts, bytes.Equal)
		for range 50 {
			key := []byte(text(rng, 0))
			if len(cuts) > 0 && rng.IntN(3) == 0 {
				key = cuts[rng.IntN(len(cuts))]
			}
			want := sort.Search(len(cuts), func(i int) bool { return bytes.Compare(cuts[i], key) > 0 })
			if got := RangePartition(cuts, key); int(got) != want {
				t.Fatalf("%q is in range %d of %q, want %d", key, got, cuts, want)
			}
		}
	}
}

func TestCutsMakeRangesOfLikeSize(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	uniform := func(n int) (s [][]byte) {
		for range n {
			s = append(s, fmt.Appendf(nil, "%09d", rng.IntN(1e9)))
		}
		return s
	}
	sizes := func(samples [][]byte, partitions int) []int {
		cuts := Cuts(slices.Clone(samples), partitions)
		if len(cuts) > partitions-1 || !slices.IsSortedFunc(cuts, bytes.Compare) ||
			len(slices.CompactFunc(slices.Clone(cuts), bytes.Equal)) != len(cuts) {
			t.Fatalf("cuts are %q", cuts)
		}
		counts := make([]int, partitions)
		for _, s := range samples {
			counts[RangePartition(cuts, s)]++
		}
		return counts
	}
	t.Run("distinct keys", func(t *testing.T) {
		for _, n := range sizes(uniform(10_000), 10) {
			if n < 990 || n > 1010 {
				t.Errorf("a range has %d of 10,000 samples", n)
			}
		}
	})
	t.Run("one key has half", func(t *testing.T) {
		samples := uniform(5000)
		for range 5000 {
			samples = append(samples, []byte("500000000"))
		}
		counts := sizes(samples, 11)
		slices.Sort(counts)
		if counts[10] > 5010 || counts[9] > 920 {
			t.Errorf("ranges have %d samples", counts)
		}
	})
	t.Run("fewer keys than partitions", func(t *testing.T) {
		samples := [][]byte{[]byte("b"), []byte("a"), []byte("b"), []byte("c")}
		counts := sizes(samples, 100)
		if counts[0] != 1 || counts[1] != 2 || counts[2] != 1 {
			t.Errorf("ranges have %d samples", counts)
		}
	})
	t.Run("nothing to cut", func(t *testing.T) {
		if n := len(Cuts(nil, 5)); n != 0 {
			t.Errorf("%d cuts of no samples", n)
		}
		if n := len(Cuts(uniform(5), 1)); n != 0 {
			t.Errorf("%d cuts for one partition", n)
		}
		if n := len(Cuts([][]byte{[]byte("a"), []byte("a")}, 5)); n != 0 {
			t.Errorf("%d cuts of equal samples", n)
		}
	})
}

func BenchmarkRangePartition(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var keys [][]byte
	for range 1 << 12 {
		keys = append(keys, fmt.Appendf(nil, "%010d", rng.IntN(1e10)))
	}
	for _, n := range []int{8, 64, 1000} {
		cuts := Cuts(slices.Clone(keys), n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var sum uint32
			i := 0
			for b.Loop() {
				sum += RangePartition(cuts, keys[i&(len(keys)-1)])
				i++
			}
			_ = sum
		})
	}
}
