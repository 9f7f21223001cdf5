package arrow_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	oracle "github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// anyRecords are the records of manyText with all columns.
func anyRecords() []map[string]any {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	type all = map[string]any
	return []all{{
		"before": "b", "i8": int64(-7), "u64": uint64(9223372036854775808), "i32": int64(-2_000_000_000), "half": float32(1.5), "single": float32(0.25), "large": "groß",
		"raw": []byte{0, 1, 2}, "view": "a text of more than twelve bytes", "fixed": []byte{1, 2, 3}, "bool": true, "price": "-12345678901234567890.125", "cents": "-0.07",
		"huge": "123456789012345678901234567890.25", "day": day(1969, 12, 31), "day64": day(2026, 11, 29), "second": time.Date(2026, 11, 29, 10, 0, 1, 0, time.UTC),
		"zoned": time.Date(2026, 11, 29, 9, 0, 0, 7000, time.UTC), "clock": 24*time.Hour - time.Millisecond, "nanos": time.Duration(1), "took": 90 * time.Second,
		"between": all{"x": []any{"one text that is longer than twelve", "s"}, "y": "yy"}, "list": []any{int64(1), int64(-2)}, "long": []any{"x", "", "yy"},
		"three": []any{int64(1), nil, int64(3)}, "inner": all{"skipped": []any{int64(1)}, "b": []any{"p", "q"}, "a": int64(5)}, "map": all{"k": int64(1), "l": int64(2)},
		"word": "red", "words": []any{"red", "blue", "red"}, "runs": int64(7), "nothing": nil,
	}, {
		"before": nil, "i8": int64(8), "u64": nil, "i32": int64(1), "half": float32(-0.5), "single": float32(1), "large": "", "raw": []byte{}, "view": "short",
		"fixed": []byte{255, 0, 1}, "bool": nil, "price": "0.001", "cents": "9999999.99", "huge": "-1.00", "day": day(2026, 2, 28), "day64": day(1969, 12, 31),
		"second": time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), "zoned": nil, "clock": time.Duration(0), "nanos": 12 * time.Hour, "took": -time.Millisecond,
		"between": nil, "list": []any{}, "long": nil, "three": nil, "inner": nil, "map": all{}, "word": nil, "words": []any{}, "runs": int64(7), "nothing": nil,
	}}
}

// TestAllColumns reads files and streams without a type for their records.
func TestAllColumns(t *testing.T) {
	t.Parallel()
	schema, want := schemaOfMany(), anyRecords()
	batch := fromJSON(t, schema, manyText)
	batches := []oracle.Record{batch, batch.NewSlice(0, 1), batch}
	want = slices.Concat(want, want[:1], want)
	for _, o := range []minirun.Object{{Name: "in", Text: string(asFile(t, schema, batches))}, {Name: "in.arrows", Text: string(asStream(t, schema, batches))}} {
		got, err := readNamed(t, arrow.Records[map[string]any]{}, o, 300)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d records, want %d", o.Name, len(got), len(want))
		}
		for i := range want {
			for name := range want[i] {
				if !reflect.DeepEqual(got[i][name], want[i][name]) {
					t.Errorf("%s: record %d, column %s: %#v, want %#v", o.Name, i, name, got[i][name], want[i][name])
				}
			}
			if len(got[i]) != len(want[i]) {
				t.Errorf("%s: record %d has %d columns, want %d", o.Name, i, len(got[i]), len(want[i]))
			}
		}
	}
}

// TestMapsWithOtherKeys: a map whose keys are no text is a list of pairs.
func TestMapsWithOtherKeys(t *testing.T) {
	t.Parallel()
	schema := oracle.NewSchema([]oracle.Field{{Name: "m", Type: oracle.MapOf(oracle.PrimitiveTypes.Int32, oracle.BinaryTypes.String)}}, nil)
	object := asFile(t, schema, []oracle.Record{fromJSON(t, schema, `[{"m":[{"key":3,"value":"x"},{"key":-1,"value":null}]}]`)})
	got, err := read(t, arrow.Records[map[string]any]{}, object, 1<<40)
	want := []map[string]any{{"m": []any{map[string]any{"key": int64(3), "value": "x"}, map[string]any{"key": int64(-1), "value": nil}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
}

// TestColumnsThatNoRecordHas: a column that cannot be read, and one that is there twice, are
// errors that name it.
func TestColumnsThatNoRecordHas(t *testing.T) {
	t.Parallel()
	union := oracle.DenseUnionOf([]oracle.Field{{Name: "a", Type: oracle.PrimitiveTypes.Int8}}, []oracle.UnionTypeCode{0})
	for name, tt := range map[string]struct {
		fields []oracle.Field
		says   string
	}{
		"a union":   {[]oracle.Field{{Name: "u", Type: union}}, `column "u" of mem://test/in is a union, which cannot be read`},
		"two names": {[]oracle.Field{{Name: "x", Type: oracle.PrimitiveTypes.Int8}, {Name: "x", Type: oracle.PrimitiveTypes.Int8}}, `more than one column "x"`},
	} {
		schema := oracle.NewSchema(tt.fields, nil)
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		_, err := read(t, arrow.Records[map[string]any]{}, asFile(t, schema, []oracle.Record{b.NewRecord()}), 1<<40)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %s", name, err, tt.says)
		}
	}
	err := minirunOf(t, jobs.Define("writes", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func([]byte) map[string]any { return nil }).Write(arrow.Records[map[string]any]{})
		return nil
	}))
	if err == nil || !strings.Contains(err.Error(), "records of Arrow are structs") {
		t.Errorf("writing maps: %v", err)
	}
}

func minirunOf(t *testing.T, job *jobs.Job) error {
	t.Helper()
	_, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 << 40}, minirun.Object{Name: "in", Text: "x\n"})
	return err
}

// TestSchema reads the columns of a file and of a stream.
func TestSchema(t *testing.T) {
	t.Parallel()
	schema := schemaOfMany()
	batches := []oracle.Record{fromJSON(t, schema, manyText)}
	for _, o := range []minirun.Object{{Name: "in", Text: string(asFile(t, schema, batches))}, {Name: "in.arrows", Text: string(asStream(t, schema, batches))}} {
		var got []string
		job := jobs.Define("columns", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			lines := jobs.FlatMap(jobs.Read(p, arrow.Schema{}), func(_ *jobs.Context, c arrow.Column, emit func([]byte)) error {
				got = append(got, fmt.Sprintf("%s %s %v %d", c.Name, c.Type, c.Nullable, len(c.Columns)))
				return nil
			})
			lines.Write(nowhere{})
			return nil
		})
		if _, err := minirun.Run(t.Context(), job, minirun.Options{Split: 10}, o); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(schema.Fields()) {
			t.Fatalf("%s: %d columns, want %d", o.Name, len(got), len(schema.Fields()))
		}
		for i, want := range map[int]string{1: "i8 int8 true 0", 11: "price decimal128(30, 3) true 0", 17: "zoned timestamp[us, Europe/Zurich] true 0",
			25: "inner struct true 3", 26: "map map true 1", 27: "word utf8 dictionary true 0", 29: "runs run_end_encoded true 2"} {
			if got[i] != want {
				t.Errorf("%s: column %d is %q, want %q", o.Name, i, got[i], want)
			}
		}
	}
}
