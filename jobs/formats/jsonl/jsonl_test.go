package jsonl_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/jsonl"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type order struct {
	User  string            `json:"user"`
	Cents int64             `json:"cents"`
	Items []item            `json:"items,omitzero"`
	Tags  map[string]string `json:"tags,omitzero"`
	At    time.Time         `json:"at"`
	Note  *string           `json:"note,omitzero"`
}

type item struct {
	Name  string  `json:"name"`
	Price float64 `json:"price"`
}

// copied returns a job that writes the records it reads.
func copied[T any](format jsonl.Records[T]) *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, format).Write(format)
		return nil
	})
}

func run[T any](t *testing.T, format jsonl.Records[T], split int64, input string) (string, error) {
	t.Helper()
	got, err := minirun.Run(t.Context(), copied(format), minirun.Options{Split: split}, minirun.Object{Name: "in", Text: input})
	if err != nil {
		return "", err
	}
	return got.Text(), nil
}

// someOrder draws a record with texts that need escapes, and numbers of all sizes.
func someOrder(r *rand.Rand) order {
	text := func() string {
		runes := []rune("aß\"\\\n\t<&é日\u2028\x01 ")
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteRune(runes[r.IntN(len(runes))])
		}
		return b.String()
	}
	o := order{User: text(), Cents: int64(r.Uint64()), At: time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC()}
	for range r.IntN(3) {
		o.Items = append(o.Items, item{text(), r.NormFloat64() * 1e6})
	}
	for range r.IntN(3) {
		if o.Tags == nil {
			o.Tags = map[string]string{}
		}
		o.Tags[text()] = text()
	}
	if r.IntN(2) == 0 {
		note := text()
		o.Note = &note
	}
	return o
}

// TestRecordsAreReadWholeFromAnySplit writes random records by encoding/json, copies them
// with every size of sections, and reads them by encoding/json: each is there, once.
func TestRecordsAreReadWholeFromAnySplit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var input bytes.Buffer
		e := stdjson.NewEncoder(&input)
		var want []order
		for range 1 + r.IntN(10) {
			o := someOrder(r)
			if want = append(want, o); r.IntN(5) == 0 {
				input.WriteString(" \t\n")
			}
			if err := e.Encode(o); err != nil {
				t.Fatal(err)
			}
		}
		text := input.String()
		if r.IntN(2) == 0 {
			text = strings.TrimSuffix(text, "\n") // the last line needs no end
		}
		split := 1 + r.Int64N(int64(len(text)))
		got, err := run(t, jsonl.Records[order]{Strict: true}, split, text)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		d := stdjson.NewDecoder(strings.NewReader(got))
		for i := range want {
			var o order
			if err := d.Decode(&o); err != nil || !reflect.DeepEqual(o, want[i]) {
				t.Fatalf("seed %d, split %d: record %d is %+v, %v; want %+v", seed, split, i, o, err, want[i])
			}
		}
		if d.More() || strings.Count(got, "\n") != len(want) {
			t.Errorf("seed %d: more than %d records, or not one a line: %q", seed, len(want), got)
		}
	}
}

// TestLinesThatAreNoRecords verifies that an error names the byte, and what helps.
func TestLinesThatAreNoRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		input  string
		strict bool
		want   []string
	}{
		"cut short":            {"{\"user\":\"a\"}\n{\"user\":", false, []string{"byte 21 of mem://test/in", "a record must be in one line"}},
		"text":                 {"hay\n", false, []string{"byte 0 of mem://test/in"}},
		"two values":           {`{"user":"a"} {"user":"b"}`, false, []string{"byte 13 of mem://test/in"}},
		"an array":             {`[{"user":"a"},{"user":"b"}]`, false, []string{"byte 0 of mem://test/in", "jq -c '.[]'"}},
		"an array in lines":    {"[\n{\"user\":\"a\"}\n]\n", false, []string{"mem://test/in", "jq -c '.[]'"}},
		"in several lines":     {"{\n \"user\": \"a\"\n}\n", false, []string{"mem://test/in", "jq -c . writes it so"}},
		"a fraction":           {`{"cents":1.5}`, false, []string{"byte 9 of mem://test/in", "1.5"}},
		"too great":            {`{"cents":9223372036854775808}`, false, []string{"byte 9 of mem://test/in"}},
		"a text for a number":  {`{"cents":"1"}`, false, []string{`byte 9 of mem://test/in: in "/cents": a JSON string cannot be a Go int64`}},
		"an object for a list": {`{"items":{}}`, false, []string{`in "/items": a JSON object cannot be a Go []jsonl_test.item`}},
		"a name twice":         {`{"user":"a","user":"b"}`, false, []string{"duplicate"}},
		"no UTF-8":             {"{\"user\":\"\xff\"}", false, []string{"invalid UTF-8"}},
		"an unknown member":    {`{"user":"a","usr":"b"}`, true, []string{"usr"}},
	} {
		got, err := run(t, jsonl.Records[order]{Strict: test.strict}, 1<<20, test.input)
		if err == nil {
			t.Errorf("%s: it is read as %q", name, got)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, want %q in it", name, err, want)
			}
		}
	}
}

// TestMembers verifies which members are read.
func TestMembers(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`{"user":"a","other":[1,{}]}`:  `{"user":"a","cents":0,"at":"0001-01-01T00:00:00Z"}`,
		`{"User":"a"}`:                 `{"user":"","cents":0,"at":"0001-01-01T00:00:00Z"}`,
		`{"user":null,"cents":7}`:      `{"user":"","cents":7,"at":"0001-01-01T00:00:00Z"}`,
		"\ufeff" + `{"user":"<&"}`:     `{"user":"<&","cents":0,"at":"0001-01-01T00:00:00Z"}`,
		`{"user":"\u00e9","cents":-0}`: `{"user":"é","cents":0,"at":"0001-01-01T00:00:00Z"}`,
	} {
		got, err := run(t, jsonl.Records[order]{}, 1<<20, input)
		if err != nil || got != want+"\n" {
			t.Errorf("%s: %s, %v; want %s", input, got, err, want)
		}
	}
}

// TestNumbersWithoutLoss verifies numbers in fields of type any.
func TestNumbersWithoutLoss(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]any{
		"9007199254740993":      int64(9007199254740993), // no float64
		"-9223372036854775808":  int64(-9223372036854775808),
		"1.5":                   1.5,
		"1e3":                   1e3,
		"0.10":                  0.1,
		"1E+2":                  100.0,
		"-0":                    int64(0),
		"18446744073709551616":  nil, // 18446744073709552000 as a float64
		"18446744073709551617":  nil, // an error
		"0.1000000000000000055": nil,
		"1e400":                 nil,
	} {
		var got []any
		job := jobs.Define("numbers", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			records := jobs.Read(p, jsonl.Records[map[string]any]{})
			jobs.FlatMap(records, func(_ *jobs.Context, rec map[string]any, emit func(string)) error {
				got = append(got, rec["n"])
				emit(fmt.Sprint(rec["n"]))
				return nil
			}).WriteTSV()
			return nil
		})
		_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: `{"n":` + input + `}`})
		if want == nil {
			if err == nil {
				t.Errorf("%s is read as %v", input, got)
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s is read as %v, %v; want %v", input, got, err, want)
		}
	}
}

// TestArraysCanBeRecords verifies lines that are arrays, for a type that takes them.
func TestArraysCanBeRecords(t *testing.T) {
	t.Parallel()
	got, err := run(t, jsonl.Records[[]int]{}, 4, "[1,2]\n[]\n[3]")
	if lines := strings.Fields(got); err != nil || !slices.Equal(lines, []string{"[1,2]", "[]", "[3]"}) {
		t.Errorf("got %q, %v", lines, err)
	}
}

// TestADecoderOfTheJob verifies Decode: its result counts, and its errors have a place.
func TestADecoderOfTheJob(t *testing.T) {
	t.Parallel()
	format := jsonl.Records[item]{Decode: func(line []byte, rec *item) error {
		if len(line) > 3 {
			return errors.New("too long for me")
		}
		rec.Name = string(line)
		return nil
	}}
	if got, err := run(t, format, 1<<20, "hay\n"); err != nil || got != `{"name":"hay","price":0}`+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := run(t, format, 1<<20, "hay\nstack\n"); err == nil || !strings.Contains(err.Error(), "byte 4 of mem://test/in: too long for me") {
		t.Errorf("got %v", err)
	}
}

// TestRecordsThatCannotBeWritten verifies errors of records that JSON has no form for.
func TestRecordsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	job := jobs.Define("numbers", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func(line []byte) item { return item{Price: 1 / float64(len(line)-len(line))} }).Write(jsonl.Records[item]{})
		return nil
	})
	if _, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: "x\n"}); err == nil || !strings.Contains(err.Error(), "cannot be written as JSON") {
		t.Errorf("got %v", err)
	}
}

// FuzzRecords verifies that any bytes are read as encoding/json reads their lines, or are
// an error. encoding/json takes more: it ignores case, and takes what is not UTF-8.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{`{"name":"a","price":1}`, "{}\n\n{\"price\":1e3}", "[]", "{\"name\":\"\\u00e9\"}\r\n", `{"name":"a"`, "null\n7", `{"price":1e999}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		var want []string
		for line := range strings.Lines(strings.TrimPrefix(input, "\ufeff")) {
			if line = strings.Trim(line, " \t\r\n"); line == "" {
				continue
			}
			var rec item
			if stdjson.Unmarshal([]byte(line), &rec) != nil {
				want = nil
				break
			}
			b, err := stdjson.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(b))
		}
		got, err := run(t, jsonl.Records[item]{}, 7, input)
		if err != nil {
			return
		}
		var records []item
		for line := range strings.Lines(got) {
			var rec item
			if err := stdjson.Unmarshal([]byte(line), &rec); err != nil {
				t.Fatalf("%q is written, which is no record: %v", line, err)
			}
			records = append(records, rec)
		}
		if len(records) != len(want) {
			t.Fatalf("%q is read as %d records, encoding/json reads %q", input, len(records), want)
		}
	})
}

// BenchmarkScan reads records of 90 bytes, beside encoding/json on the same lines.
func BenchmarkScan(b *testing.B) {
	type event struct {
		User  string  `json:"user"`
		Event string  `json:"event"`
		Cents int64   `json:"cents"`
		Score float64 `json:"score"`
	}
	line := []byte(`{"user":"user-1234567","event":"checkout","cents":129900,"score":0.3125,"region":"eu"}` + "\n")
	input := bytes.Repeat(line, 20_000)
	b.Run("jsonl", func(b *testing.B) {
		job := jobs.Define("count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.Count(jobs.Read(p, jsonl.Records[event]{})).WriteTSV()
			return nil
		})
		b.SetBytes(int64(len(input)))
		for b.Loop() {
			if _, err := minirun.Run(b.Context(), job, minirun.Options{Split: 1 << 30}, minirun.Object{Name: "in", Text: string(input)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		for b.Loop() {
			for line := range bytes.Lines(input) {
				var e event
				if err := stdjson.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
