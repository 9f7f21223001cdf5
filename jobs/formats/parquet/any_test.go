package parquet_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	oracle "github.com/parquet-go/parquet-go"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
)

type anything = map[string]any

// kinds is a type of parquet-go with a column of each kind.
type kinds struct {
	Bool   bool              `parquet:"bool"`
	I8     int8              `parquet:"i8"`
	I64    int64             `parquet:"i64"`
	U32    uint32            `parquet:"u32"`
	U64    uint64            `parquet:"u64"`
	F32    float32           `parquet:"f32"`
	F64    float64           `parquet:"f64"`
	Text   string            `parquet:"text"`
	Enum   string            `parquet:"enum,enum"`
	JSON   string            `parquet:"json,json"`
	Bytes  []byte            `parquet:"bytes"`
	Fixed  [3]byte           `parquet:"fixed"`
	UUID   [16]byte          `parquet:"uuid,uuid"`
	Cents  int64             `parquet:"cents,decimal(2:9)"`
	Day    int32             `parquet:"day,date"`
	At     time.Time         `parquet:"at,timestamp(microsecond)"`
	Clock  int64             `parquet:"clock,time(microsecond)"`
	Null   *int64            `parquet:"null"`
	Stops  []stop            `parquet:"stops,list"`
	Plain  []string          `parquet:"plain"`
	Labels map[string]*int64 `parquet:"labels"`
	Counts map[int64]string  `parquet:"counts"`
	Inner  *stop             `parquet:"inner"`
}

// TestAnyFileIsRead reads files of other packages without a type that names their columns,
// in sections of every size.
func TestAnyFileIsRead(t *testing.T) {
	t.Parallel()
	mins, seven := int32(5), int64(7)
	at := time.Date(2026, 11, 29, 10, 30, 0, 123456000, time.UTC)
	full := kinds{true, -8, 1 << 60, 1<<32 - 1, 1<<64 - 1, 1.5, 2.25, "Zürich", "RED", `{"a":1}`, []byte{0xff, 0}, [3]byte{1, 2, 3},
		[16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0}, -12345, 20786, at, 3_723_000_004, &seven,
		[]stop{{"a", &mins}, {"b", nil}}, []string{"x", "y"}, map[string]*int64{"k": &seven, "n": nil}, map[int64]string{9: "nine"}, &stop{"c", &mins}}
	var b bytes.Buffer
	w := oracle.NewGenericWriter[kinds](&b)
	if _, err := w.Write([]kinds{full, {At: at}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := []anything{{
		"bool": true, "i8": int64(-8), "i64": int64(1 << 60), "u32": uint64(1<<32 - 1), "u64": uint64(1<<64 - 1), "f32": float32(1.5), "f64": 2.25,
		"text": "Zürich", "enum": "RED", "json": `{"a":1}`, "bytes": []byte{0xff, 0}, "fixed": []byte{1, 2, 3}, "uuid": "123e4567-e89b-12d3-a456-426614174000",
		"cents": "-123.45", "day": time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), "at": at, "clock": time.Hour + 2*time.Minute + 3*time.Second + 4*time.Microsecond,
		"null": int64(7), "stops": []any{anything{"name": "a", "mins": int64(5)}, anything{"name": "b", "mins": nil}}, "plain": []any{"x", "y"},
		"labels": anything{"k": int64(7), "n": nil}, "counts": anything{"key_value": []any{anything{"key": int64(9), "value": "nine"}}},
		"inner": anything{"name": "c", "mins": int64(5)},
	}, {
		"bool": false, "i8": int64(0), "i64": int64(0), "u32": uint64(0), "u64": uint64(0), "f32": float32(0), "f64": 0.0,
		"text": "", "enum": "", "json": "", "bytes": []byte{}, "fixed": []byte{0, 0, 0}, "uuid": "00000000-0000-0000-0000-000000000000",
		"cents": "0.00", "day": time.Unix(0, 0).UTC(), "at": at, "clock": time.Duration(0), "null": nil, "stops": []any{}, "plain": []any{},
		"labels": anything{}, "counts": anything{"key_value": []any{}}, "inner": nil,
	}}
	for _, split := range []int64{1 << 40, 100, 7} {
		got, err := read(t, parquet.Records[anything]{}, b.Bytes(), split)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d records, %v", len(got), err)
		}
		for i := range want {
			for name, v := range want[i] {
				if !reflect.DeepEqual(got[i][name], v) {
					t.Errorf("splits of %d, record %d, column %s: %#v, want %#v", split, i, name, got[i][name], v)
				}
			}
			if len(got[i]) != len(want[i]) {
				t.Errorf("record %d has %d columns, want %d", i, len(got[i]), len(want[i]))
			}
		}
	}
}

// TestAnyFileOfArrow reads lists that may be null, within lists, and decimals of any size.
func TestAnyFileOfArrow(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "lists", Type: arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int16)), Nullable: true},
		{Name: "wide", Type: &arrow.Decimal128Type{Precision: 38, Scale: 3}, Nullable: true},
	}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	if err := builder.UnmarshalJSON([]byte(`{"lists":[[1,null],[],null],"wide":null}`)); err != nil {
		t.Fatal(err)
	}
	builder.Field(0).AppendNull()
	n, err := decimal128.FromString("-12345678901234567890.125", 38, 3)
	if err != nil {
		t.Fatal(err)
	}
	builder.Field(1).(*array.Decimal128Builder).Append(n)
	record := builder.NewRecord()
	defer record.Release()
	var b bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &b, nil, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := []anything{{"lists": []any{[]any{int64(1), nil}, []any{}, nil}, "wide": nil}, {"lists": nil, "wide": "-12345678901234567890.125"}}
	if got, err := read(t, parquet.Records[anything]{}, b.Bytes(), 1<<40); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v\nwant %#v", got, err, want)
	}
}

// TestRangesOfAnyFile: conditions and rows of which nothing is wanted hold for records
// without a type, too.
func TestRangesOfAnyFile(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{}, smalls(100))
	got, err := read(t, parquet.Records[anything]{Where: parquet.Between("id", 10, 12)}, object, 1<<40)
	if err != nil || len(got) != 3 || got[0]["id"] != int64(10) || got[2]["text"] != "text 5" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := (parquet.Records[anything]{}).Open(jobs.Part{}); err == nil || !strings.Contains(err.Error(), "use a struct") {
		t.Errorf("written: %v", err)
	}
}

// TestInspect verifies what is known of a file without its records.
func TestInspect(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{RowGroup: 64 << 10}, smalls(30_000))
	want := []parquet.Column{
		{Name: "id", Type: "INT64"}, {Name: "text", Type: "BYTE_ARRAY STRING"},
		{Name: "tags", Type: "group LIST", Columns: []parquet.Column{{Name: "list", Type: "repeated group", Columns: []parquet.Column{{Name: "element", Type: "BYTE_ARRAY STRING"}}}}},
		{Name: "x", Type: "DOUBLE", Nullable: true},
	}
	info, err := parquet.Inspect("x", bytes.NewReader(object), int64(len(object)))
	if err != nil || info.Rows != 30_000 || info.RowGroups < 2 || !reflect.DeepEqual(info.Columns, want) {
		t.Errorf("%+v, %v", info, err)
	}
	for n := range 200 {
		cut := object[:len(object)-1-n]
		if _, err := parquet.Inspect("cut.parquet", bytes.NewReader(cut), int64(len(cut))); err == nil || !strings.Contains(err.Error(), "cut.parquet") {
			t.Errorf("without the last %d bytes: %v", n+1, err)
		}
	}
}
