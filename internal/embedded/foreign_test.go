package embedded_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/plan"
)

// begins are the first bytes of other formats, from their specifications.
var begins = []string{
	"\xfd7zXZ\x00\x00\x04", "\x5d\x00\x00\x80\x00", "\x1f\x9d\x90", "\x1f\x8b\x08\x00", "\x28\xb5\x2f\xfd\x24", "BZh91AY&SY", "\x04\x22\x4d\x18\x64",
	"\x02\x21\x4c\x18", "\x50\x2a\x4d\x18\x03\x00\x00\x00abc", "LZIP\x01", "\x89LZO\x00\r\n\x1a\n", "\xff\x06\x00\x00sNaPpY", "PK\x03\x04\x14\x00", "7z\xbc\xaf\x27\x1c",
	"Rar!\x1a\x07\x00", "PAR1\x15\x04", "Obj\x01\x04\x16avro.schema", "ORC\x11\x00", "ARROW1\x00\x00", "SEQ\x06\x19", "SQLite format 3\x00",
	"\xff\xfet\x00o\x00", "\xfe\xff\x00t\x00o", "\x78\x9c\x4b\xc9", "t\x00o\x00 \x00b\x00e\x00 \x00o\x00r\x00", "\xef\xbb\xbfto be", "to be\r\r\n", "",
}

// FuzzPrefixesOfOtherFormats begins a text object with random parts of other formats. The
// object is refused by its name, or its lines are read exactly: as its bytes, or as its
// codec decompresses them. --decompress none reads any bytes as they are.
func FuzzPrefixesOfOtherFormats(f *testing.F) {
	for i, b := range begins {
		f.Add([]byte(b), uint16(len(b)), "or not\nto be\n", uint8(i))
		f.Add([]byte(b), uint16(2), "\x00\x01", uint8(i))
	}
	names := []string{"a", "a.txt", "a.br", "a.snappy", "a.gz", "a.zst", "a.bz2", "a.lz4"}
	f.Fuzz(func(t *testing.T, begin []byte, cut uint16, rest string, how uint8) {
		body := append(bytes.Clone(begin[:min(int(cut), len(begin))]), rest...)
		name := names[int(how)%len(names)]
		if how >= 128 { // inside gzip, which names the object then
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write(body)
			_ = w.Close()
			body, name = b.Bytes(), "a.gz"
		}
		if len(body) == 0 {
			return
		}
		job := jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.ReadLines(p).Write(text.Lines{})
			return nil
		})
		o := put(t, map[string][]byte{name: body})
		o.Slots, o.SplitSize = 1, 1+int64(how)*7
		_, err := embedded.Run(t.Context(), job, o)
		if err != nil {
			if kind := plan.KindOf(err); !strings.Contains(err.Error(), "mem://in/"+name) || kind != plan.Invalid && kind != plan.Failed {
				t.Errorf("%q: %v is of kind %v", body, err, kind)
			}
		} else {
			text, inner := plain(t, name, body), name
			if compress.FromName(name) != compress.None {
				inner = "a"
			}
			if format, _ := compress.Foreign(inner, text); format != "" {
				t.Errorf("%q, which is %s, is read as text", body, format)
			}
			checkLines(t, o, text)
		}
		o.Decompress, o.OnExists = "none", "replace"
		if _, err := embedded.Run(t.Context(), job, o); err != nil {
			t.Errorf("%q as it is: %v", body, err)
			return
		}
		checkLines(t, o, body)
	})
}

// plain returns the bytes of an object that is read as text.
func plain(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	codec := compress.FromName(name)
	if codec == compress.None {
		codec = compress.Detect(body)
	}
	r, err := codec.Reader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatalf("%q was read, and %v", body, err)
	}
	return b.Bytes()
}

// checkLines compares the lines of an output with those of a text.
func checkLines(t *testing.T, o embedded.Options, text []byte) {
	t.Helper()
	got, err := read(t, o)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := linesOf(string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	lines, _ := linesOf(strings.TrimPrefix(got, "\xef\xbb\xbf"))
	if strings.Join(lines, "\n") != strings.Join(want, "\n") || len(lines) != len(want) {
		t.Errorf("%q is read as %q, want %q", text, lines, want)
	}
}
