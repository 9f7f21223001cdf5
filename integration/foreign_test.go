package integration

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
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
		"lz4 legacy":         {"a.bin", "\x02\x21\x4c\x18\x08\x00\x00\x00\x70to be\n", "an lz4 stream of the legacy format"},
		"brotli":             {"a.br", "\x0b\x02\x80to be\n\x03", "it is a brotli stream"},
		"UTF-16 unmarked":    {"a", "t\x00o\x00 \x00b\x00e\x00\r\x00\n\x00o\x00r\x00", "it is UTF-16 text"},
		"an empty stream":    {"a.gz", "", "it is empty, and no gzip stream has 0 bytes"},
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
			if r.code != 2 || !strings.Contains(r.stderr, c.file) || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, "--decompress none") {
				t.Errorf("exit %d, want 2 with %q: %s", r.code, c.says, r.stderr)
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
		"g.br": "a branch, and text\n", "h.txt": "\ufeffto be\n",
		"e.gz": gzipped(t, strings.Repeat("to be or not to be\n", 1000)), "f": "x^2\n"} {
		in := file(t, name, text)
		out := filepath.Join(t.TempDir(), "out")
		if r := do(t, windrow, "run", "wordcount", "--input", in, "--out", out); r.code != 0 {
			t.Errorf("%s: exit %d: %s", name, r.code, r.stderr)
		}
	}
}

// TestForeignFormatsAreNamedTogether verifies that planning names all objects that the job
// cannot read, the first ones of many, in plan as in run.
func TestForeignFormatsAreNamedTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 7 {
		text := "PAR1\x15\x04\x15\x10" + strings.Repeat("columns\n", 200_000)
		if err := os.WriteFile(filepath.Join(dir, "part-"+string(rune('0'+i))), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "good.txt"), []byte("to be\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"wordcount", "--input", dir, "--out", filepath.Join(t.TempDir(), "out"), "--split-size", "1MiB"}
	run, planned := do(t, windrow, append([]string{"run"}, args...)...), do(t, windrow, append([]string{"plan"}, args...)...)
	for _, says := range []string{"7 objects of the input cannot be read", "/part-0 (it is a Parquet file", "/part-4 (", "…", "--decompress none"} {
		if run.code != 2 || !strings.Contains(run.stderr, says) || strings.Contains(run.stderr, "/part-5") {
			t.Errorf("exit %d, want 2 with %q: %s", run.code, says, run.stderr)
		}
	}
	if planned.code != run.code || planned.stderr != run.stderr {
		t.Errorf("plan says %d: %s\nrun says %d: %s", planned.code, planned.stderr, run.code, run.stderr)
	}
	must(t, windrow, "run", "wordcount", "--input", filepath.Join(dir, "*.txt"), "--out", filepath.Join(t.TempDir(), "out"))
}

// TestRecordsAreReadAsTheyWereWritten: distinct over its own output loses no line, if
// lines end in CR or begin with a byte order mark.
func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "\ufeff\ufeffa\na\r\r\na\nb\r\n\r\r\r\n\ufeff\nend\r")
	want := []string{"\r\r", "\ufeff", "\ufeffa", "a", "a\r", "b", "end\r"} // their ends are LF or CR LF
	once, twice := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "out")
	must(t, windrow, "run", "sort", "--input", in, "--out", once)
	must(t, windrow, "run", "distinct", "--input", once, "--out", twice)
	lines := strings.Split(strings.TrimSuffix(must(t, windrow, "cat", twice), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}
