package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepPrivate keeps processes of the same user, such as those of jobs, from this
// one's memory and environment in /proc, where credentials may be. It does not
// stop those of root.
func keepPrivate() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep other processes from this one's environment: %w", err)
	}
	return nil
}
