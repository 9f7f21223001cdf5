package tsv

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type point struct{ X, Y int }

func (p point) String() string { return fmt.Sprintf("(%d %d)", p.X, p.Y) }

type appender struct{ s string }

func (a *appender) AppendText(dst []byte) ([]byte, error) {
	if a.s == "" {
		return dst, errors.New("nothing to say")
	}
	return append(dst, a.s...), nil
}

type nested struct {
	A string
	N struct {
		B int8
		C uint16
	}
	hidden int
	P      *point
	Q      *int
	Nil    *nestedMore
}

type nestedMore struct{ D, E float64 }

// linesOf writes records and returns the text.
func linesOf[T any](t *testing.T, recs ...T) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter[T](&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func check[T any](t *testing.T, rec T, want string) {
	t.Helper()
	if got := linesOf(t, rec); got != want+"\n" {
		t.Errorf("%T is written as %q, want %q", rec, got, want)
	}
}

func TestHowTypesAreWritten(t *testing.T) {
	t.Parallel()
	five := 5
	check(t, "text", "text")
	check(t, []byte("bytes"), "bytes")
	check(t, [3]byte{'a', 'b', 'c'}, "abc")
	check(t, int64(-5), "-5")
	check(t, uint8(200), "200")
	check(t, int16(-3), "-3")
	check(t, uint64(math.MaxUint64), "18446744073709551615")
	check(t, 0.1, "0.1")
	check(t, float32(0.1), "0.1")
	check(t, true, "true")
	check(t, struct{}{}, "")
	check(t, 90*time.Second, "1m30s")
	check(t, time.Unix(0, 5).UTC(), "1970-01-01T00:00:00.000000005Z")
	check(t, netip.MustParseAddr("10.0.0.1"), "10.0.0.1")
	check(t, point{1, 2}, "(1 2)")
	check(t, &five, "5")
	check(t, struct {
		Key   []byte
		Value int64
	}{[]byte("a b"), 7}, "a b\t7")
	check(t, struct {
		Key   string
		Value struct{}
	}{Key: "alone"}, "alone")
	check(t, struct {
		Key   string
		Value appender
	}{"k", appender{"own"}}, "k\town")
	var n nested
	n.A, n.N.B, n.N.C, n.hidden, n.P, n.Q = "a", -1, 2, 9, &point{3, 4}, &five
	check(t, n, "a\t-1\t2\t(3 4)\t5\t\t")
}

func TestManyRecordsComeOutInOrder(t *testing.T) {
	t.Parallel()
	type rec struct {
		Name string
		N    int
	}
	var recs []rec
	var want [][]string
	for i := range 20_000 {
		recs = append(recs, rec{fmt.Sprint("name ", i), i * i})
		want = append(want, []string{fmt.Sprint("name ", i), fmt.Sprint(i * i)})
	}
	r := csv.NewReader(strings.NewReader(linesOf(t, recs...)))
	r.Comma = '\t'
	got, err := r.ReadAll()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("another reader finds %d records, %v", len(got), err)
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, err := range []error{Check[map[string]int](), Check[struct{ F func() }](), Check[[]int](), Check[struct{ hidden int }](), Check[chan int]()} {
		if err == nil || !strings.Contains(err.Error(), "String method") {
			t.Errorf("got %v, want what to do", err)
		}
	}
	w, err := NewWriter[appender](&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(appender{}); err == nil || !strings.Contains(err.Error(), "column 1") {
		t.Errorf("got %v, want the error of AppendText", err)
	}
}

func TestALineBreakIsAnError(t *testing.T) {
	t.Parallel()
	type rec struct{ A, B string }
	var b bytes.Buffer
	w, err := NewWriter[rec](&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec{"a", "b\nc"}); err == nil || !strings.Contains(err.Error(), "column 2") {
		t.Errorf("got %v", err)
	}
	if err := w.Write(rec{"d", "e"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || b.String() != "d\te\n" {
		t.Errorf("after an error: %q, %v", b.String(), err)
	}
}

func BenchmarkWrite(b *testing.B) {
	type rec struct {
		Key   []byte
		Value int64
	}
	w, err := NewWriter[rec](discard{})
	if err != nil {
		b.Fatal(err)
	}
	r := rec{[]byte("windrow"), 12345}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(r); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
