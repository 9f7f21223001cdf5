package arrow_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	oracle "github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// asFile writes batches as a file, as the library of the Arrow project does.
func asFile(t testing.TB, schema *oracle.Schema, batches []oracle.Record, options ...ipc.Option) []byte {
	t.Helper()
	out := &seekable{}
	w, err := ipc.NewFileWriter(out, append(options, ipc.WithSchema(schema))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.b
}

// asStream writes batches as a stream.
func asStream(t testing.TB, schema *oracle.Schema, batches []oracle.Record, options ...ipc.Option) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append(options, ipc.WithSchema(schema))...)
	for _, b := range batches {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// seekable is a file in memory, to which only its end is written.
type seekable struct{ b []byte }

func (s *seekable) Write(b []byte) (int, error)    { s.b = append(s.b, b...); return len(b), nil }
func (s *seekable) Seek(int64, int) (int64, error) { return int64(len(s.b)), nil }

// fromJSON returns a batch.
func fromJSON(t testing.TB, schema *oracle.Schema, text string) oracle.Record {
	t.Helper()
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// many is a record of the columns that schemaOfMany has.
type many struct {
	Int8    int8             `arrow:"i8"`
	U64     *uint64          `arrow:"u64"`
	Wider   int              `arrow:"i32"`
	Half    float32          `arrow:"half"`
	Single  float64          `arrow:"single"`
	Text    string           `arrow:"large"`
	Raw     []byte           `arrow:"raw"`
	View    string           `arrow:"view"`
	Fixed   [3]byte          `arrow:"fixed"`
	Bool    *bool            `arrow:"bool"`
	Price   string           `arrow:"price"`
	Cents   int64            `arrow:"cents,decimal(2:9)"`
	Huge    float64          `arrow:"huge"`
	Day     time.Time        `arrow:"day"`
	Millis  time.Time        `arrow:"day64"`
	Second  time.Time        `arrow:"second"`
	Zoned   *time.Time       `arrow:"zoned"`
	Clock   time.Duration    `arrow:"clock"`
	Nanos   time.Duration    `arrow:"nanos"`
	Took    time.Duration    `arrow:"took"`
	List    []int16          `arrow:"list"`
	Long    []string         `arrow:"long"`
	Three   []*int32         `arrow:"three"`
	Inner   *inner           `arrow:"inner"`
	Map     map[string]int64 `arrow:"map"`
	Word    *string          `arrow:"word"`
	Words   []string         `arrow:"words"`
	Runs    *int64           `arrow:"runs"`
	Nothing *int64           `arrow:"nothing"`
}

type inner struct {
	A int64    `arrow:"a"`
	B []string `arrow:"b"`
}

func schemaOfMany() *oracle.Schema {
	word := &oracle.DictionaryType{IndexType: oracle.PrimitiveTypes.Int8, ValueType: oracle.BinaryTypes.String}
	of := func(name string, t oracle.DataType) oracle.Field {
		return oracle.Field{Name: name, Type: t, Nullable: true}
	}
	return oracle.NewSchema([]oracle.Field{
		of("before", oracle.BinaryTypes.String), // no field of the record reads it
		of("i8", oracle.PrimitiveTypes.Int8), of("u64", oracle.PrimitiveTypes.Uint64), of("i32", oracle.PrimitiveTypes.Int32),
		of("half", oracle.FixedWidthTypes.Float16), of("single", oracle.PrimitiveTypes.Float32),
		of("large", oracle.BinaryTypes.LargeString), of("raw", oracle.BinaryTypes.Binary), of("view", oracle.BinaryTypes.StringView),
		of("fixed", &oracle.FixedSizeBinaryType{ByteWidth: 3}), of("bool", oracle.FixedWidthTypes.Boolean),
		of("price", &oracle.Decimal128Type{Precision: 30, Scale: 3}), of("cents", &oracle.Decimal128Type{Precision: 9, Scale: 2}), of("huge", &oracle.Decimal256Type{Precision: 60, Scale: 2}),
		of("day", oracle.FixedWidthTypes.Date32), of("day64", oracle.FixedWidthTypes.Date64),
		of("second", &oracle.TimestampType{Unit: oracle.Second}), of("zoned", &oracle.TimestampType{Unit: oracle.Microsecond, TimeZone: "Europe/Zurich"}),
		of("clock", oracle.FixedWidthTypes.Time32ms), of("nanos", oracle.FixedWidthTypes.Time64ns), of("took", oracle.FixedWidthTypes.Duration_ms),
		of("between", oracle.StructOf(of("x", oracle.ListOf(oracle.BinaryTypes.StringView)), of("y", word))),
		of("list", oracle.ListOf(oracle.PrimitiveTypes.Int16)), of("long", oracle.LargeListOf(oracle.BinaryTypes.String)),
		of("three", oracle.FixedSizeListOf(3, oracle.PrimitiveTypes.Int32)),
		of("inner", oracle.StructOf(of("skipped", oracle.ListViewOf(oracle.PrimitiveTypes.Int8)), of("b", oracle.ListViewOf(oracle.BinaryTypes.String)), of("a", oracle.PrimitiveTypes.Int64))),
		of("map", oracle.MapOf(oracle.BinaryTypes.String, oracle.PrimitiveTypes.Int64)),
		of("word", word), of("words", oracle.ListOf(word)),
		of("runs", oracle.RunEndEncodedOf(oracle.PrimitiveTypes.Int16, oracle.PrimitiveTypes.Int64)),
		of("nothing", oracle.Null),
	}, nil)
}

// manyText has two records as JSON, the second of which has nulls.
const manyText = `[
{"before":"b","i8":-7,"u64":9223372036854775808,"i32":-2000000000,"half":1.5,"single":0.25,"large":"groß","raw":"AAEC","view":"a text of more than twelve bytes","fixed":"AQID","bool":true,
 "price":"-12345678901234567890.125","cents":"-0.07","huge":"123456789012345678901234567890.25","day":"1969-12-31","day64":"2026-11-29","second":"2026-11-29T10:00:01","zoned":"2026-11-29T09:00:00.000007Z",
 "clock":"23:59:59.999","nanos":"00:00:00.000000001","took":"90000ms","between":{"x":["one text that is longer than twelve","s"],"y":"yy"},
 "list":[1,-2],"long":["x","","yy"],"three":[1,null,3],"inner":{"skipped":[1],"b":["p","q"],"a":5},"map":[{"key":"k","value":1},{"key":"l","value":2}],
 "word":"red","words":["red","blue","red"],"runs":7,"nothing":null},
{"before":null,"i8":8,"u64":null,"i32":1,"half":-0.5,"single":1,"large":"","raw":"","view":"short","fixed":"/wAB","bool":null,
 "price":"0.001","cents":"9999999.99","huge":"-1.00","day":"2026-02-28","day64":"1969-12-31","second":"1969-12-31T23:59:59","zoned":null,
 "clock":"00:00:00","nanos":"12:00:00","took":"-1ms","between":null,
 "list":[],"long":null,"three":null,"inner":null,"map":[],
 "word":null,"words":[],"runs":7,"nothing":null}]`

func manyRecords() []many {
	return []many{{
		Int8: -7, U64: new(uint64(9223372036854775808)), Wider: -2_000_000_000, Half: 1.5, Single: 0.25, Text: "groß", Raw: []byte{0, 1, 2}, View: "a text of more than twelve bytes",
		Fixed: [3]byte{1, 2, 3}, Bool: new(true), Price: "-12345678901234567890.125", Cents: -7, Huge: 123456789012345678901234567890.25,
		Day: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), Millis: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Second: time.Date(2026, 11, 29, 10, 0, 1, 0, time.UTC),
		Zoned: new(time.Date(2026, 11, 29, 9, 0, 0, 7000, time.UTC)), Clock: 24*time.Hour - time.Millisecond, Nanos: 1, Took: 90 * time.Second,
		List: []int16{1, -2}, Long: []string{"x", "", "yy"}, Three: []*int32{new(int32(1)), nil, new(int32(3))}, Inner: &inner{5, []string{"p", "q"}},
		Map: map[string]int64{"k": 1, "l": 2}, Word: new("red"), Words: []string{"red", "blue", "red"}, Runs: new(int64(7)),
	}, {
		Int8: 8, Wider: 1, Half: -0.5, Single: 1, Raw: []byte{}, View: "short", Fixed: [3]byte{255, 0, 1}, Price: "0.001", Cents: 999_999_999, Huge: -1,
		Day: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), Millis: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), Second: time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC),
		Nanos: 12 * time.Hour, Took: -time.Millisecond, List: []int16{}, Map: map[string]int64{}, Words: []string{}, Runs: new(int64(7)),
	}}
}

// TestFilesOfTheArrowProject reads files and streams with every type, which the library of
// the Arrow project has written, in sections of any size.
func TestFilesOfTheArrowProject(t *testing.T) {
	t.Parallel()
	schema, records := schemaOfMany(), manyRecords()
	batch := fromJSON(t, schema, manyText)
	batches := []oracle.Record{batch, batch.NewSlice(0, 1), batch}
	want := slices.Concat(records, records[:1], records)
	for name, options := range map[string][]ipc.Option{"none": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}, "savings": {ipc.WithZstd(), ipc.WithMinSpaceSavings(0.5)}} {
		object := asFile(t, schema, batches, options...)
		for _, split := range []int64{1 << 40, 300} {
			got, err := read(t, arrow.Records[many]{}, object, split)
			if err != nil {
				t.Errorf("%s, split %d: %v", name, split, err)
				continue
			}
			same(t, fmt.Sprintf("%s, split %d", name, split), got, want)
		}
		for _, o := range []minirun.Object{{Name: "in.arrows"}, {Name: "stream"}, {Name: "in.arrows.gz", Whole: true}} {
			o.Text = string(asStream(t, schema, batches, options...))
			got, err := readNamed(t, arrow.Records[many]{}, o, 100)
			if err != nil {
				t.Errorf("%s, stream %s: %v", name, o.Name, err)
				continue
			}
			same(t, name+" "+o.Name, got, want)
		}
	}
}

// TestEachBatchIsReadOnce divides a small file with several batches between any two bytes:
// each record is there once.
func TestEachBatchIsReadOnce(t *testing.T) {
	t.Parallel()
	type record struct {
		ID int64 `arrow:"id"`
	}
	schema := oracle.NewSchema([]oracle.Field{{Name: "id", Type: oracle.PrimitiveTypes.Int64}}, nil)
	object := asFile(t, schema, []oracle.Record{fromJSON(t, schema, `[{"id":1},{"id":2}]`), fromJSON(t, schema, `[{"id":3}]`), fromJSON(t, schema, `[{"id":4}]`)})
	got, err := read(t, arrow.Records[record]{}, object, 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "sections of a byte", got, []record{{1}, {2}, {3}, {4}})
}

// TestReplacedDictionariesTakeNoMemory reads a stream that replaces a dictionary more often
// than Max has room for.
func TestReplacedDictionariesTakeNoMemory(t *testing.T) {
	t.Parallel()
	type word struct {
		Word string `arrow:"word"`
	}
	schema := oracle.NewSchema([]oracle.Field{{Name: "word", Type: &oracle.DictionaryType{IndexType: oracle.PrimitiveTypes.Uint16, ValueType: oracle.BinaryTypes.String}}}, nil)
	var batches []oracle.Record
	var want []word
	for i := range 10 {
		text := strings.Repeat(string(rune('a'+i)), 300_000)
		batches, want = append(batches, fromJSON(t, schema, `[{"word":"`+text+`"}]`)), append(want, word{text})
	}
	got, err := read(t, arrow.Records[word]{Max: 1 << 20}, asStream(t, schema, batches), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "replaced ten times", got, want)
}

// TestDictionariesThatChange reads a stream whose batches replace a dictionary, and one
// whose batches add to it.
func TestDictionariesThatChange(t *testing.T) {
	t.Parallel()
	type word struct {
		Word string `arrow:"word"`
	}
	schema := oracle.NewSchema([]oracle.Field{{Name: "word", Type: &oracle.DictionaryType{IndexType: oracle.PrimitiveTypes.Uint16, ValueType: oracle.BinaryTypes.String}}}, nil)
	batches := []oracle.Record{fromJSON(t, schema, `[{"word":"a"},{"word":"b"}]`), fromJSON(t, schema, `[{"word":"a"},{"word":"b"},{"word":"c"},{"word":"a"}]`)}
	other := append(slices.Clone(batches), fromJSON(t, schema, `[{"word":"z"}]`))
	for name, c := range map[string]struct {
		object []byte
		want   string
	}{
		"added in a stream":    {asStream(t, schema, batches, ipc.WithDictionaryDeltas(true)), "ababca"},
		"replaced in a stream": {asStream(t, schema, other), "ababcaz"},
	} {
		got, err := read(t, arrow.Records[word]{}, c.object, 1<<40)
		text := ""
		for _, w := range got {
			text += w.Word
		}
		if err != nil || text != c.want {
			t.Errorf("%s: %q, %v; want %q", name, text, err, c.want)
		}
	}
}

// TestTheArrowProjectReadsParts verifies that the library of the Arrow project reads parts
// of all types, and finds the values.
func TestTheArrowProjectReadsParts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	var records []row
	for range 300 {
		records = append(records, someRow(r))
	}
	for _, codec := range []string{"none", "lz4", "zstd"} {
		object := written(t, arrow.Records[row]{Batch: 64 << 10, Codec: codec}, records)
		f, err := ipc.NewFileReader(bytes.NewReader(object))
		if err != nil {
			t.Fatal(err)
		}
		var batches []oracle.Record
		n := 0
		for i := range f.NumRecords() {
			batch, err := f.Record(i)
			if err != nil {
				t.Fatal(err)
			}
			batch.Retain()
			batches = append(batches, batch)
			compare(t, batch, records[n:n+int(batch.NumRows())])
			n += int(batch.NumRows())
		}
		if n != len(records) || len(batches) < 2 {
			t.Errorf("%s: %d records in %d batches, want %d", codec, n, len(batches), len(records))
		}
		// A file that the library writes of them is read here.
		got, err := read(t, arrow.Records[row]{}, asFile(t, f.Schema(), batches, ipc.WithLZ4()), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		same(t, codec, got, records)
	}
}

// compare compares some columns of a batch, by the library, with records.
func compare(t *testing.T, batch oracle.Record, records []row) {
	t.Helper()
	column := func(name string) oracle.Array { return batch.Column(batch.Schema().FieldIndices(name)[0]) }
	for i, v := range records {
		maybe, note := v.Maybe, "(null)"
		if maybe == "" {
			maybe = "(null)"
		}
		if v.Note != nil {
			note = *v.Note
		}
		for name, want := range map[string]string{
			"id": fmt.Sprint(v.ID), "u64": fmt.Sprint(v.U64), "text": v.Text, "Ok": fmt.Sprint(v.Ok), "maybe": maybe, "note": note,
			"day": v.Day.Format("2006-01-02"), "at": v.At.Format("2006-01-02 15:04:05.999999999Z"), "noon": fmt.Sprintf("%02d:%02d:%02d", int(v.Noon.Hours()), int(v.Noon.Minutes())%60, int(v.Noon.Seconds())%60),
			"took": fmt.Sprintf("%dns", v.Took),
		} {
			if got := column(name).ValueStr(i); got != want {
				t.Fatalf("column %s of record %d is %q, want %q", name, i, got, want)
			}
		}
		if got := column("cents").(*array.Decimal128).Value(i).ToString(2); got != fmt.Sprintf("%s%d.%02d", map[bool]string{true: "-"}[v.Cents < 0], abs(v.Cents)/100, abs(v.Cents)%100) {
			t.Fatalf("record %d has %s, want %d", i, got, v.Cents)
		}
		places := column("places").(*array.List)
		from, end := places.ValueOffsets(i)
		if int(end-from) != len(v.Places) {
			t.Fatalf("record %d has %d places, want %d", i, end-from, len(v.Places))
		}
		for k, p := range v.Places {
			if got := places.ListValues().(*array.Struct).Field(0).(*array.String).Value(int(from) + k); got != p.City {
				t.Fatalf("record %d has the city %q, want %q", i, got, p.City)
			}
		}
	}
}

func abs(n int64) int64 { return max(n, -n) }
