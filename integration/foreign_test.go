package integration

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gzipped returns a text as a gzip object.
func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestForeignFormats verifies that a job that reads text refuses an object of a known
// other format, by its name and with advice, whatever its size, compressed or not, and
// that it reads the bytes as they are on request. It did so with one binary "word" and
// the exit status 0.
func TestForeignFormats(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("some bytes\n", 200_000)
	for name, c := range map[string]struct{ file, bytes, says string }{
		"xz":                 {"a.xz", "\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46", "it is an xz stream"},
		"large xz":           {"a.txt", "\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46" + large, "it is an xz stream"},
		"Parquet":            {"a", "PAR1\x15\x04\x15\x10\x15\x14", "it is a Parquet file"},
		"tar":                {"a.tar", strings.Repeat("\x00", 257) + "ustar\x0000" + large, "it is a tar archive"},
		"tar in gzip":        {"a.tgz", gzipped(t, strings.Repeat("\x00", 257)+"ustar\x0000"), "its gzip stream holds a tar archive"},
		"tar in gzip, large": {"a.tar.gz", gzipped(t, strings.Repeat("\x00", 257)+"ustar\x0000"+large), "its gzip stream holds a tar archive"},
		"gzip twice":         {"a.gz", gzipped(t, gzipped(t, "to be\n")), "it is compressed twice"},
		"UTF-16":             {"a.txt", "\xff\xfet\x00o\x00\n\x00", "it is UTF-16 text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, out := filepath.Join(dir, c.file), filepath.Join(dir, "out")
			if err := os.WriteFile(path, []byte(c.bytes), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"run", "wordcount", "--input", path, "--out", out, "--split-size", "1MiB"}
			r := do(t, windrow, args...)
			if r.code != 1 || !strings.Contains(r.stderr, c.file) || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, "--decompress none") {
				t.Errorf("exit %d, want 1 with %q: %s", r.code, c.says, r.stderr)
			}
			if names := visible(t, out); len(names) > 0 {
				t.Errorf("left visible: %v", names)
			}
			if r := do(t, windrow, append(args, "--decompress", "none")...); r.code != 0 {
				t.Errorf("as it is: exit %d: %s", r.code, r.stderr)
			}
		})
	}
}

// TestTextThatLooksForeign verifies that text is read, also if it begins with the
// letters of another format, or is short.
func TestTextThatLooksForeign(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a.txt": "PAR1 and ORC are formats\n", "b.gz": gzipped(t, "LZIP is one, too\n"), "c.gz": gzipped(t, ""), "d.gz": gzipped(t, "x"),
		"e.gz": gzipped(t, strings.Repeat("to be or not to be\n", 1000)), "f": "x^2\n"} {
		in := file(t, name, text)
		out := filepath.Join(t.TempDir(), "out")
		if r := do(t, windrow, "run", "wordcount", "--input", in, "--out", out); r.code != 0 {
			t.Errorf("%s: exit %d: %s", name, r.code, r.stderr)
		}
	}
}
