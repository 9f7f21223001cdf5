package run

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// BenchmarkWrite writes runs of 10 MB: records of 100 bytes, and words.
func BenchmarkWrite(b *testing.B) {
	for _, compress := range []bool{false, true} {
		for _, layout := range []pairs.Layout{{Key: 10, Value: 90}, {Value: 8}} {
			rows := makeRows(rand.New(rand.NewPCG(1, 1)), layout, 100_000, 1, true)
			w := NewWriter(io.Discard, Options{Layout: layout, Partitions: 1, Compress: compress})
			size := 0
			for _, r := range rows {
				size += len(r.key) + len(r.value)
			}
			b.Run(fmt.Sprintf("%v/lz4=%v", layout, compress), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w.Reset(io.Discard)
					_ = w.Partition(0, int64(size))
					for _, r := range rows {
						_ = w.Append(r.key, r.value)
					}
					if _, _, err := w.Finish(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkDecode checks and decodes batches and looks at every pair.
func BenchmarkDecode(b *testing.B) {
	for _, compress := range []bool{false, true} {
		for _, layout := range []pairs.Layout{{Key: 10, Value: 90}, {Value: 8}} {
			rows := makeRows(rand.New(rand.NewPCG(1, 1)), layout, 100_000, 1, true)
			data, extents := encode(b, Options{Layout: layout, Partitions: 1, Compress: compress}, rows)
			size := 0
			for _, r := range rows {
				size += len(r.key) + len(r.value)
			}
			d := NewCodec(layout).NewDecoder()
			b.Run(fmt.Sprintf("%v/lz4=%v", layout, compress), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				var raw []byte
				for b.Loop() {
					at := data[extents[0].Offset:][:extents[0].Length]
					for last := []byte(nil); len(at) > 0; last = nil {
						n, err := d.Length(at, int64(len(at)))
						if err != nil {
							b.Fatal(err)
						}
						var batch Batch
						if batch, raw, err = d.Decode(at[:n], raw); err != nil {
							b.Fatal(err)
						}
						for i := range batch.Rows() {
							last, _ = batch.Pair(i)
						}
						if bytes.Equal(last, []byte("?")) {
							b.Fatal("not a key")
						}
						at = at[n:]
					}
				}
			})
		}
	}
}
