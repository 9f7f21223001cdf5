package output_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

// leftOut runs a job that quarantines records.
func leftOut(t *testing.T, root *store.Root, n int, req output.Request) {
	t.Helper()
	h, err := output.Reserve(t.Context(), root, req)
	if err != nil {
		t.Fatal(err)
	}
	finishReplay(t, root, h, n)
}

// bad returns a line of a quarantine.
func bad(of plan.JobID, offset int) string {
	return fmt.Sprintf(`{"job":%q,"task":"map/0","object":"mem://in/%s","offset":%d,"stage":"Map","error":"bad"}`+"\n", of, strings.TrimLeft(string(of[18:]), "0"), offset)
}

// finishReplay commits a part of data, and one that describes bad records.
func finishReplay(t *testing.T, root *store.Root, h *output.Hold, n int) {
	t.Helper()
	part := write(t, root, n, 0, "data\n")
	body := []byte(bad(job(n), 7) + bad("01ARZ3NDEKTSV4RREF00000000", 9)) // and one of a job whose id ends alike
	aside := plan.Part{Name: plan.QuarantineDir + "/" + part.Name, Size: int64(len(body)), Records: 2, CRC32C: checksum.SumCRC32C(body)}
	if err := root.Put(t.Context(), aside.Name, body, store.Durable); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(t.Context(), []plan.Part{part, aside}); err != nil {
		t.Fatal(err)
	}
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// replaying returns the request of job n that replays job of.
func replaying(n, of int) output.Request {
	r := request(n, output.Append)
	r.Replays = job(of)
	return r
}

// TestAJobIsReplayedOnce verifies that the bad records of a job can be replayed once, as long
// as they are in the contents, whatever else is appended, and that a replay that ends without
// a commit does not count.
func TestAJobIsReplayedOnce(t *testing.T) {
	t.Parallel()
	root := open(t)
	refused := func(n, of int, says string) {
		t.Helper()
		for name, refuse := range map[string]func() error{
			"reserve": func() error { _, err := output.Reserve(t.Context(), root, replaying(n, of)); return err },
			"look":    func() error { _, _, err := output.Look(t.Context(), root, replaying(n, of)); return err },
			"read": func() error {
				return output.BadRecords(t.Context(), root, job(of), func(*plan.BadRecord) error { t.Error("a record is passed on"); return nil })
			},
		} {
			if err := refuse(); plan.KindOf(err) != plan.Conflict || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), string(job(of))) {
				t.Errorf("%s, job %d replays job %d: %v", name, n, of, err)
			}
		}
	}
	refused(9, 1, "no bad records")
	leftOut(t, root, 1, request(1, output.Fail))
	leftOut(t, root, 2, request(2, output.Append))
	refused(9, 3, "no bad records")
	h, err := output.Reserve(t.Context(), root, replaying(3, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	leftOut(t, root, 4, replaying(4, 1))
	refused(9, 1, "job "+string(job(4))+" has replayed")
	leftOut(t, root, 5, replaying(5, 4))
	commit(t, root, 6, output.Append, "more\n")
	refused(9, 1, "job "+string(job(4))+" has replayed")
	refused(9, 4, "job "+string(job(5))+" has replayed")
	var left []string
	err = output.BadRecords(t.Context(), root, job(2), func(b *plan.BadRecord) error {
		left = append(left, fmt.Sprint(b.Object, " ", *b.Offset))
		return nil
	})
	if err != nil || !slices.Equal(left, []string{"mem://in/2 7"}) {
		t.Errorf("of job 2: %q, %v", left, err)
	}
	if err := root.Put(t.Context(), "_quarantine/"+output.PartName(plan.TaskID{Phase: plan.Reduce}, job(2), 0, ".txt"), []byte(bad(job(2), 8)+bad("01ARZ3NDEKTSV4RREF00000000", 9)), store.Durable); err != nil {
		t.Fatal(err)
	}
	if err := output.BadRecords(t.Context(), root, job(2), func(*plan.BadRecord) error { return nil }); plan.KindOf(err) != plan.Corrupt {
		t.Errorf("of a part that was changed: %v", err)
	}
	commit(t, root, 7, output.Replace, "others\n")
	refused(9, 2, "no bad records")
}

// TestAReplayContinuesInAnotherProcess verifies that the log has a replay that another
// process commits than the one that reserved the output.
func TestAReplayContinuesInAnotherProcess(t *testing.T) {
	t.Parallel()
	root := open(t)
	leftOut(t, root, 1, request(1, output.Fail))
	req := replaying(2, 1)
	req.Resumed = true
	if _, err := output.Reserve(t.Context(), root, req); err != nil {
		t.Fatal(err)
	}
	h, err := output.Resume(t.Context(), root, req)
	if err != nil {
		t.Fatal(err)
	}
	finishReplay(t, root, h, 2)
	if _, err := output.Reserve(t.Context(), root, replaying(3, 1)); plan.KindOf(err) != plan.Conflict || !strings.Contains(err.Error(), string(job(2))) {
		t.Errorf("a second replay: %v", err)
	}
}

// TestEntriesWithReplaysAreNewer verifies that builds which do not know replays, and would
// remove them from the log, do not read a log that has some.
func TestEntriesWithReplaysAreNewer(t *testing.T) {
	t.Parallel()
	root := open(t)
	leftOut(t, root, 1, request(1, output.Fail))
	leftOut(t, root, 2, replaying(2, 1))
	commit(t, root, 3, output.Append, "more\n")
	commit(t, root, 4, output.Replace, "others\n")
	commit(t, root, 5, output.Append, "more\n")
	for slot, want := range []int{1, 1, 1, 2, 2, 2, 2, 1, 1, 1} {
		body, err := root.ReadOnce(t.Context(), strings.TrimSuffix(output.FirstEntry, "0")+string(rune('0'+slot)))
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Version int }
		if err := json.Unmarshal(body, &e); err != nil || e.Version != want {
			t.Errorf("entry %d has version %d, want %d: %s, %v", slot, e.Version, want, body, err)
		}
	}
}
