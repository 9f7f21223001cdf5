package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naive counts words as a beginner would.
func naive(text string) string {
	occurs := make(map[string]int)
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }) {
		occurs[w]++
	}
	var lines strings.Builder
	for _, w := range slices.Sorted(maps.Keys(occurs)) {
		fmt.Fprintf(&lines, "%s\t%d\n", w, occurs[w])
	}
	return lines.String()
}

func counted(t *testing.T, text string, workers int) string {
	t.Helper()
	words, err := count([]byte(text), workers)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := write(&out, words); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCount(t *testing.T) {
	t.Parallel()
	const text = "  to be,\tor not\r\nto be: \v\fthat is\n\nthe question"
	const want = "be,\t1\nbe:\t1\nis\t1\nnot\t1\nor\t1\nquestion\t1\nthat\t1\nthe\t1\nto\t2\n"
	for workers := 1; workers < 9; workers++ {
		if got := counted(t, text, workers); got != want {
			t.Errorf("%d workers: %q, want %q", workers, got, want)
		}
	}
	if got := counted(t, "", 3); got != "" {
		t.Errorf("no text has words: %q", got)
	}
}

func TestCountAgreesWithNaiveProgram(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 150 {
		alphabet := []string{"a", "b", "c", " ", "\n", "\t", "\x00", "\u00e9", "\x1f"}[:2+r.IntN(8)]
		var text strings.Builder
		for range r.IntN(400) {
			text.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		workers := 1 + r.IntN(5)
		if got, want := counted(t, text.String(), workers), naive(text.String()); got != want {
			t.Fatalf("round %d, %d workers: %q, want %q", round, workers, got, want)
		}
	}
}

// TestTableGrows counts more words than a new table can hold.
func TestTableGrows(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range firstSlots {
		fmt.Fprintf(&text, "%d %d ", i, i/2)
	}
	if got, want := counted(t, text.String(), 2), naive(text.String()); got != want {
		t.Error("counts differ from those of the naive program")
	}
}
