package history_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/master/history"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

func mapTask(i int) plan.TaskID { return plan.TaskID{Phase: plan.Map, Index: i} }

// read decodes objects.
func read(t *testing.T, objects [][]byte) (all []history.Task) {
	t.Helper()
	for _, b := range objects {
		tasks, err := history.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tasks...)
	}
	return all
}

// TestEveryFactOfATaskIsKept verifies that what is shown of a task after the end of its
// job is what was shown before, to the millisecond.
func TestEveryFactOfATaskIsKept(t *testing.T) {
	t.Parallel()
	tasks := []history.Task{
		{ID: plan.TaskID{Phase: plan.Prepare}, Attempts: 1, Worker: "w-1", Started: time.UnixMilli(1_795_000_000_123).UTC(), Took: 1234 * time.Millisecond},
		{ID: mapTask(0), Attempts: 3, Failures: 1, Lost: 1, Worker: "w-2", Started: time.UnixMilli(1_795_000_001_000).UTC(), Took: time.Hour, Read: 128 << 20, Text: "it broke"},
		{ID: mapTask(1), Attempts: 1, Worker: "w-1", Read: math.MaxInt64},
		{ID: plan.TaskID{Phase: plan.Reduce, Index: 99_999}},
	}
	objects, err := history.Encode(tasks)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	if got := read(t, objects); !reflect.DeepEqual(got, tasks) {
		t.Errorf("kept %+v, want %+v", got, tasks)
	}
	empty, err := history.Encode(nil)
	if err != nil || len(read(t, empty)) != 0 {
		t.Errorf("a run without tasks: %v", err)
	}
}

// TestTheRecordIsBounded verifies that the record of a task takes at most 200 bytes,
// however long its worker's name and its error are, that every object fits into one
// request, and that long texts take no room from the workers.
func TestTheRecordIsBounded(t *testing.T) {
	t.Parallel()
	const n = history.MostTasks + 1
	tasks := make([]history.Task, n)
	for i := range tasks {
		tasks[i] = history.Task{ID: mapTask(i), Attempts: math.MaxInt32, Failures: math.MaxInt32, Lost: math.MaxInt32, Started: time.UnixMilli(math.MaxInt64 >> 8).UTC(),
			Took: math.MaxInt64, Read: math.MaxInt64, Worker: strings.Repeat("w", 20) + string(rune('a'+i%26)) + string(rune('0'+i%10)),
			Text: strings.Repeat("é", 5000) + string(rune('a'+i%26)) + strings.Repeat("x", i%1000)}
	}
	objects, err := history.Encode(tasks)
	if err != nil || len(objects) != 2 {
		t.Fatalf("%d objects of %d tasks, %v", len(objects), n, err)
	}
	for i, b := range objects {
		if len(b) > store.MaxBody || i == 0 && len(b) > history.MostTasks*history.MostBytes {
			t.Errorf("object %d has %d bytes", i, len(b))
		}
	}
	for i, task := range read(t, objects) {
		if task.Worker != tasks[i].Worker || task.ID != tasks[i].ID {
			t.Fatalf("task %d: %+v", i, task)
		}
		if len(task.Text) > 1024 || !strings.HasPrefix(tasks[i].Text, strings.TrimSuffix(task.Text, "…")) {
			t.Fatalf("task %d: the text %q is no begin of its own", i, task.Text)
		}
	}
}

// TestDamagedRecords verifies that other bytes are refused: they must not be shown as
// facts.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	good, err := history.Encode([]history.Task{{ID: mapTask(3), Worker: "w", Text: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": good[0][:len(good[0])-1], "more behind": append(slices.Clip(good[0]), 0),
		"another version": append([]byte{0x94, 2}, good[0][2:]...), "another form": []byte("\x93\x01\x90\x90"),
		"no such worker": []byte("\x94\x01\x90\x90\x9a\x03\x00\x00\x00\x00\x01\x00\x00\x00\x00"),
		"no such phase":  []byte("\x94\x01\x90\x90\x9a\x77\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"half a row":     []byte("\x94\x01\x90\x90\x91\x03"),
	} {
		if tasks, err := history.Decode(b); err == nil {
			t.Errorf("%s is taken for %+v", name, tasks)
		}
	}
}

// FuzzDecode verifies that no bytes make the decoder fail otherwise than by an error.
func FuzzDecode(f *testing.F) {
	good, err := history.Encode([]history.Task{{ID: mapTask(3), Worker: "w", Text: "x", Took: time.Second}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		tasks, err := history.Decode(b)
		if err != nil {
			return
		}
		if _, err := history.Encode(tasks); err != nil {
			t.Error(err)
		}
	})
}
