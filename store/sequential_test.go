package store_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// sequential is a remote driver that takes parts one after another.
type sequential struct{ *remote }

func (s sequential) Traits() driver.Traits {
	t := s.remote.Traits()
	t.Sequential = true
	return t
}

// TestSequentialParts verifies that parts of an upload never overlap on a store
// that takes them in order, and do on others.
func TestSequentialParts(t *testing.T) {
	t.Parallel()
	for _, inOrder := range []bool{false, true} {
		t.Run(fmt.Sprint(inOrder), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := new(remote)
				root, err := store.Open(t.Context(), "mem://", store.Options{
					Transfer: store.Transfer{Parts: 4},
					Wrap: func(d driver.Driver) driver.Driver {
						if r.Driver = d; inOrder {
							return sequential{r}
						}
						return r
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				body := bytes.Repeat([]byte("windrow "), 3000)
				w, err := root.Create(t.Context(), "x", store.CreateOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer w.Abort()
				if _, err = w.Write(body); err != nil {
					t.Fatal(err)
				}
				if err = w.Commit(); err != nil {
					t.Fatal(err)
				}
				if got, err := root.Get(t.Context(), "x", 1<<20); err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d other bytes, %v", len(got), err)
				}
				if n := r.peak.Load(); (n == 1) != inOrder {
					t.Errorf("%d parts at once", n)
				}
			})
		})
	}
}
