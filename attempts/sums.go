package attempts

import (
	"fmt"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Misread returns the error for an object whose bytes, as read, differ from the
// checksum that the store keeps.
func Misread(o plan.Object, got plan.Checksum) error {
	text := func(c plan.Checksum) checksum.Sum {
		return checksum.Sum{Algorithm: checksum.Algorithm(c.Algorithm), Value: c.Value}
	}
	return &store.Error{Op: "read", URL: o.Name(), Kind: plan.Corrupt, Err: fmt.Errorf(
		"the bytes that came have the checksum %v, the store keeps %v: they changed on the way, or at rest; run the job again, and restore the object if that does not help", text(got), text(o.Sum))}
}

// CombineSums returns the checksum of an object from those of its sections,
// which follow each other and cover it. It also reports whether they agree on
// the bytes at their seams.
func CombineSums(sums []plan.SectionSum, lengths []int64) (whole plan.Checksum, agree bool) {
	var all checksum.Sum
	agree = true
	for i, s := range sums {
		next := checksum.Sum{Algorithm: checksum.Algorithm(s.Algorithm), Value: s.Value}
		if i == 0 {
			all = next
			continue
		}
		all = all.Append(next, lengths[i])
		agree = agree && (!s.BeforeIsRead || s.Before == sums[i-1].Last)
	}
	return plan.Checksum{Algorithm: uint8(all.Algorithm), Value: all.Value}, agree
}
