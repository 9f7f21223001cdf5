package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/windrow-mr/windrow/bench/inputs"
)

// input is what a point reads.
type input struct {
	path  string // a file, or a directory of files
	words int64  // of a text
	bytes int64
}

// makeInput writes an input of about the given number of bytes, cut after
// lines, in the given number of files: the contents of the base file, repeated.
// It stops when ctx ends.
func makeInput(ctx context.Context, base, path string, kind inputs.Kind, size, files int64) (in input, err error) {
	in.path = path
	if files > 1 {
		if err := os.Mkdir(path, 0o700); err != nil {
			return in, err
		}
	}
	source, err := os.Open(base)
	if err != nil {
		return in, err
	}
	defer source.Close()
	lines := bufio.NewReaderSize(source, 1<<20)
	for n := range files {
		name := path
		if files > 1 {
			name = filepath.Join(path, fmt.Sprintf("%06d", n))
		}
		if err := in.file(ctx, source, lines, name, kind, size*(n+1)/files); err != nil {
			return in, err
		}
	}
	return in, nil
}

// file writes a file of whole lines, until all files hold the given number of
// bytes. Its part of the base begins where the last file's ended.
func (in *input) file(ctx context.Context, source io.Seeker, lines *bufio.Reader, name string, kind inputs.Kind, until int64) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for in.bytes < until {
		text, err := wholeLines(lines, until-in.bytes)
		if errors.Is(err, io.EOF) && len(text) == 0 {
			if _, err := source.Seek(0, io.SeekStart); err != nil {
				return err
			}
			lines.Reset(source.(io.Reader))
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := f.Write(text); err != nil {
			return err
		}
		in.bytes += int64(len(text))
		if kind == inputs.Words {
			in.words += countWords(text)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// wholeLines returns lines of about the given number of bytes, valid until the
// next read: not more if a line ends before, one line if none does.
func wholeLines(r *bufio.Reader, size int64) ([]byte, error) {
	text, err := r.Peek(int(min(size, int64(r.Size()))))
	if end := bytes.LastIndexByte(text, '\n') + 1; end > 0 {
		_, err := r.Discard(end)
		return text[:end], err
	}
	if err != nil {
		_, _ = r.Discard(len(text)) // the last line of a file without a line feed
		return text, err
	}
	return r.ReadSlice('\n')
}

// countWords counts words between ASCII white space.
func countWords(text []byte) int64 {
	var n int64
	between := true
	for _, c := range text {
		space := c == ' ' || c >= '\t' && c <= '\r'
		if between && !space {
			n++
		}
		between = space
	}
	return n
}
