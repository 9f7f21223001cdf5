package journal

import (
	"time"

	"golang.org/x/sys/unix"
)

// BootClock returns the time since the machine started, suspensions included.
func BootClock() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(started)
	}
	return time.Duration(t.Nano())
}
