package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	arrowparquet "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	oracle "github.com/parquet-go/parquet-go"

	"github.com/windrow-mr/windrow/jobs/formats/parquet"
)

// trip is a type that the oracles map to the same columns.
type trip struct {
	ID     int64     `parquet:"id"`
	Fare   float64   `parquet:"fare"`
	City   string    `parquet:"city"`
	Note   *string   `parquet:"note"`
	At     time.Time `parquet:"at,timestamp(microsecond)"`
	Stops  []stop    `parquet:"stops,list"`
	Labels []string  `parquet:"labels,list"`
}

type stop struct {
	Name string `parquet:"name"`
	Mins *int32 `parquet:"mins"`
}

func trips(seed uint64, n int) []trip {
	r := rand.New(rand.NewPCG(seed, 9))
	all := make([]trip, 0, n)
	for i := range n {
		v := trip{ID: int64(i), Fare: float64(r.IntN(10_000)) / 100, City: fmt.Sprintf("city %d", r.IntN(40)),
			At: time.UnixMicro(r.Int64N(1 << 50)).UTC(), Stops: []stop{}, Labels: []string{}}
		if r.IntN(3) > 0 {
			note := fmt.Sprintf("note %d", r.Uint32())
			v.Note = &note
		}
		for k := range r.IntN(4) {
			mins := int32(k)
			v.Stops = append(v.Stops, stop{"a", &mins}, stop{"b", nil})
			v.Labels = append(v.Labels, fmt.Sprint(k))
		}
		all = append(all, v)
	}
	return all
}

func same(t *testing.T, got, want []trip) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
		return
	}
	for i := range got {
		a, b := got[i], want[i]
		a.At, b.At = a.At.UTC(), b.At.UTC()
		if a.Stops == nil {
			a.Stops = []stop{}
		}
		if a.Labels == nil {
			a.Labels = []string{}
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("record %d is\n%s, want\n%s", i, show(a), show(b))
			return
		}
	}
}

// TestAnotherPackageReadsWhatIsWritten verifies parts by the reader of parquet-go.
func TestAnotherPackageReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	want := trips(1, 4000)
	for _, codec := range []string{"", "snappy", "gzip", "uncompressed"} {
		object := written(t, parquet.Records[trip]{RowGroup: 64 << 10, Codec: codec}, want)
		r := oracle.NewGenericReader[trip](bytes.NewReader(object))
		got := make([]trip, len(want)+1)
		n, err := r.Read(got)
		if !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", codec, err)
		}
		same(t, got[:n], want)
		if groups := len(r.File().RowGroups()); groups < 2 {
			t.Errorf("%q: %d row groups", codec, groups)
		}
	}
}

// TestFilesOfAnotherPackage verifies reading by files that parquet-go writes, in each of
// its codecs, encodings and versions of pages.
func TestFilesOfAnotherPackage(t *testing.T) {
	t.Parallel()
	want := trips(2, 3000)
	for name, options := range map[string][]oracle.WriterOption{
		"plain":   {oracle.DefaultEncoding(&oracle.Plain)},
		"v1":      {oracle.DataPageVersion(1), oracle.Compression(&oracle.Snappy)},
		"v2":      {oracle.DataPageVersion(2), oracle.Compression(&oracle.Zstd)},
		"pages":   {oracle.PageBufferSize(500), oracle.Compression(&oracle.Gzip)},
		"brotli":  {oracle.Compression(&oracle.Brotli)},
		"lz4":     {oracle.Compression(&oracle.Lz4Raw)},
		"deltas":  {oracle.DefaultEncodingFor(oracle.ByteArray, &oracle.DeltaByteArray), oracle.DefaultEncodingFor(oracle.Int64, &oracle.DeltaBinaryPacked)},
		"lengths": {oracle.DefaultEncodingFor(oracle.ByteArray, &oracle.DeltaLengthByteArray), oracle.DefaultEncodingFor(oracle.Double, &oracle.ByteStreamSplit)},
		"dict":    {oracle.DefaultEncodingFor(oracle.ByteArray, &oracle.RLEDictionary), oracle.DefaultEncodingFor(oracle.Int64, &oracle.RLEDictionary)},
		"groups":  {oracle.MaxRowsPerRowGroup(100)},
	} {
		var b bytes.Buffer
		w := oracle.NewGenericWriter[trip](&b, options...)
		if _, err := w.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, split := range []int64{1 << 30, 10_000} {
			got, err := read(t, parquet.Records[trip]{}, b.Bytes(), split)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			same(t, got, want)
		}
	}
}

// TestArrowReadsWhatIsWritten verifies parts by the reader of Arrow, and reads what its
// writer makes of them, in each of its codecs.
func TestArrowReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	want := trips(3, 3000)
	object := written(t, parquet.Records[trip]{RowGroup: 64 << 10}, want)
	pf, err := file.NewParquetReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 1000}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := fr.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	if table.NumRows() != int64(len(want)) || !table.Schema().Field(3).Nullable || table.Schema().Field(5).Type.ID() != arrow.LIST {
		t.Errorf("%d rows of %v", table.NumRows(), table.Schema())
	}
	for _, options := range [][]arrowparquet.WriterProperty{
		{arrowparquet.WithCompression(compress.Codecs.Snappy)},
		{arrowparquet.WithCompression(compress.Codecs.Zstd), arrowparquet.WithDataPageVersion(arrowparquet.DataPageV2)},
		{arrowparquet.WithCompression(compress.Codecs.Gzip), arrowparquet.WithDictionaryDefault(false), arrowparquet.WithDataPageSize(1000)},
		{arrowparquet.WithCompression(compress.Codecs.Brotli)},
	} {
		var b bytes.Buffer
		if err := pqarrow.WriteTable(table, &b, 500, arrowparquet.NewWriterProperties(options...), pqarrow.DefaultWriterProps()); err != nil {
			t.Fatal(err)
		}
		got, err := read(t, parquet.Records[trip]{}, b.Bytes(), 20_000)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
}
