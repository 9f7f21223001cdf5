package jobs_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(w, 1)
	}
	return nil
}

func wordCount() *jobs.Job { return jobs.New("wordcount", tokenize, jobs.Sum) }

// randomText returns words of a small vocabulary, Zipf-like, in lines.
func randomText(r *rand.Rand, words, vocabulary int) string {
	var b strings.Builder
	for range words {
		fmt.Fprintf(&b, "w%d", int(float64(vocabulary)*r.Float64()*r.Float64()))
		b.WriteString([]string{" ", "\n", "\t", "  ", "\r\n"}[r.IntN(5)])
	}
	return b.String()
}

// countWords is the naive answer: sorted lines "word TAB count".
func countWords(texts ...string) []string {
	counts := map[string]int{}
	for _, text := range texts {
		for w := range strings.FieldsSeq(text) {
			counts[w]++
		}
	}
	var lines []string
	for w, n := range counts {
		lines = append(lines, fmt.Sprintf("%s\t%d", w, n))
	}
	slices.Sort(lines)
	return lines
}

func TestWordCountIsTheSameHoweverTheWorkIsDivided(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	text := randomText(r, 20_000, 3_000)
	want := countWords(text)
	for _, o := range []minirun.Options{
		{},
		{Partitions: 1},
		{Partitions: 50, Split: 777},
		{Split: 4096, Table: 1}, // no table at all
		{Split: 1 << 14, NoCombiner: true},
	} {
		got, err := minirun.Run(t.Context(), wordCount(), o, minirun.Object{Name: "a.txt", Text: text})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Sorted(), want) {
			t.Errorf("%+v: got %d lines, want %d", o, len(got.Sorted()), len(want))
		}
		for i, part := range got.Parts {
			lines := strings.Split(strings.TrimSuffix(string(part), "\n"), "\n")
			keys := make([]string, len(lines))
			for j, line := range lines {
				keys[j], _, _ = strings.Cut(line, "\t")
			}
			if !slices.IsSorted(keys) {
				t.Errorf("%+v: part %d is not in order of words", o, i)
			}
		}
	}
}
