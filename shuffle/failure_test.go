package shuffle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// attempt maps and reduces some pairs: several spills, a merge of them, and a
// reader of one partition. It returns the first error.
func attempt(ctx context.Context, store *memStore, mem *Grant, spec Spec) error {
	w, err := NewMapWriter(ctx, spec, mem, store)
	if err != nil {
		return err
	}
	defer w.Close()
	for i := range 6000 {
		w.Collector().Append(fmt.Appendf(nil, "key %d", i%1000), bytes.Repeat([]byte{byte(i)}, 1000), uint32(i%2))
	}
	runs, _, err := w.Finish(ctx)
	if err != nil {
		return err
	}
	w.Close()
	r, err := Open(ctx, spec, 1, runs, store, mem)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	n := 0
	for _, _, ok := r.Next(); ok; _, _, ok = r.Next() {
		n++
	}
	if r.Err() == nil && n != 3000 {
		return fmt.Errorf("%d of 3000 pairs and no error", n)
	}
	return r.Err()
}

func TestEveryFailureOfTheStoreIsReported(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is broken")
	for _, remote := range []bool{false, true} {
		for _, least := range []int64{1, 1 << 40} {
			spec := Spec{Partitions: 2, Remote: remote, MinExtent: least, BatchBytes: 64 << 10}
			mem, err := NewBudget(7<<20).Acquire(t.Context(), 7<<20)
			if err != nil {
				t.Fatal(err)
			}
			store := newMemStore()
			if err := attempt(t.Context(), store, mem, spec); err != nil {
				t.Fatal(err)
			}
			total := store.ops
			if total < 20 {
				t.Fatalf("only %d operations", total)
			}
			for n := 1; n <= total; n += 1 + total/15 {
				store := newMemStore()
				failed := ""
				store.fail = func(op string, i int) error {
					if i == n {
						failed = op
						return broken
					}
					return nil
				}
				err := attempt(t.Context(), store, mem, spec)
				if failed != "" && !errors.Is(err, broken) {
					t.Fatalf("remote %v: operation %d (%s) failed and the attempt says: %v", remote, n, failed, err)
				}
				if mem.Left() != mem.Size() {
					t.Fatalf("%d bytes are still charged after operation %d (%s) failed", mem.Size()-mem.Left(), n, failed)
				}
				store.checkClosed(t)
			}
		}
	}
}

func TestAFailedMapAttemptLeavesNoRuns(t *testing.T) {
	t.Parallel()
	mem, err := NewBudget(7<<20).Acquire(t.Context(), 7<<20)
	if err != nil {
		t.Fatal(err)
	}
	store := newMemStore()
	w, err := NewMapWriter(t.Context(), Spec{Partitions: 1}, mem, store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		w.Collector().Append(fmt.Appendf(nil, "key %d", i), make([]byte, 1000), 0)
	}
	if len(store.keys()) == 0 {
		t.Fatal("nothing was spilled")
	}
	w.Close()
	if keys := store.keys(); len(keys) > 0 {
		t.Errorf("%v were left behind", keys)
	}
}

func TestCancellationEndsAnAttempt(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		store := newMemStore()
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("the job was cancelled")
		store.fail = func(op string, _ int) error {
			if op == "read" {
				cancel(stop)
			}
			return nil
		}
		mem, err := NewBudget(7<<20).Acquire(t.Context(), 7<<20)
		if err != nil {
			t.Fatal(err)
		}
		spec := Spec{Partitions: 2, Remote: remote, MinExtent: 1 << 40, BatchBytes: 64 << 10}
		if err := attempt(ctx, store, mem, spec); !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		store.checkClosed(t)
	}
}

// oneRun writes a run of two partitions and returns it with its store.
func oneRun(t *testing.T, spec Spec) (*memStore, plan.Run) {
	t.Helper()
	store := newMemStore()
	j := &job{spec: spec, shares: [2]int64{8 << 20, 8 << 20}, parts: map[string]int{}}
	var emitted []kv
	for i := range 4000 {
		p := kv{fmt.Sprintf("key %04d", i), strings.Repeat("v", 40)}
		j.parts[p.key] = i % 2
		emitted = append(emitted, p)
	}
	runs, _ := j.mapTask(t, store, NewBudget(8<<20), emitted)
	return store, runs[0]
}

// readError returns the error of reading a partition of a run to its end, by
// itself, and checks that reading it as one of a group gives the same error.
func readError(t *testing.T, spec Spec, store *memStore, r plan.Run, p int) error {
	t.Helper()
	alone := readHeldError(t, spec, store, r, p, nil)
	held, err := NewGroups(NewBudget(8<<20), 8<<20).Take(t.Context(), 2, min(p, 1), []plan.Run{r}, store)
	if err != nil {
		t.Fatal(err)
	}
	grouped := readHeldError(t, spec, store, r, p, held)
	if fmt.Sprint(alone) != fmt.Sprint(grouped) {
		t.Errorf("read by itself the error is %v, in a group %v", alone, grouped)
	}
	return alone
}

func readHeldError(t *testing.T, spec Spec, store *memStore, r plan.Run, p int, held *Held) error {
	t.Helper()
	mem, err := NewBudget(8<<20).Acquire(t.Context(), 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := OpenHeld(t.Context(), spec, p, []plan.Run{r}, held, store, mem)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	for _, _, ok := reader.Next(); ok; _, _, ok = reader.Next() {
		continue
	}
	return reader.Err()
}

func TestWrongExtentsAreErrorsThatNameTheRun(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		spec := Spec{Partitions: 2, Remote: remote, BatchBytes: 10_000}
		store, run := oneRun(t, spec)
		good := run.Partitions[1]
		for name, change := range map[string]func(e *plan.Extent){
			"a row too many":      func(e *plan.Extent) { e.Rows++ },
			"a batch of rows few": func(e *plan.Extent) { e.Rows -= 1000 },
			"a byte too long":     func(e *plan.Extent) { e.Length++ },
			"a batch too short":   func(e *plan.Extent) { e.Length /= 2 },
			"the wrong offset":    func(e *plan.Extent) { e.Offset += 8; e.Length -= 8 },
			"beyond the run":      func(e *plan.Extent) { e.Length = 1 << 40 },
			"before the run":      func(e *plan.Extent) { e.Offset = -8 },
			"first row":           func(e *plan.Extent) { e.FirstRow = 1 << 30 },
			"negative rows":       func(e *plan.Extent) { e.Rows = -1 },
			"no rows":             func(e *plan.Extent) { e.Rows = 0 },
		} {
			changed := run
			e := good
			change(&e)
			changed.Partitions = []plan.Extent{run.Partitions[0], e}
			err := readError(t, spec, store, changed, 1)
			if name == "a row too many" && (err == nil || !strings.Contains(err.Error(), "1 of 2001 rows are missing")) {
				t.Errorf("%s: error is %v", name, err)
			}
			if err == nil || !strings.Contains(err.Error(), run.Key) || !strings.Contains(err.Error(), "partition 1") {
				t.Errorf("%s: error is %v", name, err)
			}
		}
		if err := readError(t, spec, store, run, 1); err != nil {
			t.Error(err)
		}
		if err := readError(t, spec, store, run, 2); err == nil {
			t.Error("partition 2 of 2 is read")
		}
	}
}

func TestCorruptRunsAreErrorsThatNameThePlace(t *testing.T) {
	t.Parallel()
	spec := Spec{Partitions: 2, BatchBytes: 10_000}
	store, run := oneRun(t, spec)
	data := store.objects[run.Key]
	e := run.Partitions[1]
	for off := e.Offset; off < e.Offset+e.Length; off += 997 {
		data[off] ^= 4
		err := readError(t, spec, store, run, 1)
		if err == nil || !strings.Contains(err.Error(), run.Key+", partition 1, batch at offset ") {
			t.Errorf("byte %d: error is %v", off, err)
		}
		if damaged, ok := errors.AsType[*RunError](err); !ok || damaged.Run != run.Key {
			t.Errorf("byte %d: error is %#v", off, err)
		}
		if err := readError(t, spec, store, run, 0); err != nil {
			t.Errorf("byte %d belongs to another partition: %v", off, err)
		}
		data[off] ^= 4
	}
}

// TestDamageOnTheWayIsReadAgain verifies that a bit that flips on the way is
// noticed, and that the bytes are requested again.
func TestDamageOnTheWayIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		spec := Spec{Partitions: 2, Remote: remote, BatchBytes: 10_000}
		store, run := oneRun(t, spec)
		for nth := range 12 {
			for _, at := range []int{3, 100, 9000} {
				reads, flipped := 0, false
				store.flip = func(p []byte) {
					if reads == nth && at < len(p) {
						p[at] ^= 16
						flipped = true
					}
					reads++
				}
				if err := readError(t, spec, store, run, 1); err != nil {
					t.Errorf("remote %v, read %d, byte %d: %v", remote, nth, at, err)
				}
				if nth == 0 && !flipped && at < 9000 {
					t.Error("nothing was flipped")
				}
			}
		}
		store.flip = nil
		store.checkClosed(t)
	}
}

// faulty is a combiner that fails.
type faulty struct{ sum }

func (*faulty) Add([]byte) error { return errors.New("cannot add") }

func TestACombinersErrorFailsTheAttempt(t *testing.T) {
	t.Parallel()
	spec := Spec{Partitions: 2, Combiner: func() pairs.Combiner { return &faulty{} }}
	mem, err := NewBudget(7<<20).Acquire(t.Context(), 7<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := attempt(t.Context(), newMemStore(), mem, spec); err == nil || !strings.Contains(err.Error(), "cannot add") {
		t.Errorf("error is %v", err)
	}
}

func TestSpecsAndSharesAreChecked(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	small, err := NewBudget(8<<20).Acquire(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewMapWriter(t.Context(), Spec{Partitions: 1}, small, store); err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("a share of 1 MiB: %v", err)
	}
	if _, err := Open(t.Context(), Spec{Partitions: 1}, 0, nil, store, small); err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("a share of 1 MiB: %v", err)
	}
	for _, spec := range []Spec{{}, {Partitions: pairs.MaxPartitions + 1}, {Partitions: 1, Layout: pairs.Layout{Key: -1}},
		{Partitions: 1, Layout: pairs.Layout{Key: pairs.MaxPair, Value: 1}}, {Partitions: 1, BatchBytes: -1}} {
		if err := spec.Validate(); err == nil {
			t.Errorf("%+v is valid", spec)
		}
	}
}

func TestNothingToShuffle(t *testing.T) {
	t.Parallel()
	spec := Spec{Partitions: 3}
	budget, store := NewBudget(8<<20), newMemStore()
	j := &job{spec: spec, shares: [2]int64{8 << 20, 8 << 20}}
	runs, rows := j.mapTask(t, store, budget, nil)
	if len(runs) != 0 || len(rows) != 3 {
		t.Errorf("%d runs, rows %v", len(runs), rows)
	}
	if got := readAll(t, &spec, 2, runs, store, budget, MinShare); len(got) != 0 {
		t.Errorf("%d pairs of nothing", len(got))
	}
}

// TestAGiantKeyStreams verifies that a key with 90 % of all values needs no
// more memory than others.
func TestAGiantKeyStreams(t *testing.T) {
	t.Parallel()
	spec := Spec{Partitions: 1}
	store, budget := newMemStore(), NewBudget(8<<20)
	j := &job{spec: spec, shares: [2]int64{8 << 20, MinShare}, parts: map[string]int{}}
	var emitted []kv
	for i := range 200_000 {
		key := "giant"
		if i%10 == 0 {
			key = fmt.Sprint(i)
		}
		emitted = append(emitted, kv{key, fmt.Sprintf("%080d", i)})
	}
	runs, _ := j.mapTask(t, store, budget, emitted)
	if len(runs) < 2 {
		t.Fatalf("%d runs: nothing was spilled", len(runs))
	}
	mem, err := budget.Acquire(t.Context(), MinShare)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), spec, 0, runs, store, mem)
	if err != nil {
		t.Fatal(err)
	}
	giant := 0
	for key, _, ok := r.Next(); ok; key, _, ok = r.Next() {
		if string(key) == "giant" {
			giant++
		}
	}
	if r.Err() != nil || giant != 180_000 {
		t.Errorf("%d values of the giant key: %v", giant, r.Err())
	}
	if mem.Peak() > MinShare {
		t.Errorf("%d bytes were used of %d", mem.Peak(), MinShare)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
