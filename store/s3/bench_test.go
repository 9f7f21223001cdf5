package s3_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

func BenchmarkServer(b *testing.B) {
	r := open(b, s3test.Start(b), store.Options{})
	ctx := b.Context()
	b.Run("CreateOnce4KiB", func(b *testing.B) {
		body := make([]byte, 4096)
		n := 0
		for b.Loop() {
			if won, _, err := r.CreateOnce(ctx, fmt.Sprintf("log%p/%d", b, n), body); !won || err != nil {
				b.Fatal(won, err)
			}
			n++
		}
	})
	const size = 64 << 20
	piece := make([]byte, 1<<20)
	write := func(b *testing.B) {
		w, err := r.Create(ctx, "big", store.CreateOptions{})
		if err != nil {
			b.Fatal(err)
		}
		defer w.Abort()
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Write64MiB", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			write(b)
		}
	})
	write(b)
	h, err := r.OpenObject(ctx, "big", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Stream64MiB", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			s := h.Stream(ctx, 0, -1)
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, s, piece)
			if err = errors.Join(err, s.Close()); err != nil || n != size {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("Range1MiB", func(b *testing.B) {
		b.SetBytes(int64(len(piece)))
		for b.Loop() {
			if err := h.ReadAt(ctx, piece, 5<<20); err != nil {
				b.Fatal(err)
			}
		}
	})
}
