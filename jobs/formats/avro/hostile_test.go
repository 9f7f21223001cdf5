package avro_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	oracle "github.com/twmb/avro"

	"github.com/windrow-mr/windrow/jobs/formats/avro"
)

var marker = []byte("\x00\x01\x02\x03\xf4\xf5\xf6\xf7\x08\x09\x0a\x0b\xfc\xfd\xfe\xff")

// long returns a number as Avro writes it.
func long(n int64) string { return string(binary.AppendVarint(nil, n)) }

func text(s string) string { return long(int64(len(s))) + s }

// object returns a file by hand.
func object(schema, codec string, blocks ...string) string {
	head := "Obj\x01" + long(2) + text("avro.schema") + text(schema) + text("avro.codec") + text(codec) + long(0) + string(marker)
	return head + strings.Join(blocks, "")
}

// blockOf returns a block that claims so many records.
func blockOf(records int64, data string) string {
	return long(records) + text(data) + string(marker)
}

func deflated(t testing.TB, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, data []byte) string {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll(data, nil))
}

func snapped(data []byte) string {
	return string(binary.BigEndian.AppendUint32(snappy.Encode(nil, data), crc32.ChecksumIEEE(data)))
}

// ceiling is how much a scan of hostile bytes may allocate in all.
const ceiling = 64 << 20

// bounded runs f and fails if it allocates more than the ceiling.
func bounded(t testing.TB, what string, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if testing.Verbose() {
		t.Logf("%s: %d KiB", what, (after.TotalAlloc-before.TotalAlloc)>>10)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > ceiling {
		t.Errorf("%s: %d bytes are allocated, the ceiling is %d", what, n, ceiling)
	}
}

type hostile struct {
	text string
	want []string // words of the error
}

func hostiles(t testing.TB) map[string]hostile {
	t.Helper()
	const simple = `{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`
	head := len(object(simple, "null"))
	at := fmt.Sprintf("byte %d of mem://test/in: ", head)
	bomb := make([]byte, 64<<20)
	long2 := func(n, m int64) string { return object(simple, "null", long(n)+long(m)+"\x02"+string(marker)) }
	nested := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	var fields, branches []string
	for i := range 10_000 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"null"}`, i))
		if i < 8000 {
			branches = append(branches, fmt.Sprintf(`{"type":"fixed","name":"f%d","size":1}`, i))
		}
	}
	var symbols strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&symbols, `,"s%05d"`, i)
	}
	wide := `{"type":"record","name":"R","fields":[{"name":"a","type":"long"},` + strings.Join(fields, ",") + `]}`
	doubling := `{"type":"record","name":"L0","fields":[]}`
	for i := range 60 {
		doubling = fmt.Sprintf(`{"type":"record","name":"L%d","fields":[{"name":"x","type":%s},{"name":"y","type":"L%d"}]}`, i+1, doubling, i)
	}
	array := func(items string) string {
		return `{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"z","type":{"type":"array","items":` + items + `}}]}`
	}
	return map[string]hostile{
		"nothing":                {"O", []string{"byte 0 of mem://test/in: no Avro object container file begins there"}},
		"another format":         {"PAR1" + strings.Repeat("x", 100), []string{"no Avro object container file begins there", "read them with their format"}},
		"2^62 records":           {object(simple, "null", blockOf(1<<62, "\x02\x04")), []string{at + "a block has 4611686018427387904 records in 2 bytes"}},
		"-1 records":             {long2(-1, 1), []string{at + "the numbers of records and bytes of a block are -1 and 1"}},
		"-1 bytes":               {long2(1, -1), []string{at, "are 1 and -1"}},
		"2^62 bytes":             {long2(1, 1<<62), []string{at + "a block has 4611686018427387904 bytes, and the limit is 1048576: raise Max"}},
		"more bytes than left":   {long2(1, 1000), []string{at + "the object ends in the block that begins there: it is cut short"}},
		"a number without end":   {object(simple, "null", strings.Repeat("\xff", 30)), []string{at, "damaged"}},
		"fewer records":          {object(simple, "null", blockOf(1, "\x02\x04")), []string{fmt.Sprintf("byte %d of mem://test/in: the block has 1 bytes behind the last of its 1 records", head+3)}},
		"more records":           {object(simple, "null", blockOf(2, "\x02\x80")), []string{fmt.Sprintf("byte %d of mem://test/in: record 2 of 2 in its block", head+3)}},
		"another marker":         {object(simple, "null", long(1)+text("\x02")+strings.Repeat("m", 16)), []string{at + "no sync marker is behind the block of 3 bytes that begins there"}},
		"no schema":              {"Obj\x01" + long(0) + string(marker), []string{"the header of the object has no avro.schema"}},
		"a schema of 1 GB":       {"Obj\x01" + long(1) + text("avro.schema") + long(1<<30) + "{", []string{"the header of the object has more than 1048576 bytes"}},
		"a key of -1 bytes":      {"Obj\x01" + long(1) + long(-1), []string{"a length in the header is -1"}},
		"2^62 pairs":             {"Obj\x01" + long(1<<62) + strings.Repeat("\x00", 2<<20), []string{"the header of the object has more than 1048576 bytes"}},
		"-2^63 pairs":            {"Obj\x01" + long(math.MinInt64) + strings.Repeat("\x00", 2<<20), []string{"the header of the object has more than 1048576 bytes"}},
		"an unknown codec":       {object(simple, "xz", blockOf(1, "\x02")), []string{`the codec is "xz", and null, deflate, snappy, zstandard and bzip2 are read`}},
		"no JSON":                {object(`{"type":`, "null"), []string{"byte 0 of mem://test/in: the schema is invalid"}},
		"a deep schema":          {object(nested(10_000, `{"type":"array","items":`, `"long"`, "}"), "null", blockOf(1, "\x02")), []string{"the schema is invalid"}},
		"a deep array":           {object(nested(900, `{"type":"array","items":`, `"long"`, "}"), "null", blockOf(1, strings.Repeat("\x02", 1000))), []string{"mem://test/in"}},
		"a doubling schema":      {object(doubling, "null", blockOf(1, "\x02")), []string{"mem://test/in"}},
		"a wide schema":          {object(wide, "null", blockOf(3, "\x02\x04\x06")), nil},
		"many symbols":           {object(`{"type":"enum","name":"E","symbols":["a"`+symbols.String()+`]}`, "null", blockOf(1, "\x00")), []string{"the schema has more than 32768 values of JSON"}},
		"symbols":                {object(`{"type":"enum","name":"E","symbols":["a"`+symbols.String()[:200_000-200_000%9]+`]}`, "null", blockOf(1, "\x00")), []string{"cannot be a"}},
		"many defaults":          {object(`{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":{"type":"array","items":{"type":"array","items":"null"}},"default":[[]`+strings.Repeat(",[]", 16_000)+`]}]}`, "null", blockOf(1, "\x02\x00")), nil},
		"a wide union":           {object(`[`+strings.Join(branches, ",")+`]`, "null", blockOf(1, "\x00a")), []string{"cannot be a"}},
		"a schema of itself":     {object(`{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}`, "null", blockOf(1, "\x02")), []string{"mem://test/in"}},
		"a fixed of 2^40":        {object(`{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"f","type":{"type":"fixed","name":"F","size":1099511627776}}]}`, "null", blockOf(1, "\x02\x02")), []string{"mem://test/in"}},
		"an array of 2^62 nulls": {object(array(`"null"`), "null", blockOf(1, "\x02"+long(1<<62)+"\x00")), []string{"the record takes more than"}},
		"arrays of many nulls":   {object(array(`{"type":"array","items":"null"}`), "null", blockOf(1, "\x02"+long(300_000)+strings.Repeat(long(4000)+"\x00", 300_000)+"\x00")), []string{"the record takes more than 8388608 bytes of memory: raise Max"}},
		"an array of 2^62 longs": {object(array(`"long"`), "null", blockOf(1, "\x02"+long(1<<62)+"\x00")), []string{"record 1 of 1 in its block"}},
		"a bomb of deflate":      {object(simple, "deflate", blockOf(1, deflated(t, bomb))), []string{"a block has more bytes when it is decompressed, and the limit is 1048576"}},
		"a bomb of zstandard":    {object(simple, "zstandard", blockOf(1, zstandard(t, bomb))), []string{"a block has more bytes when it is decompressed"}},
		"a bomb of snappy":       {object(simple, "snappy", blockOf(1, string(binary.AppendUvarint(nil, 1<<32-1))+"\x00\x00\x00\x00\x00\x00")), []string{"a block has more bytes when it is decompressed"}},
		"a checksum":             {object(simple, "snappy", blockOf(1, snapped([]byte("\x02"))[:3]+"\x00\x00\x00\x00")), []string{"cannot be decompressed by snappy: its checksum is 00000000"}},
		"no checksum":            {object(simple, "snappy", blockOf(1, "\x02")), []string{"it has no checksum"}},
		"no deflate":             {object(simple, "deflate", blockOf(1, "\xff\xff")), []string{at[:4], "the block cannot be decompressed by deflate"}},
	}
}

// TestHostileObjects verifies that objects that lie about their lengths, or are far greater
// than their bytes, are errors with object and place, in bounded memory.
func TestHostileObjects(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	for name, test := range hostiles(t) {
		var got []tLong
		var err error
		bounded(t, name, func() { got, err = read[tLong](t, avro.Records[tLong]{Max: 1 << 20}, 0, test.text) })
		if test.want == nil {
			if err != nil || len(got) == 0 || got[0].A != 1 {
				t.Errorf("%s: %d records, %v", name, len(got), err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: %v is read", name, got)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %.300q, want %q in it", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "panicked") {
			t.Errorf("%s: the decoder panicked: %.300v", name, err)
		}
	}
}

// TestHostileObjectsAsAnything verifies the same for maps of anything, whose size the
// schema of the object decides.
func TestHostileObjectsAsAnything(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	for name, test := range hostiles(t) {
		bounded(t, name, func() {
			got, err := read[map[string]any](t, avro.Records[map[string]any]{Max: 1 << 20}, 0, test.text)
			if err == nil && len(got) > 3 {
				t.Errorf("%s: %d records are read", name, len(got))
			}
			if err != nil && strings.Contains(err.Error(), "panicked") {
				t.Errorf("%s: %.300v", name, err)
			}
		})
	}
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"null"}`, i))
	}
	schema := `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":{"type":"record","name":"W","fields":[{"name":"b","type":"boolean"},` + strings.Join(fields, ",") + `]}}}]}`
	bounded(t, "records without bytes", func() {
		_, err := read[any](t, avro.Records[any]{Max: 1 << 20}, 0, object(`"null"`, "null", blockOf(1<<62, "")))
		if err == nil || !strings.Contains(err.Error(), "a block has 4611686018427387904 records in 0 bytes") {
			t.Errorf("2^62 nulls: %v", err)
		}
	})
	bounded(t, "an array of wide records", func() {
		_, err := read[map[string]any](t, avro.Records[map[string]any]{Max: 1 << 20}, 0, object(schema, "null", blockOf(1, long(500_000)+strings.Repeat("\x01", 500_000)+"\x00")))
		if err == nil || !strings.Contains(err.Error(), "the record takes more than 8388608 bytes of memory") {
			t.Errorf("an array of wide records of nulls: %v", err)
		}
	})
}

// TestTruncationAtEveryByte cuts files at every byte. A cut between blocks looks like the
// end of the object. Any other is an error with the object in it. Nothing of an object is
// an empty one, which has no sections in any format.
func TestTruncationAtEveryByte(t *testing.T) {
	t.Parallel()
	var records []item
	for i := range 6 {
		records = append(records, item{fmt.Sprint("name", i), int64(i)})
	}
	for _, codec := range codecs {
		whole := fileOf(t, oracle.MustSchemaFor[item](), codec, 2, records)
		sync := whole[len(whole)-16:]
		for n := 1; n < len(whole); n++ {
			got, err := read[item](t, avro.Records[item]{}, 50, whole[:n])
			between := strings.HasSuffix(whole[:n], sync)
			switch {
			case between && (err != nil || len(got) != 2*(strings.Count(whole[:n], sync)-1)):
				t.Errorf("%s, cut between blocks at %d: %d records, %v", codec, n, len(got), err)
			case !between && (err == nil || !strings.Contains(err.Error(), "mem://test/in")):
				t.Errorf("%s, cut at %d: %d records, %v", codec, n, len(got), err)
			}
		}
	}
}

// FuzzRecords reads any bytes as records of two types, in sections of every size. The
// result does not depend on the sections, memory is bounded, and nothing panics.
func FuzzRecords(f *testing.F) {
	for _, test := range hostiles(f) {
		if len(test.text) < 10_000 {
			f.Add(test.text, uint16(50))
		}
	}
	for _, codec := range codecs {
		f.Add(fileOf(f, oracle.MustSchemaFor[item](), codec, 2, []item{{"a", 1}, {"b", 2}, {"c", 3}}), uint16(30))
	}
	f.Fuzz(func(t *testing.T, text string, split uint16) {
		var got, parts []item
		var err, partsErr error
		bounded(t, "records", func() { got, err = read[item](t, avro.Records[item]{Max: 1 << 18}, 1<<30, text) })
		bounded(t, "maps", func() { _, _ = read[map[string]any](t, avro.Records[map[string]any]{Max: 1 << 18}, 1<<30, text) })
		if len(text)/(1+int(split)) < 100 { // each section makes a scan
			parts, partsErr = read[item](t, avro.Records[item]{Max: 1 << 18}, 1+int64(split), text)
			if (err == nil) != (partsErr == nil) || err == nil && fmt.Sprint(got) != fmt.Sprint(parts) {
				t.Errorf("as a whole: %v, %v; in sections of %d: %v, %v", got, err, split, parts, partsErr)
			}
		}
		for _, err := range []error{err, partsErr} {
			if err != nil && (strings.Contains(err.Error(), "panicked") || !strings.Contains(err.Error(), "mem://test")) {
				t.Errorf("the error is %v", err)
			}
		}
	})
}
