package library_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library"
)

func job(t *testing.T, name string) *jobs.Job {
	t.Helper()
	for _, j := range library.All() {
		if j.Name() == name {
			return j
		}
	}
	t.Fatalf("there is no job %s", name)
	return nil
}

func run(t *testing.T, name string, o minirun.Options, objects ...minirun.Object) *minirun.Result {
	t.Helper()
	result, err := minirun.Run(t.Context(), job(t, name), o, objects...)
	if err != nil {
		t.Fatalf("%s with %+v: %v", name, o, err)
	}
	return result
}

func divisions(r *rand.Rand) []minirun.Options {
	out := []minirun.Options{{Partitions: 1}}
	for range 6 {
		out = append(out, minirun.Options{Partitions: 1 + r.IntN(9), Split: 1 + r.Int64N(3000), Table: 1 << r.IntN(24), NoCombiner: r.IntN(2) == 0})
	}
	return out
}

func TestJobsAreListedByName(t *testing.T) {
	t.Parallel()
	var names []string
	for _, j := range library.All() {
		names = append(names, j.Name())
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names are %q", names)
	}
}

// TestWordcountEqualsANaiveCount: only ASCII white space divides words.
func TestWordcountEqualsANaiveCount(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	pieces := []string{" ", "\n", "\t", "\r\n", "\v", "\f", "a", "b", "word", "\u00a0", "\u2003", "\x85", "\x00", "é"}
	var b strings.Builder
	for range 8000 {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	counts := map[string]int{}
	for _, w := range strings.FieldsFunc(mask(b.String()), func(c rune) bool { return strings.ContainsRune(" \n\t\r\v\f", c) }) {
		counts[unmask(w)]++
	}
	var want []string
	for w, n := range counts {
		want = append(want, fmt.Sprintf("%s\t%d", w, n))
	}
	slices.Sort(want)
	for _, o := range divisions(r) {
		if got := run(t, "wordcount", o, minirun.Object{Text: b.String()}).Sorted(); !slices.Equal(got, want) {
			t.Errorf("%+v: %d lines, want %d", o, len(got), len(want))
		}
	}
}

// mask turns bytes into runes, so that invalid text survives FieldsFunc.
func mask(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func unmask(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func TestGrepEqualsAFilter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	var lines, with, without []string
	for range 2000 {
		line := strconv.Itoa(r.IntN(5000))
		lines = append(lines, line)
		if strings.Contains(line, "42") {
			with = append(with, line)
		} else {
			without = append(without, line)
		}
	}
	for _, o := range divisions(r) {
		o.Params = map[string]string{"pattern": "42"}
		if got := run(t, "grep", o, minirun.Lines(lines...)).Text(); got != strings.Join(with, "\n")+"\n" {
			t.Errorf("%+v: other lines", o)
		}
		o.Params["invert"] = "true"
		if got := run(t, "grep", o, minirun.Lines(lines...)).Text(); got != strings.Join(without, "\n")+"\n" {
			t.Errorf("%+v: other lines with invert", o)
		}
	}
}

func TestSortEqualsASort(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	var lines []string
	for range 3000 {
		lines = append(lines, strings.Repeat(string(rune('a'+r.IntN(4))), r.IntN(5))+"\t"+strconv.Itoa(r.IntN(99)))
	}
	input := minirun.Lines(lines...)
	slices.Sort(lines)
	for _, o := range divisions(r) {
		if got := run(t, "sort", o, input).Text(); got != strings.Join(lines, "\n")+"\n" {
			t.Errorf("%+v: the lines are not sorted", o)
		}
	}
}

// meanOf returns sum tenths, divided by n, by rational numbers: they round halves away
// from zero.
func meanOf(sum, n int64) string {
	text := big.NewRat(sum, 10*n).FloatString(1)
	if text == "-0.0" {
		return "0.0"
	}
	return text
}

// TestMeasurementsRoundsMeans verifies that means are rounded to the nearest tenth as the
// manual says, and that zero has no sign: other tools compare the lines.
func TestMeasurementsRoundsMeans(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]string{
		"0.3": {"0.2", "0.3"}, "-0.3": {"-0.2", "-0.3"}, "0.0": {"-0.1", "0", "0"}, "-0.1": {"-0.1", "-0.0"}, "0.1": {"0.1", "0"},
		"1.4": {"1.4", "1.4", "1.5"}, "-1.4": {"-1.4", "-1.4", "-1.5"}, "2.5": {"2.4", "2.5"},
		"100000000000000.1": {"100000000000000.0", "100000000000000.1"}, // a float has no such tenth
	} {
		var lines []string
		for _, v := range values {
			lines = append(lines, "x;"+v)
		}
		got := run(t, "measurements", minirun.Options{Partitions: 1}, minirun.Lines(lines...)).Text()
		if fields := strings.Split(strings.TrimSpace(got), "/"); len(fields) != 3 || fields[1] != want {
			t.Errorf("the mean of %q: %q, want %s", values, got, want)
		}
		if strings.Contains(got, "-0.0") {
			t.Errorf("zero has a sign: %q", got)
		}
	}
}

// TestMeasurementsEqualANaiveCalculation computes the expected mean in rational
// numbers.
func TestMeasurementsEqualANaiveCalculation(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	type stat struct{ n, sum, least, most int64 }
	stats := map[string]*stat{}
	var b strings.Builder
	for range 5000 {
		name := []string{"Oslo", "Bern", "a;b", "", "Zürich", "x y"}[r.IntN(6)]
		v := r.Int64N(1999) - 999
		s := stats[name]
		if s == nil {
			s = &stat{least: v, most: v}
			stats[name] = s
		}
		s.n++
		s.sum += v
		s.least, s.most = min(s.least, v), max(s.most, v)
		text := fmt.Sprintf("%.1f", float64(v)/10)
		if v%10 == 0 && r.IntN(2) == 0 {
			text = strings.TrimSuffix(text, ".0")
		}
		fmt.Fprintf(&b, "%s;%s\n", name, text)
	}
	var want []string
	for name, s := range stats {
		want = append(want, fmt.Sprintf("%s\t%.1f/%s/%.1f", name, float64(s.least)/10, meanOf(s.sum, s.n), float64(s.most)/10))
	}
	slices.Sort(want)
	for _, o := range divisions(r) {
		if got := run(t, "measurements", o, minirun.Object{Text: b.String()}).Sorted(); !slices.Equal(got, want) {
			t.Errorf("%+v: got %q, want %q", o, got, want)
		}
	}
}

func TestMeasurementsRefusesWhatItCannotCount(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"Oslo":                   "no ;",
		"Oslo;":                  "not a number",
		"Oslo;-":                 "not a number",
		"Oslo;1.":                "not a number",
		"Oslo;.5":                "not a number",
		"Oslo;1.x":               "not a number",
		"Oslo;1e5":               "not a number",
		"Oslo;--1":               "not a number",
		"Oslo;1.25":              "more than one decimal",
		"Oslo;1234567890123456":  "more than 15 digits",
		"Oslo;-1234567890123456": "more than 15 digits",
	} {
		_, err := minirun.Run(t.Context(), job(t, "measurements"), minirun.Options{}, minirun.Lines("Bern;1.0", line))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "byte 9 of mem://test/lines") {
			t.Errorf("%q: got %v, want %q", line, err, want)
		}
	}
	most := strings.Repeat("x;999999999999999.9\n", 1000)
	_, err := minirun.Run(t.Context(), job(t, "measurements"), minirun.Options{}, minirun.Object{Text: most})
	if err == nil || !strings.Contains(err.Error(), "the sum of 1000 values in tenths is beyond the range of int64") {
		t.Errorf("a sum of 1000 greatest values: got %v", err)
	}
}

const recordSize = 100

func cut(data string) []string {
	var recs []string
	for at := 0; at < len(data); at += recordSize {
		recs = append(recs, data[at:at+recordSize])
	}
	return recs
}

// verdict computes naively what the benchmark's valsort reports.
func verdict(recs []string) (unordered, duplicates int, checksum string) {
	sum := new(big.Int)
	for i, rec := range recs {
		sum.Add(sum, big.NewInt(int64(crc32.ChecksumIEEE([]byte(rec)))))
		switch {
		case i == 0:
		case recs[i-1][:10] > rec[:10]:
			unordered++
		case recs[i-1][:10] == rec[:10]:
			duplicates++
		}
	}
	return unordered, duplicates, sum.Text(16)
}

func TestTerasortGeneratesSortsAndValidates(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for _, ascii := range []string{"false", "true"} {
		made := run(t, "teragen", minirun.Options{Params: map[string]string{"records": "5000", "ascii": ascii}}).Text()
		if len(made) != 5000*recordSize {
			t.Fatalf("teragen made %d bytes", len(made))
		}
		middle := run(t, "teragen", minirun.Options{Params: map[string]string{"records": "100", "start": "2000", "ascii": ascii}}).Text()
		if middle != made[2000*recordSize:2100*recordSize] {
			t.Error("records that start later are others")
		}
		want := cut(made)
		_, _, checksum := verdict(want)
		slices.Sort(want)
		for _, o := range divisions(r) {
			o.Split *= 20
			sorted := run(t, "terasort", o, minirun.Object{Text: made})
			if sorted.Text() != strings.Join(want, "") {
				t.Fatalf("%+v: the records are not sorted", o)
			}
			var parts []minirun.Object
			for i, part := range sorted.Parts {
				parts = append(parts, minirun.Object{Name: fmt.Sprintf("part-%05d", i), Text: string(part)})
			}
			report := run(t, "teravalidate", o, parts...).Text()
			if report != fmt.Sprintf("records\t5000\nunordered\t0\nduplicates\t0\nchecksum\t%s\n", checksum) {
				t.Errorf("%+v: the report is %q, the checksum %s", o, report, checksum)
			}
		}
	}
}

func TestTeravalidateFindsDisorderWhereverItIs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 6))
	for range 200 {
		recs := make([]string, 1+r.IntN(40))
		for i := range recs {
			recs[i] = string(bytes.Repeat([]byte{byte('a' + i/2)}, recordSize))
		}
		if i, j := r.IntN(len(recs)), r.IntN(len(recs)); r.IntN(3) > 0 {
			recs[i], recs[j] = recs[j], recs[i]
		}
		unordered, duplicates, checksum := verdict(recs)
		var objects []minirun.Object
		for at := 0; at < len(recs); {
			n := min(1+r.IntN(10), len(recs)-at)
			objects = append(objects, minirun.Object{Name: fmt.Sprintf("part-%05d", at), Text: strings.Join(recs[at:at+n], "")})
			at += n
		}
		r.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		o := minirun.Options{Split: recordSize * (1 + r.Int64N(5)), Partitions: 1 + r.IntN(3)}
		result, err := minirun.Run(t.Context(), job(t, "teravalidate"), o, objects...)
		if unordered == 0 {
			want := fmt.Sprintf("records\t%d\nunordered\t0\nduplicates\t%d\nchecksum\t%s\n", len(recs), duplicates, checksum)
			if err != nil || result.Text() != want {
				t.Fatalf("got %v, %v, want %q", result, err, want)
			}
			continue
		}
		first := 1
		for recs[first-1][:10] <= recs[first][:10] {
			first++
		}
		want := fmt.Sprintf("out of order: %d of %d, the first is record %d with key %x; duplicates %d, checksum %s",
			unordered, len(recs), first, recs[first][:10], duplicates, checksum)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want %q", err, want)
		}
	}
}

func TestTeragenRefusesNumbersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for _, params := range []map[string]string{{"records": "0"}, {"records": "-1"}, {"records": "1", "start": "-1"}, {"records": "92233720368547759"}} {
		if _, err := minirun.Run(t.Context(), job(t, "teragen"), minirun.Options{Params: params}); err == nil || !strings.Contains(err.Error(), "records") {
			t.Errorf("%v: got %v", params, err)
		}
	}
}
