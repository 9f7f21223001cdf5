package relay_test

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/relay"
)

const benchSize = 256 << 20

// cpu returns what this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loop runs one transfer of benchSize bytes at a time, and reports its CPU
// time.
func loop(b *testing.B, transfer func()) {
	b.Helper()
	b.SetBytes(benchSize)
	before := cpu(b)
	for b.Loop() {
		transfer()
	}
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N)/(benchSize/1e9), "cpu-s/GB")
}

// BenchmarkSocket is the floor: the same bytes through a bare socket.
func BenchmarkSocket(b *testing.B) {
	ours, file, err := relay.Pair()
	if err != nil {
		b.Fatal(err)
	}
	theirs, err := relay.Inherited(file)
	if err != nil {
		b.Fatal(err)
	}
	body, buf := make([]byte, 256<<10), make([]byte, 256<<10)
	loop(b, func() {
		go func(c net.Conn) {
			for range benchSize / len(body) {
				_, _ = c.Write(body)
			}
		}(ours)
		for left := benchSize; left > 0; {
			n, err := theirs.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			left -= n
		}
	})
}

// BenchmarkRead reads an object of a file root, by descriptor and by frames,
// and BenchmarkWrite writes one by both.
func BenchmarkRead(b *testing.B) {
	for name, files := range map[string]bool{"descriptor": true, "frames": false} {
		b.Run(name, func(b *testing.B) {
			root, s := benchRoot(b, files)
			if err := write(b.Context(), root, "big", noise(1, benchSize), store.CreateOptions{Class: store.Scratch}); err != nil {
				b.Fatal(err)
			}
			child := open(b, s, "r")
			buf := make([]byte, 1<<20)
			loop(b, func() {
				h, err := child.OpenObject(b.Context(), "big", "")
				if err != nil {
					b.Fatal(err)
				}
				r := h.Stream(b.Context(), 0, -1)
				if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf); err != nil || n != benchSize {
					b.Fatal(n, err)
				}
				_ = r.Close()
				h.Close()
			})
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, name := range []string{"direct", "descriptor", "frames"} {
		b.Run(name, func(b *testing.B) {
			root, s := benchRoot(b, name == "descriptor")
			if name != "direct" {
				root = open(b, s, "r")
			}
			body := noise(1, 1<<20)
			loop(b, func() {
				w, err := root.Create(b.Context(), "big", store.CreateOptions{Class: store.Scratch})
				if err != nil {
					b.Fatal(err)
				}
				for range benchSize / len(body) {
					if _, err := w.Write(body); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Commit(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkStat is the time of a call.
func BenchmarkStat(b *testing.B) {
	root, s := benchRoot(b, true)
	put(b, root, "x", nil)
	child := open(b, s, "r")
	for b.Loop() {
		if _, err := child.Stat(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRoot(b *testing.B, files bool) (*store.Root, *served) {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "relay-bench-")
	if err != nil {
		dir = b.TempDir()
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	root, err := store.Open(b.Context(), dir, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return root, serve(b, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()})}, files)
}
