package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepPrivate keeps other processes of the same user, such as those of jobs, from
// reading this one's memory and environment in /proc, which can hold credentials.
// It does not stop root.
func keepPrivate() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keeping other processes from this one's environment: %w", err)
	}
	return nil
}
