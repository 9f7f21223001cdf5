// Command countwords DIR SUFFIX… prints how often each word occurs in the files below a
// directory whose names end in one of the suffixes, in the simple way: one file after
// the other and one map. Windrow's count must agree. It is a separate program because the race detector, which
// slows such a loop down many times, has nothing to find in it.
package main

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "countwords:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: countwords DIR SUFFIX…")
	}
	counts, err := count(args[0], args[1:])
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s\t%d\n", word, counts[word])
	}
	return w.Flush()
}

// count counts the words of all regular files whose names end in one of the suffixes,
// and whose names and directories' names begin neither with a dot nor with an
// underscore.
func count(dir string, suffixes []string) (map[string]int, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	counts := make(map[string]int)
	return counts, fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != "." && strings.ContainsAny(d.Name()[:1], "_."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(path, s) }):
			return nil
		}
		f, err := root.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r, err := unpacked(f)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, w := range bytes.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\n\v\f\r", c) }) {
			counts[string(w)]++
		}
		return nil
	})
}

// unpacked returns the contents of a file, decompressed if its first bytes are
// those that the file command knows: all compressed files of Go's source begin
// so.
func unpacked(f *os.File) (io.Reader, error) {
	r := bufio.NewReader(f)
	head, _ := r.Peek(10) // shorter files are plain
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		return gzip.NewReader(r)
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return zstd.NewReader(r)
	case bytes.HasPrefix(head, []byte("BZh")) && bytes.HasSuffix(head, []byte("1AY&SY")):
		return bzip2.NewReader(r), nil
	default:
		return r, nil
	}
}
