package avro_test

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/avro"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

type order struct {
	User  string           `avro:"user"`
	Cents int64            `avro:"cents"`
	Count int32            `avro:"count"`
	Rate  float64          `avro:"rate"`
	Small float32          `avro:"small"`
	Paid  bool             `avro:"paid"`
	Raw   []byte           `avro:"raw"`
	Hash  [4]byte          `avro:"hash"`
	Note  *string          `avro:"note"`
	At    time.Time        `avro:"at,timestamp-micros"`
	Milli time.Time        `avro:"milli"`
	Day   time.Time        `avro:"day,date"`
	Took  time.Duration    `avro:"took,time-micros"`
	Price *big.Rat         `avro:"price,decimal(12,2)"`
	ID    string           `avro:"id,uuid"`
	Items []item           `avro:"items"`
	Tags  map[string]int64 `avro:"tags"`
	Next  *order           `avro:"next"`
}

type item struct {
	Name  string `avro:"name"`
	Price int64  `avro:"price"`
}

// someOrder draws a record.
func someOrder(r *rand.Rand, deep int) order {
	text := func() string { return strings.Repeat("aß日\x00", r.IntN(4)) + fmt.Sprint(r.IntN(1000)) }
	o := order{
		User: text(), Cents: int64(r.Uint64()), Count: int32(r.Uint32()), Rate: r.NormFloat64(), Small: r.Float32(), Paid: r.IntN(2) == 0,
		Raw: []byte(text()), Hash: [4]byte{byte(r.IntN(256)), 1, 2}, At: time.UnixMicro(r.Int64N(1 << 50)).UTC(),
		Milli: time.UnixMilli(r.Int64N(1 << 40)).UTC(), Day: time.Unix(86400*r.Int64N(30000), 0).UTC(), Took: time.Duration(r.Int64N(86400e6)) * time.Microsecond,
		ID: fmt.Sprintf("6ba7b810-9dad-11d1-80b4-00c04fd4%04x", r.IntN(1<<16)), Items: []item{}, Tags: map[string]int64{},
	}
	if r.IntN(2) == 0 {
		note := text()
		o.Note = &note
	}
	if r.IntN(2) == 0 {
		o.Price = big.NewRat(r.Int64N(1e10), 100)
	}
	for range r.IntN(3) {
		o.Items = append(o.Items, item{text(), r.Int64N(1e6)})
	}
	for range r.IntN(5) {
		o.Tags[text()] = r.Int64N(100)
	}
	if deep > 0 && r.IntN(2) == 0 {
		next := someOrder(r, deep-1)
		o.Next = &next
	}
	return o
}

// fileOf writes records by the container of the library, in blocks of a few.
func fileOf[T any](t testing.TB, schema *oracle.Schema, codec string, perBlock int, records []T, options ...ocf.WriterOpt) string {
	t.Helper()
	codecs := map[string]ocf.Codec{"deflate": ocf.DeflateCodec(-1), "snappy": ocf.SnappyCodec(), "zstandard": ocf.MustZstdCodec(nil, nil)}
	if c := codecs[codec]; c != nil {
		options = append(options, ocf.WithCodec(c))
	}
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, schema, append(options, ocf.WithBlockCount(perBlock))...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := w.Encode(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// recordsOf reads records by the container of the library.
func recordsOf[T any](t testing.TB, files [][]byte) (all []T) {
	t.Helper()
	for _, file := range files {
		r, err := ocf.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		for {
			var rec T
			if err := r.Decode(&rec); err != nil {
				if err.Error() != "EOF" {
					t.Fatal(err)
				}
				break
			}
			all = append(all, rec)
		}
	}
	return all
}

// copied returns a job that writes the records it reads.
func copied[T any](from jobs.Reader[T], to jobs.Writer[T]) *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, from).Write(to)
		return nil
	})
}

// collected returns a job that appends the records it reads to all, with their positions.
func collected[T any](from jobs.Reader[T], all *[]T, at *[]jobs.Position) *jobs.Job {
	return jobs.Define("collect", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, from), func(ctx *jobs.Context, rec T, _ func([]byte)) error {
			*all = append(*all, rec)
			if at != nil {
				*at = append(*at, ctx.Position())
			}
			return nil
		}).WriteTSV()
		return nil
	})
}

func read[T any](t testing.TB, from jobs.Reader[T], split int64, text string) (all []T, err error) {
	t.Helper()
	_, err = minirun.Run(t.Context(), collected(from, &all, nil), minirun.Options{Split: split}, minirun.Object{Name: "in", Text: text})
	return all, err
}

// cut is a format whose objects are divided at given bytes.
type cut[T any] struct {
	avro.Records[T]
	At []int64
}

func (c cut[T]) Split(o jobs.Object, _ int64) (sections []jobs.Section, _ error) {
	from := int64(0)
	for _, to := range append(slices.Clone(c.At), o.Size) {
		if to > from {
			sections = append(sections, jobs.Section{Object: o, Offset: from, Length: to - from})
			from = to
		}
	}
	return sections, nil
}

var codecs = []string{"null", "deflate", "snappy", "zstandard"}

// TestRecordsAreReadOnceFromAnyCut divides an object in two at every byte, and in three at
// random ones: each record is read once, in its order.
func TestRecordsAreReadOnceFromAnyCut(t *testing.T) {
	t.Parallel()
	schema := oracle.MustSchemaFor[item]()
	var want []item
	for i := range 13 {
		want = append(want, item{strings.Repeat("x", i%7), int64(i)})
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, codec := range codecs {
		text := fileOf(t, schema, codec, 3, want)
		verify := func(at ...int64) {
			t.Helper()
			got, err := read[item](t, cut[item]{At: at}, 0, text)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s, cut at %v: %v, %v", codec, at, got, err)
			}
		}
		for at := range int64(len(text)) {
			verify(at)
		}
		for range 100 {
			at := []int64{r.Int64N(int64(len(text))), r.Int64N(int64(len(text)))}
			slices.Sort(at)
			verify(at...)
		}
	}
}

// TestRecordsAreCopiedFromAnySplit writes random records by another container, copies them
// with sections and blocks of every size and codec, and reads them by that container again.
func TestRecordsAreCopiedFromAnySplit(t *testing.T) {
	t.Parallel()
	schema := oracle.MustSchemaFor[order]()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		var want []order
		for range r.IntN(20) {
			want = append(want, someOrder(r, 2))
		}
		from, to := codecs[r.IntN(4)], codecs[r.IntN(4)]
		text := fileOf(t, schema, from, 1+r.IntN(5), want)
		split := 1 + r.Int64N(int64(len(text)))
		job := copied[order](avro.Records[order]{}, avro.Records[order]{Codec: to, BlockSize: 1 + r.IntN(1000)})
		whole := r.IntN(4) == 0
		result, err := minirun.Run(t.Context(), job, minirun.Options{Split: split}, minirun.Object{Name: "in", Text: text, Whole: whole})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got := recordsOf[order](t, result.Parts)
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d records, want %d", seed, len(got), len(want))
		}
		for i := range want {
			if !same(got[i], want[i]) {
				t.Fatalf("seed %d, split %d, %s to %s: record %d is\n%+v, want\n%+v", seed, split, from, to, i, got[i], want[i])
			}
		}
	}
}

// same compares numbers of any precision by value.
func same(a, b order) bool {
	for {
		if (a.Price == nil) != (b.Price == nil) || a.Price != nil && a.Price.Cmp(b.Price) != 0 || (a.Next == nil) != (b.Next == nil) {
			return false
		}
		next, other := a.Next, b.Next
		a.Price, b.Price, a.Next, b.Next = nil, nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			return false
		}
		if next == nil {
			return true
		}
		a, b = *next, *other
	}
}

// TestPositionsDoNotDependOnTheDivision verifies that positions grow and are the same
// whatever the sections, and name the byte of a record.
func TestPositionsDoNotDependOnTheDivision(t *testing.T) {
	t.Parallel()
	schema := oracle.MustSchemaFor[item]()
	records := make([]item, 200) // many of them in a few bytes at rest
	for _, codec := range codecs {
		text := fileOf(t, schema, codec, 100, records)
		var want []jobs.Position
		for _, split := range []int64{1 << 20, 1, 37} {
			var all []item
			var at []jobs.Position
			if _, err := minirun.Run(t.Context(), collected[item](avro.Records[item]{}, &all, &at), minirun.Options{Split: split}, minirun.Object{Name: "in", Text: text}); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = at
			}
			if len(at) != len(records) || !slices.Equal(at, want) {
				t.Fatalf("%s, split %d: positions are %v, want %v", codec, split, at, want)
			}
			for i := range at[1:] {
				if at[i].Offset >= at[i+1].Offset {
					t.Fatalf("%s: position %d is %v, and the next one %v", codec, i, at[i], at[i+1])
				}
			}
		}
	}
	job := jobs.Define("fail", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, avro.Records[item]{}), func(_ *jobs.Context, rec item, emit func([]byte)) error {
			if rec.Price == 7 {
				return fmt.Errorf("seven is bad")
			}
			return nil
		}).WriteTSV()
		return nil
	})
	for codec, want := range map[string]string{
		// A header of 226 bytes for null; blocks of two bytes of counts, two records of "a" (2 bytes) and a number (1), and 16 of marker.
		"null":   "failed on the record at byte %d of mem://test/in: seven is bad",
		"snappy": "failed on the record at byte 3 of the decompressed block at byte %d of mem://test/in: seven is bad",
	} {
		text := fileOf(t, schema, codec, 2, []item{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 7}})
		last := strings.LastIndex(text, "\x02d\x0e")
		block := int64(last - 3 - 2) // the record before, and two counts
		if codec == "snappy" {
			block -= 2 // the length, and the tag of the literal
		}
		place := block
		if codec == "null" {
			place = int64(last)
		}
		_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: text})
		if want := fmt.Sprintf(want, place); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", codec, err, want)
		}
	}
}

// TestAMarkerInsideOfABlock divides an object whose data holds its own marker, and blocks
// behind it that look real, at every byte. The job fails whatever the division. Read as a
// whole, there is nothing wrong with it.
func TestAMarkerInsideOfABlock(t *testing.T) {
	t.Parallel()
	type file struct {
		Text []byte `avro:"text"`
	}
	schema := oracle.MustSchemaFor[file]()
	marker := [16]byte([]byte("0123456789abcdef"))
	inner := fileOf(t, schema, "null", 1, []file{{[]byte("false")}, {[]byte("wrong")}}, ocf.WithSyncMarker(marker))
	text := fileOf(t, schema, "null", 1, []file{{[]byte("right")}, {[]byte(inner)}, {[]byte("last")}}, ocf.WithSyncMarker(marker))
	inside := strings.Index(text, inner) + strings.Index(inner, string(marker[:]))
	want := fmt.Sprintf("byte %d of mem://test/in: the sync marker occurs inside of a block", inside)
	seen := false
	for at := range int64(len(text)) {
		got, err := read[file](t, cut[file]{At: []int64{at}}, 0, text)
		if err == nil {
			t.Fatalf("cut at byte %d: %q is read", at, got)
		}
		seen = seen || strings.Contains(err.Error(), want)
	}
	if !seen {
		t.Errorf("no error says %q", want)
	}
	var all []file
	if _, err := minirun.Run(t.Context(), collected[file](avro.Records[file]{}, &all, nil), minirun.Options{}, minirun.Object{Name: "in", Text: text, Whole: true}); err != nil || len(all) != 3 || string(all[1].Text) != inner {
		t.Errorf("as a whole: %q, %v", all, err)
	}

	// Half of the marker at the end of a block is half of another one.
	tricky := [16]byte([]byte("abababababababab"))
	text = fileOf(t, schema, "null", 1, []file{{[]byte("xxab")}}, ocf.WithSyncMarker(tricky))
	if _, err := read[file](t, avro.Records[file]{}, 0, text); err == nil || !strings.Contains(err.Error(), "the sync marker occurs inside of a block") {
		t.Errorf("a marker that overlaps that of the block: %v", err)
	}
}

// TestAFileOfItselfIsNotWritten verifies that a record with the file's own marker is an
// error, not a file that cannot be read.
func TestAFileOfItselfIsNotWritten(t *testing.T) {
	t.Parallel()
	type file struct {
		Text []byte `avro:"text"`
	}
	var first []byte
	job := jobs.Define("twice", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func(line []byte) file {
			if string(line) == "copy" {
				return file{first}
			}
			return file{bytes.Clone(line)}
		}).Write(avro.Records[file]{BlockSize: 1})
		return nil
	})
	result, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	first = []byte(result.Text())
	if _, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("a", "copy")); err == nil || !strings.Contains(err.Error(), "a record holds the bytes that are the sync marker of its own file: use another Codec") {
		t.Errorf("got %v", err)
	}
}

// TestTheSameRecordsAreTheSameBytes verifies that an attempt that runs again writes the
// same part, maps included.
func TestTheSameRecordsAreTheSameBytes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	var records []order
	for range 50 {
		records = append(records, someOrder(r, 2))
	}
	text := fileOf(t, oracle.MustSchemaFor[order](), "null", 7, records)
	for _, codec := range codecs {
		parts := map[string]bool{}
		for range 5 {
			result, err := minirun.Run(t.Context(), copied[order](avro.Records[order]{}, avro.Records[order]{Codec: codec}), minirun.Options{}, minirun.Object{Name: "in", Text: text})
			if err != nil {
				t.Fatal(err)
			}
			parts[result.Text()] = true
		}
		if len(parts) != 1 {
			t.Errorf("%s: five runs write %d different parts", codec, len(parts))
		}
	}
}

// TestPartsOfATask verifies parts without records, blocks by size, and parts by a key.
func TestPartsOfATask(t *testing.T) {
	t.Parallel()
	job := jobs.Define("parts", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		items := jobs.Convert(jobs.ReadLines(p), func(line []byte) item { return item{string(line), int64(len(line))} })
		items.Write(avro.Records[item]{BlockSize: 10}).PartitionBy(func(i item) string { return fmt.Sprintf("price=%d", i.Price) })
		return nil
	})
	result, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("aa", "b", "cc", "d"))
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]item{"price=1": {{"b", 1}, {"d", 1}}, "price=2": {{"aa", 2}, {"cc", 2}}} {
		if got := recordsOf[item](t, result.Outputs[dir]); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", dir, got, want)
		}
	}
	none := jobs.Define("none", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.ReadLines(p), func(*jobs.Context, []byte, func(item)) error { return nil }).Write(avro.Records[item]{})
		return nil
	})
	result, err = minirun.Run(t.Context(), none, minirun.Options{}, minirun.Lines("a"))
	if err != nil {
		t.Fatal(err)
	}
	if got := recordsOf[item](t, result.Parts); len(got) != 0 || len(result.Text()) == 0 {
		t.Errorf("a part without records has %v in %d bytes", got, len(result.Text()))
	}
	if got, err := read[item](t, avro.Records[item]{}, 1, result.Text()); err != nil || len(got) != 0 {
		t.Errorf("a part without records is read as %v, %v", got, err)
	}
}

// TestOnTheEngine runs a job on the engine, in all the ways it can be divided.
func TestOnTheEngine(t *testing.T) {
	t.Parallel()
	var records []item
	for i := range 2000 {
		records = append(records, item{fmt.Sprint("name-", i%10), int64(i)})
	}
	job := jobs.Define("sums", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.Read(p, avro.Records[item]{}), func(_ *jobs.Context, i item, emit jobs.Emit[string, int64]) error {
			emit(i.Name, i.Price)
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	var want []string
	for i := range int64(10) { // the sum of i, i+10, …, i+1990
		want = append(want, fmt.Sprintf("name-%d\t%d", i, 200*i+10*199*200/2))
	}
	for _, codec := range codecs {
		jobstest.Run(t, job, jobstest.File("", "a.avro", fileOf(t, oracle.MustSchemaFor[item](), codec, 50, records)), jobstest.Strict()).Want(want...)
	}
}

// TestOptionsThatCannotBe verifies errors of options and types.
func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	text := fileOf(t, oracle.MustSchemaFor[item](), "null", 1, []item{{"a", 1}})
	for _, c := range []struct {
		options avro.Records[item]
		want    string
	}{
		{avro.Records[item]{Codec: "xz"}, `avro.Records{Codec: "xz"}`},
		{avro.Records[item]{Max: -1}, "avro.Records{Max: -1}"},
		{avro.Records[item]{Max: 1 << 30}, "avro.Records{Max: 1073741824}"},
		{avro.Records[item]{Max: 10, BlockSize: 11}, "avro.Records{BlockSize: 11}"},
		{avro.Records[item]{Schema: `{"type":"record"}`}, "avro.Records{Schema: …}"},
	} {
		if _, err := read[item](t, c.options, 0, text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.options, err)
		}
	}
	if _, err := read[int64](t, avro.Records[int64]{}, 0, text); err == nil || !strings.Contains(err.Error(), "a int64 has no schema by itself: set Schema") {
		t.Errorf("a number: %v", err)
	}
	type anything struct{ A any }
	if _, err := read[anything](t, avro.Records[anything]{}, 0, text); err == nil || !strings.Contains(err.Error(), "set Schema of avro.Records") {
		t.Errorf("a field of type any: %v", err)
	}
}

// BenchmarkRead reads records of about 40 bytes.
func BenchmarkRead(b *testing.B) {
	type event struct {
		User  string  `avro:"user"`
		Event string  `avro:"event"`
		Cents int64   `avro:"cents"`
		Score float64 `avro:"score"`
	}
	records := make([]event, 100_000)
	for i := range records {
		records[i] = event{fmt.Sprint("user-", i*7919%1_000_003), "checkout", int64(i) * 31 % 200_000, float64(i%1000) / 8}
	}
	for _, codec := range codecs {
		text := fileOf(b, oracle.MustSchemaFor[event](), codec, 1000, records)
		plain := fileOf(b, oracle.MustSchemaFor[event](), "null", 1000, records)
		b.Run(codec, func(b *testing.B) {
			job := jobs.Define("count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
				jobs.Count(jobs.Read(p, avro.Records[event]{})).WriteTSV()
				return nil
			})
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				if _, err := minirun.Run(b.Context(), job, minirun.Options{Split: 1 << 30}, minirun.Object{Name: "in", Text: text}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
