package embedded

import (
	"testing"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// TestMoreAttemptsKeepWithinMemory verifies that the most memory that attempts
// hold, including the parts that they write, is within the memory that the user
// gave.
func TestMoreAttemptsKeepWithinMemory(t *testing.T) {
	t.Parallel()
	far := store.Options{Wrap: func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 8<<20) }}
	for _, c := range []struct {
		memory int64
		slots  int
		opts   store.Options
		extra  int
	}{
		{1 << 30, 2, store.Options{}, 0},
		{1 << 30, 2, far, 5},
		{1 << 30, 4, far, 3},
		{256 << 20, 2, far, 1},
		{256 << 20, 4, far, 0},
		{64 << 20, 1, far, 0},
		{64 << 30, 2, far, 5},
	} {
		r := &run{settings: settings{Options: Options{Memory: c.memory, Slots: c.slots}}, roots: roots{opts: c.opts}}
		var err error
		if r.out, err = r.roots.Get(t.Context(), "mem://", true); err != nil {
			t.Fatal(err)
		}
		r.base = r.out
		if got := r.extra(); got != c.extra {
			t.Errorf("%d slots and %d MiB: %d more attempts for each slot, want %d", c.slots, c.memory>>20, got, c.extra)
		}
		const reader = 16 << 20 // of a map's input, and of its part
		if all := int64(c.slots) * (r.share() + int64(r.extra()+1)*openPart); r.extra() > 0 && all+int64(c.slots)*reader > c.memory {
			t.Errorf("%d slots and %d MiB: attempts can hold %d MiB", c.slots, c.memory>>20, all>>20)
		}
		if r.extra() > 0 && r.share() < c.memory/int64(c.slots)/2 {
			t.Errorf("%d slots and %d MiB: %d MiB are left for pairs", c.slots, c.memory>>20, r.share()>>20)
		}
	}
}
