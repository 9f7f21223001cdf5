package parquet_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	oracle "github.com/parquet-go/parquet-go"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// flat is a record of a group-by.
type flat struct {
	ID   int64   `parquet:"id"`
	City string  `parquet:"city"`
	Fare float64 `parquet:"fare"`
}

func flats() ([]flat, int64) {
	all := make([]flat, 200_000)
	for i, v := range trips(5, len(all)) {
		all[i] = flat{v.ID, v.City, v.Fare}
	}
	return all, int64(len(all)) * 24 // bytes of their values
}

// BenchmarkRead reads three columns, beside readers of other packages, which yield
// columns (Arrow) and rows (parquet-go). The bytes are those of the values.
func BenchmarkRead(b *testing.B) {
	all, size := flats()
	object := written(b, parquet.Records[flat]{Codec: "snappy"}, all)
	b.Run("records", func(b *testing.B) {
		job := jobs.Define("count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.Count(jobs.Read(p, parquet.Records[flat]{})).WriteTSV()
			return nil
		})
		text := string(object)
		b.SetBytes(size)
		for b.Loop() {
			if _, err := minirun.Run(b.Context(), job, minirun.Options{Split: 1 << 40}, minirun.Object{Name: "in", Text: text}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("arrow", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			pf, err := file.NewParquetReader(bytes.NewReader(object))
			if err != nil {
				b.Fatal(err)
			}
			fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 10_000}, memory.DefaultAllocator)
			if err != nil {
				b.Fatal(err)
			}
			table, err := fr.ReadTable(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			table.Release()
		}
	})
	b.Run("parquet-go", func(b *testing.B) {
		b.SetBytes(size)
		rows := make([]flat, 1000)
		for b.Loop() {
			r := oracle.NewGenericReader[flat](bytes.NewReader(object))
			for {
				if _, err := r.Read(rows); err != nil {
					break
				}
			}
		}
	})
}

// BenchmarkWrite writes the same records, beside parquet-go.
func BenchmarkWrite(b *testing.B) {
	all, size := flats()
	b.Run("records", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			w, err := parquet.Records[flat]{Codec: "snappy"}.Open(jobs.Part{Writer: io.Discard})
			if err != nil {
				b.Fatal(err)
			}
			for _, v := range all {
				if err := w.Write(v); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parquet-go", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			w := oracle.NewGenericWriter[flat](io.Discard, oracle.Compression(&oracle.Snappy))
			if _, err := w.Write(all); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
