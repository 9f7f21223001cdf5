//go:build unix

package integration

import (
	"os"
	"runtime"
	"syscall"
)

// peakOf returns the most memory that a process held, in bytes.
func peakOf(p *os.ProcessState) int64 {
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "linux" {
		return u.Maxrss * 1024
	}
	return u.Maxrss
}
