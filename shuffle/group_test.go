package shuffle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/windrow-mr/windrow/plan"
)

// farStore is a store that counts reads. Each read waits until before returns.
type farStore struct {
	*memStore
	before func(ctx context.Context) error

	counting    sync.Mutex
	reads       int
	flying, top int
}

func (s *farStore) Open(ctx context.Context, key string, size int64) (RunReader, error) {
	r, err := s.memStore.Open(ctx, key, size)
	return &farReader{r, s}, err
}

type farReader struct {
	RunReader
	store *farStore
}

func (r *farReader) ReadAt(ctx context.Context, p []byte, off int64) error {
	s := r.store
	count := func(n int) {
		s.counting.Lock()
		defer s.counting.Unlock()
		s.flying += n
		s.reads += max(n, 0)
		s.top = max(s.top, s.flying)
	}
	count(1)
	defer count(-1)
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return err
		}
	}
	return r.RunReader.ReadAt(ctx, p, off)
}

// sixteen returns a store with that many runs of 16 partitions, of 50 pairs
// each, and the contents of the partitions.
func sixteen(t *testing.T, runs int) (*Spec, *farStore, []plan.Run, [][]kv) {
	t.Helper()
	store := &farStore{memStore: newMemStore()}
	j := &job{spec: Spec{Partitions: 16, Remote: true}, shares: [2]int64{8 << 20, 8 << 20}, parts: map[string]int{}}
	var all []plan.Run
	for m := range runs {
		var emitted []kv
		for i := range 800 {
			p := kv{fmt.Sprintf("key %04d of %04d", i, m), strings.Repeat(fmt.Sprintf("%03d", i), 150)}
			j.parts[p.key] = i % 16
			emitted = append(emitted, p)
		}
		j.maps = append(j.maps, emitted)
		made, _ := j.mapTask(t, store.memStore, NewBudget(8<<20), emitted)
		all = append(all, made...)
	}
	return &j.spec, store, all, j.naive()
}

func TestAGroupIsFetchedOnceAndReadByAll(t *testing.T) {
	t.Parallel()
	spec, store, runs, want := sixteen(t, 10)
	budget := NewBudget(64 << 20)
	groups := NewGroups(budget, 8<<20)
	var readers sync.WaitGroup
	for p := range 16 {
		readers.Go(func() {
			held := take(t, groups, 4, p, runs, store)
			defer held.Release(true)
			if got := readHeld(t, spec, p, runs, held, store, budget, MinShare); !slices.Equal(got, want[p]) {
				t.Errorf("partition %d has other pairs", p)
			}
		})
	}
	readers.Wait()
	if store.reads != 40 {
		t.Errorf("%d requests for 10 runs and 4 groups", store.reads)
	}
	if budget.granted != 0 || groups.used != 0 {
		t.Errorf("%d bytes are still held when all is reduced", budget.granted)
	}
	store.checkClosed(t)
}

func TestARunThatIsNewInAGroupIsReadByItself(t *testing.T) {
	t.Parallel()
	spec, store, runs, want := sixteen(t, 3)
	budget := NewBudget(64 << 20)
	groups := NewGroups(budget, 8<<20)
	held := take(t, groups, 16, 0, runs, store)
	// The second map task ran again: its run has another name since.
	store.objects["again"] = store.objects[runs[1].Key]
	delete(store.objects, runs[1].Key)
	runs = slices.Clone(runs)
	runs[1].Key = "again"
	next := take(t, groups, 16, 7, runs, store)
	if got := readHeld(t, spec, 7, runs, next, store, budget, MinShare); !slices.Equal(got, want[7]) {
		t.Error("the partition has other pairs")
	}
	if store.reads != 4 {
		t.Errorf("%d requests: one for each run, and one for the new one", store.reads)
	}
	held.Release(true)
	next.Release(true)
}

func TestGroupsKeepWithinTheirRoom(t *testing.T) {
	t.Parallel()
	_, store, runs, _ := sixteen(t, 4)
	_, need := rangesOf(runs, 0, 4)
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(1 << 30)
		groups := NewGroups(budget, 2*need+need/2) // two of them
		first := take(t, groups, 4, 0, runs, store)
		second := take(t, groups, 4, 4, runs, store)
		var third *Held
		go func() { third = take(t, groups, 4, 8, runs, store) }()
		synctest.Wait()
		if third != nil {
			t.Fatal("a third group was fetched in the room for two")
		}
		first.Release(false) // its partition is not reduced, but its room is needed
		synctest.Wait()
		if third == nil {
			t.Fatal("a group waits, though no other is in use")
		}
		third.Release(true)
		before := store.reads
		again := take(t, groups, 4, 9, runs, store)
		if store.reads != before {
			t.Error("a group with partitions to reduce was fetched a second time")
		}
		again.Release(true)
		second.Release(true)
		if budget.Peak() > groups.room {
			t.Errorf("%d bytes were used of a room of %d", budget.Peak(), groups.room)
		}
	})
}

func TestAGroupTooLargeIsNone(t *testing.T) {
	t.Parallel()
	_, store, runs, _ := sixteen(t, 4)
	_, need := rangesOf(runs, 0, 4)
	groups := NewGroups(NewBudget(1<<30), need-1)
	if held := take(t, groups, 4, 1, runs, store); held != nil || store.reads != 0 {
		t.Errorf("a group of %d bytes is held in %d", need, groups.room)
	}
	held := take(t, groups, 2, 1, runs, store) // half of it is not too large
	if held == nil {
		t.Fatal("no group")
	}
	held.Release(true)
}

func TestOthersGetTheMemoryOfIdleGroups(t *testing.T) {
	t.Parallel()
	_, store, runs, _ := sixteen(t, 4)
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(8 << 20)
		groups := NewGroups(budget, 8<<20)
		idle := take(t, groups, 4, 0, runs, store)
		idle.Release(false)
		used := take(t, groups, 4, 4, runs, store)
		var mem *Grant
		go func() {
			defer groups.Yield()()
			mem, _ = budget.Acquire(t.Context(), 8<<20)
		}()
		synctest.Wait()
		if mem != nil {
			t.Fatal("the memory of a group in use was given away")
		}
		used.Release(false)
		synctest.Wait()
		if mem == nil {
			t.Fatal("groups without users keep their memory")
		}
		mem.Release()
	})
}

func TestAFailedGroupSaysWhereAndIsFetchedAgain(t *testing.T) {
	t.Parallel()
	spec, store, runs, want := sixteen(t, 4)
	broken := errors.New("the store is broken")
	budget := NewBudget(64 << 20)
	groups := NewGroups(budget, 8<<20)
	store.before = func(context.Context) error { return broken }
	_, err := groups.Take(t.Context(), 4, 5, runs, store)
	failed, ok := errors.AsType[*RunError](err)
	if !ok || !errors.Is(err, broken) || !slices.ContainsFunc(runs, func(r plan.Run) bool { return r.Key == failed.Run }) {
		t.Fatalf("the error is %v", err)
	}
	if budget.granted != 0 || groups.used != 0 {
		t.Errorf("%d bytes are held for nothing", budget.granted)
	}
	store.before = nil
	held := take(t, groups, 4, 5, runs, store)
	if got := readHeld(t, spec, 5, runs, held, store, budget, MinShare); !slices.Equal(got, want[5]) {
		t.Error("the partition has other pairs")
	}
	held.Release(true)
}

func TestAnAttemptThatEndsLeavesItsGroupToOthers(t *testing.T) {
	t.Parallel()
	_, store, runs, _ := sixteen(t, 4)
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		store.before = func(ctx context.Context) error {
			select {
			case <-answer:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		groups := NewGroups(NewBudget(64<<20), 8<<20)
		ctx, cancel := context.WithCancel(t.Context())
		var errs [2]error
		var held *Held
		go func() { _, errs[0] = groups.Take(ctx, 4, 0, runs, store) }()
		synctest.Wait()
		go func() { held, errs[1] = groups.Take(t.Context(), 4, 1, runs, store) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(errs[0], context.Canceled) {
			t.Errorf("the attempt that was stopped got %v", errs[0])
		}
		close(answer)
		synctest.Wait()
		if errs[1] != nil || held == nil {
			t.Fatalf("the other one got %v", errs[1])
		}
		held.Release(true)

		// Without users, the requests end.
		answer = make(chan struct{})
		ctx, cancel = context.WithCancel(t.Context())
		go func() { _, errs[0] = groups.Take(ctx, 4, 8, runs, store) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if store.flying != 0 {
			t.Errorf("%d requests are still under way", store.flying)
		}
		if groups.budget.granted != groups.used || groups.used >= 8<<20 {
			t.Errorf("%d bytes are granted, %d used", groups.budget.granted, groups.used)
		}
	})
}

// TestDamageOnTheWayIntoAGroupIsReadAgain verifies that every partition of a
// group notices a bit that flips on its way into it, and that the bytes are
// requested again.
func TestDamageOnTheWayIntoAGroupIsReadAgain(t *testing.T) {
	t.Parallel()
	spec, store, runs, want := sixteen(t, 2)
	budget := NewBudget(64 << 20)
	flips := 1
	store.flip = func(p []byte) {
		if flips > 0 {
			flips--
			p[len(p)/2] ^= 4
		}
	}
	groups := NewGroups(budget, 8<<20)
	whole := take(t, groups, 16, 0, runs, store)
	var fetched [][]byte
	for _, r := range whole.group.ranges {
		fetched = append(fetched, bytes.Clone(r.data))
	}
	for p := range 16 {
		held := take(t, groups, 16, p, runs, store)
		if got := readHeld(t, spec, p, runs, held, store, budget, MinShare); !slices.Equal(got, want[p]) {
			t.Errorf("partition %d has other pairs", p)
		}
		held.Release(true)
	}
	if store.reads <= 2 {
		t.Errorf("%d requests: damaged bytes were not read again", store.reads)
	}
	for i, r := range whole.group.ranges {
		if !bytes.Equal(r.data, fetched[i]) {
			t.Error("bytes that others may be reading were overwritten")
		}
	}
	whole.Release(true)
}
