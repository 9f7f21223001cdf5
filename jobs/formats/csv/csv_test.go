package csv_test

import (
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

type common struct {
	At    time.Time `csv:"at"`
	Score *float64  `csv:"score"`
}

type city struct {
	Country string
	Name    string `csv:"city"`
	People  int64  `csv:"people"`
	common
	Note   *string `csv:"note"`
	Big    bool
	Rank   uint8
	Hidden func() `csv:"-"`
}

// copied returns a job that writes the records it reads.
func copied[T any](in, out csv.Records[T]) *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, in).Write(out)
		return nil
	})
}

// run runs a job over a text in sections of some size, and returns what it writes.
func run(t *testing.T, job *jobs.Job, text string, section int64) (string, error) {
	t.Helper()
	result, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 1, Split: section}, minirun.Object{Name: "in", Text: text})
	if err != nil {
		return "", err
	}
	return result.Text(), nil
}

// rows returns a job's records as the oracle reads them, over any sections: parts follow
// each other, each with its header if there is one.
func rows(t *testing.T, f csv.Records[[]string], text string, section int64) ([][]string, error) {
	t.Helper()
	var got [][]string
	job := jobs.Define("rows", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		out := csv.Records[[]string]{NoHeader: true, Multiline: true}
		jobs.Read(p, f).Write(out)
		return nil
	})
	written, err := run(t, job, text, section)
	if err != nil {
		return nil, err
	}
	r := stdcsv.NewReader(strings.NewReader(written))
	r.FieldsPerRecord = -1
	got, err = r.ReadAll()
	if err != nil {
		t.Fatalf("the oracle cannot read %q: %v", written, err)
	}
	return got, nil
}

// TestTypedRecords verifies that all kinds of fields are read by the names of the header,
// in any order, and written in the order of the struct.
func TestTypedRecords(t *testing.T) {
	t.Parallel()
	text := "\xef\xbb\xbfpeople,extra,city,Country,at,note,score,Big,Rank\r\n" +
		"31000,x,\"Zug, \"\"Zug\"\"\",CH,2026-11-28T10:00:00Z,,1.5,true,1\r\n" +
		"\r\n" +
		"7,,Oslo,NO,2026-11-28T10:00:00.5+01:00,\"\",,false,255"
	want := "Country,city,people,at,score,note,Big,Rank\n" +
		"CH,\"Zug, \"\"Zug\"\"\",31000,2026-11-28T10:00:00Z,1.5,,true,1\n" +
		"NO,Oslo,7,2026-11-28T10:00:00.5+01:00,,\"\",false,255\n"
	got, err := run(t, copied(csv.Records[city]{}, csv.Records[city]{}), text, 0)
	if err != nil || got != want {
		t.Errorf("read as\n%s, want\n%s; %v", got, want, err)
	}
}

// TestSplitAnywhere verifies that any sections of an object have the records of the whole,
// each once: those of encoding/csv. Quotes, commas, empty fields, and lines of all ends
// are drawn.
func TestSplitAnywhere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		multi, header := r.IntN(3) == 0, r.IntN(2) == 0
		text := randomText(r, multi)
		oracle := stdcsv.NewReader(strings.NewReader(text))
		want, err := oracle.ReadAll()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if header && len(want) > 0 {
			want = want[1:]
		}
		for _, section := range []int64{1, 2, 3, 5, 8, 21, 1000} {
			got, err := rows(t, csv.Records[[]string]{NoHeader: !header, Multiline: multi}, text, section)
			if err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, sections of %d bytes of %q: %q, want %q; %v", seed, section, text, got, want, err)
			}
		}
	}
}

// randomText returns records of three fields, and empty lines.
func randomText(r *rand.Rand, multi bool) string {
	var b strings.Builder
	for range r.IntN(12) {
		for i := range 3 {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(randomField(r, multi))
		}
		b.WriteString([]string{"\n", "\r\n", "\n\n"}[r.IntN(3)])
	}
	return b.String()
}

func randomField(r *rand.Rand, multi bool) string {
	if r.IntN(2) == 0 {
		return []string{"", "a", "-1", "é", "long text", "--"}[r.IntN(6)] // a - differs from a comma by one bit
	}
	parts := []string{`""`, ",", "a", "é", " ", "''"}
	if multi {
		parts = append(parts, "\n", "\n\n", "\n,", "\n\"\"")
	}
	var b strings.Builder
	b.WriteByte('"')
	for range r.IntN(5) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	b.WriteByte('"')
	return b.String()
}

// TestRoundTrip verifies that records which are written are read again as they were, with
// each set of options, or are refused.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	type row struct {
		A string
		B *string
		C []byte
		D float32
	}
	pieces := []string{"", ",", "\t", `"`, "\n", "\r", "\r\n", "#", "a", "\xef\xbb\xbf", "\xff", " ", "\x00"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		draw := func() string {
			var b strings.Builder
			for range r.IntN(4) {
				b.WriteString(pieces[r.IntN(len(pieces))])
			}
			return b.String()
		}
		f := csv.Records[row]{NoHeader: r.IntN(2) == 0, Multiline: r.IntN(2) == 0}
		if r.IntN(2) == 0 {
			f.Comma = '\t'
		}
		if r.IntN(3) == 0 {
			f.Comment = '#'
		}
		if r.IntN(3) == 0 {
			f.Unquoted, f.Multiline = true, false
		}
		records := make([]row, r.IntN(4))
		for i := range records {
			records[i] = row{A: draw(), C: []byte(draw()), D: r.Float32()}
			if s := draw(); r.IntN(2) == 0 && (s != "" || !f.Unquoted) {
				records[i].B = &s
			}
		}
		text, err := written(f, records)
		if err != nil {
			if text := fmt.Sprintf("%+q", show(records)); !f.Unquoted && (f.Multiline || !strings.Contains(text, `\n`)) {
				t.Errorf("seed %d: %s cannot be written with %+v: %v", seed, text, f, err)
			}
			continue
		}
		var got []row
		job := jobs.Define("read", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.FlatMap(jobs.Read(p, f), func(_ *jobs.Context, rec row, _ func([]byte)) error {
				rec.C = bytes.Clone(rec.C)
				got = append(got, rec)
				return nil
			}).Write(copyOf{})
			return nil
		})
		if _, err := run(t, job, text, 0); err != nil || show(got) != show(records) {
			t.Errorf("seed %d, %+v: %s is read as %s from %q; %v", seed, f, show(records), show(got), text, err)
		}
	}
}

// show returns records with the texts that their pointers lead to.
func show(records any) string {
	var b strings.Builder
	v := reflect.ValueOf(records)
	for i := range v.Len() {
		for _, f := range v.Index(i).Fields() {
			f = reflect.Indirect(f)
			if !f.IsValid() {
				b.WriteString("nil|")
				continue
			}
			fmt.Fprintf(&b, "%q|", fmt.Sprintf("%s", f.Interface()))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// copyOf writes nothing.
type copyOf struct{}

func (copyOf) Ext() string                                       { return ".none" }
func (copyOf) Open(jobs.Part) (jobs.RecordWriter[[]byte], error) { return copyOf{}, nil }
func (copyOf) Write([]byte) error                                { return nil }
func (copyOf) Close() error                                      { return nil }

// written returns the part that a format makes of records.
func written[T any](f csv.Records[T], records []T) (string, error) {
	var b bytes.Buffer
	w, err := f.Open(jobs.Part{Writer: &b})
	if err != nil {
		return "", err
	}
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			return "", err
		}
	}
	err = w.Close()
	return b.String(), err
}

// TestTSVIsRead verifies that lines which text.TSV writes are read as they were, quotes,
// empty fields and records without text included.
func TestTSVIsRead(t *testing.T) {
	t.Parallel()
	type two struct{ A, B string }
	type one struct{ A string }
	check := func(want string, job *jobs.Job) {
		t.Helper()
		for _, section := range []int64{0, 1, 4} {
			if got, err := run(t, job, want, section); err != nil || got != want {
				t.Errorf("in sections of %d bytes %q is read as %q; %v", section, want, got, err)
			}
		}
	}
	check("a\tb\n\t\n\"x\"\t\"\n,\té\n", jobs.Define("two", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, csv.Records[two]{Comma: '\t', NoHeader: true, Unquoted: true}).Write(text.TSV[two]{})
		return nil
	}))
	check("a\n\n\"\n\n", jobs.Define("one", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, csv.Records[one]{Comma: '\t', NoHeader: true, Unquoted: true}).Write(text.TSV[one]{})
		return nil
	}))
}

type pair struct {
	A string `csv:"a"`
	N int32  `csv:"n"`
}

// TestMistakes verifies that each mistake in an object is an error with the byte and the
// column, and the same one in any sections.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f    csv.Records[pair]
		text string
		want string
	}{
		{csv.Records[pair]{}, "a,n\nx,1\ny\n", "byte 8 of mem://test/in: the number of fields is 1, and that of columns 2"},
		{csv.Records[pair]{}, "a,n\nx,1\ny,2,3\n", "byte 8 of mem://test/in: the number of fields is 3"},
		{csv.Records[pair]{}, "a,n\nx,1\ny,z\n", `byte 10 of mem://test/in: column "n": "z" cannot be a Go int32: invalid syntax`},
		{csv.Records[pair]{}, "a,n\nx,1\ny,\n", `byte 10 of mem://test/in: column "n": the field is empty, and cannot be a Go int32: a *int32 is nil then`},
		{csv.Records[pair]{}, "a,n\nx,1\ny,3000000000\n", `"3000000000" cannot be a Go int32: value out of range`},
		{csv.Records[pair]{}, "a,n\nx,1\n\"y,1\n", "byte 8 of mem://test/in: a quote is opened that is not closed in its line: set Multiline"},
		{csv.Records[pair]{}, "a,n\nx,1\ny\"y,1\n", "byte 9 of mem://test/in: a quote is within a field"},
		{csv.Records[pair]{}, "a,n\nx,1\n\"y\"y,1\n", "byte 11 of mem://test/in: text follows a closing quote"},
		{csv.Records[pair]{Multiline: true}, "a,n\nx,1\nz,\"1\nu\n", "byte 10 of mem://test/in: a quote is opened that is not closed within"},
		{csv.Records[pair]{Multiline: true}, "a,n\nx,1\nz\"\n\"z,\"1\"\n", "byte 9 of mem://test/in: a quote is within a field"},
		{csv.Records[pair]{}, "b,n\nx,1\n", `byte 0 of mem://test/in: there is no column "a": the columns are "b", "n"; name one`},
		{csv.Records[pair]{}, "a,a,n\nx,1,1\n", `the columns 1 and 2 have the name "a"`},
		{csv.Records[pair]{Strict: true}, "a,n,o\nx,1,1\n", `the column "o" has no field in csv_test.pair`},
		{csv.Records[pair]{Comma: '"'}, "a,n\n", "choose a byte that is no quote"},
		{csv.Records[pair]{Comment: ','}, "a,n\n", "choose a byte that is no quote, no line end and not the one between"},
		{csv.Records[pair]{Max: 1 << 31}, "a,n\n", "at most 1 GiB"},
		{csv.Records[pair]{Multiline: true, Unquoted: true}, "a,n\n", "without quotes no field can have a line feed"},
		{csv.Records[pair]{Max: 4}, "a,n\nx,1\nyyyyyyyyyy,1\n", "longer than 4 bytes"},
	} {
		for _, section := range []int64{0, 1, 3, 4, 7} {
			got, err := run(t, copied(c.f, csv.Records[pair]{}), c.text, section)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q in sections of %d bytes: %q, %v; want %s", c.text, section, got, err, c.want)
			}
		}
	}
}

// TestOptions verifies lenient reading, comments, other bytes between fields, and quotes
// that are data.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f    csv.Records[[]string]
		text string
		want [][]string
	}{
		{csv.Records[[]string]{Ragged: true}, "a,b\n1\n1,2,3\n", [][]string{{"1"}, {"1", "2", "3"}}},
		{csv.Records[[]string]{NoHeader: true}, "1\n1,2\n3\n", [][]string{{"1"}, {"1", "2"}, {"3"}}},
		{csv.Records[[]string]{Comment: '#'}, "# first\na,b\n#1,2\n3,4\n", [][]string{{"3", "4"}}},
		{csv.Records[[]string]{NoHeader: true, Comma: ';'}, "a;\"b;c\"\n", [][]string{{"a", "b;c"}}},
		{csv.Records[[]string]{NoHeader: true, Comma: '\t', Unquoted: true}, "a\"\t\"b\n", [][]string{{"a\"", "\"b"}}},
		{csv.Records[[]string]{}, "", nil},
		{csv.Records[[]string]{}, "a,b\n", nil},
	} {
		for _, section := range []int64{0, 1, 2, 5} {
			got, err := rows(t, c.f, c.text, section)
			if err != nil || len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q in sections of %d bytes: %q, want %q; %v", c.text, section, got, c.want, err)
			}
		}
	}
	got, err := run(t, copied(csv.Records[pair]{Ragged: true}, csv.Records[pair]{}), "n\n5\n6,7\n", 0)
	if want := "a,n\n,5\n,6\n"; err != nil || got != want {
		t.Errorf("a column that is missing: %q, want %q; %v", got, want, err)
	}
}

// stamped has the methods of the time that it embeds.
type stamped struct {
	time.Time
	By string
}

// TestEmbeddedMethods verifies that a struct whose methods are those of one field is read
// and written by all its fields.
func TestEmbeddedMethods(t *testing.T) {
	t.Parallel()
	want := "Time,By,N\n2026-11-28T10:00:00Z,ada,7\n"
	type row struct {
		stamped
		N int
	}
	if got, err := run(t, copied(csv.Records[row]{}, csv.Records[row]{}), want, 0); err != nil || got != want {
		t.Errorf("%q, want %q; %v", got, want, err)
	}
}

// TestTypesThatAreNoRecords verifies that types without columns are refused, and say how
// to have some.
func TestTypesThatAreNoRecords(t *testing.T) {
	t.Parallel()
	refuse := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := written(csv.Records[int]{}, nil)
	refuse("structs or []string, not int", err)
	_, err = written(csv.Records[struct{ A []int }]{}, nil)
	refuse("field A of struct { A []int }: a []int is no column", err)
	_, err = written(csv.Records[struct{ A **int }]{}, nil)
	refuse("one pointer is enough", err)
	_, err = written(csv.Records[struct {
		A int `csv:"B"`
		B int
	}]{}, nil)
	refuse(`two columns "B"`, err)
	_, err = written(csv.Records[struct{ a int }]{}, nil)
	refuse("no exported fields", err)
	_, err = written(csv.Records[struct{ *common }]{}, nil)
	refuse("field common of struct { *csv_test.common }: a csv_test.common is no column", err)
	_, err = written(csv.Records[struct{ Stamped stamped }]{}, nil)
	refuse("a csv_test.stamped is no column", err)
	_, err = written(csv.Records[[]string]{}, nil)
	refuse("set NoHeader", err)
	_, err = written(csv.Records[pair]{}, []pair{{"a\nb", 1}})
	refuse(`column "a" of a record: it has a line feed: set Multiline`, err)
}

// TestQuotesSayWhereRecordsBegin verifies that any sections of an object have each record
// once, where all quotes stand between commas and line ends, so that they could as well
// close as open; and where the nearest quote is farther away than the longest record.
func TestQuotesSayWhereRecordsBegin(t *testing.T) {
	t.Parallel()
	repeat := func(unit string, size int) string { return strings.Repeat(unit, size/len(unit)+1) }
	for name, c := range map[string]struct {
		text string
		most int
	}{
		"any parity":             {repeat("\",\",\",\"\n", 200_000), 0},
		"any parity, line feeds": {repeat("\"\n\",\"\n,\n\"\n", 200_000), 0},
		"an odd number":          {repeat("\"\n\",\n", 200_000), 0},
		"no quotes":              {repeat("one,two\n", 200_000), 70_000},
		"no quotes at first":     {repeat("one,two\n", 150_000) + repeat("\"1\n2\",\"\"\n", 150_000), 1000},
		"no quotes at last":      {repeat("\"1\n2\",\"\"\"\"\n", 150_000) + repeat("one,two\n", 150_000), 1000},
		"long fields":            {repeat("\""+repeat("one,\n", 90_000)+"\",two\n", 200_000), 100_000},
		"a header of two lines":  {"\"a\nb\",c\n" + repeat("\"1\n2\",\n", 1000), 0},
	} {
		oracle := stdcsv.NewReader(strings.NewReader(c.text))
		want, err := oracle.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range []bool{false, true} {
			want := want
			if header {
				want = want[1:]
			}
			for _, section := range []int64{20_000, 77_777, int64(len(c.text)) - 3} {
				got, err := rows(t, csv.Records[[]string]{NoHeader: !header, Multiline: true, Max: c.most}, c.text, section)
				if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
					t.Errorf("%s, sections of %d bytes: %d records, want %d; %v", name, section, len(got), len(want), err)
				}
			}
		}
	}
}

// TestAMistakeFarAway verifies that a byte which cannot be in an object is an error in any
// sections, with its offset, also where it makes a wrong record look like the right one.
func TestAMistakeFarAway(t *testing.T) {
	t.Parallel()
	plain, quoted := strings.Repeat("one,two\n", 12_000), strings.Repeat("\"1\n2\",\"\"\n", 12_000)
	for _, wrong := range []string{"x,y\",w\n", "x,\"y\"z\n", "x\"\n", "\"x\"\r,\n", "\"x\n"} {
		for name, text := range map[string]string{
			"plain": plain + wrong + plain, "quoted": quoted + wrong + quoted, "before": quoted + wrong + plain, "behind": plain + wrong + quoted,
		} {
			if wrong == "\"x\n" && name != "plain" && name != "before" {
				continue // the next quote closes it
			}
			_, want := rows(t, csv.Records[[]string]{NoHeader: true, Multiline: true, Ragged: true}, text, 0)
			for _, section := range []int64{30_000, 66_001, int64(len(text)) / 2, int64(len(text)) - 7} {
				if got, err := rows(t, csv.Records[[]string]{NoHeader: true, Multiline: true, Ragged: true}, text, section); err == nil {
					t.Errorf("%s with %q, sections of %d bytes: %d records, want the error %v", name, wrong, section, len(got), want)
				} else if at, _, _ := strings.Cut(want.Error(), ": "); !strings.Contains(err.Error(), at) {
					t.Errorf("%s with %q, sections of %d bytes: %v, want %v", name, wrong, section, err, want)
				}
			}
		}
	}
}

// TestAMistakeBeforeASectionIsItsCause verifies that a section with wrong records because of
// a mistake in front of it reports that.
func TestAMistakeBeforeASectionIsItsCause(t *testing.T) {
	t.Parallel()
	const text = "a,1\nz,\"1\nu,1,1\n"
	built, err := copied(csv.Records[pair]{NoHeader: true, Multiline: true}, csv.Records[pair]{}).Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := plan.Object{Root: "mem://test", Key: "in", Size: int64(len(text))}
	err = built.Steps[0].Run(&pipeline.Task{
		Context: t.Context(), ID: plan.TaskID{Phase: plan.Map}, Tally: &plan.Tally{}, Progress: &pipeline.Progress{},
		Sections: []pipeline.Section{{
			Section: plan.Section{Object: o, Offset: 8, Length: o.Size - 8},
			Open: func(_ context.Context, off int64) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(text[off:])), nil
			},
			ReadAt: func(_ context.Context, p []byte, off int64) error {
				copy(p, text[off:])
				return nil
			},
		}},
		Part: func(int, string) (pipeline.Part, error) { return ignored{}, nil },
	})
	if want := "byte 6 of mem://test/in: a quote is opened that is not closed"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// ignored is a part without bytes.
type ignored struct{}

func (ignored) Write(p []byte) (int, error) { return len(p), nil }
func (ignored) End(int64) error             { return nil }

// FuzzSections verifies that reading agrees with encoding/csv for any bytes, or refuses
// them, in any sections alike.
func FuzzSections(f *testing.F) {
	f.Add("a,b\n1,\"2\n3\"\n", int64(3), true, false)
	f.Add("a,\"b\"\"\"\r\n\r\n,\n", int64(1), false, false)
	f.Add("#\"\n\"#\n\"\n#,\",\",#\n", int64(1), true, true)
	f.Add("\",\n\",\",\n\",\",\",\"\n\",\",\"\"\"\n", int64(2), true, false)
	f.Fuzz(func(t *testing.T, text string, section int64, multi, comment bool) {
		format := csv.Records[[]string]{NoHeader: true, Multiline: multi, Ragged: true}
		if comment {
			format.Comment = '#'
		}
		whole, err := rows(t, format, text, 0)
		cut, cutErr := rows(t, format, text, 1+(section&0xff))
		if (err == nil) != (cutErr == nil) || err == nil && !reflect.DeepEqual(whole, cut) {
			t.Fatalf("%q: %q and %v whole, %q and %v in sections of %d", text, whole, err, cut, cutErr, 1+(section&0xff))
		}
		oracle := stdcsv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
		oracle.FieldsPerRecord, oracle.Comment = -1, rune(format.Comment)
		want, wantErr := oracle.ReadAll()
		if err == nil && multi && wantErr == nil && !slices.EqualFunc(whole, want, slices.Equal) && !strings.Contains(text, "\r") {
			t.Fatalf("%q: %q, want %q", text, whole, want)
		}
		if wantErr == nil && multi && err != nil {
			t.Fatalf("%q is refused: %v", text, err)
		}
	})
}

// BenchmarkRead compares the reader with encoding/csv: plain fields, and fields in quotes.
func BenchmarkRead(b *testing.B) {
	for name, line := range map[string]string{
		"plain":  "id0123456,2026-11-28,18273645,some words of text,3.14159,CH\n",
		"quoted": "\"id0123456\",\"2026-11-28\",\"18273645\",\"some \"\"words\"\" of text\",\"3.14159\",\"CH\"\n",
	} {
		text := strings.Repeat(line, (16<<20)/len(line))
		b.Run(name+"/windrow", func(b *testing.B) {
			type row struct{ A, B, C, D, E, F []byte }
			records := 0
			job := jobs.Define("read", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
				jobs.FlatMap(jobs.Read(p, csv.Records[row]{NoHeader: true}), func(_ *jobs.Context, _ row, _ func([]byte)) error {
					records++
					return nil
				}).Write(copyOf{})
				return nil
			})
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Object{Name: "in", Text: text}); err != nil {
					b.Fatal(err)
				}
			}
			if records%(len(text)/len(line)) != 0 {
				b.Fatalf("%d records", records)
			}
		})
		b.Run(name+"/encoding_csv", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r := stdcsv.NewReader(strings.NewReader(text))
				r.ReuseRecord = true
				for {
					if _, err := r.Read(); err != nil {
						break
					}
				}
			}
		})
	}
}
