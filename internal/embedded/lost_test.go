package embedded_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/store"
)

// rot damages or deletes sorted runs after they were written.
type rot struct {
	mu      sync.Mutex
	keys    map[string]bool // the damaged ones; false: opened while it was intact
	most    int             // number of runs to damage, of all that are opened; negative: all
	deletes bool            // runs are deleted, not damaged
}

// Wrap wraps a store whose runs rot.
func (r *rot) Wrap(d driver.Driver) driver.Driver { return &rotting{d, r} }

// rotting is a store whose runs rot.
type rotting struct {
	driver.Driver
	*rot
}

func (r *rotting) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	if !strings.Contains(key, "/x/") {
		return r.Driver.Open(ctx, key, etag)
	}
	r.mu.Lock()
	rotten, seen := r.keys[key]
	if !seen {
		rotten = r.most != 0
		r.keys[key] = rotten
		if rotten {
			r.most--
		}
	}
	r.mu.Unlock()
	if rotten && r.deletes {
		return nil, driver.Fail(plan.NotFound, "it rotted away")
	}
	reader, err := r.Driver.Open(ctx, key, etag)
	if err != nil || !rotten {
		return reader, err
	}
	return damaged{reader}, nil
}

// damaged is a reader that changes every byte whose offset is a multiple of 100.
type damaged struct{ inner driver.Reader }

func (d damaged) Object(ctx context.Context) (store.Object, error) { return d.inner.Object(ctx) }
func (d damaged) Close() error                                     { return d.inner.Close() }

func (d damaged) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	b, err := d.inner.Range(ctx, off, n)
	if err == nil {
		b.ReadCloser = &damagedBody{b.ReadCloser, off}
	}
	return b, err
}

type damagedBody struct {
	io.ReadCloser
	at int64
}

func (b *damagedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	for i := range p[:n] {
		if (b.at+int64(i))%100 == 0 {
			p[i] ^= 1
		}
	}
	b.at += int64(n)
	return n, err
}

// TestLostRunsAreMadeAgain verifies that maps run again when their committed runs
// are lost or damaged, and that the output is right.
func TestLostRunsAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, deletes := range map[string]bool{"damaged": false, "gone": true} {
		for _, most := range []int{1, 3} {
			o := options(t)
			o.Input = []string{"mem://in/text", "mem://in/more"}
			root, err := store.Open(t.Context(), "mem://in", o.Stores)
			if err != nil {
				t.Fatal(err)
			}
			if err := root.Put(t.Context(), "more", []byte(strings.Repeat("or not\n", 1000)), store.Scratch); err != nil {
				t.Fatal(err)
			}
			r := &rot{keys: map[string]bool{}, most: most, deletes: deletes}
			o.Stores.Wrap = r.Wrap
			o.SplitSize, o.Partitions = 1000, 2
			_, err = embedded.Run(t.Context(), wordcount.Job(), o)
			got, readErr := read(t, o)
			if err != nil || sortedLines(got) != "be\t2\nnot\t1001\nor\t1001\nto\t2\n" {
				t.Errorf("%d runs %s: %v; contents %q, %v", most, name, err, got, readErr)
			}
			if r.most > 0 {
				t.Errorf("%d runs %s: only %d runs were read", most, name, len(r.keys))
			}
		}
	}
}

// TestRunsThatAreAlwaysLostEndTheJob verifies that the job's error names the map
// whose runs are lost.
func TestRunsThatAreAlwaysLostEndTheJob(t *testing.T) {
	t.Parallel()
	o := options(t)
	r := &rot{keys: map[string]bool{}, most: -1}
	o.Stores.Wrap = r.Wrap
	_, err := embedded.Run(t.Context(), wordcount.Job(), o)
	if err == nil || !strings.Contains(err.Error(), "map/0") || !strings.Contains(err.Error(), "lost or damaged every time") {
		t.Errorf("error is %v", err)
	}
}

func sortedLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
