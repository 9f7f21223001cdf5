package compress

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy"
)

// chunkOf returns a chunk of a type.
func chunkOf(kind byte, contents string) []byte {
	return append([]byte{kind, byte(len(contents)), byte(len(contents) >> 8), byte(len(contents) >> 16)}, contents...)
}

// summed returns contents behind their checksum, by the description of the format.
func summed(plain, stored string) string {
	c := crc32.Checksum([]byte(plain), crc32.MakeTable(crc32.Castagnoli))
	return string(binary.LittleEndian.AppendUint32(nil, (c>>15|c<<17)+0xa282ead8)) + stored
}

// TestChunks reads every kind of chunk, valid or not.
func TestChunks(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("to be ", 10)
	packed := string(snappy.Encode(nil, []byte(text)))
	long := strings.Repeat("a", longestChunk+1)
	for name, c := range map[string]struct {
		object []byte
		want   string
		says   string // of the error
	}{
		"none":                      {[]byte(snappyMark), "", ""},
		"not compressed":            {slices.Concat([]byte(snappyMark), chunkOf(1, summed(text, text))), text, ""},
		"compressed":                {slices.Concat([]byte(snappyMark), chunkOf(0, summed(text, packed))), text, ""},
		"without bytes":             {slices.Concat([]byte(snappyMark), chunkOf(1, summed("", "")), chunkOf(1, summed("x", "x"))), "x", ""},
		"padding":                   {slices.Concat([]byte(snappyMark), chunkOf(0xfe, long+long), chunkOf(1, summed("x", "x")), chunkOf(0xfe, "")), "x", ""},
		"an index":                  {slices.Concat([]byte(snappyMark), chunkOf(1, summed("x", "x")), chunkOf(0x99, "index")), "x", ""},
		"marks between":             {slices.Concat([]byte(snappyMark), chunkOf(1, summed("x", "x")), []byte(snappyMark), chunkOf(1, summed("y", "y"))), "xy", ""},
		"the greatest":              {slices.Concat([]byte(snappyMark), chunkOf(1, summed(long[1:], long[1:]))), long[1:], ""},
		"too great":                 {slices.Concat([]byte(snappyMark), chunkOf(1, summed(long, long))), "", "at most 64 KiB"},
		"too great after all":       {slices.Concat([]byte(snappyMark), chunkOf(0, summed(long, string(snappy.Encode(nil, []byte(long)))))), "", "at most 64 KiB"},
		"a lie about the size":      {slices.Concat([]byte(snappyMark), chunkOf(0, summed(text, "\x05"+packed[1:]))), "", "a chunk cannot be decompressed"},
		"a size of 5 GB":            {slices.Concat([]byte(snappyMark), chunkOf(0, summed(text, "\xff\xff\xff\xff\x7f"+packed[1:]))), "", "at most 64 KiB"},
		"no checksum":               {slices.Concat([]byte(snappyMark), chunkOf(1, "abc")), "", "a chunk has 3 bytes"},
		"a wrong checksum":          {slices.Concat([]byte(snappyMark), chunkOf(1, summed("x", "y"))), "", "the checksum of a chunk does not match"},
		"a reserved type":           {slices.Concat([]byte(snappyMark), chunkOf(2, "x")), "", "the type 0x02, which is reserved"},
		"data with one wrong bit":   {slices.Concat([]byte(snappyMark), chunkOf(0x80, summed(text, packed))), "", "the type 0x80, which is reserved"},
		"S2 behind":                 {slices.Concat([]byte(snappyMark), []byte(s2Mark)), "", "it is S2, an extension of snappy, which is not read"},
		"another mark":              {slices.Concat([]byte(snappyMark), chunkOf(0xff, "sNaPpX")), "", "a mark is"},
		"a short mark":              {slices.Concat([]byte(snappyMark), chunkOf(0xff, "sNaPp")), "", "a mark has 5 bytes"},
		"a repeated offset, of S2":  {slices.Concat([]byte(snappyMark), chunkOf(0, summed("aaaaaaaa", "\x08\x00a\x01\x01\x0d\x00"))), "", "a chunk cannot be decompressed"},
		"padding that is cut short": {append([]byte(snappyMark), chunkOf(0xfe, long)[:1000]...), "", "cut short"},
	} {
		got, err := readAll(t, Snappy, c.object)
		switch {
		case c.says == "" && (err != nil || got != c.want):
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "snappy stream")):
			t.Errorf("%s: %q, %v; want an error with %q", name, got, err, c.says)
		}
	}
}

// TestTheExampleOfTheFormat compares a checksum with that of RFC 3720, B.4: 32 bytes of
// zeros have the CRC-32C 8a9136aa, which is masked as framing_format.txt says.
func TestTheExampleOfTheFormat(t *testing.T) {
	t.Parallel()
	sum, err := hex.DecodeString("8a9136aa")
	if err != nil {
		t.Fatal(err)
	}
	c := binary.BigEndian.Uint32(sum)
	if got, want := maskedSum(make([]byte, 32)), (c>>15|c<<17)+0xa282ead8; got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
}

// TestS2IsNamed: what s2c writes by default is refused by its name.
func TestS2IsNamed(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := s2.NewWriter(&b)
	if _, err := w.Write(sample(1000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, Snappy, b.Bytes()); err == nil || !strings.Contains(err.Error(), "an S2 stream") {
		t.Errorf("got %v", err)
	}
	if name, advice := Foreign("x.s2", b.Bytes()); name != "an S2 stream" || !strings.Contains(advice, "snappy") {
		t.Errorf("%q, %q", name, advice)
	}
}

// TestSnappyWithinLimits: a small object is not an endless one.
func TestSnappyWithinLimits(t *testing.T) {
	t.Parallel()
	bomb := bytes.Repeat(pack(t, Snappy, make([]byte, 1<<20)), 66)
	for name, l := range map[string]Limits{"--max-ratio": {Ratio: 15}, "--max-decompressed": {Size: 10 << 20}} {
		d := Decompressor{Limits: l}
		r, err := d.Open(Snappy, bytes.NewReader(bomb))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error that names %s", err, name)
		}
	}
}
