package output_test

import (
	"testing"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestLook verifies that a look at an output describes what a reservation then
// finds, and leaves no trace.
func TestLook(t *testing.T) {
	t.Parallel()
	root := open(t)
	look := func(n int, mode output.Mode) output.Found {
		t.Helper()
		before := root.Usage()
		found, held, err := output.Look(t.Context(), root, request(n, mode))
		if err != nil || held != nil {
			t.Fatalf("held by %v, %v", held, err)
		}
		if did := root.Usage().Minus(before); did.Puts+did.Heartbeats+did.Deletes > 0 {
			t.Errorf("a look did %+v", did)
		}
		return found
	}
	if got := look(1, output.Fail); got != (output.Found{}) {
		t.Errorf("a new output holds %+v", got)
	}
	commit(t, root, 1, output.Fail, "one")
	commit(t, root, 2, output.Append, "two")
	// The log of two jobs, their parts, a manifest and _SUCCESS.
	want := output.Found{Entries: 4, Contents: true, Parts: 2, Garbage: true, Objects: 8, PartNames: 2, Manifests: 1, Before: 1}
	if got := look(3, output.Append); got != want {
		t.Errorf("after two jobs it holds\n %+v, want\n %+v", got, want)
	}
	// The leftovers of killed jobs.
	write(t, root, 2, 7, "late")
	for _, key := range []string{output.TmpKey(job(1)) + "x", output.TmpKey(job(9)) + "x", "_windrow/beats/00000000000000000000"} {
		if err := root.Put(t.Context(), key, []byte("left"), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	want.Objects, want.PartNames, want.Dead, want.Tmp, want.Beats = 12, 3, 1, 1, 1
	if got := look(3, output.Replace); got != want {
		t.Errorf("with the leftovers of dead jobs it holds\n %+v, want\n %+v", got, want)
	}
	before := root.Usage()
	h, err := output.Reserve(t.Context(), root, request(3, output.Replace))
	if err != nil {
		t.Fatal(err)
	}
	if h.Found() != want {
		t.Errorf("the reservation found\n %+v, a look before\n %+v", h.Found(), want)
	}
	if did := root.Usage().Minus(before); did.Deletes != int64(want.Dead+want.Tmp+want.Beats) {
		t.Errorf("%d objects were swept of %+v", did.Deletes, want)
	}
}

// TestLookRefuses verifies that Look refuses what Reserve would refuse at once.
// For an output that another job may be writing, it returns that job, and does
// not wait.
func TestLookRefuses(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "one")
	_, _, err := output.Look(t.Context(), root, request(2, output.Fail))
	wantConflict(t, err, string(job(1)), "--on-exists")
	if _, err := output.Reserve(t.Context(), root, request(3, output.Append)); err != nil {
		t.Fatal(err)
	}
	_, _, err = output.Look(t.Context(), root, request(4, output.Fail))
	wantConflict(t, err, string(job(3)), "has not finished")
	found, held, err := output.Look(t.Context(), root, request(4, output.Append))
	if err != nil || held == nil || held.Job != job(3) || found.Before != 2 {
		t.Errorf("held by %+v, %v; found %+v", held, err, found)
	}
	if err := root.Put(t.Context(), "notes.txt", nil, store.Durable); err != nil {
		t.Fatal(err)
	}
	_, _, err = output.Look(t.Context(), root, request(4, output.Append))
	wantConflict(t, err, "notes.txt")
}

// TestLooksAreCounted verifies that every sign of life checks once whether the
// output is still held, and that nothing else does while a job succeeds.
func TestLooksAreCounted(t *testing.T) {
	t.Parallel()
	root := open(t)
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	before, looks := root.Usage(), h.Looks()
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err != nil {
		t.Fatal(err)
	}
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.Looks() != looks {
		t.Errorf("%d looks for work alone", h.Looks()-looks)
	}
	all := root.Usage()
	if did := all.Minus(before); did.Gets != 4 {
		t.Errorf("%d gets, want one before and one after _SUCCESS is deleted, and the same when it is written", did.Gets)
	}
	// When the reservation is complete, its last sign of life may end before the look.
	if skipped := all.Heartbeats - looks; skipped < 0 || skipped > 1 {
		t.Errorf("%d looks and %d signs of life", looks, all.Heartbeats)
	}
}
