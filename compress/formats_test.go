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

// wideFrame returns a frame of zstd (RFC 8878, 3.1.1) that may look back 2 to the power
// of exponent bytes, with a block of text as it is.
func wideFrame(exponent byte, text string) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3}
	header := uint32(len(text))<<3 | 1 // the last block
	return append(append(b, byte(header), byte(header>>8), byte(header>>16)), text...)
}

// TestWideWindowsCanBeRead: zstd --long=28 needs 256 MiB to look back into. The error
// says how much memory reads the object, and that much does.
func TestWideWindowsCanBeRead(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	object := wideFrame(28, "to be\n")
	var d Decompressor
	_, err := d.all(Zstd, bytes.NewReader(object))
	for _, says := range []string{"a window of 256 MiB", "128 MiB of memory are free", "1024 MiB for each slot", "--memory", "without --long"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	d.Limits.Window = 1024 * mib / WindowShare
	if got, err := d.all(Zstd, bytes.NewReader(object)); err != nil || string(got) != "to be\n" {
		t.Errorf("with that memory: %q, %v", got, err)
	}
	// Of a frame behind the first one only the decoder knows.
	d.Limits.Window = MinWindow
	if _, err := d.all(Zstd, bytes.NewReader(slices.Concat(wideFrame(20, "to be\n"), object))); err == nil || !strings.Contains(err.Error(), "a window of more") || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("in the second frame: %v", err)
	}
}

// TestDictionariesAreNamed: a frame that was compressed with a dictionary is no damage,
// and the error says so.
func TestDictionariesAreNamed(t *testing.T) {
	t.Parallel()
	withID := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 1, 80, 7}, 1, 0, 0) // of dictionary 7, with an empty block
	for c, object := range map[Codec][]byte{
		Zstd: withID,
		Lz4:  {0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 7, 0, 0, 0, 0xe3, 0, 0, 0, 0},
	} {
		for _, object := range [][]byte{object, slices.Concat(pack(t, c, []byte("to be\n")), object)} {
			_, err := readAll(t, c, object)
			if err == nil || !strings.Contains(err.Error(), "dictionary") {
				t.Errorf("%s: %v", c, err)
			}
		}
		if _, err := readAll(t, c, object); err == nil || !strings.Contains(err.Error(), "compress it again without one") {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// TestNamesOfOtherFormats: an object with the name of a codec and the bytes of another
// format is named by that.
func TestNamesOfOtherFormats(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{"\x02\x21\x4c\x18\x08\x00\x00\x00": "lz4 stream of the legacy format", "PK\x03\x04\x14\x00": "zip archive"} {
		if _, err := readAll(t, Lz4, []byte(text)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "--decompress none") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestForeign: known formats are named by their first bytes, and text is not taken for
// one.
func TestForeign(t *testing.T) {
	t.Parallel()
	tar := append(make([]byte, 257), "ustar\x0000"...)
	for want, head := range map[string]string{
		"xz": "\xfd7zXZ\x00\x00\x04", "lzma": "\x5d\x00\x00\x80\x00\xff\xff", "compress": "\x1f\x9d\x90to", "lzip": "LZIP\x01\x0c", "lzo": "\x89LZO\x00\r\n\x1a\n\x10",
		"S2": "\xff\x06\x00\x00S2sTwO\x00", "legacy": "\x02\x21\x4c\x18\x10\x00", "zip archive": "PK\x03\x04\x14\x00", "7z": "7z\xbc\xaf\x27\x1c\x00", "rar": "Rar!\x1a\x07\x01",
		"tar": string(tar), "Parquet": "PAR1\x15\x04\x15\x10", "Avro": "Obj\x01\x04\x16avro.schema", "ORC": "ORC\x11\x00\x00\x0a\x06", "Arrow": "ARROW1\x00\x00\xff\xff\xff\xff",
		"sequence": "SEQ\x06\x19org.apache", "SQLite": "SQLite format 3\x00\x10\x00", "UTF-16": "\xff\xfet\x00o\x00", "UTF-32": "\xff\xfe\x00\x00t\x00\x00\x00", "zlib": "\x78\x9c\x4b\xc9\x57\x00\x02\x4d",
	} {
		if name, advice := Foreign("x", []byte(head)); !strings.Contains(name, want) || advice == "" {
			t.Errorf("%s is %q: %q", want, name, advice)
		}
	}
	for name, want := range map[string]string{"a.br": "brotli", "A.BR": "brotli", "a.snappy": "snappy", "a.lzo": "lzo", "a.txt": ""} {
		if got, _ := Foreign(name, []byte("\x8b\x02\x80to be\x03")); got == "" != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
		if got, _ := Foreign(name, []byte("a text, cut within a letter: \xe6\x97")); got != "" {
			t.Errorf("a text called %s is %q", name, got)
		}
	}
	for _, wide := range []string{"t\x00o\x00 \x00b\x00e\x00\r\x00\n\x00o\x00", "\x00t\x00o\x00 \x00b\x00e\x00\t\x00n\x00o"} {
		if name, _ := Foreign("x", []byte(wide)); !strings.Contains(name, "UTF-16") {
			t.Errorf("%q is %q", wide, name)
		}
	}
	if name, _ := Foreign("x", []byte("\xfe\xff\x00t\x00o")); !strings.Contains(name, "UTF-16") {
		t.Errorf("UTF-16 in the other order is %q", name)
	}
	for _, text := range []string{"", "P", "PAR1 is how Parquet begins\n", "ORCHARD\tapples\n", "LZIP is a format\n", "x^2 + y^2\n", "x\x01", "PK\n", "SEQ 6\n", "Obj 1", "ustar\n",
		strings.Repeat("a", 257) + "ustar is a word\n", "]\n", "\xef\xbb\xbftext", "7z", "z\xfcrich\n", "\xff", "x\xda\n"} {
		if name, _ := Foreign("x", []byte(text)); name != "" {
			t.Errorf("%.20q is taken for %s", text, name)
		}
	}
	for _, c := range all {
		if name, _ := Foreign("x", pack(t, c, sample(1000))); name != "" {
			t.Errorf("%s is taken for %s", c, name)
		}
	}
}

// FuzzForeign: no prefix of a known format makes it panic, and text of letters, digits
// and line feeds is never foreign.
func FuzzForeign(f *testing.F) {
	for i := range foreigners {
		f.Add([]byte(foreigners[i].begin))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		name, advice := Foreign("x.txt", head)
		if (name == "") != (advice == "") {
			t.Errorf("%q: %q, %q", head, name, advice)
		}
		for i := range head {
			head[i] = "abcXYZ0123456789 \t\n"[int(head[i])%19]
		}
		if name, _ := Foreign("x.txt", head); name != "" {
			t.Errorf("%q is taken for %s", head, name)
		}
	})
}
