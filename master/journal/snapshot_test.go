package journal_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

func snap(slot uint64) string { return fmt.Sprintf("%ssnap/%020d", plan.JobPrefix(job), slot) }

func slotOf(slot uint64) string { return fmt.Sprintf("%slog/%020d", plan.JobPrefix(job), slot) }

// TestADamagedSnapshotIsReplaced verifies that a job whose snapshots are damaged or
// gone is read from an older one, or from its whole log, and that only a job for
// which neither is whole is broken, with words that name both objects.
func TestADamagedSnapshotIsReplaced(t *testing.T) {
	t.Parallel()
	truncate := func(t *testing.T, root *store.Root, key string) {
		t.Helper()
		body, err := root.Get(t.Context(), key, store.MaxBody)
		check(t, err)
		check(t, root.Put(t.Context(), key, body[:len(body)/2], store.Durable))
	}
	for name, tt := range map[string]struct {
		harm   func(t *testing.T, root *store.Root)
		broken []string // what the error names; nil: there is none
	}{
		"the newest": {func(t *testing.T, root *store.Root) { truncate(t, root, snap(2000)) }, nil},
		"of another version": {func(t *testing.T, root *store.Root) {
			check(t, root.Delete(t.Context(), snap(2000)))
			_, _, err := root.CreateOnce(t.Context(), snap(2000), []byte("WRSN\x00\x09what?"))
			check(t, err)
		}, nil},
		"all": {func(t *testing.T, root *store.Root) {
			truncate(t, root, snap(1000))
			truncate(t, root, snap(2000))
		}, nil},
		"the newest, and an early slot is gone": {func(t *testing.T, root *store.Root) {
			truncate(t, root, snap(2000))
			check(t, root.Delete(t.Context(), slotOf(7)))
		}, nil},
		"all, and a slot is gone": {func(t *testing.T, root *store.Root) {
			truncate(t, root, snap(1000))
			truncate(t, root, snap(2000))
			check(t, root.Delete(t.Context(), slotOf(7)))
		}, []string{"gaps", snap(1000)}},
		"none, and an early slot is gone": {func(t *testing.T, root *store.Root) { check(t, root.Delete(t.Context(), slotOf(7))) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := created(t)
			want := written(t, root, 2100)
			tt.harm(t, root)
			got, err := journal.Read(t.Context(), root, job)
			if tt.broken == nil {
				if err != nil || !reflect.DeepEqual(got.State(), want.State()) {
					t.Errorf("it is not read as it was written: %v", err)
				}
				return
			}
			for _, text := range tt.broken {
				if !journal.Damaged(err) || !strings.Contains(err.Error(), text) {
					t.Errorf("the error is %v, want one that names %s", err, text)
				}
			}
		})
	}
}

// TestTheGreatestJobHasASnapshot verifies that the documented greatest job, of 100,000
// maps and 100,000 reduces, is read from a snapshot, although that is longer than one
// request can write.
func TestTheGreatestJobHasASnapshot(t *testing.T) {
	t.Parallel()
	root := created(t)
	const each, slots, batch = 100_000, 1000, 201
	log, want := journal.Open(root, job, nil), new(scheduler.Job)
	next := 0
	for slot := range uint64(slots) {
		r := scheduler.Record{Epoch: 1 << 40}
		if slot == 0 {
			r.Entries = []scheduler.Entry{scheduler.Fence{}, scheduler.Planned{Counts: plan.Counts{Maps: each, Reduces: each}}}
		}
		for ; next < min(2*each, int(slot+1)*batch); next++ {
			id := plan.TaskID{Phase: plan.Map, Index: next % each}
			a := plan.AttemptID{Epoch: 1 << 40, N: uint32(next), Rand: 1 << 31}
			if next >= each {
				id.Phase = plan.Reduce
				r.Entries = append(r.Entries, scheduler.Granted{Task: id, Attempt: a})
			}
			r.Entries = append(r.Entries, scheduler.Committed{Task: id, Attempt: a, Digest: scheduler.Digest{In: 1 << 40, Out: 1 << 40, Bytes: 1 << 40, CRC: 1 << 31}})
		}
		_, _, err := log.Append(t.Context(), slot, r)
		check(t, err)
		want.Fold(r)
		check(t, log.Snapshot(t.Context(), want))
	}
	if want.Left(plan.Group{Phase: plan.Map})+want.Left(plan.Group{Phase: plan.Reduce}) != 0 {
		t.Fatalf("%d and %d tasks are left", want.Left(plan.Group{Phase: plan.Map}), want.Left(plan.Group{Phase: plan.Reduce}))
	}
	check(t, root.Delete(t.Context(), slotOf(1)))
	got, err := journal.Read(t.Context(), root, job)
	if err != nil || !reflect.DeepEqual(got.State(), want.State()) {
		t.Fatalf("it is not read as it was written: %v", err)
	}
	for o, err := range root.List(t.Context(), plan.JobPrefix(job)+"fold/") {
		check(t, err)
		check(t, root.Put(t.Context(), o.Key, []byte("damaged"), store.Durable))
	}
	if _, err := journal.Read(t.Context(), root, job); !journal.Damaged(err) {
		t.Errorf("after damage: %v", err)
	}
}
