package plan_test

import (
	"math"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestShares verifies which texts users may write for a share, and that a trial of other
// numbers is refused.
func TestShares(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"1%": 0.01, "0.5": 0.5, "100%": 1, "0.1%": 0.001, "1e-3": 0.001, "": 0, "0": 0, "-1%": 0, "101%": 0, "2": 0, "%": 0, "1 %": 0, "NaN": 0, "x": 0} {
		got, err := plan.ParseShare(text)
		if (err == nil) != (want > 0) || err == nil && math.Abs(got-want) > 1e-15 {
			t.Errorf("%q is %v, want %v; %v", text, got, want, err)
		}
	}
	for trial, ok := range map[plan.Trial]bool{{}: true, {Objects: 3, Share: 0.5}: true, {Objects: -1}: false, {Share: 1.5}: false, {Share: -0.1}: false, {Share: math.Inf(1)}: false} {
		if err := trial.Check(); (err == nil) != ok {
			t.Errorf("%+v: %v", trial, err)
		}
	}
	if (plan.Trial{Share: math.NaN()}).Check() == nil {
		t.Error("a share that is no number is taken")
	}
}
