package shuffle

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// teraRuns writes k runs of n records of 100 bytes each, of one partition.
func teraRuns(b *testing.B, store *memStore, k, n int) (Spec, []plan.Run) {
	b.Helper()
	spec := Spec{Layout: pairs.Layout{Key: 10, Value: 90}, Partitions: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	var runs []plan.Run
	for range k {
		made, err := writeTera(b, spec, NewBudget(2<<30), store, rng, n)
		if err != nil {
			b.Fatal(err)
		}
		runs = append(runs, made...)
	}
	return spec, runs
}

func writeTera(b *testing.B, spec Spec, budget *Budget, store RunStore, rng *rand.Rand, n int) ([]plan.Run, error) {
	mem, err := budget.Acquire(b.Context(), budget.Total())
	if err != nil {
		return nil, err
	}
	defer mem.Release()
	w, err := NewMapWriter(b.Context(), spec, mem, store)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	c := w.Collector()
	var record [100]byte
	for range n {
		binary.BigEndian.PutUint64(record[:], rng.Uint64())
		c.Add(append(c.Room(), record[:]...), 10, 0)
	}
	runs, _, err := w.Finish(b.Context())
	return runs, err
}

// discard is a store that drops the bytes that are written.
type discard struct {
	RunStore
	RunWriter
}

func (d discard) Create(context.Context) (RunWriter, error) { return d, nil }
func (d discard) Write(p []byte) (int, error)               { return len(p), nil }
func (d discard) Commit() error                             { return nil }
func (d discard) Abort()                                    {}
func (d discard) Key() string                               { return "" }

// BenchmarkMap is a map attempt of a million records of 100 bytes, from append
// to committed run.
func BenchmarkMap(b *testing.B) {
	spec := Spec{Layout: pairs.Layout{Key: 10, Value: 90}, Partitions: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	budget, store := NewBudget(2<<30), discard{RunStore: newMemStore()}
	const n = 1_000_000
	b.SetBytes(100 * n)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := writeTera(b, spec, budget, store, rng, n); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

// BenchmarkMerge reads runs of 100-byte records back in order.
func BenchmarkMerge(b *testing.B) {
	for _, k := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			const total = 1 << 19
			store := newMemStore()
			spec, runs := teraRuns(b, store, k, total/k)
			mem, err := NewBudget(2<<30).Acquire(b.Context(), 2<<30)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r, err := Open(b.Context(), spec, 0, runs, store, mem)
				if err != nil {
					b.Fatal(err)
				}
				for _, _, ok := r.Next(); ok; _, _, ok = r.Next() {
					n++
				}
				if r.Err() != nil {
					b.Fatal(r.Err())
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
		})
	}
}
