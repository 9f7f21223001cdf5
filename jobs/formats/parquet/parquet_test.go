package parquet_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type place struct {
	City string   `parquet:"city"`
	Zip  *int32   `parquet:"zip"`
	Tags []string `parquet:"tags"`
}

type common struct {
	ID    int64 `parquet:"id"`
	Small int8
}

// row has a field of each kind.
type row struct {
	common
	Ok     bool
	Short  int16
	N      int32             `parquet:"n,id(7)"`
	Big    int               `parquet:"big,plain"`
	U8     uint8             `parquet:"u8"`
	U16    uint16            `parquet:"u16"`
	U32    uint32            `parquet:"u32"`
	U64    uint64            `parquet:"u64"`
	F32    float32           `parquet:"f32,snappy"`
	F64    float64           `parquet:"f64,gzip"`
	Text   string            `parquet:"text,lz4_raw"`
	Raw    []byte            `parquet:"raw,uncompressed"`
	Hash   [5]byte           `parquet:"hash"`
	UUID   [16]byte          `parquet:"uuid,uuid"`
	At     time.Time         `parquet:"at"`
	Milli  time.Time         `parquet:"milli,timestamp(millisecond)"`
	Micro  *time.Time        `parquet:"micro,timestamp(microsecond)"`
	Day    time.Time         `parquet:"day,date"`
	Days   int32             `parquet:"days,date"`
	Clock  time.Duration     `parquet:"clock,time(microsecond)"`
	Took   time.Duration     `parquet:"took"`
	Cents  int64             `parquet:"cents,decimal(2:12)"`
	Rate   int32             `parquet:"rate,decimal(4:9)"`
	Maybe  string            `parquet:"maybe,optional"`
	Note   *string           `parquet:"note"`
	Home   place             `parquet:"home"`
	Work   *place            `parquet:"work"`
	Places []place           `parquet:"places"`
	Grid   [][]int32         `parquet:"grid"`
	Nulls  []*float64        `parquet:"nulls,optional"`
	Labels map[string]string `parquet:"labels"`
	Counts map[int32]*place  `parquet:"counts,optional"`
	Hidden func()            `parquet:"-"`
}

// someRow draws a record. Lists and maps are never nil where a column has no null.
func someRow(r *rand.Rand) row {
	text := func() string { return strings.Repeat([]string{"a", "é", "日", "", "\x00"}[r.IntN(5)], r.IntN(6)) }
	somePlace := func() place {
		p := place{City: text(), Tags: []string{}}
		if r.IntN(2) == 0 {
			z := r.Int32()
			p.Zip = &z
		}
		for range r.IntN(3) {
			p.Tags = append(p.Tags, text())
		}
		return p
	}
	v := row{common: common{r.Int64() - math.MaxInt64/2, int8(r.Uint32())}, Ok: r.IntN(2) == 0, Short: int16(r.Uint32()), N: int32(r.Uint32()), Big: int(r.Uint64()),
		U8: uint8(r.Uint32()), U16: uint16(r.Uint32()), U32: r.Uint32(), U64: r.Uint64(), F32: r.Float32(), F64: r.NormFloat64(),
		Text: text(), Raw: []byte(text()), At: time.Unix(r.Int64N(1<<33)-1<<32, r.Int64N(1e9)).UTC(), Milli: time.UnixMilli(r.Int64N(1<<42) - 1<<41).UTC(),
		Day: time.Unix((r.Int64N(40_000)-20_000)*86400, 0).UTC(), Days: int32(r.Int64N(40_000) - 20_000), Clock: time.Duration(r.Int64N(86_400_000_000)) * time.Microsecond,
		Took: time.Duration(r.Uint64()), Cents: r.Int64N(2e12) - 1e12 + 1, Rate: r.Int32N(1e9), Maybe: text(), Home: somePlace(),
		Places: []place{}, Grid: [][]int32{}, Labels: map[string]string{}}
	for i := range v.UUID {
		v.UUID[i] = byte(r.Uint32())
	}
	copy(v.Hash[:], v.UUID[:])
	if r.IntN(2) == 0 {
		at, note, p := time.UnixMicro(r.Int64N(1<<52)).UTC(), text(), somePlace()
		v.Micro, v.Note, v.Work = &at, &note, &p
	}
	for range r.IntN(3) {
		v.Places = append(v.Places, somePlace())
		line := []int32{}
		for range r.IntN(3) {
			line = append(line, r.Int32())
		}
		v.Grid = append(v.Grid, line)
		v.Labels[text()] = text()
	}
	if r.IntN(2) == 0 {
		v.Nulls, v.Counts = []*float64{}, map[int32]*place{}
		for range r.IntN(3) {
			f, p := r.Float64(), somePlace()
			v.Nulls = append(v.Nulls, &f, nil)
			v.Counts[r.Int32()], v.Counts[r.Int32()] = &p, nil
		}
	}
	return v
}

// written returns the part that a format makes of records.
func written[T any](t testing.TB, f parquet.Records[T], records []T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := f.Open(jobs.Part{Writer: &b})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// nowhere writes nothing.
type nowhere struct{}

func (nowhere) Ext() string                                       { return ".none" }
func (nowhere) Open(jobs.Part) (jobs.RecordWriter[[]byte], error) { return nowhere{}, nil }
func (nowhere) Write([]byte) error                                { return nil }
func (nowhere) Close() error                                      { return nil }

// collected returns a job that passes its records to add.
func collected[T any](f parquet.Records[T], add func(T) error) *jobs.Job {
	return jobs.Define("read", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, f), func(_ *jobs.Context, rec T, _ func([]byte)) error { return add(rec) }).Write(nowhere{})
		return nil
	})
}

// read returns the records of an object in sections of some size.
func read[T any](t testing.TB, f parquet.Records[T], object []byte, split int64) ([]T, error) {
	t.Helper()
	var got []T
	job := collected(f, func(rec T) error { got = append(got, rec); return nil })
	_, err := minirun.Run(t.Context(), job, minirun.Options{Split: split}, minirun.Object{Name: "in", Text: string(object)})
	return got, err
}

// TestRecordsAreReadAsTheyWereWritten writes records of all kinds of fields, in row groups
// of any size, and reads them from sections of any size: each is there once, as it was.
func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := parquet.Records[row]{RowGroup: 64 << 10 << r.IntN(3), Codec: []string{"", "zstd", "snappy", "gzip", "lz4_raw", "uncompressed"}[r.IntN(6)]}
		var records []row
		for range []int{0, 1, 200, 1500}[seed%4] {
			records = append(records, someRow(r))
		}
		object := written(t, f, records)
		for _, split := range []int64{1 << 40, int64(len(object)), 1 + r.Int64N(int64(len(object))), int64(len(object))/50 + 1} {
			got, err := read(t, f, object, split)
			if err != nil {
				t.Fatalf("seed %d, split %d: %v", seed, split, err)
			}
			if len(got) != len(records) {
				t.Fatalf("seed %d, split %d: %d records, want %d", seed, split, len(got), len(records))
			}
			for i := range got {
				if !reflect.DeepEqual(got[i], records[i]) {
					t.Fatalf("seed %d, split %d: record %d is\n%s, want\n%s", seed, split, i, show(got[i]), show(records[i]))
				}
			}
		}
		if again := written(t, f, records); !bytes.Equal(object, again) {
			t.Errorf("seed %d: the same records are written as other bytes", seed)
		}
	}
}

func show(v any) string { return fmt.Sprintf("%+v", v) }
