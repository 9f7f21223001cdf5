package store_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// open opens a root that is closed at the test's end.
func open(t testing.TB, url string, o store.Options) *store.Root {
	t.Helper()
	r, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// wantKind checks an error's kind.
func wantKind(t *testing.T, err error, want plan.Kind) {
	t.Helper()
	if got := plan.KindOf(err); err == nil || got != want {
		t.Errorf("error %v: kind %v, want %v", err, got, want)
	}
}
