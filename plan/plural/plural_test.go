package plural_test

import (
	"math"
	"testing"

	"github.com/windrow-mr/windrow/plan/plural"
)

// TestOf verifies that a message has the singular for one thing, and for no other number.
func TestOf(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 parts", 1: "1 part", 2: "2 parts", -1: "-1 parts", 999: "999 parts", 1000: "1,000 parts",
		-1000: "-1,000 parts", -100: "-100 parts", 1234567: "1,234,567 parts", math.MinInt64: "-9,223,372,036,854,775,808 parts"} {
		if got := plural.Of(n, "part"); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
