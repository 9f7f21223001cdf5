package lengths_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/lengths"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

var prefixes = []lengths.Prefix{lengths.Uvarint, lengths.Big32, lengths.Little32, lengths.Big64, lengths.Little64}

// prefix returns a length by the standard library.
func prefix(p lengths.Prefix, n int) []byte {
	var b bytes.Buffer
	var err error
	switch p {
	case lengths.Uvarint:
		return binary.AppendUvarint(nil, uint64(n))
	case lengths.Big32:
		err = binary.Write(&b, binary.BigEndian, uint32(n))
	case lengths.Little32:
		err = binary.Write(&b, binary.LittleEndian, uint32(n))
	case lengths.Big64:
		err = binary.Write(&b, binary.BigEndian, uint64(n))
	case lengths.Little64:
		err = binary.Write(&b, binary.LittleEndian, uint64(n))
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

func object(p lengths.Prefix, records ...string) string {
	var b strings.Builder
	for _, rec := range records {
		b.Write(prefix(p, len(rec)))
		b.WriteString(rec)
	}
	return b.String()
}

func copied(from, to lengths.Records) *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, from).Write(to)
		return nil
	})
}

// TestRecordsAreCopied writes records of all sizes by hand, and copies them from each prefix
// to each other.
func TestRecordsAreCopied(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		records := []string{""}
		for range r.IntN(300) {
			records = append(records, strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(1<<r.IntN(15))))
		}
		if seed == 0 {
			records = append(records, strings.Repeat("long", 200_000))
		}
		for _, from := range prefixes {
			for _, to := range prefixes {
				for _, whole := range []bool{false, true} {
					result, err := minirun.Run(t.Context(), copied(lengths.Records{Prefix: from}, lengths.Records{Prefix: to}),
						minirun.Options{Split: 1 + r.Int64N(1000)}, minirun.Object{Text: object(from, records...), Whole: whole})
					if err != nil || result.Text() != object(to, records...) {
						t.Fatalf("seed %d, %v to %v: %v", seed, from, to, err)
					}
				}
			}
		}
	}
}

// TestLengthsThatCannotBe verifies that lengths that lie, and objects that are cut short,
// are errors with object and offset, in bounded memory.
func TestLengthsThatCannotBe(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	for _, test := range []struct {
		format lengths.Records
		text   string
		want   []string
	}{
		{lengths.Records{}, "\x01a\xff\xff\xff\xff\x0f", []string{"byte 2 of mem://test/in: the record that begins there has 4294967295 bytes, and the limit is 16777216: raise Max"}},
		{lengths.Records{}, "\x01a" + strings.Repeat("\xff", 11), []string{"byte 2 of mem://test/in: the length of the record that begins there has more than 64 bits"}},
		{lengths.Records{}, "\x01a\x80", []string{"byte 2 of mem://test/in: the object ends in the length", "cut short"}},
		{lengths.Records{}, "\x01a\x05abc", []string{"byte 2 of mem://test/in: the record that begins there has 5 bytes, and the object ends after 3"}},
		{lengths.Records{}, "\x80\x80\x80\x07abc", []string{"has 14680064 bytes, and the object ends after 3"}},
		{lengths.Records{Prefix: lengths.Big32}, "\x00\x00\x00", []string{"byte 0 of mem://test/in: the object ends in the length", "another Prefix than Big32"}},
		{lengths.Records{Prefix: lengths.Little64}, strings.Repeat("\xff", 8), []string{"has 18446744073709551615 bytes, and the limit is 16777216"}},
		{lengths.Records{Max: 2}, "\x02aa\x03aaa", []string{"byte 3 of mem://test/in", "the limit is 2"}},
		{lengths.Records{Prefix: 9}, "a", []string{"lengths.Records{Prefix: Prefix(9)}"}},
		{lengths.Records{Max: -1}, "a", []string{"lengths.Records{Max: -1}"}},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := minirun.Run(t.Context(), copied(test.format, lengths.Records{}), minirun.Options{}, minirun.Object{Name: "in", Text: test.text})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%q: %d bytes are allocated", test.text, n)
		}
		if err == nil {
			t.Errorf("%q is read", test.text)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q in it", test.text, err, want)
			}
		}
	}
	if _, err := minirun.Run(t.Context(), copied(lengths.Records{}, lengths.Records{Max: 2}), minirun.Options{}, minirun.Object{Text: "\x03aaa"}); err == nil || !strings.Contains(err.Error(), "a record of 3 bytes was written, and the limit is 2") {
		t.Errorf("a record over the limit is written: %v", err)
	}
}

// TestOnTheEngine runs a job on the engine, which reads compressed objects too, and writes
// parts by a key.
func TestOnTheEngine(t *testing.T) {
	t.Parallel()
	job := jobs.Define("count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.Read(p, lengths.Records{}), func(_ *jobs.Context, rec []byte, emit jobs.Emit[string, int64]) error {
			emit(string(rec), 1)
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	jobstest.Run(t, job, jobstest.File("", "a.dat", object(lengths.Uvarint, "x", "y", "x")), jobstest.File("", "b.dat", object(lengths.Uvarint, "y", "x")),
		jobstest.Strict()).Want("x\t3", "y\t2")
	parts := jobs.Define("parts", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Write(lengths.Records{Prefix: lengths.Big32}).PartitionBy(func(line []byte) string { return fmt.Sprintf("size=%d", len(line)) })
		return nil
	})
	result, err := minirun.Run(t.Context(), parts, minirun.Options{}, minirun.Lines("aa", "b", "c"))
	if err != nil || result.Of("size=1") != "\x00\x00\x00\x01b\x00\x00\x00\x01c" || result.Of("size=2") != "\x00\x00\x00\x02aa" {
		t.Errorf("parts are %q, %v", result.Outputs, err)
	}
}

// FuzzRecords verifies that any bytes are the records that a simple loop finds, or an error.
func FuzzRecords(f *testing.F) {
	for _, p := range prefixes {
		f.Add(object(p, "", "a", "bcd"), byte(p))
	}
	f.Fuzz(func(t *testing.T, text string, kind byte) {
		p := prefixes[int(kind)%len(prefixes)]
		var want, got []string
		valid := true
		for rest := []byte(text); len(rest) > 0 && valid; {
			n, size := binary.Uvarint(rest)
			if width := len(prefix(p, 0)); p != lengths.Uvarint {
				if n, size = 0, width; len(rest) < width {
					valid = false
					break
				}
				for i := range width {
					b := rest[i]
					if p == lengths.Little32 || p == lengths.Little64 {
						b = rest[width-1-i]
					}
					n = n<<8 | uint64(b)
				}
			}
			if valid = size > 0 && n <= uint64(len(rest)-size); valid {
				want = append(want, string(rest[size:size+int(n)]))
				rest = rest[size+int(n):]
			}
		}
		job := jobs.Define("collect", struct{}{}, func(p2 *jobs.Pipeline, _ struct{}) error {
			jobs.Convert(jobs.Read(p2, lengths.Records{Prefix: p}), func(rec []byte) string { got = append(got, string(rec)); return "" }).WriteTSV()
			return nil
		})
		_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "in", Text: text})
		if valid != (err == nil) || !slices.Equal(got, want) {
			t.Errorf("%v: %q is read as %q, %v; want %q, valid %v", p, text, got, err, want, valid)
		}
	})
}
