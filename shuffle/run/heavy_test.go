package run

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// counted is what a loop counts of a key.
type counted struct {
	partition    int
	pairs, bytes int64
}

// writeRuns writes rows as so many runs, each sorted, and counts every key.
func writeRuns(t *testing.T, layout pairs.Layout, h *Heavy, rows []row, runs, partitions int, group func([]byte) []byte) map[string]*counted {
	t.Helper()
	truth := map[string]*counted{}
	w := NewWriter(io.Discard, Options{Layout: layout, Partitions: partitions, Heavy: h})
	for r := range runs {
		some := rows[r*len(rows)/runs : (r+1)*len(rows)/runs]
		slices.SortStableFunc(some, func(a, b row) int {
			if a.part != b.part {
				return a.part - b.part
			}
			return bytes.Compare(a.key, b.key)
		})
		sizes := make([]int64, partitions)
		for _, x := range some {
			sizes[x.part] += int64(len(x.key) + len(x.value))
		}
		if r > 0 {
			w.Reset(io.Discard)
		}
		last := -1
		for _, x := range some {
			if x.part != last {
				if err := w.Partition(x.part, sizes[x.part]); err != nil {
					t.Fatal(err)
				}
				last = x.part
			}
			if err := w.Append(x.key, x.value); err != nil {
				t.Fatal(err)
			}
			key := string(x.key)
			if group != nil {
				key = string(group(x.key))
			}
			c := truth[key]
			if c == nil {
				c = &counted{partition: x.part}
				truth[key] = c
			}
			c.pairs++
			c.bytes += int64(len(x.key) + len(x.value))
		}
		if _, _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	return truth
}

func asText(key []byte) string { return string(key) }

// TestHeavyKeysAreCounted verifies that keys which hold much of what is written are found
// and counted as a loop counts them, for all layouts, over batches, partitions and runs,
// and that no key has more pairs than there are.
func TestHeavyKeysAreCounted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		rng := rand.New(rand.NewPCG(seed, 4))
		layout := []pairs.Layout{{}, {Key: 6}, {Value: 8}, {Key: 6, Value: 40}}[seed%4]
		partitions := []int{1, 4, 300}[rng.IntN(3)]
		var group func([]byte) []byte
		if rng.IntN(2) == 0 {
			group = func(key []byte) []byte { return key[:5] }
		}
		hot := 1 + rng.IntN(3)
		large := layout.Value == 0 && rng.IntN(2) == 0 // the hot keys have few pairs of many bytes
		rows := make([]row, 20_000+rng.IntN(20_000))
		for i := range rows {
			name, size := fmt.Sprintf("c%04d", rng.IntN(9000)), rng.IntN(20)
			switch at := rng.IntN(1000); {
			case large && at < 10*hot:
				name, size = fmt.Sprintf("hot%02d", at/10), 3000
			case !large && at < 250*hot:
				name = fmt.Sprintf("hot%02d", at/250)
			}
			if layout.Value > 0 {
				size = layout.Value
			}
			hash := pairs.Hash([]byte(name))
			rows[i] = row{int(pairs.PartitionOf(hash, partitions)), []byte(name + string(rune('a'+rng.IntN(3)*b2i(group != nil)))), make([]byte, size)}
		}
		h := NewHeavy(group, asText, partitions)
		truth := writeRuns(t, layout, h, rows, 1+rng.IntN(4), partitions, group)
		found := h.Keys()
		var total, all int64
		for _, c := range truth {
			total += c.bytes
			all += c.pairs
		}
		if found.Bytes != total {
			t.Errorf("seed %d: %d bytes, want %d", seed, found.Bytes, total)
		}
		seen := map[string]plan.HeavyKey{}
		for _, k := range found.Keys {
			c := truth[k.Text]
			if c == nil || k.Pairs > c.pairs || k.Bytes > c.bytes || k.Partition != c.partition || k.Hash != pairs.Hash([]byte(k.Text)) {
				t.Fatalf("seed %d: %+v, and there are %+v", seed, k, c)
			}
			seen[k.Text] = k
		}
		for name, c := range truth {
			if 20*c.bytes < total && 20*c.pairs < all {
				continue
			}
			if k := seen[name]; k.Pairs != c.pairs || k.Bytes != c.bytes {
				t.Errorf("seed %d, layout %v, %d partitions, large %v: key %s has %d pairs with %d bytes, found %+v", seed, layout, partitions, large, name, c.pairs, c.bytes, k)
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestHeavyKeysAreBounded verifies that a manifest has little room for keys, however many
// and however long they are, and no key of those that all have the same.
func TestHeavyKeysAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key         func(i int) string
		rows, value int
		most        int
	}{
		"keys of 1 MB":   {func(i int) string { return fmt.Sprintf("%02d%s", i%20, strings.Repeat("\x00", 1<<20)) }, 60, 10, plan.MostHeavy},
		"all different":  {func(i int) string { return fmt.Sprintf("%08d", i) }, 200_000, 10, 0},
		"one key":        {func(int) string { return "k" }, 200_000, 10, 1},
		"a hundred":      {func(i int) string { return fmt.Sprintf("%02d", i%100) }, 200_000, 10, plan.MostHeavy},
		"ever heavier":   {func(i int) string { return fmt.Sprintf("%03d", int(float64(i)/200_000*float64(i)/200_000*150)) }, 200_000, 10, plan.MostHeavy},
		"values of 1 MB": {func(i int) string { return fmt.Sprintf("%02d", i%50) }, 100, 1 << 20, plan.MostHeavy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := make([]row, c.rows)
			for i := range rows {
				rows[i] = row{0, []byte(c.key(i)), make([]byte, c.value)}
			}
			h := NewHeavy(nil, func(key []byte) string { return fmt.Sprintf("%.300q", key) }, 8)
			writeRuns(t, pairs.Layout{}, h, rows, 2, 8, nil)
			found := h.Keys()
			size := 0
			for _, k := range found.Keys {
				size += len(k.Text)
			}
			if len(found.Keys) > c.most || size > plan.MostHeavy*plan.MostKeyText || c.most == 1 && (len(found.Keys) != 1 || found.Keys[0].Pairs != int64(c.rows)) {
				t.Errorf("%d keys with texts of %d bytes: %+v", len(found.Keys), size, found)
			}
		})
	}
}

// BenchmarkHeavy is what it costs to look for heavy keys while 100-byte and small pairs
// are written.
func BenchmarkHeavy(b *testing.B) {
	for _, layout := range []pairs.Layout{{Key: 10, Value: 90}, {}} {
		rows := makeRows(rand.New(rand.NewPCG(1, 1)), layout, 200_000, 1, false)
		slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.key, b.key) })
		for _, looks := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/%v", layout.Key, looks), func(b *testing.B) {
				o := Options{Layout: layout, Partitions: 1}
				if looks {
					o.Heavy = NewHeavy(nil, asText, 1)
				}
				w := NewWriter(io.Discard, o)
				for b.Loop() {
					w.Reset(io.Discard)
					if err := w.Partition(0, 20<<20); err != nil {
						b.Fatal(err)
					}
					for i := range rows {
						if err := w.Append(rows[i].key, rows[i].value); err != nil {
							b.Fatal(err)
						}
					}
					if _, _, err := w.Finish(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/pair")
			})
		}
	}
}
