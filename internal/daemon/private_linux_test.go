package daemon

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeepPrivate verifies that the kernel shows this process only to root.
func TestKeepPrivate(t *testing.T) {
	t.Parallel()
	if err := keepPrivate(); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("dumpable: %d, %v", n, err)
	}
}
