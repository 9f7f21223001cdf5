package plan_test

import (
	"math"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestPrice prices a thousand of each at S3's list prices: $0.005 for requests
// that write or list, $0.0004 for those that read, nothing for deletes. Other stores
// have other prices.
func TestPrice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    plan.Requests
		want float64
		ok   bool
	}{
		"puts":       {plan.Requests{"s3": {Puts: 1000}}, 0.005, true},
		"heartbeats": {plan.Requests{"s3": {Heartbeats: 1000}}, 0.005, true},
		"uploads":    {plan.Requests{"s3": {Multipart: 1000}}, 0.005, true},
		"lists":      {plan.Requests{"s3": {Lists: 1000}}, 0.005, true},
		"gets":       {plan.Requests{"s3": {Gets: 1000}}, 0.0004, true},
		"stats":      {plan.Requests{"s3": {Stats: 1000}}, 0.0004, true},
		"deletes":    {plan.Requests{"s3": {Deletes: 1000}}, 0, true},
		"bytes":      {plan.Requests{"s3": {BytesUp: 1 << 40, BytesDown: 1 << 40}}, 0, true},
		"both kinds": {plan.Requests{"s3": {Puts: 2000, Gets: 5000}, "file": {Puts: 1 << 30}}, 0.012, true},
		"files":      {plan.Requests{"file": {Puts: 1000}}, 0, false},
		"elsewhere":  {plan.Requests{"gs": {Puts: 1000}}, 0, false},
	} {
		if got, ok := c.r.Dollars(); ok != c.ok || c.ok && math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
}
