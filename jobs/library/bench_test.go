package library_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// The map tasks of the jobs that have a floor, on text in memory, beside loops
// written by hand for that one job. A figure is the time of a word or a line.

func words(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := make([]string, 100_000)
	for i := range vocabulary {
		b := make([]byte, 2+r.IntN(9))
		for j := range b {
			b[j] = byte('a' + r.IntN(26))
		}
		vocabulary[i] = string(b)
	}
	zipf := rand.NewZipf(r, 1.07, 2, uint64(len(vocabulary)-1))
	var b bytes.Buffer
	for column := 0; b.Len() < size; {
		w := vocabulary[zipf.Uint64()]
		b.WriteString(w)
		if column += len(w) + 1; column > 72 {
			b.WriteByte('\n')
			column = 0
		} else {
			b.WriteByte(' ')
		}
	}
	return append(b.Bytes(), '\n')
}

func stations(rows int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	names := make([]string, 413)
	for i := range names {
		b := make([]byte, 3+r.IntN(20))
		for j := range b {
			b[j] = byte('a' + r.IntN(26))
		}
		names[i] = string(b)
	}
	var b bytes.Buffer
	for range rows {
		fmt.Fprintf(&b, "%s;%.1f\n", names[r.IntN(len(names))], r.NormFloat64()*10+12)
	}
	return b.Bytes()
}

// benchmarkMap runs a job's map over text and reports the time of each of n.
func benchmarkMap(b *testing.B, name string, text []byte, n int) {
	var p *pipeline.Pipeline
	for _, j := range library.All() {
		if j.Name() == name {
			built, err := j.Build(nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			p = built
		}
	}
	section := pipeline.Section{
		Section: plan.Section{Object: plan.Object{Root: "mem://", Key: "text", Size: int64(len(text))}, Length: int64(len(text))},
		Open: func(_ context.Context, off int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(text[off:])), nil
		},
	}
	b.ReportAllocs()
	for b.Loop() {
		t := &pipeline.Task{
			Context: b.Context(), Tally: &plan.Tally{}, Progress: &pipeline.Progress{},
			Sections: []pipeline.Section{section},
			Writes:   []pipeline.Write{{Partitions: 4, Pairs: pairs.NewCollector(p.Exchanges[0].Layout, nil, nil), TableBytes: 32 << 20}},
		}
		if err := p.Steps[0].Run(t); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
}

// entry and floor are the table of a hand-written program.
type entry struct {
	hash     uint64
	key      []byte
	n, sum   int64
	min, max int64
}

type floor []entry

func (f *floor) find(h uint64, key []byte) *entry {
	for i := h & uint64(len(*f)-1); ; i = (i + 1) & uint64(len(*f)-1) {
		e := &(*f)[i]
		if e.key == nil {
			*e = entry{hash: h, key: key}
			return e
		}
		if e.hash == h && bytes.Equal(e.key, key) {
			return e
		}
	}
}

func BenchmarkWordcount(b *testing.B) {
	text := words(16 << 20)
	n := len(bytes.Fields(text))
	b.Run("by hand", func(b *testing.B) {
		for b.Loop() {
			table := make(floor, 1<<18)
			for i := 0; i < len(text); {
				for i < len(text) && (text[i] == ' ' || text[i]-9 < 5) {
					i++
				}
				start := i
				h := uint64(14695981039346656037)
				for i < len(text) && text[i] != ' ' && text[i]-9 >= 5 {
					h = (h ^ uint64(text[i])) * 1099511628211
					i++
				}
				if i > start {
					table.find(h^h>>32, text[start:i]).n++
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
	})
	b.Run("job", func(b *testing.B) { benchmarkMap(b, "wordcount", text, n) })
}

func BenchmarkMeasurements(b *testing.B) {
	const n = 1_000_000
	text := stations(n)
	b.Run("by hand", func(b *testing.B) {
		for b.Loop() {
			table := make(floor, 1<<15)
			for i := 0; i < len(text); i++ {
				start := i
				h := uint64(14695981039346656037)
				for ; text[i] != ';'; i++ {
					h = (h ^ uint64(text[i])) * 1099511628211
				}
				key := text[start:i]
				i++
				negative := text[i] == '-'
				if negative {
					i++
				}
				var v int64
				for ; text[i] != '\n'; i++ {
					if text[i] != '.' {
						v = v*10 + int64(text[i]-'0')
					}
				}
				if negative {
					v = -v
				}
				e := table.find(h^h>>32, key)
				e.n++
				e.sum += v
				e.min, e.max = min(e.min, v), max(e.max, v)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
	})
	b.Run("job", func(b *testing.B) { benchmarkMap(b, "measurements", text, n) })
}

func BenchmarkTerasort(b *testing.B) {
	const n = 100_000
	b.Run("job", func(b *testing.B) { benchmarkMap(b, "terasort", make([]byte, n*100), n) })
}
