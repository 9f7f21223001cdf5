package compress

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
)

// skip returns a skippable frame of n bytes (RFC 8878, 3.1.2).
func skip(n int) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0x5a, 0x2a, 0x4d, 0x18}, uint32(n))
	return append(b, bytes.Repeat([]byte{'m'}, n)...)
}

func readAll(t *testing.T, c Codec, packed []byte) (string, error) {
	t.Helper()
	r, err := c.Reader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// TestSkippableFramesOfAnySize: frames that a reader must skip can be of any size, and
// say nothing about which of the two codecs follows.
func TestSkippableFramesOfAnySize(t *testing.T) {
	t.Parallel()
	const text = "to be or not to be\n"
	for _, size := range []int{0, 3, 52, 53, 56, 57, 4095, 4096, 100_000} {
		for _, c := range []Codec{Zstd, Lz4} {
			object := slices.Concat(skip(size), skip(5), pack(t, c, []byte(text)))
			detected := Detect(object)
			if detected != Zstd && detected != Lz4 {
				t.Errorf("%s after %d bytes to skip is detected as %s", c, size, detected)
				continue
			}
			for _, opened := range []Codec{detected, c} {
				if got, err := readAll(t, opened, object); got != text || err != nil {
					t.Errorf("%s after %d bytes to skip, opened as %s: %q, %v", c, size, opened, got, err)
				}
			}
		}
	}
}

// TestSkippableFramesAlone hold no data. One that is cut short is an error.
func TestSkippableFramesAlone(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3, 100, 50_000} {
		whole := skip(size)
		if got, err := readAll(t, Zstd, whole); got != "" || err != nil {
			t.Errorf("%d bytes to skip: %q, %v", size, got, err)
		}
		for _, n := range []int{5, 7, len(whole) - 1} {
			if n >= len(whole) {
				continue
			}
			if got, err := readAll(t, Zstd, whole[:n]); err == nil || !strings.Contains(err.Error(), "cut short") {
				t.Errorf("the first %d bytes of %d: %q, %v", n, len(whole), got, err)
			}
		}
	}
	if got, err := readAll(t, Zstd, append(skip(60), "words that follow"...)); err == nil || !strings.Contains(err.Error(), "does not begin a zstd stream") {
		t.Errorf("text after a frame to skip: %q, %v", got, err)
	}
}

// TestGzipWithPadding: zeros after a stream belong to it, as gzip(1) has it. Anything
// else after it is named, and is not taken for a stream that is cut short.
func TestGzipWithPadding(t *testing.T) {
	t.Parallel()
	one, two := pack(t, Gzip, []byte("to be\n")), pack(t, Gzip, []byte("or not\n"))
	for name, c := range map[string]struct {
		object []byte
		want   string
		says   string // of the error
	}{
		"two members":             {slices.Concat(one, two), "to be\nor not\n", ""},
		"an empty member":         {slices.Concat(one, pack(t, Gzip, nil), two), "to be\nor not\n", ""},
		"one zero":                {slices.Concat(one, []byte{0}), "to be\n", ""},
		"many zeros":              {slices.Concat(one, two, make([]byte, 100_000)), "to be\nor not\n", ""},
		"zeros, then a byte":      {slices.Concat(one, make([]byte, 3), []byte("x")), "to be\n", "zeros, and then 78"},
		"zeros, then a member":    {slices.Concat(one, make([]byte, 512), two), "to be\n", "zeros, and then 1f"},
		"words":                   {slices.Concat(one, []byte("words")), "to be\n", "followed by something else, which begins with 77 6f"},
		"one byte":                {slices.Concat(one, []byte("w")), "to be\n", "followed by something else"},
		"the first byte of magic": {slices.Concat(one, two[:1]), "to be\n", "cut short"},
		"half a header":           {slices.Concat(one, two[:5]), "to be\n", "cut short"},
		"half a member":           {slices.Concat(one, two[:len(two)-9]), "to be\n", "cut short"},
	} {
		got, err := readAll(t, Gzip, c.object)
		switch {
		case c.says == "" && (err != nil || got != c.want):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(got, c.want)):
			t.Errorf("%s: %q, %v; want an error with %q", name, got, err, c.says)
		}
	}
}
