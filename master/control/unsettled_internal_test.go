package control

import (
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// TestNoEndBeforeItIsPutAway: who is told that a job has ended finds its result and
// what it counted, which are there when it has been put away, and not before.
func TestNoEndBeforeItIsPutAway(t *testing.T) {
	t.Parallel()
	for _, s := range client.States() {
		if told := unsettled(s); told.Ended() {
			t.Errorf("a job that is %s, and still carried on, is told to be %s", s, told)
		} else if !s.Ended() && told != s {
			t.Errorf("a job that is %s is told to be %s", s, told)
		}
	}
}
