package relay_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/relay"
)

// held delays every caller that opens an object.
type held struct {
	driver.Driver
	asked, goOn chan struct{}
}

func (h held) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	h.asked <- struct{}{}
	<-h.goOn
	return h.Driver.Open(ctx, key, etag)
}

// until waits for a condition that comes true soon.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(what)
		}
	}
}

// TestActivity verifies that the store is at work while it answers a request,
// and is not while the asking side does not take the bytes.
func TestActivity(t *testing.T) {
	t.Parallel()
	h := held{asked: make(chan struct{}), goOn: make(chan struct{})}
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver {
		h.Driver = d
		return h
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "hay", make([]byte, 4<<20), store.Scratch); err != nil {
		t.Fatal(err)
	}
	var a relay.Activity
	s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Activity: &a,
		Policy: relay.NewPolicy(map[string]relay.Grant{"r": {Read: []string{"hay"}}})}, false)
	client, err := s.client.Open(t.Context(), "r", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Now() != 0 || a.Done() != 0 {
		t.Errorf("before all: %d, %d", a.Now(), a.Done())
	}
	opened := make(chan *store.Handle, 1)
	go func() {
		h, err := client.OpenObject(t.Context(), "hay", "")
		if err != nil {
			t.Error(err)
		}
		opened <- h
	}()
	<-h.asked
	if a.Now() != 1 {
		t.Errorf("while the store is asked: %d", a.Now())
	}
	close(h.goOn)
	handle := <-opened
	defer handle.Close()
	until(t, "the store is asked without end", func() bool { return a.Now() == 0 && a.Done() > 0 })
	stream := handle.Stream(t.Context(), 0, -1)
	defer stream.Close()
	if _, err := stream.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	until(t, "a reader that does not read keeps the store at work", func() bool { return a.Now() == 0 })
	if n := a.Done(); n < 2 {
		t.Errorf("%d requests have ended", n)
	}
}

// TestLaterRoot verifies that roots may come later, and go.
func TestLaterRoot(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "hay", []byte("hay"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	var there atomic.Bool
	s := serve(t, relay.Config{Policy: relay.NewPolicy(map[string]relay.Grant{"later": {Read: []string{"hay"}}}),
		Root: func(name string) *store.Root {
			if name == "later" && there.Load() {
				return root
			}
			return nil
		}}, false)
	if _, err := s.client.Open(t.Context(), "later", store.Options{}); plan.KindOf(err) != plan.Denied {
		t.Errorf("too early: %v", err)
	}
	there.Store(true)
	client, err := s.client.Open(t.Context(), "later", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := client.Get(t.Context(), "hay", 10); err != nil || string(b) != "hay" {
		t.Errorf("%q, %v", b, err)
	}
	there.Store(false)
	if _, err := client.Get(t.Context(), "hay", 10); plan.KindOf(err) != plan.Denied {
		t.Errorf("too late: %v", err)
	}
}
