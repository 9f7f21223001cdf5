package arrow_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	oracle "github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// flat is a record of a group-by.
type flat struct {
	ID   int64   `arrow:"id"`
	City string  `arrow:"city"`
	Fare float64 `arrow:"fare"`
}

func flats() ([]flat, int64) {
	all := make([]flat, 200_000)
	for i := range all {
		all[i] = flat{int64(i), fmt.Sprint("city ", i*7919%1000), float64(i%10_000) / 100}
	}
	return all, int64(len(all)) * 24 // bytes of their values
}

// BenchmarkRead reads three columns as records, beside the library of the Arrow project,
// which yields columns and makes no records. The bytes are those of the values.
func BenchmarkRead(b *testing.B) {
	all, size := flats()
	for _, codec := range []string{"none", "lz4", "zstd"} {
		object := written(b, arrow.Records[flat]{Codec: codec}, all)
		b.Run("records/"+codec, func(b *testing.B) {
			job := jobs.Define("count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
				jobs.Count(jobs.Read(p, arrow.Records[flat]{})).WriteTSV()
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
		b.Run("columns/"+codec, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				f, err := ipc.NewFileReader(bytes.NewReader(object))
				if err != nil {
					b.Fatal(err)
				}
				for i := range f.NumRecords() {
					if _, err := f.Record(i); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkWrite writes records, beside the library, which writes columns that are there.
func BenchmarkWrite(b *testing.B) {
	all, size := flats()
	ids, cities, fares := array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator), array.NewFloat64Builder(memory.DefaultAllocator)
	for _, v := range all {
		ids.Append(v.ID)
		cities.Append(v.City)
		fares.Append(v.Fare)
	}
	schema := oracle.NewSchema([]oracle.Field{{Name: "id", Type: oracle.PrimitiveTypes.Int64}, {Name: "city", Type: oracle.BinaryTypes.String}, {Name: "fare", Type: oracle.PrimitiveTypes.Float64}}, nil)
	batch := array.NewRecord(schema, []oracle.Array{ids.NewArray(), cities.NewArray(), fares.NewArray()}, int64(len(all)))
	for codec, options := range map[string][]ipc.Option{"none": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
		b.Run("records/"+codec, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				w, err := arrow.Records[flat]{Codec: codec}.Open(jobs.Part{Writer: io.Discard})
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
		b.Run("columns/"+codec, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				asFile(b, schema, []oracle.Record{batch}, options...)
			}
		})
	}
}
