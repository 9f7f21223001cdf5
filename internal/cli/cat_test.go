package cli

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
)

// written sorts a text into mem://out, and returns the options of its stores.
func written(t *testing.T, text, codec string) store.Options {
	t.Helper()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(t.Context(), "mem://in", stores)
	if err != nil {
		t.Fatal(err)
	}
	w, err := root.Create(t.Context(), "text", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Run(t.Context(), sort.Job(), embedded.Options{Input: []string{"mem://in/text"}, Output: "mem://out",
		Partitions: 3, Compress: codec, Stores: stores}); err != nil {
		t.Fatal(err)
	}
	return stores
}

func program(stores store.Options, args ...string) (Program, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	return Program{Args: append([]string{"windrow"}, args...), Stdout: &stdout, Stderr: &stderr, Stores: stores}, &stdout, &stderr
}

// oneMain keeps two command lines from being parsed at once: the library that
// parses them has one help flag for the whole process.
var oneMain sync.Mutex

func serially(t *testing.T, p Program) int {
	t.Helper()
	if p.Commands == nil {
		p.Commands = Operating()
	}
	oneMain.Lock()
	defer oneMain.Unlock()
	return Main(t.Context(), p)
}

// TestCatSizes verifies that cat prints outputs that are small, that are large, and
// that are small at rest but large as text.
func TestCatSizes(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 999) + "\n"
	for name, c := range map[string]struct {
		lines int
		codec string
	}{"small": {10, ""}, "large": {20_000, ""}, "large when unpacked": {20_000, compress.Zstd.String()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := strings.Repeat(line, c.lines)
			p, stdout, stderr := program(written(t, want, c.codec), "cat", "mem://out")
			if code := serially(t, p); code != exitOK || stdout.String() != want {
				t.Errorf("exit %d, %d bytes of %d: %s", code, stdout.Len(), len(want), stderr)
			}
		})
	}
}

// TestCatDamaged verifies that cat fails when the bytes of a part were changed.
func TestCatDamaged(t *testing.T) {
	t.Parallel()
	stores := written(t, "a\nb\nc\n", "")
	root, err := store.Open(t.Context(), "mem://out", stores)
	if err != nil {
		t.Fatal(err)
	}
	m, err := output.Read(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Parts {
		if m.Parts[i].Size == 0 {
			continue
		}
		if err := root.Put(t.Context(), m.Parts[i].Name, bytes.Repeat([]byte("?"), int(m.Parts[i].Size)), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	p, _, stderr := program(stores, "cat", "mem://out")
	if code := serially(t, p); code != exitFailed || !strings.Contains(stderr.String(), "CRC32C") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
