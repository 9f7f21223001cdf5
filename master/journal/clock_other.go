//go:build !linux

package journal

import "time"

// BootClock reads a monotonic clock. It may stand still while the machine is
// suspended, which only makes a lease last longer: safety is in the log.
func BootClock() time.Duration { return time.Since(started) }
