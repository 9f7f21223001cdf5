package plan_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	last := int64(-1)
	for _, c := range []struct{ block, offset, want int64 }{
		{4, 0, 0}, {4, 899_999, 0}, {4, 46 << 20, 0}, {5, 0, 5}, {88_172, 12, 88_172}, {plan.MaxPlaced, 1<<plan.PlaceBits - 1, plan.MaxPlaced},
	} {
		place := plan.Place(c.block, c.offset)
		if c.block == 4 && place != c.offset {
			t.Errorf("byte %d of the first block is at %d", c.offset, place)
		}
		if block, offset := plan.SplitPlace(place); block != c.want || offset != c.offset || place <= last {
			t.Errorf("byte %d of the block at %d is at %d, after %d: byte %d of the block at %d", c.offset, c.block, place, last, offset, block)
		}
		last = place
	}
}
