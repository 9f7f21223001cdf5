package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

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
	w, err := c.Writer(&out)
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

func unpack(c Codec, r io.Reader) (b []byte, err error) {
	z, err := c.Reader(r)
	if err != nil {
		return nil, err
	}
	b, err = io.ReadAll(z)
	return b, errors.Join(err, z.Close())
}

func TestWhatIsPackedComesOut(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{None, Gzip, Zstd} {
		for _, n := range []int{0, 1, 100, 1_000_000} {
			want := sample(n)
			packed := pack(t, c, want)
			if c != None && n > 1000 && len(packed) > n*2/3 {
				t.Errorf("%s makes %d bytes of %d", c, len(packed), n)
			}
			got, err := unpack(c, iotest.HalfReader(bytes.NewReader(packed)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes come out of %d, %v", c, len(got), n, err)
			}
		}
	}
}

func TestGzipOfOthersAndSeveralMembers(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for _, part := range []string{"one ", "", "two"} {
		w := stdgzip.NewWriter(&b)
		w.Name = "a name"
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
	frames := append(pack(t, Zstd, []byte("one ")), pack(t, Zstd, []byte("two"))...)
	if got, err := unpack(Zstd, bytes.NewReader(frames)); err != nil || string(got) != "one two" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestATruncatedStreamIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{Gzip, Zstd} {
		packed := pack(t, c, sample(5000))
		for cut := range packed {
			_, err := unpack(c, bytes.NewReader(packed[:cut]))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: %d of %d bytes give %v", c, cut, len(packed), err)
			}
			if !strings.Contains(err.Error(), "decompressed bytes") || !strings.Contains(err.Error(), c.String()) {
				t.Fatalf("%s: the error is %q", c, err)
			}
		}
	}
}

func TestACorruptStreamIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{Gzip, Zstd} {
		want := sample(5000)
		packed := pack(t, c, want)
		for at := range packed {
			b := bytes.Clone(packed)
			b[at] ^= 0x10
			got, err := unpack(c, bytes.NewReader(b))
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%s: with byte %d changed, other bytes come out without an error", c, at)
			}
		}
		if _, err := unpack(c, bytes.NewReader(append(bytes.Clone(packed), "garbage that follows"...))); err == nil {
			t.Errorf("%s: garbage behind the stream is taken", c)
		}
		if _, err := unpack(c, strings.NewReader("this is not compressed at all")); err == nil {
			t.Errorf("%s: plain text is taken", c)
		}
	}
}

func TestErrorsOfTheStoreComeBackAsTheyAre(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk on fire")
	for _, c := range []Codec{Gzip, Zstd} {
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
	for name, want := range map[string]Codec{"a.gz": Gzip, "s3://b/a.txt.GZ": Gzip, "a.zst": Zstd, "a.txt": None, "gz": None, "a.gz/b": None} {
		if got := FromName(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, c := range []Codec{None, Gzip, Zstd} {
		if got, err := Parse(c.String()); err != nil || got != c {
			t.Errorf("%s is parsed as %s, %v", c, got, err)
		}
		if c != None && FromName("x"+c.Ext()) != c {
			t.Errorf("%s has the extension %s, which tells something else", c, c.Ext())
		}
	}
	if _, err := Parse("bzip2"); err == nil || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("got %v, want what there is", err)
	}
	if _, err := Codec(9).Reader(nil); err == nil {
		t.Error("an unknown codec reads")
	}
}

func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, codec uint8, b []byte) {
		z, err := Codec(1 + codec%2).Reader(bytes.NewReader(b))
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, io.LimitReader(z, 1<<20))
		if closeErr := z.Close(); err == nil && closeErr != nil {
			t.Errorf("read to the end, but closing gives %v", closeErr)
		}
	})
}
