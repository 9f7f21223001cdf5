package main

import (
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/windrow-mr/windrow/store"
)

// packers compress with libraries. The one for bzip2 is not the one that Windrow
// reads with.
var packers = map[string]func(io.Writer) (io.WriteCloser, error){
	"gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	"bz2": func(w io.Writer) (io.WriteCloser, error) {
		return bzip2.NewWriter(w, &bzip2.WriterConfig{Level: bzip2.BestSpeed})
	},
	"lz4": func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil },
}

// pack writes a compressed text to a store.
func pack(t *testing.T, url, name, text string) {
	t.Helper()
	root, err := store.Open(t.Context(), url, store.Options{CreateDir: true})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w, err := root.Create(t.Context(), name, store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	_, codec, _ := strings.Cut(name, ".")
	packer, err := packers[codec](w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(packer, text); err != nil {
		t.Fatal(err)
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// runPacked counts the words of the corpus in each codec. The result must be that
// of the plain text.
func (c corpus) runPacked(t *testing.T, at func(key string) string) {
	t.Helper()
	for codec := range packers {
		name := "text." + codec
		pack(t, at("packed"), name, c.sorted)
		must(t, "run", "wordcount", "--input", at("packed/"+name), "--out", at("words-"+codec), "--split-size", "1MiB", "--partitions", "2", "--quiet")
		lines := strings.SplitAfter(must(t, "cat", at("words-"+codec)), "\n")
		slices.Sort(lines)
		if got := strings.Join(lines, ""); got != c.counted {
			t.Errorf("%s: counted %d bytes, want %d, or different ones", name, len(got), len(c.counted))
		}
	}
}
