package arrow_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	oracle "github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// errEnough ends the reading of objects that claim very many records.
var errEnough = errors.New("enough records")

// attempted reads an object as far as its first 10,000 records. It fails the test when
// that takes more than 64 MiB of memory in all, or a minute, or panics.
func attempted[T any](t testing.TB, f arrow.Records[T], object []byte) ([]T, error) {
	t.Helper()
	var got []T
	n := 0
	job := collected(f, func(rec T) error {
		if n++; n > 10_000 {
			return errEnough
		}
		if len(got) < 100 {
			got = append(got, rec)
		}
		return nil
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	_, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 << 40}, minirun.Object{Name: "in", Text: string(object)})
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d bytes were allocated to read %d", n, len(object))
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("reading took %v", d)
	}
	if err != nil && strings.Contains(err.Error(), "no check found") {
		t.Errorf("a panic: %v", err)
	}
	return got, err
}

type small struct {
	ID   int64    `arrow:"id"`
	Text string   `arrow:"text"`
	Tags []string `arrow:"tags"`
	X    *float64 `arrow:"x"`
}

func smalls(n int) []small {
	var all []small
	for i := range n {
		x := float64(i) / 4
		v := small{ID: int64(i), Text: fmt.Sprint("text ", i%7), Tags: slices.Repeat([]string{"t"}, i%3)}
		if i%3 == 0 {
			v.X = &x
		}
		if v.Tags == nil {
			v.Tags = []string{}
		}
		all = append(all, v)
	}
	return all
}

// manyObjects returns a file and a stream with each type.
func manyObjects(t testing.TB, options ...ipc.Option) [][]byte {
	t.Helper()
	batch := fromJSON(t, schemaOfMany(), manyText)
	batches := []oracle.Record{batch, batch}
	return [][]byte{asFile(t, schemaOfMany(), batches, options...), asStream(t, schemaOfMany(), batches, options...)}
}

// TestCutObjects verifies that a file or a stream that is cut short at any byte is an error
// that names it.
func TestCutObjects(t *testing.T) {
	t.Parallel()
	schema := oracle.NewSchema([]oracle.Field{{Name: "id", Type: oracle.PrimitiveTypes.Int64}}, nil)
	batch := fromJSON(t, schema, `[{"id":1},{"id":2}]`)
	type record struct {
		ID int64 `arrow:"id"`
	}
	for name, object := range map[string][]byte{
		"file":   written(t, arrow.Records[record]{Codec: "none"}, []record{{1}, {2}}),
		"zstd":   written(t, arrow.Records[record]{}, []record{{1}, {2}}),
		"stream": asStream(t, schema, []oracle.Record{batch, batch}),
		"lz4":    asStream(t, schema, []oracle.Record{batch}, ipc.WithLZ4()),
	} {
		if got, err := read(t, arrow.Records[record]{}, object, 1<<40); err != nil || len(got) < 2 {
			t.Fatalf("%s: the whole object has %d records; %v", name, len(got), err)
		}
		for n := 1; n < len(object); n++ { // an object without bytes has no sections
			got, err := read(t, arrow.Records[record]{}, object[:n], 1<<40)
			if err == nil || !strings.Contains(err.Error(), "mem://test/in") {
				t.Errorf("%s: %d of %d bytes are read as %d records; %v", name, n, len(object), len(got), err)
			}
		}
	}
}

// TestChangedBits changes bits of objects of every type. That costs no more memory or time,
// and never panics.
func TestChangedBits(t *testing.T) { //nolint:paralleltest // memory is counted
	change := func(name string, object []byte, step int, read func([]byte)) {
		read(object)
		for bit := 0; bit < 8*len(object); bit += step {
			changed := bytes.Clone(object)
			changed[bit/8] ^= 1 << (bit % 8)
			read(changed)
			if t.Failed() {
				t.Fatalf("%s: bit %d of byte %d of %d is changed", name, bit%8, bit/8, len(object))
			}
		}
	}
	for _, codec := range []string{"none", "zstd", "lz4"} {
		object := written(t, arrow.Records[small]{Codec: codec}, smalls(6))
		change(codec, object, 19, func(b []byte) { _, _ = attempted(t, arrow.Records[small]{Max: 1 << 20}, b) })
	}
	for i, object := range slices.Concat(manyObjects(t), manyObjects(t, ipc.WithZstd())) {
		change(fmt.Sprint("many ", i), object, 311, func(b []byte) {
			_, _ = attempted(t, arrow.Records[many]{Max: 1 << 20}, b)
			_, _ = attempted(t, arrow.Records[map[string]any]{Max: 1 << 20}, b)
		})
	}
}

// numbers returns the bytes of numbers of 64 bits.
func numbers(all ...int64) string {
	var b []byte
	for _, n := range all {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return string(b)
}

// offsets returns the bytes of numbers of 32 bits.
func offsets(all ...int32) string {
	var b []byte
	for _, n := range all {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}

// replaced returns an object in which all of some bytes are others.
func replaced(t *testing.T, object []byte, pairs ...string) []byte {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(object, []byte(pairs[i])) {
			t.Fatalf("the object has no %q", pairs[i])
		}
		object = bytes.ReplaceAll(object, []byte(pairs[i]), []byte(pairs[i+1]))
	}
	return object
}

// TestLyingObjects verifies errors for objects whose metadata or whose offsets are wrong,
// without memory for what they claim.
func TestLyingObjects(t *testing.T) { //nolint:paralleltest // memory is counted
	type pair struct {
		Text string `arrow:"text"`
		N    *int64 `arrow:"n"`
	}
	n := int64(77)
	object := written(t, arrow.Records[pair]{Codec: "none"}, []pair{{"a", &n}, {"bc", nil}})
	packed := written(t, arrow.Records[pair]{}, []pair{{strings.Repeat("a", 1000), &n}})
	schema := oracle.NewSchema([]oracle.Field{{Name: "text", Type: oracle.BinaryTypes.String}, {Name: "n", Type: oracle.PrimitiveTypes.Int64, Nullable: true}}, nil)
	stream := asStream(t, schema, []oracle.Record{fromJSON(t, schema, `[{"text":"a","n":77}]`)})
	start := func(o []byte) []byte { return o[:len(o)-10-int(binary.LittleEndian.Uint32(o[len(o)-10:]))] }
	tail := func(b []byte, n uint32) []byte {
		return append(binary.LittleEndian.AppendUint32(bytes.Clone(b), n), "ARROW1"...)
	}
	for name, c := range map[string]struct {
		object []byte
		want   string
	}{
		"text":                    {[]byte("text,n\na,1\nbc,\n"), "is no Arrow file and no stream"},
		"too short":               {[]byte("ARROW1"), "it is cut short"},
		"too short, twice":        {[]byte("ARROW1\x00\x00ARROW1"), "it is cut short"},
		"Feather 1":               {[]byte("FEA1\x00\x00\x00\x00\x00\x00FEA1"), "is a Feather file of version 1"},
		"a long footer":           {tail(object[:len(object)-10], 1<<30), "its footer claims 1073741824"},
		"a negative footer":       {tail(object[:len(object)-10], 1<<31), "its footer claims -2147483648"},
		"a short footer":          {tail(object[:len(object)-10], 100), "the footer of mem://test/in: its metadata contradicts itself"},
		"no beginning":            {append([]byte("ARROWX"), object[6:]...), "is no Arrow file and no stream"},
		"no batches":              {append(start(object)[:8:8], object[len(start(object)):]...), "is outside of the data"},
		"falling offsets":         {replaced(t, object, offsets(0, 1, 3), offsets(0, 4, 3)), `byte 256 of mem://test/in: batch 0 of the section, row 0: column "text": its offsets do not ascend up to 3`},
		"far offsets":             {replaced(t, object, offsets(0, 1, 3), offsets(0, 1, 4)), "its offsets do not ascend up to 3"},
		"negative offsets":        {replaced(t, object, offsets(0, 1, 3), offsets(-1, 1, 3)), "its offsets do not ascend up to 3"},
		"a buffer outside":        {replaced(t, object, numbers(64, 3), numbers(64, 1<<40)), "a buffer has the bytes 64 to"},
		"a negative buffer":       {replaced(t, object, numbers(64, 3), numbers(-64, 3)), "a buffer has the bytes -64 to"},
		"a huge buffer":           {replaced(t, object, numbers(64, 3), numbers(1<<62, 1<<62)), "a buffer has the bytes"},
		"other rows":              {replaced(t, object, numbers(2, 0, 2, 1), numbers(1, 0, 2, 1)), `column "text" has 1 rows, and not 2`},
		"negative rows":           {replaced(t, object, numbers(2, 0, 2, 1), numbers(-2, 0, 2, 1)), "its metadata contradicts itself"},
		"more nulls than rows":    {replaced(t, object, numbers(2, 0, 2, 1), numbers(2, 0, 2, 3)), `column "n": 3 of its 2 rows are null`},
		"very many rows":          {replaced(t, written(t, arrow.Records[pair]{Codec: "none"}, make([]pair, 1234)), numbers(1234), numbers(1<<40)), "a buffer is too short for its rows"},
		"no text":                 {replaced(t, object, "bc", "b\xff"), "the text is not UTF-8"},
		"no end mark":             {stream[:len(stream)-8], "the stream ends without its end mark"},
		"more than a stream":      {append(bytes.Clone(stream), stream...), "there are bytes after the end mark"},
		"a wrong size":            {replaced(t, packed, numbers(1000), numbers(999)), "does not decompress to the size that it says"},
		"a huge size in lz4":      {replaced(t, written(t, arrow.Records[pair]{Codec: "lz4"}, []pair{{strings.Repeat("a", 1000), &n}}), numbers(1000), numbers(1<<26-4096)), "does not decompress to the size that it says"},
		"a short block":           {shortBlock(object), "its body has 256 bytes, and the footer says 192"},
		"an old message":          {oldMessage(2), "its metadata has the version 3 of the format, and 4 and 5 can be read"},
		"a message of the future": {oldMessage(5), "its metadata has the version 6 of the format, and 4 and 5 can be read"},
		"the highest byte first":  {highestFirst(), "its numbers have the highest byte first"},
		"a batch without schema":  {oldMessage(4), "it does not begin with a schema"},
		"two columns of a name":   {asStream(t, oracle.NewSchema([]oracle.Field{schema.Field(0), schema.Field(0), schema.Field(1)}, nil), nil), `has more than one column "text"`},
		"a huge size":             {replaced(t, packed, numbers(1000), numbers(1<<50)), "does not decompress to the size that it says"},
		"lists in lists":          {deepLists(t), "nested more than 64 deep"},
		"a place outside":         {wrongPlace(t), "the value 9 is outside of its dictionary"},
	} {
		_, err := attempted(t, arrow.Records[pair]{}, c.object)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mem://test/in") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// shortBlock returns an object whose footer says that the first body is smaller.
func shortBlock(object []byte) []byte {
	short := bytes.Clone(object)
	copy(short[bytes.LastIndex(short, []byte(numbers(256))):], numbers(192))
	return short
}

// oldMessage returns a stream that begins with a batch, whose metadata has a version.
func oldMessage(version int16) []byte { return message(version, 3) }

// highestFirst returns a stream whose schema says that numbers have the highest byte first.
func highestFirst() []byte { return message(4, 1) }

// message returns a stream that begins with a message, whose header has the number 1 in its
// first field.
func message(version int16, kind byte) []byte {
	b := flatbuffers.NewBuilder(0)
	b.StartObject(5)
	b.PrependInt16Slot(0, 1, 0)
	header := b.EndObject()
	b.StartObject(5)
	b.PrependUOffsetTSlot(2, header, 0)
	b.PrependInt16Slot(0, version, 0)
	b.PrependByteSlot(1, kind, 0)
	b.Finish(b.EndObject())
	return append(binary.LittleEndian.AppendUint32([]byte("\xff\xff\xff\xff"), uint32(len(b.FinishedBytes()))), b.FinishedBytes()...)
}

// deepLists returns an object whose column has 100 lists in each other.
func deepLists(t *testing.T) []byte {
	t.Helper()
	var typ oracle.DataType = oracle.PrimitiveTypes.Int8
	for range 100 {
		typ = oracle.ListOf(typ)
	}
	return asStream(t, oracle.NewSchema([]oracle.Field{{Name: "text", Type: typ, Nullable: true}}, nil), nil)
}

// wrongPlace returns an object with a value outside of its dictionary.
func wrongPlace(t *testing.T) []byte {
	t.Helper()
	typ := &oracle.DictionaryType{IndexType: oracle.PrimitiveTypes.Int8, ValueType: oracle.BinaryTypes.String}
	schema := oracle.NewSchema([]oracle.Field{{Name: "text", Type: typ}, {Name: "n", Type: oracle.Null, Nullable: true}}, nil)
	places := array.NewInt8Builder(memory.DefaultAllocator)
	places.AppendValues([]int8{0, 9}, nil)
	words := array.NewStringBuilder(memory.DefaultAllocator)
	words.Append("a")
	column := array.NewDictionaryArray(typ, places.NewArray(), words.NewArray())
	return asFile(t, schema, []oracle.Record{array.NewRecord(schema, []oracle.Array{column, array.NewNull(2)}, 2)})
}

// TestOverlappingBatches verifies that no batch is read twice because the footer lists it
// twice.
func TestOverlappingBatches(t *testing.T) {
	t.Parallel()
	records := make([]small, 6000)
	object := written(t, arrow.Records[small]{Codec: "none", Batch: 64 << 10}, records)
	f, err := ipc.NewFileReader(bytes.NewReader(object))
	if err != nil || f.NumRecords() < 2 {
		t.Fatalf("the object has %d batches; %v", f.NumRecords(), err)
	}
	// The footer has the offset of a block, the size of its metadata, and that of its body.
	footer := len(object) - 10 - int(binary.LittleEndian.Uint32(object[len(object)-10:]))
	first := 8 + 8 + int64(binary.LittleEndian.Uint32(object[12:])) // after the schema
	at := footer + bytes.Index(object[footer:], []byte(numbers(first)))
	twice := bytes.Clone(object)
	copy(twice[at+24:at+48], twice[at:at+24])
	if _, err := read(t, arrow.Records[small]{}, twice, 1<<40); err == nil || !strings.Contains(err.Error(), "overlap: the object is damaged") {
		t.Errorf("a batch that is listed twice: %v", err)
	}
}

// TestBatchesThatGrow verifies that batches and records that grow a thousandfold are refused
// before they take the memory, and say which option allows them.
func TestBatchesThatGrow(t *testing.T) { //nolint:paralleltest // memory is counted
	text := strings.Repeat("a", 3<<20)
	for _, codec := range []string{"zstd", "lz4"} {
		object := written(t, arrow.Records[small]{Codec: codec}, []small{{Text: text, Tags: []string{}}})
		_, err := attempted(t, arrow.Records[small]{Max: 1 << 20}, object)
		if err == nil || !strings.Contains(err.Error(), "need more than 1048576 bytes of memory at once: set Max") {
			t.Errorf("a large batch of %d bytes: %v", len(object), err)
		}
		if got, err := read(t, arrow.Records[small]{}, object, 1<<40); err != nil || len(got) != 1 || got[0].Text != text {
			t.Errorf("with the usual memory: %d records, %v", len(got), err)
		}
	}
	type lists struct {
		L []*int64 `arrow:"l"`
	}
	schema := oracle.NewSchema([]oracle.Field{{Name: "l", Type: oracle.ListOf(oracle.Null), Nullable: true}}, nil)
	b := array.NewListBuilder(memory.DefaultAllocator, oracle.Null)
	b.Append(true)
	for range 1 << 18 {
		b.ValueBuilder().AppendNull()
	}
	object := asStream(t, schema, []oracle.Record{array.NewRecord(schema, []oracle.Array{b.NewArray()}, 1)})
	_, err := attempted(t, arrow.Records[lists]{Max: 1 << 20}, object)
	if err == nil || !strings.Contains(err.Error(), "a record needs more than 1048576 bytes of memory: set Max") {
		t.Errorf("a large record of %d bytes: %v", len(object), err)
	}
	if got, err := read(t, arrow.Records[lists]{}, object, 1<<40); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0].L, make([]*int64, 1<<18)) {
		t.Errorf("with the usual memory: %d records, %v", len(got), err)
	}
}

// FuzzObjects verifies that any bytes are records or an error, with bounded memory.
func FuzzObjects(f *testing.F) {
	for _, codec := range []string{"none", "lz4", "zstd"} {
		f.Add(written(f, arrow.Records[small]{Codec: codec}, smalls(9)))
	}
	f.Add(written(f, arrow.Records[small]{}, nil))
	for _, o := range slices.Concat(manyObjects(f), manyObjects(f, ipc.WithLZ4())) {
		f.Add(o)
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		got, err := attempted(t, arrow.Records[small]{Nulls: true, Missing: true, Max: 8 << 20}, object)
		if err == nil && len(object) > 0 && len(object) < 16 {
			t.Errorf("%q is read as %v", object, got)
		}
		_, _ = attempted(t, arrow.Records[many]{Nulls: true, Missing: true, Max: 8 << 20}, object)
		_, _ = attempted(t, arrow.Records[struct{}]{}, object)
		_, _ = attempted(t, arrow.Records[map[string]any]{Max: 8 << 20}, object)
	})
}

// FuzzFooters does the same with the footer and the batches apart, so that the lengths at
// the end fit.
func FuzzFooters(f *testing.F) {
	for _, object := range [][]byte{written(f, arrow.Records[small]{Codec: "none"}, smalls(9)), manyObjects(f)[0]} {
		end := len(object) - 10 - int(binary.LittleEndian.Uint32(object[len(object)-10:]))
		f.Add(object[8:end], object[end:len(object)-10])
	}
	f.Fuzz(func(t *testing.T, batches, footer []byte) {
		object := slices.Concat([]byte("ARROW1\x00\x00"), batches, footer, binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), []byte("ARROW1"))
		_, _ = attempted(t, arrow.Records[many]{Nulls: true, Missing: true, Max: 8 << 20}, object)
	})
}
