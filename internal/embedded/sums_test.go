package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs/library/compact"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/store"
)

// flips is a wrapper of a store that flips bits of one object.
type flips struct {
	mu    sync.Mutex
	reads int // range requests of the object
	nth   int // the request to damage; 0: all
}

// Wrap wraps a store.
func (f *flips) Wrap(d driver.Driver) driver.Driver { return &behind{d, f} }

type behind struct {
	driver.Driver
	f *flips
}

func (d *behind) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := d.Driver.Open(ctx, key, etag)
	if err != nil || key != "text" {
		return r, err
	}
	return &flipping{r, d.f}, nil
}

// flipping hides that the reader is local, so that it is read by requests.
type flipping struct {
	inner driver.Reader
	f     *flips
}

func (r *flipping) Object(ctx context.Context) (store.Object, error) { return r.inner.Object(ctx) }
func (r *flipping) Close() error                                     { return r.inner.Close() }

func (r *flipping) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	b, err := r.inner.Range(ctx, off, n)
	r.f.mu.Lock()
	r.f.reads++
	damaged := r.f.nth == 0 || r.f.reads == r.f.nth
	r.f.mu.Unlock()
	if err == nil && damaged {
		b.ReadCloser = &flippedBody{b.ReadCloser}
	}
	return b, err
}

// flippedBody changes a letter of the first bytes.
type flippedBody struct{ io.ReadCloser }

func (b *flippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if i := bytes.IndexByte(p[:n], 'a'); i >= 0 {
		p[i] ^= 2
	}
	return n, err
}

// flipped runs a job on an object of 200 lines, and damages one request.
func flipped(t *testing.T, nth int, o embedded.Options, compactOnly bool) (string, *flips, error) {
	t.Helper()
	o.Input, o.Output, o.Stores.Mem = []string{"mem://in/text"}, "mem://out", new(store.MemSpace)
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "text", []byte(strings.Repeat("a\n", 200)), store.Scratch); err != nil {
		t.Fatal(err)
	}
	f := &flips{nth: nth}
	o.Stores.Wrap, o.Stores.Retry = f.Wrap, store.Retry{Attempts: 3, Base: time.Millisecond}
	job := wordcount.Job()
	if compactOnly {
		job = compact.Job()
	}
	_, err = embedded.Run(t.Context(), job, o)
	got, readErr := read(t, o)
	if err == nil && readErr != nil {
		t.Fatal(readErr)
	}
	return got, f, err
}

// TestFlippedInputIsReadAgain verifies that the output is right when any one read
// of an input object is damaged, however the object is divided.
func TestFlippedInputIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, split := range []int64{0, 100, 37} {
		for nth := 1; nth <= 14; nth++ {
			t.Run(fmt.Sprintf("split %d, read %d", split, nth), func(t *testing.T) {
				t.Parallel()
				got, f, err := flipped(t, nth, embedded.Options{SplitSize: split, Partitions: 2}, false)
				if err != nil || got != "a\t200\n" {
					t.Errorf("after %d reads: %q, %v", f.reads, got, err)
				}
			})
		}
	}
}

// TestInputThatIsAlwaysDamagedEndsTheJob verifies that a job fails with the
// object's name when the object cannot be read intact.
func TestInputThatIsAlwaysDamagedEndsTheJob(t *testing.T) {
	t.Parallel()
	for _, split := range []int64{0, 100} {
		_, _, err := flipped(t, 0, embedded.Options{SplitSize: split}, false)
		if err == nil || !strings.Contains(err.Error(), "mem://in/text") || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("split %d: error is %v", split, err)
		}
	}
}

// TestFlippedInputOfAMapOnlyJobIsNotCommitted verifies that a map-only job does not
// commit damaged input, although its parts exist when the damage is found.
func TestFlippedInputOfAMapOnlyJobIsNotCommitted(t *testing.T) {
	t.Parallel()
	for _, split := range []int64{0, 100} {
		for nth := 1; nth <= 6; nth++ {
			got, _, err := flipped(t, nth, embedded.Options{SplitSize: split}, true)
			switch {
			case err == nil && got != strings.Repeat("a\n", 200):
				t.Errorf("split %d, read %d: wrong lines were committed", split, nth)
			case err != nil && (got != "" || !strings.Contains(err.Error(), "checksum")):
				t.Errorf("split %d, read %d: %d bytes were committed; error %v", split, nth, len(got), err)
			}
		}
	}
}
