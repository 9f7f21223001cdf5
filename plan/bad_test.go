package plan_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestPoliciesOnBadRecords verifies which texts are policies, and how many bad records
// each allows.
func TestPoliciesOnBadRecords(t *testing.T) {
	t.Parallel()
	for text, allowed := range map[string]map[[2]int64]bool{ // bad records, of those that were read
		"fail":            {},
		"skip:2":          {{2, 10}: true, {3, 1000}: false, {0, 0}: true},
		"skip:1%":         {{1, 100}: true, {2, 100}: false, {1, 99}: false, {0, 0}: true},
		"quarantine":      {{1000, 1000}: true},
		"quarantine:3":    {{3, 3}: true, {4, 100}: false},
		"quarantine:2.5%": {{25, 1000}: true, {26, 1000}: false},
	} {
		b, err := plan.ParseBadRecords(text)
		if err != nil || b.String() != text || b.Fails() != (text == "fail") {
			t.Errorf("%q: %v, %v", text, b, err)
		}
		for n, want := range allowed {
			if err := b.Judge(n[0], n[1]); (err == nil) != want || err != nil && !strings.Contains(err.Error(), "--bad-records "+text+" allows") {
				t.Errorf("%q: %d of %d: %v", text, n[0], n[1], err)
			}
		}
	}
	if b, err := plan.ParseBadRecords(""); err != nil || b != (plan.BadRecords{}) {
		t.Errorf("no text: %v, %v", b, err)
	}
	for _, text := range []string{"skip", "skip:", "skip:0", "skip:-1", "skip:x", "skip:0%", "skip:101%", "fail:1", "quarantine:", "quarantine:NaN%", "drop", "skip:1:2", "Quarantine"} {
		if b, err := plan.ParseBadRecords(text); err == nil {
			t.Errorf("%q is %+v", text, b)
		}
	}
}
