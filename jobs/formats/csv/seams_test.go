package csv

import (
	"strings"
	"testing"
)

// TestBytesReadForASeam verifies that the beginning of a record is found from few bytes
// of an object, unless no byte of it shows where that is.
func TestBytesReadForASeam(t *testing.T) {
	t.Parallel()
	repeat := func(unit string) string { return strings.Repeat(unit, (8<<20)/len(unit)) }
	plain := repeat("one,two,three\n")
	for name, c := range map[string]struct {
		text        string
		off         int64
		limit, most int
	}{
		"quoted text":      {repeat("\"one\",\"t\nw\ro\"\r\n"), 5 << 20, 16 << 20, 64 << 10},
		"no quotes":        {plain, 5 << 20, 100_000, 100_000 + mostPiece},
		"no quotes behind": {repeat("\"one\",\"two\"\n") + plain, 12 << 20, 16 << 20, 4<<20 + mostPiece},
		"few quotes":       {strings.Repeat(plain[:14*10_000]+"\"one\",\n", 60), 5 << 20, 16 << 20, 3 * 14 * 10_000},
		"any parity":       {repeat("\",\",\",\"\n"), 5 << 20, 100_000, 6<<20 + mostPiece},
	} {
		read := 0
		s := newSeams(',', 0, int64(len(c.text)), c.limit, func(p []byte, off int64) error {
			read += copy(p, c.text[off:])
			return nil
		})
		begin, err := s.begin(c.off)
		if err != nil || read > c.most {
			t.Errorf("%s: %d bytes were read, want at most %d; %v", name, read, c.most, err)
		}
		if want, _ := s.exact(c.off); begin != want || c.text[begin-1] != '\n' {
			t.Errorf("%s: a record begins at %d, want %d", name, begin, want)
		}
	}
}
