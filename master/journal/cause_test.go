package journal

import (
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// TestCausesKeepTheirNumbers: logs and snapshots of every build name the kinds of causes
// by the same numbers, whatever numbers the kinds have in the program.
func TestCausesKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	const kindOfCause, causeOfJob = 0, 3 // places in arrays
	for number, k := range []plan.Kind{plan.Unknown, plan.Failed, plan.Cancelled, plan.Conflict, plan.Inconsistent, plan.Denied, plan.NotFound, plan.Invalid, plan.Unmet} {
		job := new(scheduler.Job)
		job.Fold(scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Fence{}, scheduler.Aborted{Cause: scheduler.Cause{Kind: k, Text: "x"}}}})
		b, err := encodeSnapshot(job)
		if err != nil {
			t.Fatal(err)
		}
		var raw []any
		if err := msgpack.Unmarshal(b[len(snapMagic):], &raw); err != nil {
			t.Fatal(err)
		}
		cause := raw[0].([]any)[causeOfJob].([]any)
		if got := cause[kindOfCause].(int8); int(got) != number {
			t.Errorf("a snapshot has the number %d for %v, want %d", got, k, number)
		}
		back, err := decodeSnapshot(b)
		if err != nil || back.Cause.Kind != k {
			t.Errorf("number %d is read as %v, %v", number, back.Cause.Kind, err)
		}
		b, err = encodeRecord(scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Aborted{Cause: scheduler.Cause{Kind: k, Text: "x"}}}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := decodeRecord(b)
		if err != nil || r.Entries[0].(scheduler.Aborted).Cause.Kind != k {
			t.Errorf("a record with number %d is read as %+v, %v", number, r, err)
		}
	}
	if got := causeNumber(plan.Corrupt); got != causeNumber(plan.Failed) {
		t.Errorf("a kind that logs do not have gets the number %d", got)
	}
	if _, known := causeKind(200); known {
		t.Error("a number that no build has is known")
	}
}
