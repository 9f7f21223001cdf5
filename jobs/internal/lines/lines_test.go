package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// open returns text through readers that behave differently, by how.
func open(text string, how int) func(context.Context, int64) (io.ReadCloser, error) {
	return func(_ context.Context, off int64) (io.ReadCloser, error) {
		var r io.Reader = strings.NewReader(text[off:])
		switch how {
		case 1:
			r = iotest.OneByteReader(r)
		case 2:
			r = iotest.DataErrReader(r)
		case 3:
			r = iotest.HalfReader(r)
		}
		return io.NopCloser(r), nil
	}
}

func where(offset int64) string { return fmt.Sprintf("byte %d of mem://o", offset) }

type found struct {
	at   int64
	line string
}

func scanAll(t *testing.T, s Section) []found {
	t.Helper()
	var all []found
	if err := Scan(t.Context(), s, func(at int64, line []byte) error {
		all = append(all, found{at, string(line)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// naive splits text as a whole.
func naive(text string) []found {
	var all []found
	for at := 0; at < len(text); {
		line, _, ended := strings.Cut(text[at:], "\n")
		next := at + len(line) + 1
		if ended {
			line = strings.TrimSuffix(line, "\r") // at the end of the text it is data
		}
		all = append(all, found{int64(at), line})
		at = next
	}
	return all
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(30) {
		b.WriteString(strings.Repeat("x", r.IntN(12)))
		b.WriteString([]string{"\n", "\r\n", "\r", "\n\n", ""}[r.IntN(5)])
	}
	return b.String()
}

func TestEachLineIsReadOnceWhereverTheObjectIsCut(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		text := randomText(r)
		want := naive(text)
		cuts := []int64{0, int64(len(text))}
		for range r.IntN(6) {
			cuts = append(cuts, r.Int64N(int64(len(text)+1)))
		}
		slices.Sort(cuts)
		var got []found
		for j := 1; j < len(cuts); j++ {
			s := Section{Where: where, Offset: cuts[j-1], Length: cuts[j] - cuts[j-1], Buffer: make([]byte, r.IntN(20)), Open: open(text, i%4)}
			got = append(got, scanAll(t, s)...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q cut at %v: got %v, want %v", text, cuts, got, want)
		}
		whole := Section{Where: where, Length: 3, Whole: true, Open: open(text, i%4)}
		if got := scanAll(t, whole); !slices.Equal(got, want) {
			t.Fatalf("%q as a whole: got %v, want %v", text, got, want)
		}
	}
}

func TestALineOverTheLimitIsAnError(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n", ""} {
		for _, buffer := range []int{0, 5, 1000} {
			text := "short\n" + strings.Repeat("x", 100) + end
			section := Section{Where: where, Length: int64(len(text)), Max: 100, Buffer: make([]byte, buffer), Open: open(text, 0)}
			if got := scanAll(t, section); len(got) != 2 || len(got[1].line) != 100 {
				t.Errorf("a line of 100 bytes and %q is read as %v", end, got)
			}
			section.Open = open(text, 1) // whose CR and LF come one after the other
			if got := scanAll(t, section); len(got) != 2 {
				t.Errorf("byte by byte, a line of 100 bytes and %q is read as %v", end, got)
			}
			section.Max = 99
			err := Scan(t.Context(), section, func(int64, []byte) error { return nil })
			if err == nil || !strings.Contains(err.Error(), "byte 6 of mem://o") || !strings.Contains(err.Error(), "99 bytes") {
				t.Errorf("a line over the limit: got %v", err)
			}
		}
	}
}

func TestALongLineOfTheSectionBeforeIsSkipped(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 100_000) + "\nnext\n"
	s := Section{Where: where, Offset: 50_000, Length: 60_000, Max: 10, Open: open(text, 0)}
	if got := scanAll(t, s); !slices.Equal(got, []found{{100_001, "next"}}) {
		t.Errorf("got %v", got)
	}
	s.Length = 10 // ends within the long line
	if got := scanAll(t, s); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestErrorsOfReaderAndYieldComeBack(t *testing.T) {
	t.Parallel()
	errDisk, errStop := errors.New("disk"), errors.New("stop")
	for _, section := range []Section{
		{Length: 10, Open: func(context.Context, int64) (io.ReadCloser, error) { return nil, errDisk }},
		{Length: 10, Open: func(context.Context, int64) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errDisk))), nil
		}},
		{Offset: 5, Length: 10, Open: func(context.Context, int64) (io.ReadCloser, error) {
			return io.NopCloser(iotest.ErrReader(errDisk)), nil
		}},
	} {
		if err := Scan(t.Context(), section, func(int64, []byte) error { return nil }); !errors.Is(err, errDisk) {
			t.Errorf("got %v, want the reader's error", err)
		}
	}
	n := 0
	err := Scan(t.Context(), Section{Length: 9, Open: open("a\nb\nc\n", 0)}, func(int64, []byte) error {
		n++
		return errStop
	})
	if !errors.Is(err, errStop) || n != 1 {
		t.Errorf("got %v after %d lines, want the error of yield after one", err, n)
	}
}

func FuzzScan(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte, cut uint, buffer uint8) {
		at := int64(cut % uint(len(text)+1))
		var got []found
		for _, s := range []Section{{Length: at}, {Offset: at, Length: int64(len(text)) - at}} {
			s.Where, s.Open, s.Buffer = where, open(string(text), int(buffer%4)), make([]byte, buffer)
			got = append(got, scanAll(t, s)...)
		}
		if want := naive(string(text)); !slices.Equal(got, want) {
			t.Errorf("%q cut at %d: got %v, want %v", text, at, got, want)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	text := bytes.Repeat([]byte(strings.Repeat("some words of text ", 4)+"\n"), 10_000)
	b.SetBytes(int64(len(text)))
	buffer := make([]byte, 256<<10)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		s := Section{Length: int64(len(text)), Buffer: buffer, Open: func(context.Context, int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(text)), nil
		}}
		if err := Scan(b.Context(), s, func(int64, []byte) error { n++; return nil }); err != nil || n != 10_000 {
			b.Fatal(fmt.Errorf("%d lines: %w", n, err))
		}
	}
}

// TestAByteOrderMarkIsNoText: the mark of UTF-8 at the beginning of an object is not part
// of its first line, wherever the object is cut. Anywhere else it is data.
func TestAByteOrderMarkIsNoText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]found{
		"\ufeff":                        nil,
		"\ufeff\n":                      {{3, ""}},
		"\ufeffto be\nor not\n":         {{3, "to be"}, {9, "or not"}},
		"\ufeff\ufeffto\n":              {{3, "\ufeffto"}},
		"to\n\ufeffbe\n":                {{0, "to"}, {3, "\ufeffbe"}},
		"\xef\xbb":                      {{0, "\xef\xbb"}},
		"\xef\xbbx\n":                   {{0, "\xef\xbbx"}},
		"\xef":                          {{0, "\xef"}},
		"\ufeff" + "one\r\n" + "two":    {{3, "one"}, {8, "two"}},
		"\ufeff" + "a line of text\r\n": {{3, "a line of text"}},
	} {
		for cut := range len(text) + 1 {
			for how := range 4 {
				var got []found
				for _, s := range []Section{{Offset: 0, Length: int64(cut), First: true}, {Offset: int64(cut), Length: int64(len(text) - cut), First: cut == 0}} {
					if s.Length == 0 {
						continue
					}
					s.Where, s.Buffer, s.Open = where, make([]byte, cut), open(text, how)
					got = append(got, scanAll(t, s)...)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q cut at %d is read as %v, want %v", text, cut, got, want)
				}
			}
		}
		if got := scanAll(t, Section{Where: where, Length: 1, Whole: true, First: true, Open: open(text, 0)}); !slices.Equal(got, want) {
			t.Errorf("%q as a whole is read as %v, want %v", text, got, want)
		}
	}
	if got := scanAll(t, Section{Where: where, Length: 1, Whole: true, Open: open("\ufeffx\n", 0)}); !slices.Equal(got, []found{{0, "\ufeffx"}}) {
		t.Errorf("within an object the mark is read as %v", got)
	}
}

// FuzzLinesAreReadAsTheyWereWritten writes any records without LF as lines, and reads
// them.
func FuzzLinesAreReadAsTheyWereWritten(f *testing.F) {
	for _, s := range []string{"a\r\na", "\r\n\r\r", "\ufeffx\n\ufeff", "\ufeff\ufeff\r", "", "\n\n", "x\r\r\r\ny"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, keepCR := range []bool{false, true} {
			written(t, text, keepCR)
		}
	})
}

// written writes a text's records and compares them with those that are read.
func written(t *testing.T, text string, keepCR bool) {
	t.Helper()
	var b []byte
	var want, got []string
	for record := range strings.SplitSeq(text, "\n") {
		start := len(b)
		b = Finish(append(b, record...), start, start == 0, keepCR)
		want = append(want, record)
	}
	cut := int64(len(b) / 2)
	for _, s := range []Section{{Length: cut, First: true}, {Offset: cut, Length: int64(len(b)) - cut, First: cut == 0}} {
		if s.Length == 0 {
			continue
		}
		s.KeepCR, s.Where, s.Open = keepCR, where, open(string(b), 0)
		for _, l := range scanAll(t, s) {
			got = append(got, l.line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q is read as %q", want, got)
	}
}
