package inputs_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/windrow-mr/windrow/bench/inputs"
)

// TestBytesNeverChange compares with sums from elsewhere: the first three from
// another program in Go, through sha256sum; those of distinct and of CSV from programs in
// Python that have their own PCG-DXSM, bounded draw and SplitMix64. While this
// test passes, figures of different versions can be compared.
func TestBytesNeverChange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  inputs.Kind
		count int64
		want  string
	}{
		{inputs.Words, 300_000, "48942ad6577d007f96c65c6a582028f343ae6ba72d8fab8ed87935292ebe9c5e"},
		{inputs.Stations, 100_003, "833a9dc7faa6ac4f0178c5b5b4784c4af43245c8e39a733ac05d3546b50c73c8"},
		{inputs.Records, 10_007, "9f3c25573feee32da72346a8a9aeb6c5dcedbeb1e147f0feff064179fc5b9ada"},
		{inputs.Distinct, 300_000, "31a5bfab5fef39e0fc3763c5b01c7a0f31c44ef199e166561021e783c214dcf6"},
		{inputs.Distinct, 2_000_000, "d9725deea85cf8ef4a0044296648dc14415a66ff5bce967d6b20b54db3d830dd"},
		{inputs.Groups, 100_003, "10d43798b1cf6a7e57ed7899544a1af90c25e3f94f5e3edc19bf25b7c8848d64"},
		{inputs.Groups, 17, "80e2f4b2ce4585d78175d7952a694fb235d2375b3a9bd3abcb470237c16792d3"},
		{inputs.Orders, 30_011, "c02af02f911b779491e02a7267184e58326f087255ac4756b9d96cb6e7c75c4b"},
		{inputs.Products, 30_011, "b018c12c82c10237aaf47f6535f16685d4d179e34cd6c70429c4df14048897bc"},
		{inputs.Products, 1, "28be5482fe99d9c1cd0138aeff348542ffa2581ca9777a8a362e5f2805d9efa3"},
		{inputs.Groups, 0, "9dd5a748fbc9ca791a2913b212892473bb050faf727c9613fd87a96018832ca8"},   // the header
		{inputs.Words, 0, "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"},    // a line feed
		{inputs.Records, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},  // nothing
		{inputs.Stations, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, // nothing
	} {
		for range 2 {
			if got := fmt.Sprintf("%x", sha256.Sum256(generate(t, test.kind, test.count))); got != test.want {
				t.Errorf("%s %d: SHA-256 %s, want %s", test.kind, test.count, got, test.want)
			}
		}
	}
}

func generate(t *testing.T, kind inputs.Kind, count int64) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := inputs.Write(&out, kind, count); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDistinctWordsHardlyRepeat(t *testing.T) {
	t.Parallel()
	const size = 4_000_000
	text := generate(t, inputs.Distinct, size)
	if len(text) < size || len(text) > size+100 {
		t.Errorf("%d bytes, want about %d", len(text), size)
	}
	words := bytes.Fields(text)
	occurs := make(map[string]int)
	for _, w := range words {
		occurs[string(w)]++
	}
	if n := len(words); n < size/70 || n > size/60 {
		t.Errorf("%d words in %d bytes", n, size)
	}
	if share := float64(len(occurs)) / float64(len(words)); share < 0.94 || share > 0.96 {
		t.Errorf("%.3f of the words are different, want 0.95", share)
	}
}

func TestTextIsSetInLines(t *testing.T) {
	t.Parallel()
	for line := range bytes.Lines(generate(t, inputs.Words, 100_000)) {
		if len(line) > 72+11 {
			t.Errorf("line of %d bytes: %q", len(line), line)
		}
	}
}

func TestFailedWriteStopsTheGenerator(t *testing.T) {
	t.Parallel()
	for _, kind := range inputs.Kinds() {
		w := &full{room: 3 << 20}
		if err := inputs.Write(w, kind, 1<<40); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: error %v, want that of the writer", kind, err)
		}
	}
}

// full is a writer that runs out of room.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestRefused(t *testing.T) {
	t.Parallel()
	if err := inputs.Write(io.Discard, "weather", 1); err == nil {
		t.Error("an unknown kind was accepted")
	}
	if err := inputs.Write(io.Discard, inputs.Words, -1); err == nil {
		t.Error("a negative size was accepted")
	}
}
