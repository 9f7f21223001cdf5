package arrow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type place struct {
	City string   `arrow:"city"`
	Zip  *int32   `arrow:"zip"`
	Tags []string `arrow:"tags"`
}

type common struct {
	ID    int64 `arrow:"id"`
	Small int8
}

// row has a field of each kind.
type row struct {
	common
	Ok     bool
	Short  int16
	N      int32             `arrow:"n"`
	Big    int               `arrow:"big"`
	U8     uint8             `arrow:"u8"`
	U16    uint16            `arrow:"u16"`
	U32    uint32            `arrow:"u32"`
	U64    uint64            `arrow:"u64"`
	F32    float32           `arrow:"f32"`
	F64    float64           `arrow:"f64"`
	Text   string            `arrow:"text"`
	Raw    []byte            `arrow:"raw"`
	Hash   [5]byte           `arrow:"hash"`
	At     time.Time         `arrow:"at"`
	Second time.Time         `arrow:"second,timestamp(second)"`
	Micro  *time.Time        `arrow:"micro,timestamp(microsecond)"`
	Stamp  int64             `arrow:"stamp,timestamp(millisecond)"`
	Day    time.Time         `arrow:"day,date"`
	Days   int32             `arrow:"days,date"`
	Clock  time.Duration     `arrow:"clock,time(microsecond)"`
	Noon   time.Duration     `arrow:"noon,time(second)"`
	Took   time.Duration     `arrow:"took"`
	Slept  time.Duration     `arrow:"slept,duration(millisecond)"`
	Cents  int64             `arrow:"cents,decimal(2:12)"`
	Rate   int32             `arrow:"rate,decimal(4:9)"`
	Maybe  string            `arrow:"maybe,optional"`
	Flag   bool              `arrow:"flag,optional"`
	Note   *string           `arrow:"note"`
	Yes    *bool             `arrow:"yes"`
	Home   place             `arrow:"home"`
	Work   *place            `arrow:"work"`
	Places []place           `arrow:"places"`
	Grid   [][]int32         `arrow:"grid"`
	Nulls  []*float64        `arrow:"nulls,optional"`
	Labels map[string]string `arrow:"labels"`
	Counts map[int32]*place  `arrow:"counts,optional"`
	Hidden func()            `arrow:"-"`
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
		Text: text(), Raw: []byte(text()), At: time.Unix(r.Int64N(1<<33)-1<<32, r.Int64N(1e9)).UTC(), Second: time.Unix(r.Int64N(1<<40)-1<<39, 0).UTC(),
		Stamp: r.Int64() - 1<<62, Day: time.Unix((r.Int64N(40_000)-20_000)*86400, 0).UTC(), Days: int32(r.Int64N(40_000) - 20_000),
		Clock: time.Duration(r.Int64N(86_400_000_000)) * time.Microsecond, Noon: time.Duration(r.Int64N(86_400)) * time.Second,
		Took: time.Duration(r.Uint64()), Slept: time.Duration(r.Int64N(1e12)-5e11) * time.Millisecond,
		Cents: r.Int64N(2e12) - 1e12 + 1, Rate: r.Int32N(2e9-1) - 999_999_999, Maybe: text(), Flag: r.IntN(2) == 0, Home: somePlace(),
		Places: []place{}, Grid: [][]int32{}, Labels: map[string]string{}}
	v.Rate %= 1e9
	for i := range v.Hash {
		v.Hash[i] = byte(r.Uint32())
	}
	if r.IntN(2) == 0 {
		at, note, p, yes := time.UnixMicro(r.Int64N(1<<52)).UTC(), text(), somePlace(), r.IntN(2) == 0
		v.Micro, v.Note, v.Work, v.Yes = &at, &note, &p, &yes
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
func written[T any](t testing.TB, f arrow.Records[T], records []T) []byte {
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
func collected[T any](f arrow.Records[T], add func(T) error) *jobs.Job {
	return jobs.Define("read", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, f), func(_ *jobs.Context, rec T, _ func([]byte)) error { return add(rec) }).Write(nowhere{})
		return nil
	})
}

// readNamed returns the records of an object in sections of some size.
func readNamed[T any](t testing.TB, f arrow.Records[T], object minirun.Object, split int64) ([]T, error) {
	t.Helper()
	var got []T
	job := collected(f, func(rec T) error { got = append(got, rec); return nil })
	_, err := minirun.Run(t.Context(), job, minirun.Options{Split: split}, object)
	return got, err
}

func read[T any](t testing.TB, f arrow.Records[T], object []byte, split int64) ([]T, error) {
	t.Helper()
	return readNamed(t, f, minirun.Object{Name: "in", Text: string(object)}, split)
}

// same compares records that were read with those that were written.
func same[T any](t testing.TB, name string, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d records, want %d", name, len(got), len(want))
		return
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s: record %d differs:%s", name, i, difference(got[i], want[i]))
			return
		}
	}
}

// difference shows the fields of two structs that differ.
func difference(got, want any) string {
	text := ""
	a, b := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range a.NumField() {
		if f := a.Type().Field(i); f.IsExported() && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			text += fmt.Sprintf("\n%s is %s, want %s", f.Name, shown(a.Field(i)), shown(b.Field(i)))
		}
	}
	return text
}

// shown returns a value with those behind its pointers.
func shown(v reflect.Value) string {
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestRecordsAreReadAsTheyWereWritten writes records of all kinds of fields, in batches of
// any size, and reads them from sections of any size: each is there once, as it was.
func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := arrow.Records[row]{Batch: 64 << 10 << r.IntN(3), Codec: []string{"", "lz4", "none"}[seed/4]}
		var records []row
		for range []int{0, 1, 120, 400}[seed%4] {
			records = append(records, someRow(r))
		}
		object := written(t, f, records)
		for _, split := range []int64{1 << 40, 1 + r.Int64N(int64(len(object))), int64(len(object))/12 + 1} {
			got, err := read(t, f, object, split)
			if err != nil {
				t.Fatalf("seed %d, split %d: %v", seed, split, err)
			}
			same(t, fmt.Sprintf("seed %d, split %d", seed, split), got, records)
		}
		if again := written(t, f, records); !bytes.Equal(object, again) {
			t.Errorf("seed %d: the same records are written as other bytes", seed)
		}
	}
}
