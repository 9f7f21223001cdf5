package fault_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// busy opens a remote root with default options on which every request takes 10
// ms, and has clients make requests until stop. It must be called in a bubble,
// where that takes no time.
func busy(t *testing.T, plan string, seed uint64, clients int) (root *store.Root, failed *atomic.Int64, stop func()) {
	t.Helper()
	faults := fault.New(parse(t, plan+", slow:100% for=10ms")...)
	faults.Seed = seed
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver {
		return faults.Wrap(faulttest.Remote(d, 1024))
	}})
	if err != nil {
		t.Fatal(err)
	}
	failed = new(atomic.Int64)
	done := make(chan struct{})
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if err := root.Delete(t.Context(), fmt.Sprintf("key/%d/%d", c, n)); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	return root, failed, func() {
		close(done)
		all.Wait()
		root.Close()
	}
}

// rate returns the requests of a second.
func rate(root *store.Root) int64 {
	before := root.Usage().Requests()
	<-time.After(time.Second)
	return root.Usage().Requests() - before
}

// TestPacingRecovers verifies that a burst of 503 slows all clients down at
// once, and that they become as fast again as they were.
func TestPacingRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, stop := busy(t, "503:@1500-1520", 1, 10)
		defer stop()
		<-time.After(500 * time.Millisecond)
		free := rate(root)
		if free < 900 || free > 1100 {
			t.Fatalf("%d requests in a second before the burst", free)
		}
		slow := rate(root)
		if slow > free*2/3 || slow < free/4 {
			t.Errorf("%d requests in the second after the burst, %d before: want about half", slow, free)
		}
		seconds := 0
		for rate(root) < free*9/10 {
			if seconds++; seconds > 30 {
				t.Fatalf("not as fast as before after %d s", seconds)
			}
		}
		if n := root.Usage().Throttles; n != 21 {
			t.Errorf("%d throttles, want 21", n)
		}
	})
}

// TestBudget verifies that repetitions stay a tenth of the requests, however
// often those fail, in addition to 20 and one per second that are free.
func TestBudget(t *testing.T) {
	t.Parallel()
	for _, plan := range []string{"503:10%", "503:50% burst=3", "500:30%", "reset:100%", "503:5%, 500:5%, reset:5%"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", plan, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					begin := time.Now()
					root, failed, stop := busy(t, plan, seed, 10)
					<-time.After(20 * time.Second)
					stop()
					u := root.Usage()
					free := 20 + time.Since(begin).Seconds()
					if most := 0.1*float64(u.Requests()) + free; float64(u.Retries) > most {
						t.Errorf("%d repetitions of %d requests, at most %.0f are allowed", u.Retries, u.Requests(), most)
					}
					if u.Retries < 20 {
						t.Errorf("%d repetitions of %d requests: those that are free were not used", u.Retries, u.Requests())
					}
					if failed.Load() == 0 && plan == "reset:100%" {
						t.Error("nothing failed")
					}
				})
			})
		}
	}
}
