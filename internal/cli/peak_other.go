//go:build !linux

package cli

// peakMemory returns 0: how much memory this process held at most is told on
// Linux alone.
func peakMemory() int64 { return 0 }
