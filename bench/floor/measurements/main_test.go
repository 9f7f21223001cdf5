package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// naive works out the lines with slices and the strconv of decimal points.
func naive(t *testing.T, text string) string {
	t.Helper()
	values := make(map[string][]int)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ";")
		v, err := strconv.Atoi(strings.ReplaceAll(value, ".", ""))
		if err != nil {
			t.Fatal(err)
		}
		values[name] = append(values[name], v)
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		sum := 0
		for _, v := range values[name] {
			sum += v
		}
		mean := big.NewRat(int64(sum), 10*int64(len(values[name]))).FloatString(1) // rounds halves away from zero
		if mean == "-0.0" {
			mean = "0.0"
		}
		fmt.Fprintf(&lines, "%s\t%.1f/%s/%.1f\n", name, float64(slices.Min(values[name]))/10, mean, float64(slices.Max(values[name]))/10)
	}
	return lines.String()
}

func measured(text string, workers int) (string, error) {
	names, err := measure([]byte(text), workers)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = write(&out, names)
	return out.String(), err
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	const text = "Hof;12.3\nOslo;-4.0\nHof;-0.5\nBonn;0.0\nHof;99999999.9\nOslo;-4.1"
	const want = "Bonn\t0.0/0.0/0.0\nHof\t-0.5/33333337.2/99999999.9\nOslo\t-4.1/-4.1/-4.0\n"
	for workers := 1; workers < 9; workers++ {
		if got, err := measured(text, workers); err != nil || got != want {
			t.Errorf("%d workers: %q, want %q (%v)", workers, got, want, err)
		}
	}
	if got, err := measured("", 2); err != nil || got != "" {
		t.Errorf("no lines: %q (%v)", got, err)
	}
}

func TestMeasureAgreesWithNaiveProgram(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 200 {
		var text strings.Builder
		spread := 1 + r.IntN(1000)
		for range r.IntN(300) {
			fmt.Fprintf(&text, "name %d;%.1f\n", r.IntN(20), float64(r.IntN(2*spread)-spread)/10)
		}
		workers := 1 + r.IntN(5)
		got, err := measured(text.String(), workers)
		if want := naive(t, text.String()); err != nil || got != want {
			t.Fatalf("round %d, %d workers: %q, want %q (%v)", round, workers, got, want, err)
		}
	}
}

func TestMalformedLinesAreErrors(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "Hof", "Hof;", "Hof;-", "Hof;1", "Hof;1.", "Hof;.5", "Hof;1.25", "Hof;1,5", "Hof;1.5 ", "Hof;--1.5",
		";1.5", "Hof;123456789.0", "Hof;x.5", "Hof;1.x", "Hof;1.5\r"} {
		for _, rest := range []string{"", "\n", "\nHof;1.5\n"} {
			if line == "" && rest == "" {
				continue // no line at all
			}
			_, err := measured("Oslo;1.0\n"+line+rest, 1)
			if err == nil || !strings.Contains(err.Error(), "offset 9 ") || !strings.Contains(err.Error(), "name;-12.3") {
				t.Errorf("line %q before %q: error %v, want one with offset 9", line, rest, err)
			}
		}
	}
}

func TestOffsetsOfErrorsCountFromTheFileBegin(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("Oslo;1.0\n", 100) + "Hof\n"
	if _, err := measured(text, 3); err == nil || !strings.Contains(err.Error(), "offset 900 ") {
		t.Errorf("error %v, want one with offset 900", err)
	}
}

func TestTooManyNamesAreAnError(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range maxNames {
		fmt.Fprintf(&text, "%d;1.0\n", i)
	}
	if _, err := measured(text.String(), 1); err != nil {
		t.Errorf("%d names: %v", maxNames, err)
	}
	text.WriteString("one more;1.0\n")
	if _, err := measured(text.String(), 1); err == nil {
		t.Errorf("%d names were accepted", maxNames+1)
	}
}
