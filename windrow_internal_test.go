package windrow

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// TestOptionsReachTheEngine verifies that every option of a run reaches the
// engine: a field that is added to Options must be copied.
func TestOptionsReachTheEngine(t *testing.T) {
	t.Parallel()
	var shown Progress
	o := Options{
		Input: []string{"in"}, Output: "out", Params: map[string]string{"a": "b"}, OnExists: "append", Partitions: 1, Slots: 2,
		Memory: 3, SplitSize: 4, Trial: plan.Trial{Objects: 1}, Attempts: 5, BadRecords: "skip:5", Expect: []string{"records >= 1"}, Replay: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Root: "root", Compress: "gzip", Decompress: "none", Files: map[string]string{"f": "path"}, MaxRatio: 5, MaxDecompressed: 6,
		Stores: store.Options{Mem: new(store.MemSpace)}, Chaos: new(fault.Injector), Log: slog.New(slog.DiscardHandler),
		Progress: func(p Progress) { shown = p },
	}
	given, got := reflect.ValueOf(o), reflect.ValueOf(o.embedded())
	if given.NumField() != got.NumField() {
		t.Errorf("windrow.Options has %d fields, embedded.Options %d", given.NumField(), got.NumField())
	}
	for i := range given.NumField() {
		name := given.Type().Field(i).Name
		if given.Field(i).IsZero() {
			t.Errorf("the test leaves %s zero", name)
		}
		if name == "Progress" {
			continue
		}
		if want, is := given.Field(i).Interface(), got.FieldByName(name).Interface(); !reflect.DeepEqual(want, is) {
			t.Errorf("%s: the engine gets %v, not %v", name, is, want)
		}
	}
	if o.embedded().Progress(embedded.Progress{Phase: "map", Tasks: 7}); shown.Phase != "map" || shown.Tasks != 7 {
		t.Errorf("progress arrives as %+v", shown)
	}
}

// TestFailure verifies that the kind and the cause of a failed run reach the
// caller, and that plan.KindOf finds the kind.
func TestFailure(t *testing.T) {
	t.Parallel()
	for _, kind := range []plan.Kind{JobFailed, Unmet, Invalid, NotFound, Denied, Conflict, Interrupted} {
		err := failure(&embedded.Error{Kind: kind, Err: context.Canceled})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != kind || plan.KindOf(err) != kind || !errors.Is(err, context.Canceled) || err.Error() != context.Canceled.Error() {
			t.Errorf("%v: got %#v of kind %v", kind, err, plan.KindOf(err))
		}
	}
}
