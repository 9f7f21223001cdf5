package view_test

import (
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/view"
)

// TestNoEndBeforeTheSummary verifies that a job is shown as ended only with its
// result and its counters. They exist with its summary, and not before.
func TestNoEndBeforeTheSummary(t *testing.T) {
	t.Parallel()
	for _, s := range client.States() {
		if got := view.Unsettled(s); got.Ended() {
			t.Errorf("a job that is %s, and has no summary yet, is shown as %s", s, got)
		} else if !s.Ended() && got != s {
			t.Errorf("a job that is %s is shown as %s", s, got)
		}
	}
}
