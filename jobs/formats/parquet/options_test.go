package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestColumnsThatDoNotFit verifies that a column that is missing, or of another type, is an
// error that says which one, what there is, and what helps.
func TestColumnsThatDoNotFit(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[row]{}, []row{{At: time.Unix(0, 0), Home: place{}}})
	for want, err := range map[string]error{
		`mem://test/in has no column "idd": the columns are "id", "Small", "Ok"`: fails[struct {
			A int `parquet:"idd"`
		}](t, object),
		`has no column "home.town": the columns are "city", "zip", "tags"; name one`: fails[struct {
			Home struct {
				Town string `parquet:"town"`
			} `parquet:"home"`
		}](t, object),
		`column "id" of mem://test/in is a INT64, which cannot be a Go int32: a type of 64 bits`: fails[struct {
			A int32 `parquet:"id"`
		}](t, object),
		`column "text" of mem://test/in is a BYTE_ARRAY STRING, which cannot be a Go int64`: fails[struct {
			A int64 `parquet:"text"`
		}](t, object),
		`column "at" of mem://test/in is a INT64 TIMESTAMP(NANOS), which cannot be a Go int64: time`: fails[struct {
			A int64 `parquet:"at"`
		}](t, object),
		`column "u32" of mem://test/in is a INT32 UINT(32), which cannot be a Go int32: uint32`: fails[struct {
			A int32 `parquet:"u32"`
		}](t, object),
		`column "home.tags" of mem://test/in is a group LIST, which cannot be a Go string`: fails[struct {
			H struct {
				T string `parquet:"tags"`
			} `parquet:"home"`
		}](t, object),
		`column "cents" of mem://test/in is a INT64 DECIMAL(12, 2), which cannot be a Go int64: str`: fails[struct {
			A int64 `parquet:"cents"`
		}](t, object),
		`row group 0, row 0: column "note" is null, and cannot be a Go string: a *string is nil`: fails[struct {
			A string `parquet:"note"`
		}](t, object),
		"records of Parquet are structs, not int":                   fails[int](t, object),
		"field A of struct { A chan int }: a chan int is no column": fails[struct{ A chan int }](t, object),
		"one pointer is enough for null":                            fails[struct{ A **int }](t, object),
		"has itself within":                                         fails[struct{ A *endless }](t, object),
		"the keys of a map are strings or whole numbers":            fails[struct{ A map[float64]int }](t, object),
		`has two columns "B"`: fails[struct {
			A int `parquet:"B"`
			B int
		}](t, object),
		`the tag has "utf8", which is unknown`: fails[struct {
			A int `parquet:"a,utf8"`
		}](t, object),
		"the tag is not for a string": fails[struct {
			A string `parquet:"a,date"`
		}](t, object),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

type endless struct{ Next []endless }

// fails returns the error of reading an object as records of T.
func fails[T any](t *testing.T, object []byte) error {
	t.Helper()
	got, err := read(t, parquet.Records[T]{}, object, 1<<40)
	if err == nil {
		return fmt.Errorf("%d records are read", len(got))
	}
	return err
}

// TestLenientReading verifies that missing columns and nulls are zero on request.
func TestLenientReading(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{}, smalls(3))
	type other struct {
		X     float64 `parquet:"x"`
		Other string  `parquet:"other"`
		ID    int64   `parquet:"id"`
	}
	got, err := read(t, parquet.Records[other]{Missing: true, Nulls: true}, object, 1<<40)
	if want := []other{{}, {ID: 1}, {ID: 2}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("read as %v, want %v; %v", got, want, err)
	}
	if all, err := read(t, parquet.Records[struct{}]{}, object, 7); err != nil || len(all) != 3 {
		t.Errorf("%d records without columns, want 3; %v", len(all), err)
	}
}

// TestMistakesInOptions verifies that options that cannot be are refused.
func TestMistakesInOptions(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{}, smalls(3))
	for want, f := range map[string]parquet.Records[small]{
		"pages need at least 1 MiB":   {Max: 5},
		"at least 64 KiB and at most": {RowGroup: 5},
		"choose zstd, snappy":         {Codec: "lzo"},
		"NaN is no bound":             {Where: parquet.AtLeast("x", math.NaN())},
		`no column "y", for which Where has a range: the columns are "id"`: {Where: parquet.AtLeast("y", 1)},
		"is in a list": {Where: parquet.AtLeast("tags.list.element", "a")},
		`column "id" of mem://test/in is a INT64, which Where cannot compare with "a" <= "id"`: {Where: parquet.AtLeast("id", "a")},
	} {
		if _, err := read(t, f, object, 1<<40); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", f, err, want)
		}
	}
}

// TestRanges verifies that a condition selects the records that a loop over all of them
// does, whatever the row groups, for columns of every order.
func TestRanges(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	var records []row
	for range 700 {
		records = append(records, someRow(r))
	}
	slices.SortFunc(records, func(a, b row) int { return a.At.Compare(b.At) })
	at := time.Unix(1<<31, 0).UTC()
	day := time.Date(1990, 5, 3, 7, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		where parquet.Condition
		holds func(v row) bool
	}{
		{parquet.Between("id", -1_000_000_000_000_000_000, int64(1e18)), func(v row) bool { return v.ID >= -1e18 && v.ID <= 1e18 }},
		{parquet.Between("n", -0.5, 1e9+0.5), func(v row) bool { return v.N >= 0 && v.N <= 1e9 }},
		{parquet.AtLeast("u64", uint64(1)<<63), func(v row) bool { return v.U64 >= 1<<63 }},
		{parquet.AtMost("u32", uint32(1)<<31), func(v row) bool { return v.U32 <= 1<<31 }},
		{parquet.AtMost("f32", 0.5), func(v row) bool { return v.F32 <= 0.5 }},
		{parquet.Between("f64", -1, 0), func(v row) bool { return v.F64 >= -1 && v.F64 <= 0 }},
		{parquet.Between("text", "b", "é"), func(v row) bool { return v.Text >= "b" && v.Text <= "é" }},
		{parquet.AtMost("at", at), func(v row) bool { return !v.At.After(at) }},
		{parquet.AtLeast("micro", at.Add(time.Nanosecond)), func(v row) bool { return v.Micro != nil && v.Micro.After(at) }},
		{parquet.AtLeast("day", day), func(v row) bool { return !v.Day.Before(day) }},
		{parquet.Between("cents", -12.345, 1e9), func(v row) bool { return v.Cents >= -1234 && v.Cents <= 1e11 }},
		{parquet.AtLeast("home.zip", 0), func(v row) bool { return v.Home.Zip != nil && *v.Home.Zip >= 0 }},
		{parquet.AtLeast("id", 0).And(parquet.AtMost("n", 0)), func(v row) bool { return v.ID >= 0 && v.N <= 0 }},
		{parquet.AtLeast("at", at.AddDate(5000, 0, 0)), func(row) bool { return false }},
	} {
		var want []int64
		for _, v := range records {
			if c.holds(v) {
				want = append(want, v.ID)
			}
		}
		for _, size := range []int64{64 << 10, 64 << 20} {
			object := written(t, parquet.Records[row]{RowGroup: size}, records)
			type narrow struct {
				ID   int64     `parquet:"id"`
				Grid [][]int32 `parquet:"grid"`
			}
			rows, err := read(t, parquet.Records[narrow]{Where: c.where}, object, 1<<20)
			var got []int64
			for _, v := range rows {
				got = append(got, v.ID)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, row groups of %d: %d records, want %d; %v", c.where, size, len(got), len(want), err)
			}
		}
	}
}

// TestConditionIsPartOfThePipeline verifies that pipelines with other conditions differ, so
// that a process with another one does not join a job.
func TestConditionIsPartOfThePipeline(t *testing.T) {
	t.Parallel()
	text := func(c parquet.Condition) string {
		p, err := collected(parquet.Records[small]{Where: c}, func(small) error { return nil }).Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Text
	}
	got := text(parquet.Between("id", 1, 10).And(parquet.AtMost("text", "z")))
	if want := `"Where":"1 \u003c= \"id\" \u003c= 10 and \"text\" \u003c= \"z\""`; !strings.Contains(got, want) {
		t.Errorf("the pipeline is %s, want %s in it", got, want)
	}
	if text(parquet.AtLeast("id", 1)) == text(parquet.AtLeast("id", 2)) {
		t.Error("two conditions have the same text")
	}
}

// TestValuesThatCannotBeWritten verifies that such a record is an error that names the
// column, and leaves those around it.
func TestValuesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	type value struct {
		Tags  []string      `parquet:"tags"`
		Note  *string       `parquet:"note"`
		At    time.Time     `parquet:"at"`
		Cents int32         `parquet:"cents,decimal(2:4)"`
		Clock time.Duration `parquet:"clock,time(millisecond)"`
	}
	note := "n"
	good := value{[]string{"a", "b"}, &note, time.Unix(5, 7).UTC(), -9999, time.Hour}
	var b bytes.Buffer
	w, err := parquet.Records[value]{}.Open(jobs.Part{Writer: &b})
	if err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string]func(*value){
		"": func(*value) {},
		`column "at" of a record: the time 0001-01-01 00:00:00 +0000 UTC is outside of those that a column in 1nss can have`: func(v *value) { v.At = time.Time{} },
		`column "cents" of a record: 10000 has more than the 4 digits`:                                                       func(v *value) { v.Cents = 10_000 },
		`column "clock" of a record: 24h0m0s is no time of a day`:                                                            func(v *value) { v.Clock = 24 * time.Hour },
	} {
		v := good
		v.Tags = []string{want, want}
		bad(&v)
		if err := w.Write(v); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := w.Write(good); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	first := good
	first.Tags = []string{"", ""}
	got, err := read(t, parquet.Records[value]{}, b.Bytes(), 1<<40)
	if want := []value{first, good}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read as %v, want %v; %v", got, want, err)
	}
}

// TestErrorOfTheJobEndsReading verifies that the function's own error comes back.
func TestErrorOfTheJobEndsReading(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{}, smalls(3))
	mine := errors.New("not this one")
	job := collected(parquet.Records[small]{}, func(small) error { return mine })
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: string(object)})
	at, ok := errors.AsType[*jobs.RecordError](err)
	if !errors.Is(err, mine) || !ok || at.Offset != 4 { // the first row group follows the magic
		t.Errorf("got %v", err)
	}
}

// TestCompressedObjects verifies that an object that is compressed as a whole is an error
// that says what to do.
func TestCompressedObjects(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{}, smalls(3))
	job := collected(parquet.Records[small]{}, func(small) error { return nil })
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: string(object), Whole: true})
	if err == nil || !strings.Contains(err.Error(), "decompress the object first") {
		t.Errorf("got %v", err)
	}
}

// TestMemoryOfWriters verifies that a part holds no more than its row group, however many
// records and columns it has: what is written grows along.
func TestMemoryOfWriters(t *testing.T) {
	t.Parallel()
	var n counted
	w, err := parquet.Records[wide]{RowGroup: 1 << 20, Codec: "uncompressed"}.Open(jobs.Part{Writer: &n})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, rec := range wides(30_000) {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		size += int64(len(rec.Payload))
		if size-int64(n) > 1<<20+1<<10 {
			t.Fatalf("%d bytes of values are in memory", size-int64(n))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

type counted int64

func (c *counted) Write(b []byte) (int, error) { *c += counted(len(b)); return len(b), nil }

// TestManual verifies that the program of docs/formats.md is the one of the example.
func TestManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(manual), "```go\n")
	if program, _, ok := strings.Cut(rest, "```"); !ok || !strings.Contains(string(example), program) {
		t.Errorf("the example has another program than the manual's\n%s", program)
	}
}

// TestWindows reads chunks that are larger than what is requested at once: pages that end
// in other requests, and pages larger than a window.
func TestWindows(t *testing.T) {
	t.Parallel()
	type blob struct {
		A []byte `parquet:"a,plain"`
		B []byte `parquet:"b,plain"`
		N int64  `parquet:"n"`
	}
	r := rand.New(rand.NewPCG(8, 8))
	var want []blob
	for i := range 90 {
		v := blob{make([]byte, 1<<16+r.IntN(1<<17)), make([]byte, r.IntN(1<<17)), int64(i)}
		if i == 40 {
			v.A = make([]byte, 6<<20)
		}
		for k := 0; k < len(v.A); k += 1 + r.IntN(100) {
			v.A[k] = byte(r.Uint32())
		}
		want = append(want, v)
	}
	object := written(t, parquet.Records[blob]{RowGroup: 64 << 20, Codec: "uncompressed"}, want)
	if len(object) < 20<<20 {
		t.Fatalf("the object has only %d bytes", len(object))
	}
	got, err := read(t, parquet.Records[blob]{}, object, 1<<40)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d records, want %d as they were; %v", len(got), len(want), err)
	}
}
