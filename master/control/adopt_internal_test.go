package control

import (
	"log/slog"
	"testing"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestAdoptedWorkIsComparedWithItsInput runs two maps, whose end was not reported,
// over the sections of one object. If the sections do not have the checksum that the
// store keeps of the object, a new leader finds that, as it does by reports.
func TestAdoptedWorkIsComparedWithItsInput(t *testing.T) {
	t.Parallel()
	for name, flip := range map[string]uint64{"as it should be": 0, "misread": 1} {
		ctx := t.Context()
		scratch, err := store.Open(ctx, "mem://", store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const half, crc32c = 100, 1
		read := []plan.SectionSum{{Checksum: plan.Checksum{Algorithm: crc32c, Value: 7}}, {Checksum: plan.Checksum{Algorithm: crc32c, Value: 9}}}
		whole, _ := attempts.CombineSums(read, []int64{half, half})
		whole.Value ^= flip
		object := plan.Object{Root: "mem://in", Key: "k", Size: 2 * half, Sum: whole}
		table := &attempts.Table{Partitions: 1}
		for i := range int64(2) {
			table.Splits = append(table.Splits, plan.Split{Sections: []plan.Section{{Object: object, Offset: i * half, Length: half}}})
		}
		j := &job{lead: &leadership{cfg: &Config{Log: slog.New(slog.DiscardHandler)}}, id: "01J", scratch: scratch,
			input: input{table: table, sums: sums.New(table)}, view: view.NewJob()}
		s := new(scheduler.Job)
		s.Fold(scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Fence{}, scheduler.Planned{Counts: plan.Counts{Maps: 2, Reduces: 1}}}})
		for i := range 2 {
			m := &plan.Manifest{Job: "01J", Task: plan.TaskID{Phase: plan.Map, Index: i}, Attempt: plan.AttemptID{Epoch: 1, N: uint32(i)}, Sums: read[i : i+1]}
			if err := attempts.WriteManifest(ctx, scratch, m, store.Scratch); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.adopt(ctx, s, master.NewMailbox()); err != nil {
			t.Fatal(err)
		}
		if want := int64(flip); j.view.Retried() != want {
			t.Errorf("%s: %d misread objects were found, want %d", name, j.view.Retried(), want)
		}
	}
}
