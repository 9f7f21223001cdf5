package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func section(text string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
}

func TestSameLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ want, got, says string }{
		{"", "", ""},
		{"a\nb\n", "a\nb\n", ""},
		{"a\nb", "a\nb", ""},
		{"a\nb\nc\n", "a\nx\nc\n", `line 2 at offset 2 is "x\n", not "b\n"`},
		{"a\nb\n", "a\nb", `line 2 at offset 2 is "b", not "b\n"`},
		{"a\nb\n", "a\n", `ends before line 2, "b\n"`},
		{"a\n", "a\nb\n", `continues after the last line with "b\n"`},
		{"", "b\n", `continues`},
		{"a\n", strings.Repeat("a", maxLine+1) + "\n", "longer than"},
	} {
		err := sameLines(t.Context(), newPlain(strings.NewReader(test.want)), newPlain(strings.NewReader(test.got)))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.20q for %.20q: error %v, want %q", test.got, test.want, err, test.says)
		}
	}
}

// TestMerged verifies that sorted lines, dealt to parts at random, merge to the
// same lines.
func TestMerged(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 200 {
		var whole strings.Builder
		parts := make([]strings.Builder, 1+r.IntN(5))
		for i := range r.IntN(60) {
			line := fmt.Sprintf("key%03d\t%d\n", i, r.IntN(10))
			whole.WriteString(line)
			parts[r.IntN(len(parts))].WriteString(line)
		}
		var joined strings.Builder
		for i := range parts {
			joined.WriteString(parts[i].String())
		}
		m, err := newMerged(t.Context(), section(joined.String()), len(parts))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := sameLines(t.Context(), newPlain(strings.NewReader(whole.String())), m); err != nil {
			t.Fatalf("round %d, %d parts: %v", round, len(parts), err)
		}
	}
}

// TestMergedOrdersByKey verifies the order of a key that continues with a byte
// below the tab.
func TestMergedOrdersByKey(t *testing.T) {
	t.Parallel()
	m, err := newMerged(t.Context(), section("a\t1\nb\t1\na\x01\t1\nc\t1\n"), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := sameLines(t.Context(), newPlain(strings.NewReader("a\t1\na\x01\t1\nb\t1\nc\t1\n")), m); err != nil {
		t.Error(err)
	}
}

func TestMergedRefusesPartsOutOfOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		parts int
	}{
		{"b\t1\na\t1\n", 1},
		{"a\t1\na\t1\n", 1}, // a key twice in one part
		{"a\t1\nc\t1\nb\t1\na\t1\n", 2},
		{"a\t1\n", 0},
	} {
		if _, err := newMerged(t.Context(), section(test.text), test.parts); err == nil {
			t.Errorf("%q was taken for %d sorted parts", test.text, test.parts)
		}
	}
}
