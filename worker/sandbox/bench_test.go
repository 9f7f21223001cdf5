//go:build linux

package sandbox_test

import (
	"os/exec"
	"testing"

	"github.com/windrow-mr/windrow/worker/sandbox"
)

// BenchmarkStart measures the time from start to end of a process that does
// nothing, here and without a sandbox.
func BenchmarkStart(b *testing.B) {
	b.Run("sandbox", func(b *testing.B) {
		dir := b.TempDir()
		for b.Loop() {
			p, err := sandbox.Start(b.Context(), sandbox.Config{Path: child, Args: []string{"exit", "0"}, Dir: dir, Memory: 64 << 20})
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := exec.CommandContext(b.Context(), child, "exit", "0").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
