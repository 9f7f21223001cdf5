package plan_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// FuzzTaskID: a text that is read as a task's id names no other task.
func FuzzTaskID(f *testing.F) {
	for _, s := range []string{"map/17", "reduce/0", "sample/0", "map/-1", "map/", "/1", "phase4/1", "map/017", "map/+1", "map/99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := plan.ParseTaskID(s)
		if err != nil {
			return
		}
		if got := id.String(); got != s {
			t.Errorf("%q is read as task %q", s, got)
		}
		if id.Phase < plan.Sample || id.Phase > plan.Reduce || id.Index < 0 {
			t.Errorf("%q is read as %+v", s, id)
		}
	})
}
