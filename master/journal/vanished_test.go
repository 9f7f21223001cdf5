package journal_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
)

// record returns the key of the object that says who took an epoch.
func record(epoch uint64) string { return fmt.Sprintf("cluster/leader/%020d", epoch) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestALeaderWhoseEpochIsGoneStepsDown verifies that a master stops leading when the
// object that says so is deleted, damaged, or another process's: workers, clients and
// standbys no longer find it.
func TestALeaderWhoseEpochIsGoneStepsDown(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, root *store.Root){
		"deleted": func(t *testing.T, root *store.Root) { check(t, root.Delete(t.Context(), record(1))) },
		"all deleted": func(t *testing.T, root *store.Root) {
			check(t, root.DeleteAll(t.Context(), "cluster/", nil))
		},
		"truncated": func(t *testing.T, root *store.Root) {
			body, err := root.Get(t.Context(), record(1), 1000)
			check(t, err)
			check(t, root.Put(t.Context(), record(1), body[:len(body)/2], store.Durable))
		},
		"another's": func(t *testing.T, root *store.Root) {
			other := open(t, store.Options{Mem: new(store.MemSpace)})
			_, err := journal.Elect(t.Context(), other, journal.Leader{Master: "b", URL: "http://b"}, clock(), journal.LeaseTimes(), nil)
			check(t, err)
			body, err := other.Get(t.Context(), record(1), 1000)
			check(t, err)
			check(t, root.Put(t.Context(), record(1), body, store.Durable))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				root, now := open(t, store.Options{}), clock()
				first := <-start(t, root, "a", now)
				time.Sleep(time.Minute)
				harm(t, root)
				if leads, err := first.lease.Leads(t.Context()); leads || err != nil {
					t.Errorf("it leads: %v, %v", leads, err)
				}
				began := now()
				if err := <-first.kept; !errors.Is(err, journal.ErrDeposed) || now()-began > 10*time.Second {
					t.Errorf("after %v: %v", now()-began, err)
				}
			})
		})
	}
}

// TestALeaderSeesHigherEpochsBeyondGaps verifies that a leader steps down for a
// higher epoch even if the next one was never taken, or was deleted.
func TestALeaderSeesHigherEpochsBeyondGaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		first := <-start(t, root, "a", now)
		time.Sleep(time.Minute)
		_, _, err := root.CreateOnce(t.Context(), record(9), nil)
		check(t, err)
		began := now()
		if err := <-first.kept; !errors.Is(err, journal.ErrDeposed) || now()-began > time.Minute {
			t.Errorf("after %v: %v", now()-began, err)
		}
	})
}

// TestAStandbyLeadsThoughAllRecordsAreGone verifies that a standby takes over from a
// dead leader whose objects were deleted, or are damaged, and never by an epoch that
// was taken before.
func TestAStandbyLeadsThoughAllRecordsAreGone(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, root *store.Root){
		"the record": func(t *testing.T, root *store.Root) { check(t, root.Delete(t.Context(), record(1))) },
		"all":        func(t *testing.T, root *store.Root) { check(t, root.DeleteAll(t.Context(), "cluster/", nil)) },
		"the counter is damaged": func(t *testing.T, root *store.Root) {
			check(t, root.Put(t.Context(), record(1)+".hb", []byte("no counter"), store.Durable))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				root, now := open(t, store.Options{}), clock()
				first := <-start(t, root, "a", now)
				second := start(t, root, "b", now)
				time.Sleep(time.Minute)
				first.stop()
				<-first.kept
				harm(t, root)
				died := now()
				m := <-second
				if waited := m.at - died; waited > 30*time.Second || m.lease.Leader().Epoch != 2 {
					t.Errorf("after %v it leads by epoch %d, want 2", waited, m.lease.Leader().Epoch)
				}
				m.stop()
				<-m.kept
			})
		})
	}
}

// TestNoEpochIsTakenTwice verifies that a master which starts beside a leader whose
// record was deleted does not lead by the same epoch: the counter shows the epoch.
func TestNoEpochIsTakenTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		first := <-start(t, root, "a", now)
		time.Sleep(time.Minute)
		check(t, root.Delete(t.Context(), record(1)))
		if l, err := journal.Current(t.Context(), root); err != nil || l.Epoch != 1 || l.URL != "" {
			t.Errorf("the leader is %+v, %v; want the epoch alone", l, err)
		}
		m := <-start(t, root, "b", now)
		if m.lease.Leader().Epoch < 2 {
			t.Errorf("it leads by epoch %d", m.lease.Leader().Epoch)
		}
		if err := <-first.kept; !errors.Is(err, journal.ErrDeposed) {
			t.Errorf("the first: %v", err)
		}
		m.stop()
		<-m.kept
	})
}

// TestAMasterLeadsBesideADamagedRecord verifies that a damaged record of a leader
// keeps no other master from leading.
func TestAMasterLeadsBesideADamagedRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, now := open(t, store.Options{}), clock()
		check(t, root.Put(t.Context(), record(3), []byte("no record"), store.Durable))
		m := <-start(t, root, "a", now)
		if m.lease.Leader().Epoch != 4 {
			t.Errorf("it leads by epoch %d", m.lease.Leader().Epoch)
		}
	})
}

// TestANewEpochIsAboveAllThatAreKnown verifies that a master takes an epoch above the
// highest that it has seen elsewhere, where the root has lost it.
func TestANewEpochIsAboveAllThatAreKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := open(t, store.Options{})
		lease, err := journal.Elect(t.Context(), root, journal.Leader{Epoch: 7, Master: "a"}, clock(), journal.LeaseTimes(), nil)
		check(t, err)
		if lease.Leader().Epoch != 8 {
			t.Errorf("it leads by epoch %d", lease.Leader().Epoch)
		}
	})
}
