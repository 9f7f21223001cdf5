package arrow_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestColumnsThatDoNotFit verifies that a column that is missing, or of another type, is an
// error that says which one, what there is, and what helps.
func TestColumnsThatDoNotFit(t *testing.T) {
	t.Parallel()
	object := written(t, arrow.Records[row]{}, []row{{At: time.Unix(0, 0)}})
	for want, err := range map[string]error{
		`mem://test/in has no column "idd": the columns are "id", "Small", "Ok"`: fails[struct {
			A int `arrow:"idd"`
		}](t, object),
		`has no column "home.town": the columns are "city", "zip", "tags"; name one`: fails[struct {
			Home struct {
				Town string `arrow:"town"`
			} `arrow:"home"`
		}](t, object),
		`column "id" of mem://test/in is a int64, which cannot be a Go int32: a type of 64 bits`: fails[struct {
			A int32 `arrow:"id"`
		}](t, object),
		`column "text" of mem://test/in is a utf8, which cannot be a Go int64`: fails[struct {
			A int64 `arrow:"text"`
		}](t, object),
		`column "at" of mem://test/in is a timestamp[ns, UTC], which cannot be a Go int64: time`: fails[struct {
			A int64 `arrow:"at"`
		}](t, object),
		`column "stamp" of mem://test/in is a timestamp[ms, UTC], which cannot be a Go int64: time.Time holds it, and an int64 with the tag timestamp and its unit`: fails[struct {
			A int64 `arrow:"stamp,timestamp(second)"`
		}](t, object),
		`column "u32" of mem://test/in is a uint32, which cannot be a Go int32: uint32`: fails[struct {
			A int32 `arrow:"u32"`
		}](t, object),
		`column "n" of mem://test/in is a int32, which cannot be a Go uint64: int32`: fails[struct {
			A uint64 `arrow:"n"`
		}](t, object),
		`column "n" of mem://test/in is a int32, which cannot be a Go int32: the tag is of another`: fails[struct {
			A int32 `arrow:"n,date"`
		}](t, object),
		`column "f64" of mem://test/in is a float64, which cannot be a Go float32: float64 holds it`: fails[struct {
			A float32 `arrow:"f64"`
		}](t, object),
		`column "clock" of mem://test/in is a time64[us], which cannot be a Go time.Time: time.Duration`: fails[struct {
			A time.Time `arrow:"clock"`
		}](t, object),
		`column "home.tags" of mem://test/in is a list, which cannot be a Go string`: fails[struct {
			H struct {
				T string `arrow:"tags"`
			} `arrow:"home"`
		}](t, object),
		`column "text" of mem://test/in is a utf8, which cannot be a Go []string`: fails[struct {
			A []string `arrow:"text"`
		}](t, object),
		`column "home" of mem://test/in is a struct, which cannot be a Go map[string]string`: fails[struct {
			A map[string]string `arrow:"home"`
		}](t, object),
		`column "hash" of mem://test/in is a fixed_size_binary[5], which cannot be a Go [4]uint8`: fails[struct {
			A [4]byte `arrow:"hash"`
		}](t, object),
		`column "cents" of mem://test/in is a decimal128(12, 2), which cannot be a Go int64: str`: fails[struct {
			A int64 `arrow:"cents"`
		}](t, object),
		`batch 0 of the section, row 0: column "note" is null, and cannot be a Go string: a *string is nil`: fails[struct {
			A string `arrow:"note"`
		}](t, object),
		"records of Arrow are structs, not int":                     fails[int](t, object),
		"field A of struct { A chan int }: a chan int is no column": fails[struct{ A chan int }](t, object),
		"one pointer is enough for null":                            fails[struct{ A **int }](t, object),
		"has itself within":                                         fails[struct{ A *endless }](t, object),
		"has no exported fields":                                    fails[struct{ A struct{} }](t, object),
		"the keys of a map are strings or whole numbers":            fails[struct{ A map[float64]int }](t, object),
		`has two columns "B"`: fails[struct {
			A int `arrow:"B"`
			B int
		}](t, object),
		`the tag has "utf8", which is unknown`: fails[struct {
			A int `arrow:"a,utf8"`
		}](t, object),
		`the tag has "timestamp(days)": units are second`: fails[struct {
			A time.Time `arrow:"a,timestamp(days)"`
		}](t, object),
		"write decimal(scale:precision), with a precision up to 18": fails[struct {
			A int `arrow:"a,decimal(2:19)"`
		}](t, object),
		"no closing parenthesis": fails[struct {
			A int `arrow:"a,decimal(2:19"`
		}](t, object),
		"the tag is not for a string": fails[struct {
			A string `arrow:"a,date"`
		}](t, object),
		"the tag is not for a arrow_test.place": fails[struct {
			A place `arrow:"a,date"`
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
	got, err := read(t, arrow.Records[T]{}, object, 1<<40)
	if err == nil {
		return fmt.Errorf("%d records are read", len(got))
	}
	return err
}

// TestLenientReading verifies that missing columns and nulls are zero on request.
func TestLenientReading(t *testing.T) {
	t.Parallel()
	object := written(t, arrow.Records[small]{}, smalls(3))
	type other struct {
		X     float64 `arrow:"x"`
		Other string  `arrow:"other"`
		ID    int64   `arrow:"id"`
	}
	got, err := read(t, arrow.Records[other]{Missing: true, Nulls: true}, object, 1<<40)
	if want := []other{{}, {ID: 1}, {ID: 2}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("read as %v, want %v; %v", got, want, err)
	}
	if all, err := read(t, arrow.Records[struct{}]{}, object, 7); err != nil || len(all) != 3 {
		t.Errorf("%d records without columns, want 3; %v", len(all), err)
	}
}

// TestMistakesInOptions verifies that options that cannot be are refused.
func TestMistakesInOptions(t *testing.T) {
	t.Parallel()
	object := written(t, arrow.Records[small]{}, smalls(3))
	for want, f := range map[string]arrow.Records[small]{
		"columns need at least 1 MiB": {Max: 5},
		"at most 4 GiB":               {Max: 1 << 40},
		"at least 64 KiB and at most": {Batch: 5},
		"choose zstd, lz4 or none":    {Codec: "snappy"},
	} {
		if _, err := read(t, f, object, 1<<40); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", f, err, want)
		}
	}
	if _, err := (arrow.Records[struct{}]{}).Open(jobs.Part{}); err == nil || !strings.Contains(err.Error(), "no exported fields, and so no columns") {
		t.Errorf("records without columns are written: %v", err)
	}
}

// TestValuesThatCannotBeWritten verifies that such a record is an error that names the
// column, and leaves those around it.
func TestValuesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	type value struct {
		Tags  []string      `arrow:"tags"`
		Ok    bool          `arrow:"ok,optional"`
		Note  *string       `arrow:"note"`
		At    time.Time     `arrow:"at"`
		Cents int32         `arrow:"cents,decimal(2:4)"`
		Clock time.Duration `arrow:"clock,time(millisecond)"`
		Day   time.Time     `arrow:"day,date"`
		Text  string        `arrow:"text"`
	}
	note := "n"
	good := value{[]string{"a", "b"}, true, &note, time.Unix(5, 7).UTC(), -9999, time.Hour, time.Unix(86400, 0).UTC(), "t"}
	var b bytes.Buffer
	w, err := arrow.Records[value]{Codec: "none"}.Open(jobs.Part{Writer: &b})
	if err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string]func(*value){
		"": func(*value) {},
		`column "at" of a record: the time 0001-01-01 00:00:00 +0000 UTC is outside of those that a column in ns can have`: func(v *value) { v.At = time.Time{} },
		`column "cents" of a record: 10000 has more than the 4 digits`:                                                     func(v *value) { v.Cents = 10_000 },
		`column "clock" of a record: 24h0m0s is no time of a day`:                                                          func(v *value) { v.Clock = 24 * time.Hour },
		`column "day" of a record: the date`:                                                                               func(v *value) { v.Day = time.Unix(1<<50, 0) },
		`column "text" of a record: the text "\xff" is not UTF-8: a []byte can be written`:                                 func(v *value) { v.Text = "\xff" },
	} {
		v := good
		v.Tags, v.Ok, v.Note = []string{want, want}, want == "", nil
		bad(&v)
		if err := w.Write(v); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := w.Write(good); err != nil {
		t.Fatal(err)
	}
	last := good
	last.Text = "\xff" // after the flag and the texts were added
	if err := w.Write(last); err == nil {
		t.Error("a text that is not UTF-8 is written")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	first := good
	first.Tags, first.Note = []string{"", ""}, nil
	want := []value{first, good}
	got, err := read(t, arrow.Records[value]{}, b.Bytes(), 1<<40)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read as %v, want %v; %v", got, want, err)
	}
	if clean := written(t, arrow.Records[value]{Codec: "none"}, want); !bytes.Equal(b.Bytes(), clean) {
		t.Error("records that were refused left bytes")
	}
}

// TestErrorOfTheJobEndsReading verifies that the function's own error comes back, with the
// place of the batch.
func TestErrorOfTheJobEndsReading(t *testing.T) {
	t.Parallel()
	object := written(t, arrow.Records[small]{}, smalls(3))
	mine := errors.New("not this one")
	job := collected(arrow.Records[small]{}, func(small) error { return mine })
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: string(object)})
	at, ok := errors.AsType[*jobs.RecordError](err)
	// The messages of the schema and of the batch begin with this mark.
	if batch := bytes.Index(object[12:], []byte("\xff\xff\xff\xff")) + 12; !errors.Is(err, mine) || !ok || at.Offset != int64(batch) {
		t.Errorf("got %v at %+v, want the batch at %d", err, at, batch)
	}
}

// TestCompressedFiles verifies that a file that is compressed as a whole is an error that
// says what to do. A stream is read.
func TestCompressedFiles(t *testing.T) {
	t.Parallel()
	object := written(t, arrow.Records[small]{}, smalls(3))
	_, err := readNamed(t, arrow.Records[small]{}, minirun.Object{Name: "in", Text: string(object), Whole: true}, 1<<40)
	if err == nil || !strings.Contains(err.Error(), "decompress the object first") {
		t.Errorf("got %v", err)
	}
}

// TestFileWithTheNameOfAStream verifies that a file is read whatever its name is.
func TestFileWithTheNameOfAStream(t *testing.T) {
	t.Parallel()
	want := smalls(30)
	object := written(t, arrow.Records[small]{}, want)
	got, err := readNamed(t, arrow.Records[small]{}, minirun.Object{Name: "in.arrows", Text: string(object)}, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "in.arrows", got, want)
}

// TestMemoryOfWriters verifies that a part holds no more than its batch, however many
// records it has: what is written grows along.
func TestMemoryOfWriters(t *testing.T) {
	t.Parallel()
	var n counted
	w, err := arrow.Records[wide]{Batch: 1 << 20, Codec: "none"}.Open(jobs.Part{Writer: &n})
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

// TestLargeBatches reads batches that are larger than what is requested at once, with a
// column that is not read between others.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	records := wides(12_000)
	for _, codec := range []string{"none", "zstd"} {
		object := written(t, arrow.Records[wide]{Codec: codec, Batch: 1 << 20}, records)
		got, err := read(t, arrow.Records[wide]{}, object, 700_000)
		if err != nil {
			t.Fatal(err)
		}
		same(t, codec, got, records)
		some, err := read(t, arrow.Records[fare]{}, object, 700_000)
		if err != nil || len(some) != len(records) {
			t.Fatalf("%d records, want %d; %v", len(some), len(records), err)
		}
		for i, f := range some {
			if f.ID != records[i].ID || f.Fare != records[i].Fare {
				t.Fatalf("record %d is %v, want %v and %v", i, f, records[i].ID, records[i].Fare)
			}
		}
	}
}

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
	_, rest, _ := strings.Cut(string(manual), "\n## Arrow\n")
	_, rest, _ = strings.Cut(rest, "```go\n")
	if program, _, ok := strings.Cut(rest, "```"); !ok || !strings.Contains(string(example), program) {
		t.Errorf("the example has another program than the manual's\n%s", program)
	}
}
