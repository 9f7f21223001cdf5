package compress

import (
	"io"
	"runtime"
	"testing"
)

// TestWriterMemory verifies that a writer takes no more memory than Writer
// states, even for many bytes: many parts may be open at once. Writers of lz4
// share memory in pools, which hold it for no fixed time.
//
// Not parallel: allocations are counted for the whole process.
func TestWriterMemory(t *testing.T) {
	const KiB = 1 << 10
	block := sample(64 * KiB)
	for codec, most := range map[Codec]uint64{Gzip: 1536 * KiB, Zstd: 5 * KiB * KiB} {
		for _, blocks := range []int{1, 64} { // the last is more than the window
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w, err := codec.Writer(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			for range blocks {
				if _, err := w.Write(block); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("%s takes %.2f MiB for %d blocks", codec, float64(took)/(1<<20), blocks)
			}
		}
	}
}
