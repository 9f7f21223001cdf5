package journal

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
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
		scheduler.Planned{Attempt: anID, Graph: aGraph},
		scheduler.Sized{Exchange: 1, Partitions: 100_000},
		scheduler.Granted{Task: aStaged, Attempt: anID},
		scheduler.Committed{Task: aStaged, Attempt: anID, Digest: scheduler.Digest{In: 1}},
		scheduler.Invalidated{Task: aStaged, Attempt: anID, Before: plan.AttemptID{Epoch: 1 << 60, N: 1<<32 - 1}},
		scheduler.Invalidated{Task: aStaged, Attempt: anID},
		scheduler.Invalidated{Task: aTask, Attempt: anID, Before: plan.AttemptID{Epoch: 7, N: 1}},
		scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Denied, Task: aStaged, Text: "no"}},
	}
	aStaged = plan.TaskID{Stage: strings.Repeat("s", scheduler.MostName), Phase: plan.Reduce, Index: 99_999}
	// aGraph has a step that reads inputs, one that reads what it left, makes parts
	// and passes pairs on, and one that reads these and all of the first exchange.
	aGraph = &plan.Graph{
		Steps: []plan.Step{
			{Group: plan.Group{Phase: plan.Map}, Tasks: 3, Reads: plan.None, Writes: []int{0}},
			{Group: plan.Group{Stage: "sessions", Phase: plan.Reduce}, Writes: []int{1}, Parts: true},
			{Group: plan.Group{Stage: "per day", Phase: plan.Reduce}, Reads: 1, Sides: []int{0}, Parts: true},
		},
		Exchanges: []plan.Exchange{{Writers: []int{0}, Partitions: 2}, {Writers: []int{1}, Sampled: []int{0}, Estimate: 1 << 50}},
		Least:     8,
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
		Cause        struct {
			Kind uint8
			Task struct {
				Phase plan.Phase
				Index int
			}
			Text string
		}
		Run   int
		Tasks [plan.Reduce + 1][]scheduler.TaskRecord
		Parts bool
	}{Slots: s.Slots, Epoch: s.Epoch, Status: s.Status, Run: s.Run, Tasks: s.Tasks, Parts: s.Parts}
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

// jobOf returns the fold of a record whose first entry is a fence.
func jobOf(entries ...scheduler.Entry) *scheduler.Job {
	job := new(scheduler.Job)
	job.Fold(scheduler.Record{Epoch: 3, Entries: append([]scheduler.Entry{scheduler.Fence{}}, entries...)})
	return job
}

// TestJobsOfOneShuffleAreLoggedAsBefore compares records and snapshots with those
// that the release before jobs of several stages wrote.
func TestJobsOfOneShuffleAreLoggedAsBefore(t *testing.T) {
	t.Parallel()
	m, r, at := plan.TaskID{Phase: plan.Map, Index: 1}, plan.TaskID{Phase: plan.Reduce, Index: 2}, func(n uint32) plan.AttemptID {
		return plan.AttemptID{Epoch: 3, N: n, Rand: 0xdeadbeef}
	}
	d := scheduler.Digest{In: 5, Out: 1 << 40, Bytes: 77, CRC: 1 << 31}
	entries := []scheduler.Entry{
		scheduler.Fence{},
		scheduler.Planned{Attempt: at(1), Counts: plan.Counts{Samples: 1, Maps: 2, Reduces: 3}},
		scheduler.Committed{Task: plan.TaskID{Phase: plan.Sample}, Attempt: at(2), Digest: d},
		scheduler.Committed{Task: m, Attempt: at(3), Digest: d},
		scheduler.Committed{Task: plan.TaskID{Phase: plan.Map}, Attempt: at(4), Digest: d},
		scheduler.Granted{Task: r, Attempt: at(5)},
		scheduler.Committed{Task: r, Attempt: at(5), Digest: d},
		scheduler.Invalidated{Task: m, Attempt: at(3)},
		scheduler.Used{Account: scheduler.Account{Name: "w.1", Scheme: "s3"}, Usage: plan.Usage{Puts: 4, Gets: 1000}},
		scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Inconsistent, Task: m, Text: "gone"}},
	}
	record, err := encodeRecord(scheduler.Record{Epoch: 3, Entries: entries})
	if want := "57524c470001030a910197020301cedeadbeef0102039a0402000302cedeadbeef05cf00000100000000004dce800000009a0403010303cedeadbeef" +
		"05cf00000100000000004dce800000009a0403000304cedeadbeef05cf00000100000000004dce80000000960304020305cedeadbeef9a0404020305" +
		"cedeadbeef05cf00000100000000004dce80000000960503010303cedeadbeef9d0aa3772e31a27333040000cd03e80000000000009507040301a467" +
		"6f6e65"; err != nil || hex.EncodeToString(record) != want {
		t.Errorf("the record is %x, %v, want %s", record, err, want)
	}
	if got, err := decodeRecord(record); err != nil || !reflect.DeepEqual(got.Entries, entries) {
		t.Errorf("the record is read as %+v, %v", got, err)
	}
	mapOnly := jobOf()
	mapOnly.Fold(scheduler.Record{Epoch: 3, Entries: []scheduler.Entry{scheduler.Planned{Counts: plan.Counts{Maps: 1}}}})
	for want, job := range map[string]*scheduler.Job{
		"5752534e000292970103039304920301a4676f6e650095909198c3930301cedeadbeef9400000000c0c0c29400000000009198c3930302cedeadbeef" +
			"9405cf00000100000000004dce80000000c0c0c29400000000009298c3930304cedeadbeef9405cf00000100000000004dce80000000c0c0c2940000" +
			"00000098c2930303cedeadbeef9405cf00000100000000004dce80000000c091930303cedeadbeefc39405cf00000100000000004dce800000000093" +
			"98c2930000009400000000c0c0c294000000000098c2930000009400000000c0c0c294000000000098c3930305cedeadbeef9405cf00000100000000" +
			"004dce8000000091930305cedeadbeefc0c2940000000000c3919292a3772e31a273339a040000cd03e8000000000000": jobOf(entries...),
		"5752534e000292970103009300920000a00095c0c0c0c0c0c2c0":                                         jobOf(),
		"5752534e000292970203019300920000a000959090909198c2930000009400000000c0c0c294000000000090c2c0": mapOnly,
	} {
		body, err := encodeSnapshot(job)
		if err != nil || hex.EncodeToString(body) != want {
			t.Errorf("the snapshot is %x, %v, want %s", body, err, want)
		}
		if got, err := decodeSnapshot(body); err != nil || !reflect.DeepEqual(got, job) {
			t.Errorf("the snapshot is read as %+v, %v", got, err)
		}
	}
}

// stagedJob is a job in which everything has happened that a snapshot must keep.
func stagedJob() *scheduler.Job {
	first, next, at := plan.Group{Phase: plan.Map}, plan.Group{Stage: "sessions", Phase: plan.Reduce}, func(n uint32) plan.AttemptID {
		return plan.AttemptID{Epoch: 3, N: n, Rand: 9}
	}
	return jobOf(
		scheduler.Planned{Attempt: at(1), Graph: aGraph},
		scheduler.Sized{Exchange: 1, Partitions: 4},
		scheduler.Committed{Task: first.Task(0), Attempt: at(2), Digest: scheduler.Digest{Out: 3}},
		scheduler.Granted{Task: next.Task(1), Attempt: at(3)},
		scheduler.Invalidated{Task: first.Task(0), Attempt: at(2), Before: at(4)},
		scheduler.Used{Account: scheduler.Account{Name: "w.1", Scheme: "s3"}, Usage: plan.Usage{Puts: 4}},
		scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Failed, Task: next.Task(1), Text: "gone"}},
	)
}

// TestSnapshotsKeepStages verifies that a job of several stages is the same after it
// was read from a snapshot, also for what follows.
func TestSnapshotsKeepStages(t *testing.T) {
	t.Parallel()
	job := stagedJob()
	body, err := encodeSnapshot(job)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeSnapshot(body)
	if err != nil || !reflect.DeepEqual(got, job) {
		t.Fatalf("got %+v, %v, want %+v", got, err, job)
	}
	if n := got.Tasks(plan.Group{Stage: "per day", Phase: plan.Reduce}); n != 4 {
		t.Errorf("%d tasks read the exchange of 4 partitions", n)
	}
	for n := range body {
		if _, err := decodeSnapshot(body[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are read", n, len(body))
		}
	}
}

func TestGraphsThatCannotRunAreRefused(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(g *plan.Graph){
		"a name is too long":     func(g *plan.Graph) { g.Steps[1].Stage += strings.Repeat("s", scheduler.MostName) },
		"a step waits for later": func(g *plan.Graph) { g.Steps[0].Reads = 1 },
		"no such exchange":       func(g *plan.Graph) { g.Steps[1].Reads = 7 },
		"too many partitions":    func(g *plan.Graph) { g.Exchanges[1].Partitions = 1 << 30 },
		"no steps":               func(g *plan.Graph) { g.Steps = nil },
	} {
		g := *aGraph
		g.Steps, g.Exchanges = slices.Clone(g.Steps), slices.Clone(g.Exchanges)
		harm(&g)
		b, err := encodeRecord(scheduler.Record{Epoch: 7, Entries: []scheduler.Entry{scheduler.Planned{Graph: &g}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeRecord(b); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

func TestEntriesOfAnotherVersionAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"WRLG\x00\x02\x01\x00":                                       "of this version",
		recordMagic + "\x01\x01\x91\x63":                             "written by another version",
		recordMagic + "\x01\x01\x92\x01\x01":                         "written by another version",
		recordMagic + "\x01\x01\x98\x05\x03\x01\x01\x01\x01\x01\x01": "too many",
		recordMagic + "\x01\xce\xff\xff\xff\xff":                     "a record of",
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
	if b, err = encodeSnapshot(stagedJob()); err != nil {
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
