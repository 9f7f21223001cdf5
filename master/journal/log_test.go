package journal_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

const job plan.JobID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

func open(t *testing.T, o store.Options) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), "mem://cluster", o)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// created returns a root with a job.
func created(t *testing.T) *store.Root {
	t.Helper()
	root := open(t, store.Options{})
	if won, _, err := journal.CreateJob(t.Context(), root, job, []byte("spec")); !won || err != nil {
		t.Fatal(won, err)
	}
	return root
}

func TestAJobIsCreatedOnce(t *testing.T) {
	t.Parallel()
	root := created(t)
	won, existing, err := journal.CreateJob(t.Context(), root, job, []byte("another"))
	if won || string(existing) != "spec" || err != nil {
		t.Errorf("won %v, existing %q, %v", won, existing, err)
	}
}

// TestASlotHasOneWriter verifies that one of many masters that append to a slot
// wins, and that the others get its record.
func TestASlotHasOneWriter(t *testing.T) {
	t.Parallel()
	root := created(t)
	const masters, slots = 8, 20
	var wg sync.WaitGroup
	winners := make([][]uint64, slots)
	taken := make([][]scheduler.Record, slots)
	var mu sync.Mutex
	for m := range uint64(masters) {
		wg.Go(func() {
			log := journal.Open(root, job, nil)
			for slot := range uint64(slots) {
				won, other, err := log.Append(t.Context(), slot, scheduler.Record{Epoch: m + 1, Entries: []scheduler.Entry{scheduler.Fence{}}})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if won {
					winners[slot] = append(winners[slot], m+1)
				} else {
					taken[slot] = append(taken[slot], other)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for slot := range winners {
		if len(winners[slot]) != 1 {
			t.Fatalf("slot %d was won by %v", slot, winners[slot])
		}
		for _, r := range taken[slot] {
			if r.Epoch != winners[slot][0] {
				t.Errorf("slot %d was won by %d, a loser read the record of %d", slot, winners[slot][0], r.Epoch)
			}
		}
	}
}

// written appends a job of many tasks to its log, as a master would, and returns
// its fold.
func written(t *testing.T, root *store.Root, slots int) *scheduler.Job {
	t.Helper()
	log, folded := journal.Open(root, job, nil), new(scheduler.Job)
	for slot := range slots {
		r := scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Committed{
			Task: plan.TaskID{Phase: plan.Map, Index: slot}, Attempt: plan.AttemptID{Epoch: 1, N: uint32(slot)}, Digest: scheduler.Digest{In: int64(slot)}}}}
		if slot == 0 {
			r.Entries = []scheduler.Entry{scheduler.Fence{}, scheduler.Planned{Counts: plan.Counts{Maps: slots + 5, Reduces: 2}}}
		}
		if slot%7 == 3 { // a worker reports its requests
			r.Entries = append(r.Entries, scheduler.Used{Account: scheduler.Account{Name: fmt.Sprint("w", slot%5), Scheme: "s3"},
				Usage: plan.Usage{Gets: int64(slot), BytesDown: int64(1000 * slot)}})
		}
		if won, _, err := log.Append(t.Context(), uint64(slot), r); !won || err != nil {
			t.Fatal(slot, won, err)
		}
		folded.Fold(r)
		if err := log.Snapshot(t.Context(), folded); err != nil {
			t.Fatal(err)
		}
	}
	return folded
}

func TestALogIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{0, 1, 10, 999, 1000, 1001, 2100} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			t.Parallel()
			root := created(t)
			want := written(t, root, slots)
			before := root.Usage()
			got, err := journal.Read(t.Context(), root, job)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%d slots: status %v after %d, %v", slots, got.Status, got.Slots, err)
			}
			if gets := root.Usage().Minus(before).Gets; gets > int64(slots%1000)+10 {
				t.Errorf("%d slots took %d reads: the snapshot is not used", slots, gets)
			}
		})
	}
}

// TestAGapIsAnError verifies that a log without a slot is not taken for a
// shorter one.
func TestAGapIsAnError(t *testing.T) {
	t.Parallel()
	for _, gone := range []int{0, 5} {
		root := created(t)
		written(t, root, 10)
		if err := root.Delete(t.Context(), fmt.Sprintf("%slog/%020d", plan.JobPrefix(job), gone)); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Read(t.Context(), root, job); err == nil || !strings.Contains(err.Error(), "gaps") {
			t.Errorf("without slot %d: %v", gone, err)
		}
	}
}

// TestAnUnseenJobIsAnError verifies that the log of a job that cannot be read
// is not taken for an empty one.
func TestAnUnseenJobIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := journal.Read(t.Context(), open(t, store.Options{}), job); plan.KindOf(err) != plan.NotFound {
		t.Errorf("error is %v", err)
	}
}

func TestADamagedSlotIsNamed(t *testing.T) {
	t.Parallel()
	root := created(t)
	written(t, root, 3)
	key := fmt.Sprintf("%slog/%020d", plan.JobPrefix(job), 1)
	if err := root.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, _, err := root.CreateOnce(t.Context(), key, []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Read(t.Context(), root, job); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("error is %v", err)
	}
}

// TestLogOfADamagedSpec verifies that the log of a job with a damaged spec, or with
// none, is read. Only without any object of the job it is not, since then the store
// may be cut off.
func TestLogOfADamagedSpec(t *testing.T) {
	t.Parallel()
	ctx, root := t.Context(), created(t)
	want := written(t, root, 3)
	if err := root.Put(ctx, plan.SpecKey(job), []byte("not what was written here"), store.Durable); err != nil {
		t.Fatal(err)
	}
	if got, err := journal.Read(ctx, root, job); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	if all, err := journal.Records(ctx, root, job); err != nil || uint64(len(all)) != want.Slots {
		t.Errorf("%d records, %v", len(all), err)
	}
	if err := root.Delete(ctx, plan.SpecKey(job)); err != nil {
		t.Fatal(err)
	}
	if got, err := journal.Read(ctx, root, job); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without a spec: read %+v, %v", got, err)
	}
	if err := root.DeleteAll(ctx, plan.JobPrefix(job), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Read(ctx, root, job); plan.KindOf(err) != plan.NotFound {
		t.Errorf("without any object: %v", err)
	}
}
