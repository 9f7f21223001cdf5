package plan_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// FuzzTaskID verifies that a text that is read as a task's id is the text of
// that id.
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

// TestNamesThatAreRead verifies that the parts of keys can be read back, and
// that other texts are errors.
func TestNamesThatAreRead(t *testing.T) {
	t.Parallel()
	for _, task := range []plan.TaskID{{Phase: plan.Prepare}, {Phase: plan.Sample}, {Phase: plan.Map, Index: 99_999}, {Phase: plan.Reduce, Index: 123_456}} {
		if got, err := plan.ParseTaskKey(task.Key()); got != task || err != nil {
			t.Errorf("%s is read as %v, %v", task.Key(), got, err)
		}
	}
	for _, s := range []string{"", "m", "m1", "x00001", "m-0001", "m+0001", "m000011", "M00001"} {
		if got, err := plan.ParseTaskKey(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
	id := plan.AttemptID{Epoch: 3, N: 17, Rand: 0x5ca1ab1e}
	if got, err := plan.ParseAttemptID(id.String()); got != id || err != nil {
		t.Errorf("%s is read as %v, %v", id, got, err)
	}
	for _, s := range []string{"", "1.2", "1.2.3", "1.2.0000000G", "01.2.00000003", "1.4294967296.00000003", "1.2.00000003.4"} {
		if got, err := plan.ParseAttemptID(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}
