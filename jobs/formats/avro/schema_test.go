package avro_test

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/avro"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// resolved writes one record with a schema, and reads it as a T.
func resolved[T any](t *testing.T, format avro.Records[T], schema string, record any) (rec T, err error) {
	t.Helper()
	all, err := read[T](t, format, 0, fileOf(t, oracle.MustParse(schema), "null", 1, []any{record}))
	if err == nil && len(all) == 1 {
		rec = all[0]
	}
	return rec, err
}

// is verifies a record by its text.
func is[T any](schema string, record any, want T, format avro.Records[T]) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		got, err := resolved(t, format, schema, record)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

// fails verifies the words of an error.
func fails[T any](schema string, record any, format avro.Records[T], words ...string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		got, err := resolved(t, format, schema, record)
		if err == nil {
			t.Fatalf("it is read as %+v", got)
		}
		for _, want := range append(words, "mem://test/in") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q, want %q in it", err, want)
			}
		}
	}
}

// one is the schema of a record with a field "a".
func one(name, field string) string {
	return fmt.Sprintf(`{"type":"record","name":%q,"fields":[{"name":"a","type":%s}]}`, name, field)
}

func a(v any) map[string]any { return map[string]any{"a": v} }

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

type (
	tText struct {
		A string `avro:"a"`
	}
	tLong struct {
		A int64 `avro:"a"`
	}
	tInt struct {
		A int32 `avro:"a"`
	}
	tDouble struct {
		A float64 `avro:"a"`
	}
	tFloat struct {
		A float32 `avro:"a"`
	}
	tBytes struct {
		A []byte `avro:"a"`
	}
	tFixed struct {
		A [3]byte `avro:"a"`
	}
	tPointer struct {
		A *string `avro:"a"`
	}
	tTime struct {
		A time.Time `avro:"a"`
	}
	tMaybe struct {
		A *time.Time `avro:"a"`
	}
	tTimes struct {
		A []time.Time `avro:"a"`
	}
	tMicros struct {
		A int64 `avro:"a,timestamp-micros"`
	}
	tTook struct {
		A time.Duration `avro:"a"`
	}
	tUUID struct {
		A [16]byte `avro:"a,uuid"`
	}
	tInner struct {
		A tLong `avro:"a"`
	}
	tMap struct {
		A map[string]tInt `avro:"a"`
	}
	tDefault struct {
		A int64  `avro:"a"`
		B string `avro:"b,default=none"`
		C *int64 `avro:"c"`
	}
	tAlias struct {
		B int64 `avro:"b,alias=a"`
	}
	tMissing struct {
		A int64  `avro:"a"`
		B string `avro:"b"`
	}
	tEmbedded struct {
		tLong
		B *int64 `avro:"b"`
	}
	tDecimal struct {
		A *big.Rat `avro:"a,decimal(9,2)"`
	}
	tAny struct {
		A any `avro:"a"`
	}
	tTwo struct {
		X tTime `avro:"x"`
		Y tTime `avro:"y"`
	}
)

// TestSchemasAreResolved reads what writers with other schemas wrote.
func TestSchemasAreResolved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(t *testing.T){
		"another name":             is(one("com.example.Root", `"long"`), a(int64(5)), tLong{5}, avro.Records[tLong]{}),
		"another name inside":      is(one("r.R", one("x.Y", `"long"`)), a(a(int64(5))), tInner{tLong{5}}, avro.Records[tInner]{}),
		"int to long":              is(one("R", `"int"`), a(int32(-7)), tLong{-7}, avro.Records[tLong]{}),
		"int to double":            is(one("R", `"int"`), a(int32(3)), tDouble{3}, avro.Records[tDouble]{}),
		"long to float":            is(one("R", `"long"`), a(int64(3)), tFloat{3}, avro.Records[tFloat]{}),
		"float to double":          is(one("R", `"float"`), a(float32(0.5)), tDouble{0.5}, avro.Records[tDouble]{}),
		"string to bytes":          is(one("R", `"string"`), a("abc"), tBytes{[]byte("abc")}, avro.Records[tBytes]{}),
		"bytes to string":          is(one("R", `"bytes"`), a([]byte("abc")), tText{"abc"}, avro.Records[tText]{}),
		"a default, and nil":       is(one("R", `"long"`), a(int64(1)), tDefault{1, "none", nil}, avro.Records[tDefault]{}),
		"an alias":                 is(one("R", `"long"`), a(int64(1)), tAlias{1}, avro.Records[tAlias]{}),
		"fields that T lacks":      is(`{"type":"record","name":"R","fields":[{"name":"z","type":{"type":"map","values":{"type":"array","items":"string"}}},{"name":"a","type":"long"}]}`, map[string]any{"z": map[string]any{"k": []any{"v", "w"}}, "a": int64(9)}, tLong{9}, avro.Records[tLong]{}),
		"an embedded struct":       is(one("R", `"long"`), a(int64(4)), tEmbedded{tLong{4}, nil}, avro.Records[tEmbedded]{}),
		"null":                     is(one("R", `["null","string"]`), a(nil), tPointer{nil}, avro.Records[tPointer]{}),
		"a union, null last":       is(one("R", `["string","null"]`), a("x"), tPointer{new("x")}, avro.Records[tPointer]{}),
		"no union to a pointer":    is(one("R", `"string"`), a("x"), tPointer{new("x")}, avro.Records[tPointer]{}),
		"a union of one type":      is(one("R", `["int","long"]`), a(int32(6)), tLong{6}, avro.Records[tLong]{}),
		"an enum":                  is(one("R", `{"type":"enum","name":"n.Color","symbols":["RED","GREEN"]}`), a("GREEN"), tText{"GREEN"}, avro.Records[tText]{}),
		"an enum in a union":       is(one("R", `["null",{"type":"enum","name":"Color","symbols":["RED","GREEN"]}]`), a("GREEN"), tPointer{new("GREEN")}, avro.Records[tPointer]{}),
		"a fixed":                  is(one("R", `{"type":"fixed","name":"q.F","size":3}`), a([]byte("abc")), tFixed{[3]byte{'a', 'b', 'c'}}, avro.Records[tFixed]{}),
		"a fixed to bytes":         is(one("R", `{"type":"fixed","name":"q.F","size":3}`), a([]byte("abc")), tBytes{[]byte("abc")}, avro.Records[tBytes]{}),
		"a map of records":         is(one("R", `{"type":"map","values":`+one("V", `"int"`)+`}`), a(map[string]any{"k": a(int32(2))}), tMap{map[string]tInt{"k": {2}}}, avro.Records[tMap]{}),
		"milliseconds":             is(one("R", `{"type":"long","logicalType":"timestamp-millis"}`), a(noon.Add(time.Millisecond)), tTime{noon.Add(time.Millisecond)}, avro.Records[tTime]{}),
		"microseconds":             is(one("R", `{"type":"long","logicalType":"timestamp-micros"}`), a(noon.Add(time.Microsecond)), tTime{noon.Add(time.Microsecond)}, avro.Records[tTime]{}),
		"microseconds or null":     is(one("R", `["null",{"type":"long","logicalType":"timestamp-micros"}]`), a(noon.Add(time.Microsecond)), tMaybe{new(noon.Add(time.Microsecond))}, avro.Records[tMaybe]{}),
		"microseconds in an array": is(one("R", `{"type":"array","items":{"type":"long","logicalType":"timestamp-micros"}}`), a([]any{noon}), tTimes{[]time.Time{noon}}, avro.Records[tTimes]{}),
		"a logical type beside":    is(`{"type":"record","name":"R","fields":[{"name":"a","type":"long","logicalType":"timestamp-micros"}]}`, a(noon), tTime{noon}, avro.Records[tTime]{}),
		"a day":                    is(one("R", `{"type":"int","logicalType":"date"}`), a(noon), tTime{noon.Truncate(24 * time.Hour)}, avro.Records[tTime]{}),
		"a local time":             is(one("R", `{"type":"long","logicalType":"local-timestamp-micros"}`), a(noon), tTime{noon}, avro.Records[tTime]{}),
		"a time as a number":       is(one("R", `{"type":"long","logicalType":"timestamp-millis"}`), a(noon), tLong{noon.UnixMilli()}, avro.Records[tLong]{}),
		"a unit as it is":          is(one("R", `{"type":"long","logicalType":"timestamp-micros"}`), a(noon), tMicros{noon.UnixMicro()}, avro.Records[tMicros]{}),
		"a time of day":            is(one("R", `{"type":"long","logicalType":"time-micros"}`), a(90*time.Microsecond), tTook{90 * time.Microsecond}, avro.Records[tTook]{}),
		"a uuid":                   is(one("R", `{"type":"fixed","name":"u.U","size":16,"logicalType":"uuid"}`), a([16]byte{1, 2}), tUUID{[16]byte{1, 2}}, avro.Records[tUUID]{}),
		"any record":               is(one("R", `["null","string","long"]`), a(int64(5)), map[string]any{"a": int64(5)}, avro.Records[map[string]any]{}),
		"a schema of one's own":    is(one("R", `"int"`), a(int32(5)), tAny{int64(5)}, avro.Records[tAny]{Schema: one("R", `["null","long"]`)}),
		"a time, Schema says":      is(one("R", `"long"`), a(noon.UnixMilli()), tTime{noon}, avro.Records[tTime]{Schema: one("R", `{"type":"long","logicalType":"timestamp-millis"}`)}),
		"no struct":                is(`"long"`, int64(77), int64(77), avro.Records[int64]{Schema: `"long"`}),
	} {
		t.Run(name, test)
	}
	for scale, schema := range map[int]string{
		2: `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`,
		4: `{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}`,
		3: `{"type":"fixed","name":"d.D","size":8,"logicalType":"decimal","precision":12,"scale":3}`,
	} {
		want := big.NewRat(-1234, 1000)
		if scale == 2 {
			want = big.NewRat(-123, 100)
		}
		got, err := resolved(t, avro.Records[tDecimal]{}, one("R", schema), a(want))
		if err != nil || got.A == nil || got.A.Cmp(want) != 0 {
			t.Errorf("a decimal of scale %d: %v, %v", scale, got.A, err)
		}
	}
}

// TestSchemasThatDoNotFit verifies that an error names the field and both types.
func TestSchemasThatDoNotFit(t *testing.T) {
	t.Parallel()
	micros := `{"type":"long","logicalType":"timestamp-micros"}`
	for name, test := range map[string]func(t *testing.T){
		"long to int":             fails(one("R", `"long"`), a(int64(1)), avro.Records[tInt]{}, "field a: a long cannot be a int"),
		"a string for a number":   fails(one("R", `"string"`), a("1"), avro.Records[tLong]{}, "field a: a string cannot be a long"),
		"null without a pointer":  fails(one("R", `["null","string"]`), a("x"), avro.Records[tText]{}, "field a: a null cannot be a string: use a pointer"),
		"no such field":           fails(one("R", `"long"`), a(int64(1)), avro.Records[tMissing]{}, "field b: the object has none", "default"),
		"a fixed of another size": fails(one("R", `{"type":"fixed","name":"F","size":4}`), a([]byte("abcd")), avro.Records[tFixed]{}, "field a: a fixed(4) cannot be a fixed(3)"),
		"inside of a record":      fails(one("R", one("S", `"string"`)), a(a("x")), avro.Records[tInner]{}, "field a.a: a string cannot be a long"),
		"no time":                 fails(one("R", `"long"`), a(int64(1)), avro.Records[tTime]{}, "field a: a long cannot be a long of timestamp-millis", "Schema"),
		"another unit":            fails(one("R", `{"type":"long","logicalType":"timestamp-millis"}`), a(noon), avro.Records[tMicros]{}, "field a: a long of timestamp-millis cannot be a long of timestamp-micros"),
		"a day as a time of day":  fails(one("R", `{"type":"int","logicalType":"date"}`), a(noon), avro.Records[tTook]{}, "field a: a int of date cannot be a int of time-millis"),
		"another unit, Schema":    fails(one("R", micros), a(noon), avro.Records[tTime]{Schema: one("R", `{"type":"long","logicalType":"timestamp-millis"}`)}, "field a: a long of timestamp-micros cannot be a long of timestamp-millis"),
		"a day, Schema":           fails(one("R", `["null",{"type":"int","logicalType":"date"}]`), a(noon), avro.Records[tMaybe]{Schema: one("R", `["null",`+micros+`]`)}, "field a: a int of date cannot be a long of timestamp-micros"),
		"another name, Schema":    fails(one("R", `"long"`), a(int64(1)), avro.Records[tLong]{Schema: one("S", `"long"`)}, "record names do not match"),
		"a decimal as text":       fails(one("R", `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`), a(big.NewRat(1, 4)), avro.Records[tText]{}, "field a: a bytes of decimal cannot be a string"),
		"bytes as a decimal":      fails(one("R", `"bytes"`), a([]byte{1}), avro.Records[tDecimal]{}, "field a: a bytes cannot be a bytes of decimal"),
		"two units of one type": fails(`{"type":"record","name":"R","fields":[{"name":"x","type":`+one("X", micros)+`},{"name":"y","type":`+one("Y", `{"type":"int","logicalType":"date"}`)+`}]}`,
			map[string]any{"x": a(noon), "y": a(noon)}, avro.Records[tTwo]{}, "cannot be a"),
	} {
		t.Run(name, test)
	}
}

// TestARecursiveType reads and writes a list, whose schema refers to itself.
func TestARecursiveType(t *testing.T) {
	t.Parallel()
	type node struct {
		At   time.Time `avro:"at"`
		Next *node     `avro:"next"`
	}
	schema := `{"type":"record","name":"List","namespace":"x.y","fields":[{"name":"next","type":["null","List"]},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}]}`
	first, second := noon.Add(time.Microsecond), noon.Add(2*time.Microsecond)
	got, err := resolved(t, avro.Records[node]{}, schema, map[string]any{"at": first, "next": map[string]any{"at": second, "next": nil}})
	if want := (node{first, &node{second, nil}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestRecordsThatCannotBeWritten verifies errors of records that the schema has no form for.
func TestRecordsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	third := jobs.Define("third", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func([]byte) tDecimal { return tDecimal{big.NewRat(1, 3)} }).Write(avro.Records[tDecimal]{})
		return nil
	})
	color := jobs.Define("color", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func(line []byte) tText { return tText{string(line)} }).Write(
			avro.Records[tText]{Schema: one("R", `{"type":"enum","name":"E","symbols":["RED","GREEN"]}`)})
		return nil
	})
	large := jobs.Define("large", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func([]byte) tText { return tText{strings.Repeat("x", 200)} }).Write(avro.Records[tText]{Max: 100})
		return nil
	})
	empty := jobs.Define("empty", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func([]byte) struct{} { return struct{}{} }).Write(avro.Records[struct{}]{})
		return nil
	})
	for want, job := range map[string]*jobs.Job{
		"cannot be written as Avro: field a":                      third,
		`cannot be written as Avro: field a: cannot use string`:   color,
		"a record has 202 bytes, and the limit of a block is 100": large,
		"a record has no bytes, and the reader would not find it": empty,
	} {
		_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("BLUE"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if result, err := minirun.Run(t.Context(), color, minirun.Options{}, minirun.Lines("GREEN")); err != nil || recordsOf[tText](t, result.Parts)[0].A != "GREEN" {
		t.Errorf("an enum of Schema: %v", err)
	}
}
