package journal_test

import (
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
)

func TestIndex(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	runs := []journal.Run{{Job: "01A"}, {Job: "01A", Number: 1}, {Job: "01B"}, {Job: "01A", Number: 10}}
	for _, r := range append(runs, runs[0]) {
		if err := journal.Activate(ctx, root, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := journal.Active(ctx, root)
	if want := []journal.Run{{Job: "01A", Number: 10}, {Job: "01B"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("active are %v, want %v (%v)", got, want, err)
	}
	// An old master that archives an earlier run does not touch the newest.
	for _, r := range runs[:3] {
		if err := journal.Deactivate(ctx, root, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err = journal.Active(ctx, root)
	if want := runs[3:]; err != nil || !slices.Equal(got, want) {
		t.Errorf("active are %v, want %v (%v)", got, want, err)
	}
	for n, r := range runs[:2] {
		if err := journal.Conclude(ctx, root, r, []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
	}
	last, ok, err := journal.LastEnded(ctx, root, "01A")
	if err != nil || !ok || last != runs[1] {
		t.Errorf("the last run that ended is %v, %v, %v", last, ok, err)
	}
	if body, err := journal.Conclusion(ctx, root, last); err != nil || !slices.Equal(body, []byte{1}) {
		t.Errorf("what is kept of it is %v, %v", body, err)
	}
	if _, ok, err = journal.LastEnded(ctx, root, "01B"); ok || err != nil {
		t.Errorf("a job of which no run has ended has one: %v", err)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := journal.Claim{Job: "01A", Digest: "d"}
	for _, c := range []journal.Claim{first, {Job: "01B", Digest: "e"}} {
		if got, err := journal.ClaimKey(ctx, root, "a secret key", c); err != nil || got != first {
			t.Errorf("claimed %v, %v, want %v", got, err, first)
		}
	}
	for o, err := range root.List(ctx, "") {
		if err != nil || len(o.Key) > 80 {
			t.Errorf("%s %v", o.Key, err)
		}
	}
}

// TestLongConclusion verifies that the record of a run may be longer than one request
// can write, and that damage to it is noticed.
func TestLongConclusion(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := append(append([]byte{'"'}, make([]byte, store.MaxBody)...), '"')
	r := journal.Run{Job: "01A"}
	if err := journal.Conclude(ctx, root, r, long); err != nil {
		t.Fatal(err)
	}
	if got, err := journal.Conclusion(ctx, root, r); err != nil || !slices.Equal(got, long) {
		t.Errorf("of %d bytes %d are there (%v)", len(long), len(got), err)
	}
	for o, err := range root.List(ctx, "j/") {
		if err == nil {
			err = root.Put(ctx, o.Key, long[:1000], store.Durable)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := journal.Conclusion(ctx, root, r); !journal.Damaged(err) {
		t.Errorf("after damage: %v", err)
	}
}
