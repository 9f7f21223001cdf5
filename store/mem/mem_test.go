package mem_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/storetest"
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

func TestConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, "mem://", store.Options{}) },
		storetest.Features{Sums: true, SumsOfParts: true, MultipartOnce: true, Flat: true})
}

func TestNames(t *testing.T) {
	t.Parallel()
	space := new(store.MemSpace)
	a := open(t, "mem://a/p/q", store.Options{Mem: space})
	if err := a.Put(t.Context(), "k", []byte("v"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if a.URL() != "mem://a/p/q" || a.Name("k") != "mem://a/p/q/k" {
		t.Errorf("URL %q, name %q", a.URL(), a.Name("k"))
	}
	same := open(t, "mem://a", store.Options{Mem: space})
	if got, err := same.Get(t.Context(), "p/q/k", 10); err != nil || string(got) != "v" {
		t.Errorf("same name and space: %q, %v", got, err)
	}
	for what, other := range map[string]*store.Root{
		"other name":  open(t, "mem://b/p/q", store.Options{Mem: space}),
		"other space": open(t, "mem://a/p/q", store.Options{}),
	} {
		_, err := other.Stat(t.Context(), "k")
		if plan.KindOf(err) != plan.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}
