package parquet_test

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

	"github.com/windrow-mr/windrow/jobs/formats/parquet"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// errEnough ends the reading of objects that claim very many records.
var errEnough = errors.New("enough records")

// attempted reads an object as far as its first 10,000 records. It fails the test when
// that takes more than 64 MiB of memory in all, or a minute, or panics.
func attempted[T any](t testing.TB, f parquet.Records[T], object []byte) ([]T, error) {
	t.Helper()
	return attemptedFirst(t, f, object, 10_000)
}

// attemptedFirst is attempted of another number of records.
func attemptedFirst[T any](t testing.TB, f parquet.Records[T], object []byte, most int) ([]T, error) {
	t.Helper()
	var got []T
	job := collected(f, func(rec T) error {
		if len(got) == most {
			return errEnough
		}
		got = append(got, rec)
		return nil
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	_, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 << 40}, minirun.Object{Name: "in", Text: string(object)})
	runtime.ReadMemStats(&after)
	// Windows of 8 MiB and copies of the records are in it.
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
	ID   int64    `parquet:"id"`
	Text string   `parquet:"text"`
	Tags []string `parquet:"tags"`
	X    *float64 `parquet:"x"`
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

// footerOf returns where the footer of an object begins.
func footerOf(object []byte) int {
	return len(object) - 8 - int(binary.LittleEndian.Uint32(object[len(object)-8:]))
}

// TestCutObjects verifies that an object that is cut short at any byte is an error that
// names it.
func TestCutObjects(t *testing.T) {
	t.Parallel()
	object := written(t, parquet.Records[small]{Codec: "snappy"}, smalls(20))
	for n := range len(object) {
		if n == 0 {
			continue // an object without bytes has no sections
		}
		got, err := read(t, parquet.Records[small]{}, object[:n], 1<<40)
		if err == nil || !strings.Contains(err.Error(), "mem://test/in") {
			t.Errorf("%d of %d bytes are read as %d records; %v", n, len(object), len(got), err)
		}
	}
}

// TestChangedBits changes every bit of an object. In the pages, which have checksums, that
// is an error, or does not matter. Anywhere it costs no more memory or time.
func TestChangedBits(t *testing.T) { //nolint:paralleltest // memory is counted
	for _, codec := range []string{"uncompressed", "zstd"} {
		want := smalls(6)
		object := written(t, parquet.Records[small]{Codec: codec}, want)
		end := footerOf(object)
		for bit := 0; bit < 8*len(object); bit += 3 { // each bit of some bytes, some bits of each byte
			changed := bytes.Clone(object)
			changed[bit/8] ^= 1 << (bit % 8)
			got, err := attempted(t, parquet.Records[small]{Max: 1 << 20}, changed)
			if bit%5 == 0 {
				_, _ = attemptedFirst(t, parquet.Records[anything]{Max: 1 << 20}, changed, 100)
			}
			if err == nil && !reflect.DeepEqual(got, want) && inPage(object, bit/8) {
				t.Errorf("%s: bit %d of byte %d of %d is changed, and the records are\n%v", codec, bit%8, bit/8, end, got)
			}
		}
	}
}

// inPage reports whether a byte is certainly in a page and not in a header: pages of this
// object hold these texts.
func inPage(object []byte, at int) bool {
	for _, text := range []string{"text 0", "text 5"} {
		if i := bytes.Index(object, []byte(text)); i >= 0 && at >= i && at < i+len(text) {
			return true
		}
	}
	return false
}

// TestLyingObjects verifies errors for objects whose metadata is wrong, without memory for
// what they claim.
func TestLyingObjects(t *testing.T) { //nolint:paralleltest // memory is counted
	object := written(t, parquet.Records[small]{Codec: "uncompressed"}, smalls(20))
	end := footerOf(object)
	tail := func(footer []byte, length uint32) []byte {
		b := append([]byte("PAR1"), footer...)
		return append(binary.LittleEndian.AppendUint32(b, length), "PAR1"...)
	}
	replaced := func(old, with string) []byte {
		if bytes.Count(object, []byte(old)) == 0 {
			t.Fatalf("the object has no %q", old)
		}
		return bytes.Replace(object, []byte(old), []byte(with), 1)
	}
	encrypted := append(bytes.Clone(object[:len(object)-4]), "PARE"...)
	for name, c := range map[string]struct {
		object []byte
		want   string
	}{
		"text":                 {[]byte("id,text,tags,x\n1,a,,2\n"), "does not end with PAR1, as a Parquet file does"},
		"too short":            {[]byte("PAR1"), "no Parquet file has fewer than 12"},
		"encrypted":            {encrypted, "is an encrypted Parquet file"},
		"a long footer":        {tail(nil, 1<<31), "its footer claims 2147483648"},
		"no footer":            {tail(nil, 0), "is damaged: the metadata is cut short"},
		"no beginning":         {append([]byte("PARX"), object[4:]...), "does not begin with PAR1"},
		"a page's checksum":    {replaced("text 5", "text 8"), `column "text": a page does not have its checksum`},
		"a million elements":   {tail(append([]byte{0x15, 4, 0x19, 0xfc, 0xc0, 0x84, 0x3d}, make([]byte, 1_000_000)...), 1_000_007), "more than 100,000 elements"},
		"a list of nothing":    {tail([]byte{0x15, 4, 0x19, 0xfc, 0xff, 0xff, 0xff, 0x7f}, 8), "the metadata is cut short"},
		"structs without end":  {tail(bytes.Repeat([]byte{0x1c}, 10_000), 10_000), "is no valid Thrift"},
		"another one's footer": {append(append(bytes.Clone(object[:4]), object[end:]...), nil...), "outside of the data"},
	} {
		_, err := attempted(t, parquet.Records[small]{}, c.object)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mem://test/in") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestPagesThatGrow verifies that pages and records that grow a thousandfold are refused
// before they take the memory, and say which option allows them.
func TestPagesThatGrow(t *testing.T) { //nolint:paralleltest // memory is counted
	type wide struct {
		Tags []string `parquet:"tags"`
	}
	text := strings.Repeat("a", 3<<20)
	object := written(t, parquet.Records[small]{}, []small{{Text: text}})
	_, err := attempted(t, parquet.Records[small]{Max: 1 << 20}, object)
	if err == nil || !strings.Contains(err.Error(), `row group 0, row 0: column "text": its pages need more than 1048576 bytes of memory at once: set Max`) {
		t.Errorf("a large page of %d bytes: %v", len(object), err)
	}
	if got, err := read(t, parquet.Records[small]{}, object, 1<<40); err != nil || len(got) != 1 || got[0].Text != text {
		t.Errorf("with the usual memory: %d records, %v", len(got), err)
	}
	many := written(t, parquet.Records[wide]{}, []wide{{slices.Repeat([]string{"a"}, 1<<20)}})
	_, err = attempted(t, parquet.Records[wide]{Max: 1 << 20}, many)
	if err == nil || !strings.Contains(err.Error(), "a record needs more than 1048576 bytes of memory") {
		t.Errorf("a large record of %d bytes: %v", len(many), err)
	}
}

// FuzzObjects verifies that any bytes are records or an error, with bounded memory.
func FuzzObjects(f *testing.F) {
	for _, codec := range []string{"uncompressed", "snappy", "gzip", "zstd", "lz4_raw"} {
		f.Add(written(f, parquet.Records[small]{Codec: codec}, smalls(9)))
	}
	f.Add(written(f, parquet.Records[small]{}, nil))
	f.Fuzz(func(t *testing.T, object []byte) {
		got, err := attempted(t, parquet.Records[small]{Nulls: true, Missing: true}, object)
		if err == nil && len(object) > 0 && len(object) < 12 {
			t.Errorf("%q is read as %v", object, got)
		}
		_, _ = attempted(t, parquet.Records[struct{}]{}, object)
		_, _ = attemptedFirst(t, parquet.Records[anything]{}, object, 100)
	})
}

// FuzzFooters does the same with the footer and the pages apart, so that the lengths at the
// end fit.
func FuzzFooters(f *testing.F) {
	for _, codec := range []string{"uncompressed", "zstd"} {
		object := written(f, parquet.Records[small]{Codec: codec}, smalls(9))
		end := footerOf(object)
		f.Add(object[4:end], object[end:len(object)-8])
	}
	f.Fuzz(func(t *testing.T, pages, footer []byte) {
		object := slices.Concat([]byte("PAR1"), pages, footer, binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), []byte("PAR1"))
		_, _ = attempted(t, parquet.Records[small]{Nulls: true, Missing: true}, object)
		_, _ = attemptedFirst(t, parquet.Records[anything]{}, object, 100)
	})
}
