//go:build !linux

package cli

// peakMemory returns 0: the peak is known only on Linux.
func peakMemory() int64 { return 0 }
