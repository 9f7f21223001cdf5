package jobs_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// pairReader yields pairs of random keys and values, which costs little beside what
// is measured.
type pairReader struct{ n, keys uint64 }

func (pairReader) Split(o jobs.Object, _ int64) ([]jobs.Section, error) {
	return []jobs.Section{{Object: o, Length: o.Size}}, nil
}

func (r pairReader) Scan(_ *jobs.Context, _ *jobs.Section, yield func(jobs.Pair[[]byte, int64]) error) error {
	random := rand.New(rand.NewPCG(1, 2))
	key := make([]byte, 10)
	for range r.n {
		binary.LittleEndian.PutUint64(key, random.Uint64N(r.keys))
		if err := yield(jobs.Pair[[]byte, int64]{Key: key, Value: int64(random.Uint64() >> 1)}); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkTop compares map tasks that keep the ten greatest of a million pairs with
// map tasks that fold the same pairs.
func BenchmarkTop(b *testing.B) {
	const n = 1_000_000
	again := func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[[]byte, int64]) error {
		emit(p.Key, p.Value)
		return nil
	}
	for name, c := range map[string]struct {
		keys uint64
		f    func(in jobs.Records[jobs.Pair[[]byte, int64]])
	}{
		"read": {1e9, func(in jobs.Records[jobs.Pair[[]byte, int64]]) {
			jobs.Count(in.Filter(func(jobs.Pair[[]byte, int64]) bool { return false })).WriteTSV()
		}},
		"fold":       {1e9, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { jobs.Map(in, again).Fold(jobs.Max).WriteTSV() }},
		"fold few":   {1000, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { jobs.Map(in, again).Fold(jobs.Max).WriteTSV() }},
		"top":        {1e9, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { in.Top(10, jobs.ByValue).WriteTSV() }},
		"top few":    {1000, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { in.Top(10, jobs.ByValue).WriteTSV() }},
		"by key":     {1e9, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { jobs.Map(in, again).Top(10, cmp.Compare).WriteTSV() }},
		"by key few": {1000, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { jobs.Map(in, again).Top(10, cmp.Compare).WriteTSV() }},
		"last":       {1e9, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { jobs.Map(in, again).Last(cmp.Compare).WriteTSV() }},
		"last few":   {1000, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { jobs.Map(in, again).Last(cmp.Compare).WriteTSV() }},
		"distinct":   {1e9, func(in jobs.Records[jobs.Pair[[]byte, int64]]) { in.Distinct().WriteTSV() }},
	} {
		b.Run(name, func(b *testing.B) {
			built, err := build(func(p *jobs.Pipeline) { c.f(jobs.Read(p, pairReader{n, c.keys})) }).Build(nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				to := pairs.NewCollector(built.Exchanges[0].Layout, nil, nil)
				task := &pipeline.Task{
					Context: b.Context(), Tally: &plan.Tally{},
					Sections: []pipeline.Section{{Section: plan.Section{Length: 1}, Open: func(context.Context, int64) (io.ReadCloser, error) {
						return nil, io.ErrUnexpectedEOF
					}}},
					Writes: []pipeline.Write{{Pairs: to, Partitions: 4, TableBytes: 64 << 20}},
				}
				if err := built.Steps[0].Run(task); err != nil {
					b.Fatal(err)
				}
				if err := to.Sort(4, false); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
		})
	}
}
