package store_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/windrow-mr/windrow/store"
)

// benchRoots are a root on disk, one on a file system in memory if the machine
// has one, and one in this process.
func benchRoots(b *testing.B, run func(b *testing.B, r *store.Root)) {
	b.Run("file", func(b *testing.B) { run(b, open(b, b.TempDir(), store.Options{})) })
	if dir, err := os.MkdirTemp("/dev/shm", "windrow-bench-"); err == nil {
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		b.Run("tmpfs", func(b *testing.B) { run(b, open(b, dir, store.Options{})) })
	}
	b.Run("mem", func(b *testing.B) { run(b, open(b, "mem://", store.Options{})) })
}

func BenchmarkCreateOnce(b *testing.B) {
	benchRoots(b, func(b *testing.B, r *store.Root) {
		body := make([]byte, 4096)
		n := 0
		for b.Loop() {
			if won, _, err := r.CreateOnce(b.Context(), fmt.Sprintf("log/%09d", n), body); !won || err != nil {
				b.Fatal(won, err)
			}
			n++
		}
	})
}

func BenchmarkPutScratch(b *testing.B) {
	benchRoots(b, func(b *testing.B, r *store.Root) {
		body := make([]byte, 4096)
		n := 0
		for b.Loop() {
			if err := r.Put(b.Context(), fmt.Sprintf("x/%02x/%d", n%64, n%1000), body, store.Scratch); err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
}

const benchSize = 64 << 20

func BenchmarkWrite64MiB(b *testing.B) {
	piece := make([]byte, 1<<20)
	benchRoots(b, func(b *testing.B, r *store.Root) {
		b.SetBytes(benchSize)
		for b.Loop() {
			writeBench(b, r, piece)
		}
	})
}

func writeBench(b *testing.B, r *store.Root, piece []byte) {
	w, err := r.Create(b.Context(), "big", store.CreateOptions{Class: store.Scratch})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	for range benchSize / len(piece) {
		if _, err := w.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkStream64MiB(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20} {
		piece := make([]byte, size)
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			benchRoots(b, func(b *testing.B, r *store.Root) {
				writeBench(b, r, piece)
				h, err := r.OpenObject(b.Context(), "big", "")
				if err != nil {
					b.Fatal(err)
				}
				defer h.Close()
				b.SetBytes(benchSize)
				b.ReportAllocs()
				for b.Loop() {
					s := h.Stream(b.Context(), 0, -1)
					for range benchSize / size {
						if _, err := io.ReadFull(s, piece); err != nil {
							b.Fatal(err)
						}
					}
					_ = s.Close()
				}
			})
		})
	}
}
