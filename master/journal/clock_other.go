//go:build !linux

package journal

import "time"

// BootClock returns a monotonic clock. It may stop while the machine is
// suspended, which only makes a lease last longer: safety is in the log.
func BootClock() time.Duration { return time.Since(started) }
