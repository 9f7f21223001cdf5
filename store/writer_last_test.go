package store_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// slowUploads opens a store whose writing requests take 30 ms, with parts of 64
// KiB.
func slowUploads(t *testing.T, rules string) *store.Root {
	t.Helper()
	plan, err := fault.Parse(rules + "slow:100% for=30ms")
	if err != nil {
		t.Fatal(err)
	}
	root, err := store.Open(t.Context(), "mem://", store.Options{Retry: store.Retry{Attempts: 1}, Wrap: func(d driver.Driver) driver.Driver {
		return fault.New(plan...).Wrap(faulttest.Remote(d, 64<<10))
	}})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestTheLastPartTravelsBeforeTheCommit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size   int
		last   bool
		commit time.Duration // how long it takes, after some time has passed
	}{
		"of one part":               {60 << 10, true, 30 * time.Millisecond},
		"of several":                {150 << 10, true, 30 * time.Millisecond},
		"of several, not announced": {150 << 10, false, 60 * time.Millisecond},
		"of whole parts":            {128 << 10, true, 30 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			root := slowUploads(t, "")
			w, err := root.Create(t.Context(), "o", store.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			body := bytes.Repeat([]byte("windrow "), c.size/8)
			began := time.Now()
			if _, err := w.Write(body); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("%s: writing waited %v for the store, which has room for two parts", name, took)
			}
			if c.last {
				if err := w.Last(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second) // something else is done
			began = time.Now()
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != c.commit {
				t.Errorf("%s: the commit took %v, want %v", name, took, c.commit)
			}
			if got, err := root.Get(t.Context(), "o", 1<<20); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s: %d bytes came back of %d, %v", name, len(got), len(body), err)
			}
		})
	}
}

func TestNothingIsWrittenBehindTheLastPart(t *testing.T) {
	t.Parallel()
	root := slowUploads(t, "")
	w, err := root.Create(t.Context(), "o", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Last(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("more")); plan.KindOf(err) != plan.Invalid {
		t.Errorf("writing after the end gives %v", err)
	}
	if err := w.Commit(); plan.KindOf(err) != plan.Invalid {
		t.Errorf("the commit after that gives %v", err)
	}
}

func TestAnUploadThatDoesNotBeginIsAnErrorOfTheWriter(t *testing.T) {
	t.Parallel()
	root := slowUploads(t, "400:100% begin, ")
	w, err := root.Create(t.Context(), "o", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 100<<10)); err != nil {
		t.Fatal(err)
	}
	_ = w.Last()
	if err := w.Commit(); plan.KindOf(err) != plan.Invalid && plan.KindOf(err) != plan.Unknown || err == nil {
		t.Errorf("the commit gives %v", err)
	}
	if _, err := root.Get(t.Context(), "o", 1<<20); plan.KindOf(err) != plan.NotFound {
		t.Errorf("reading the object gives %v", err)
	}
}
