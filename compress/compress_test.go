package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	dsnet "github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// all are the codecs that compress.
var all = []Codec{Gzip, Zstd, Bzip2, Lz4, Snappy}

func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefgh \n"[r.IntN(10)]
	}
	return b
}

func pack(t testing.TB, c Codec, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := writer(c, &out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writer returns the codec's writer, or that of another library if there is
// none.
func writer(c Codec, w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Bzip2:
		return dsnet.NewWriter(w, &dsnet.WriterConfig{Level: 1})
	case Snappy:
		// The library writes nothing for no data. Two marks in a row are valid.
		_, err := io.WriteString(w, snappyMark)
		return snappy.NewBufferedWriter(w), err
	}
	return c.Writer(w)
}

func unpack(c Codec, r io.Reader) (b []byte, err error) {
	return new(Decompressor).all(c, r)
}

func (d *Decompressor) all(c Codec, r io.Reader) (b []byte, err error) {
	z, err := d.Open(c, r)
	if err != nil {
		return nil, err
	}
	b, err = io.ReadAll(z)
	return b, errors.Join(err, z.Close())
}

func TestWhatIsPackedComesOut(t *testing.T) {
	t.Parallel()
	var d Decompressor
	for _, c := range append(all, None) {
		for _, n := range []int{0, 1, 100, 1_000_000} {
			want := sample(n)
			packed := want
			if c != None {
				packed = pack(t, c, want)
			}
			if c != None && n > 1000 && len(packed) > n*97/100 {
				t.Errorf("%s makes %d bytes of %d", c, len(packed), n)
			}
			got, err := d.all(c, iotest.HalfReader(bytes.NewReader(packed)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes come out of %d, %v", c, len(got), n, err)
			}
		}
	}
}

func TestGzipOfOthers(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for _, part := range []string{"one ", "", "two"} {
		w := stdgzip.NewWriter(&b)
		w.Name, w.Comment, w.Extra = "a name", "a comment", []byte("extra")
		io.WriteString(w, part)
		w.Close()
	}
	if got, err := unpack(Gzip, &b); err != nil || string(got) != "one two" {
		t.Errorf("got %q, %v", got, err)
	}
	r, err := stdgzip.NewReader(bytes.NewReader(pack(t, Gzip, sample(1000))))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, sample(1000)) {
		t.Errorf("the standard library reads %d bytes, %v", len(got), err)
	}
}

// TestStreamsOfOtherTools reads streams of the codecs' own programs.
func TestStreamsOfOtherTools(t *testing.T) {
	t.Parallel()
	const text, run = "one\ntwo\n", 300
	for tool, c := range map[string]struct {
		codec  Codec
		packed string
		want   string
	}{
		"gzip":                    {Gzip, "H4sIAAAAAAAAA8vPS+UqKc/nAgDmC7oSCAAAAA==", text},
		"bgzip":                   {Gzip, "H4sIBAAAAAAA/wYAQkMCACYAAQgA9/9vbmUKdHdvCuYLuhIIAAAAH4sIBAAAAAAA/wYAQkMCABsAAwAAAAAAAAAAAA==", text},
		"bgzip of nothing":        {Gzip, "H4sIBAAAAAAA/wYAQkMCABsAAwAAAAAAAAAAAA==", ""},
		"bzip2":                   {Bzip2, "QlpoOTFBWSZTWacUK3cAAALBgAAQAgGEgCAAIYAMAjj1G4u5IpwoSFOKFbuA", text},
		"snap of Rust":            {Snappy, "/wYAAHNOYVBwWQEMAAAx5MzJb25lCnR3bwo=", text},
		"snap of Rust, packed":    {Snappy, "/wYAAHNOYVBwWQAiAACr0F2YnAFAb25lCnRvIGJlIG9yIG5vdCAJDQkG/hMA+hMA", "one\n" + strings.Repeat("to be or not to be ", 8)},
		"bzip2 of nothing":        {Bzip2, "QlpoORdyRThQkAAAAAA=", ""},
		"zstd -19":                {Zstd, "KLUv/SQIQQAAb25lCnR3bwrmpg5A", text},
		"zstd from a pipe":        {Zstd, "KLUv/QRYQQAAb25lCnR3bwrmpg5A", text},
		"zstd --ultra --no-check": {Zstd, "KLUv/WA0AIUAAEh4b25lCnR3bwoBACgqEAI=", strings.Repeat("x", run) + text},
		"lz4 -BD --content-size":  {Lz4, "BCJNGGxANAEAAAAAAAC5DwAAAB94AQD/GYBvbmUKdHdvCgAAAABgt8K7", strings.Repeat("x", run) + text},
	} {
		packed, err := base64.StdEncoding.DecodeString(c.packed)
		if err != nil {
			t.Fatal(err)
		}
		if found := Detect(packed); found != c.codec {
			t.Errorf("%s: detected as %s", tool, found)
		}
		if got, err := unpack(c.codec, bytes.NewReader(packed)); err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v", tool, got, err)
		}
		if !strings.HasPrefix(tool, "bgzip") {
			if Blocked(packed) {
				t.Errorf("%s writes BGZF", tool)
			}
			continue
		}
		if got, _, err := membersAt(new(Decompressor), packed, 0, int64(len(packed))); err != nil || string(got) != c.want || !Blocked(packed) || !strings.HasSuffix(string(packed), BlockedEnd) {
			t.Errorf("%s, by blocks: got %q, %v", tool, got, err)
		}
	}
	legacy, err := base64.StdEncoding.DecodeString("AiFMGAkAAACAb25lCnR3bwo=")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(Lz4, bytes.NewReader(legacy)); err == nil {
		t.Error("a frame of lz4's legacy format, which has no end, is read")
	}
}

// skippable is a skippable frame of zstd and lz4.
const skippable = "\x5f\x2a\x4d\x18\x03\x00\x00\x00abc"

func TestStreamsFollowEachOther(t *testing.T) {
	t.Parallel()
	for _, c := range all {
		parts := [][]byte{pack(t, c, []byte("one ")), pack(t, c, nil), pack(t, c, []byte("two"))}
		if c == Zstd || c == Lz4 {
			parts = append([][]byte{[]byte(skippable)}, parts...)
			parts = append(parts, []byte(skippable), pack(t, c, []byte(" three")))
		}
		got, err := unpack(c, bytes.NewReader(bytes.Join(parts, nil)))
		if err != nil || !strings.HasPrefix(string(got), "one two") {
			t.Errorf("%s: got %q, %v", c, got, err)
		}
	}
}

// TestATruncatedStreamIsAnError cuts three streams that follow each other after
// every byte.
func TestATruncatedStreamIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range all {
		var d Decompressor
		var packed []byte
		ends := map[int]int{}
		plain := 0
		for i := range 3 {
			text := sample(400 * i)
			if c == Snappy { // a mark alone is a stream
				ends[len(packed)+len(snappyMark)], ends[len(packed)+2*len(snappyMark)] = plain, plain
			}
			packed, plain = append(packed, pack(t, c, text)...), plain+len(text)
			ends[len(packed)] = plain
		}
		for cut := range packed {
			got, err := d.all(c, bytes.NewReader(packed[:cut]))
			if n, whole := ends[cut]; whole {
				if err != nil || len(got) != n {
					t.Fatalf("%s: the streams that end at byte %d give %d bytes, %v", c, cut, len(got), err)
				}
				continue
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: %d of %d bytes give %d bytes, %v", c, cut, len(packed), len(got), err)
			}
			for _, part := range []string{c.String(), "cut short", fmt.Sprintf("ends at byte %d,", cut), fmt.Sprintf("after %d decompressed bytes", len(got))} {
				if !strings.Contains(err.Error(), part) {
					t.Fatalf("%s: the error %q does not say %q", c, err, part)
				}
			}
		}
	}
}

// TestACorruptStreamIsAnError flips every bit in turn.
func TestACorruptStreamIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range all {
		var d Decompressor
		want := sample(200)
		packed := append(pack(t, c, want[:100]), pack(t, c, want[100:])...)
		for bit := range len(packed) * 8 {
			b := bytes.Clone(packed)
			b[bit/8] ^= 1 << (bit % 8)
			got, err := d.all(c, bytes.NewReader(b))
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%s: with bit %d of byte %d flipped, other bytes come out without an error", c, bit%8, bit/8)
			}
		}
		_, err := unpack(c, bytes.NewReader(append(bytes.Clone(packed), "garbage that follows"...)))
		if err == nil || !strings.Contains(err.Error(), c.String()) {
			t.Errorf("%s: with garbage after the stream: %v", c, err)
		}
	}
}

// TestCorruptionNamesThePlace damages the second of two streams.
func TestCorruptionNamesThePlace(t *testing.T) {
	t.Parallel()
	for _, c := range all {
		packed := append(pack(t, c, sample(1000)), pack(t, c, sample(200_000))...)
		first := len(packed) - len(pack(t, c, sample(200_000)))
		for i := range 20 {
			packed[len(packed)-100+i] ^= 0xff
		}
		_, err := unpack(c, bytes.NewReader(packed))
		var at, plain int
		if err == nil {
			t.Fatalf("%s: nothing is wrong", c)
		}
		text := err.Error()
		if i := strings.Index(text, "byte "); i < 0 {
			t.Errorf("%s: no place in %q", c, err)
		} else if n, _ := fmt.Sscanf(text[i:], "byte %d, after %d decompressed", &at, &plain); n != 2 || at <= first || at > len(packed) || plain < 1000 {
			t.Errorf("%s: %q, the damage is in the last 100 of %d bytes", c, err, len(packed))
		}
	}
}

func TestErrorsOfTheStoreComeBackAsTheyAre(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk on fire")
	for _, c := range all {
		packed := pack(t, c, sample(100_000))
		for _, cut := range []int{0, 3, len(packed) / 2} {
			r := io.MultiReader(bytes.NewReader(packed[:cut]), iotest.ErrReader(errDisk))
			if _, err := unpack(c, r); !errors.Is(err, errDisk) || strings.Contains(err.Error(), "corrupt") {
				t.Errorf("%s: got %v, want the reader's error", c, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Codec{
		"a.gz": Gzip, "s3://b/a.txt.GZ": Gzip, "a.vcf.bgz": Gzip, "a.BGZ": Gzip, "a.zst": Zstd, "a.BZ2": Bzip2, "a.b.Lz4": Lz4, "a.csv.sz": Snappy, "a.txt": None, "gz": None, "a.gz/b": None,
	} {
		if got := FromName(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, c := range append(all, None) {
		if got, err := Parse(c.String()); err != nil || got != c {
			t.Errorf("%s is parsed as %s, %v", c, got, err)
		}
		if c != None && FromName("x"+c.Ext()) != c {
			t.Errorf("%s has the extension %s, which is another codec's", c, c.Ext())
		}
	}
	if _, err := Parse("rar"); err == nil || !strings.Contains(err.Error(), "bzip2") {
		t.Errorf("got %v, want the list of codecs", err)
	}
	if _, err := Codec(9).Reader(strings.NewReader("")); err == nil {
		t.Error("an unknown codec reads")
	}
}

func TestReadOnlyCodecsAreNotWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{Bzip2, Snappy} {
		_, err := ParseOutput(c.String())
		if err == nil || !strings.Contains(err.Error(), "can be read but not written") || !strings.Contains(err.Error(), "lz4") {
			t.Errorf("%s: got %v", c, err)
		}
		if _, err := c.Writer(io.Discard); err == nil {
			t.Errorf("%s is written", c)
		}
	}
	if _, err := ParseOutput("rar"); err == nil || strings.Contains(err.Error(), "bzip2") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"", "none", "gzip", "zstd", "lz4"} {
		if _, err := ParseOutput(name); err != nil {
			t.Error(err)
		}
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range all {
		for _, n := range []int{0, 5000} {
			if got := Detect(pack(t, c, sample(n))); got != c {
				t.Errorf("%s of %d bytes is detected as %s", c, n, got)
			}
		}
	}
	frames := []byte(skippable + skippable)
	if got := Detect(append(frames, pack(t, Zstd, nil)...)); got != Zstd {
		t.Errorf("zstd after skippable frames is detected as %s", got)
	}
	for _, text := range []string{
		"", "B", "BZ", "BZh", "BZh9", "BZh9 is how bzip2 begins\n", "BZh91AY&S", "BZhA1AY&SY", "\x1f\x8b", "\x1f\x8b\x07", "\x28\xb5\x2f",
		"PK\x03\x04", "\x50\x2a\x4d\x18\xff\xff",
	} {
		if got := Detect([]byte(text)); got != None {
			t.Errorf("%q is detected as %s", text, got)
		}
	}
}

// TestAnotherFormatIsAnError opens streams that are not in the format of their
// name.
func TestAnotherFormatIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range all {
		_, err := unpack(c, strings.NewReader("this is not compressed at all"))
		if err == nil || !strings.Contains(err.Error(), "--decompress none") || !strings.Contains(err.Error(), c.String()) {
			t.Errorf("plain text as %s: %v", c, err)
		}
		for _, other := range all {
			if other == c {
				continue
			}
			_, err := unpack(c, bytes.NewReader(pack(t, other, sample(100))))
			if err == nil || !strings.Contains(err.Error(), "--decompress "+other.String()) {
				t.Errorf("%s as %s: %v", other, c, err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const size = 72 << 20
	for _, c := range []Codec{Gzip, Zstd, Bzip2} {
		bomb := bytes.Repeat(pack(t, c, make([]byte, size/18)), 18)
		for name, l := range map[string]Limits{
			"--max-ratio":        {Ratio: 900},
			"--max-decompressed": {Size: 10 << 20, Ratio: 1 << 40},
			"":                   {Ratio: 1 << 40, Size: size},
		} {
			if name == "" && c != Zstd {
				continue // to the end once is enough
			}
			d := Decompressor{Limits: l}
			r, err := d.Open(c, bytes.NewReader(bomb))
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r)
			switch {
			case name == "" && (err != nil || n != size):
				t.Errorf("%s: %d bytes within the limits, %v", c, n, err)
			case name != "" && (!errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), name)):
				t.Errorf("%s: got %v, want an error that names %s", c, err, name)
			}
		}
	}
}

// TestSmallBombsAreTaken verifies that a high ratio is no error while few bytes
// have come out.
func TestSmallBombsAreTaken(t *testing.T) {
	t.Parallel()
	d := Decompressor{Limits: Limits{Ratio: 10}}
	if got, err := d.all(Zstd, bytes.NewReader(pack(t, Zstd, make([]byte, 20<<20)))); err != nil || len(got) != 20<<20 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestTheWindowIsBounded(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(16<<20), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(sample(1 << 20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil { // the size is not known at the head
		t.Fatal(err)
	}
	w.Close()
	d := Decompressor{Limits: Limits{Window: 8 << 20}}
	_, err = d.all(Zstd, bytes.NewReader(b.Bytes()))
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("got %v", err)
	}
	d.Limits.Window = 16 << 20
	if got, err := d.all(Zstd, bytes.NewReader(b.Bytes())); err != nil || len(got) != 1<<20 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func FuzzReader(f *testing.F) {
	for _, c := range all {
		f.Add(uint8(c), pack(f, c, sample(100)))
		f.Add(uint8(c), append(pack(f, c, nil), pack(f, c, sample(300))...))
	}
	f.Fuzz(func(t *testing.T, codec uint8, b []byte) {
		c := all[int(codec)%len(all)]
		if found := Detect(b); found != None {
			c = found
		}
		d := Decompressor{Limits: Limits{Window: MinWindow}}
		z, err := d.Open(c, bytes.NewReader(b))
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, io.LimitReader(z, 1<<20))
		if closeErr := z.Close(); err == nil && closeErr != nil {
			t.Errorf("read to the end, but closing gives %v", closeErr)
		}
	})
}
