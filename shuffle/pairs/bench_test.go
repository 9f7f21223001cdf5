package pairs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// teraPairs appends n records of 10 random bytes and 90 others.
func teraPairs(c *Collector, n, partitions int) {
	rng := rand.New(rand.NewPCG(1, 2))
	var rec [100]byte
	for range n {
		binary.BigEndian.PutUint64(rec[:], rng.Uint64())
		binary.BigEndian.PutUint16(rec[8:], uint16(rng.Uint64()))
		b := append(c.Room(), rec[:]...)
		c.Add(b, 10, uint32(uint64(rec[0])*uint64(partitions)>>8))
	}
}

// wordPairs appends n words of a Zipf-like distribution with value 1.
func wordPairs(c *Collector, n, partitions int) {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.1, 10, 1<<20)
	one := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	for range n {
		b := fmt.Appendf(c.Room(), "w%d", zipf.Uint64()*7919)
		k := len(b)
		part := PartitionOf(Hash(b), partitions)
		c.Add(append(b, one...), k, part)
	}
}

func BenchmarkCollectorAdd(b *testing.B) {
	key, value := []byte("a key of"), make([]byte, 8)
	c := NewCollector(Layout{Value: 8}, nil, nil)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		p := append(append(c.Room(), key...), value...)
		c.Add(p, len(key), 3)
		if n++; n%(1<<20) == 0 {
			b.StopTimer()
			c.Reset()
			b.StartTimer()
		}
	}
}

func BenchmarkSort(b *testing.B) {
	const n = 1 << 20
	for _, bench := range []struct {
		name   string
		layout Layout
		fill   func(*Collector, int, int)
	}{{"tera", Layout{10, 90}, teraPairs}, {"words", Layout{0, 8}, wordPairs}} {
		c := NewCollector(bench.layout, nil, nil)
		bench.fill(c, n, 8)
		b.Run(bench.name+"/radix", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Sort(8, false); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pair")
		})
		b.Run(bench.name+"/SortFunc", func(b *testing.B) {
			type pair struct {
				part       uint32
				key, value []byte
			}
			all := make([]pair, n)
			for b.Loop() {
				b.StopTimer()
				i := 0
				for _, chunk := range c.chunks {
					for _, e := range chunk {
						k, v := c.pair(e.ref())
						all[i] = pair{e.part(), k, v}
						i++
					}
				}
				b.StartTimer()
				slices.SortFunc(all, func(x, y pair) int {
					if x.part != y.part {
						return int(x.part) - int(y.part)
					}
					return bytes.Compare(x.key, y.key)
				})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pair")
		})
	}
}

func BenchmarkGather(b *testing.B) {
	const n = 1 << 20
	c := NewCollector(Layout{10, 90}, nil, nil)
	teraPairs(c, n, 8)
	if err := c.Sort(8, false); err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, 1<<18)
	for b.Loop() {
		for i := range n {
			k, v := c.At(i)
			if len(out)+100 > cap(out) {
				out = out[:0]
			}
			out = append(append(out, k...), v...)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pair")
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{4, 8, 12, 32, 100} {
		key := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				key[0] = byte(Hash(key))
			}
		})
	}
}
