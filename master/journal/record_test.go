package journal

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

var (
	aTask    = plan.TaskID{Phase: plan.Reduce, Index: 99_999}
	anID     = plan.AttemptID{Epoch: 1 << 60, N: 1<<32 - 1, Rand: 0xdeadbeef}
	allKinds = []scheduler.Entry{
		scheduler.Fence{},
		scheduler.Planned{Counts: plan.Counts{Samples: 1, Maps: 100_000, Reduces: 3}},
		scheduler.Granted{Task: aTask, Attempt: anID},
		scheduler.Committed{Task: aTask, Attempt: anID, Digest: scheduler.Digest{In: 1 << 50, Out: 1 << 40, Bytes: 1 << 62, CRC: 1<<32 - 1}},
		scheduler.Committed{Task: plan.TaskID{Phase: plan.Map}},
		scheduler.Invalidated{Task: aTask, Attempt: anID},
		scheduler.Intent{},
		scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Failed, Task: aTask, Text: "a \x00 reason\n"}},
		scheduler.Done{},
		scheduler.Used{Account: scheduler.Account{Name: "01arz3ndektsv4rrffq69g5fav.1", Scheme: "s3"}, Usage: plan.Usage{Puts: 1, Heartbeats: 2, Multipart: 3,
			Gets: 1 << 40, Stats: 5, Lists: 6, Deletes: 7, BytesUp: 1 << 50, BytesDown: 1 << 62, Throttles: 10}},
		scheduler.Used{},
	}
)

func TestRecordsKeepEveryEntry(t *testing.T) {
	t.Parallel()
	want := scheduler.Record{Epoch: 7, Entries: allKinds}
	b, err := encodeRecord(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for n := range b {
		if r, err := decodeRecord(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are read as %+v", n, len(b), r)
		}
	}
	if _, err := decodeRecord(append(b, 0)); err == nil {
		t.Error("a byte too many is not noticed")
	}
}

// A task adds at most 200 bytes to the log.
func TestACommitIsSmall(t *testing.T) {
	t.Parallel()
	b, err := encodeRecord(scheduler.Record{Epoch: 1 << 60, Entries: allKinds[3:4]})
	if err != nil || len(b) > 100 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// A worker's requests are logged a few times in a job, however many tasks the
// worker does.
func TestUsageOfAWorkerIsSmall(t *testing.T) {
	t.Parallel()
	e := scheduler.Used{Account: scheduler.Account{Name: "01arz3ndektsv4rrffq69g5fav.1", Scheme: "s3"},
		Usage: plan.Usage{Puts: 2000, Multipart: 900, Gets: 3000, BytesUp: 20 << 30, BytesDown: 30 << 30}}
	b, err := encodeRecord(scheduler.Record{Epoch: 7, Entries: []scheduler.Entry{e}})
	if err != nil || len(b) > 90 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestOldSnapshotsAreRead verifies that snapshots of releases that did not count
// requests are read; they lack a field.
func TestOldSnapshotsAreRead(t *testing.T) {
	t.Parallel()
	var want scheduler.Job
	want.Fold(scheduler.Record{Epoch: 7, Entries: []scheduler.Entry{scheduler.Fence{}, scheduler.Planned{Counts: plan.Counts{Maps: 2}},
		scheduler.Granted{Task: plan.TaskID{Phase: plan.Map}, Attempt: anID}}})
	s := want.State()
	before := struct {
		Slots, Epoch uint64
		Status       scheduler.Status
		Cause        scheduler.Cause
		Run          int
		Tasks        [plan.Reduce + 1][]scheduler.TaskRecord
		Parts        bool
	}{s.Slots, s.Epoch, s.Status, s.Cause, s.Run, s.Tasks, s.Parts}
	var b bytes.Buffer
	b.WriteString("WRSN\x00\x01")
	e := msgpack.NewEncoder(&b)
	e.UseArrayEncodedStructs(true)
	e.UseCompactInts(true)
	if err := e.Encode(before); err != nil {
		t.Fatal(err)
	}
	got, err := decodeSnapshot(b.Bytes())
	if err != nil || !reflect.DeepEqual(got, &want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEntriesOfAnotherVersionAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"WRLG\x00\x02\x01\x00":                   "of this version",
		recordMagic + "\x01\x01\x91\x63":         "written by another version",
		recordMagic + "\x01\x01\x92\x01\x01":     "written by another version",
		recordMagic + "\x01\xce\xff\xff\xff\xff": "a record of",
	} {
		if _, err := decodeRecord([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzRecord decodes bytes as a damaged or hostile store might hold them: a
// record that it accepts must be encoded again in the same way.
func FuzzRecord(f *testing.F) {
	b, err := encodeRecord(scheduler.Record{Epoch: 7, Entries: allKinds})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(recordMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		again, err := encodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		if r2, err := decodeRecord(again); err != nil || !reflect.DeepEqual(r, r2) {
			t.Errorf("%+v is read again as %+v, %v", r, r2, err)
		}
	})
}

// FuzzSnapshot does the same for snapshots.
func FuzzSnapshot(f *testing.F) {
	var job scheduler.Job
	job.Fold(scheduler.Record{Epoch: 7, Entries: []scheduler.Entry{scheduler.Fence{}, scheduler.Planned{Counts: plan.Counts{Maps: 2, Reduces: 1}}, scheduler.Committed{Task: plan.TaskID{Phase: plan.Map}}, allKinds[9]}})
	b, err := encodeSnapshot(&job)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		job, err := decodeSnapshot(b)
		if err != nil {
			return
		}
		if _, err := encodeSnapshot(job); err != nil {
			t.Error(err)
		}
	})
}
