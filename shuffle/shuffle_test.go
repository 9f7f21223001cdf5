package shuffle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// kv is a pair of the oracle.
type kv struct{ key, value string }

// sum adds up values of 8 bytes, big-endian.
type sum struct{ n uint64 }

func (s *sum) Reset() { s.n = 0 }
func (s *sum) Add(v []byte) error {
	if len(v) != 8 {
		return fmt.Errorf("a sum of %d bytes", len(v))
	}
	s.n += binary.BigEndian.Uint64(v)
	return nil
}
func (s *sum) AppendTo(dst []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, s.n), nil
}

// job is a random shuffle: the pairs of the mappers, and the settings.
type job struct {
	spec   Spec
	shares [2]int64 // of map and reduce
	maps   [][]kv   // what each map attempt emits
	parts  map[string]int
	group  int // partitions that one request of reducers fetches; 1: each by itself
}

// makeJob returns a random job. Keys are of a small alphabet and often share
// long beginnings, so that prefixes tie.
func makeJob(seed uint64, pairsPerMap int) *job {
	rng := rand.New(rand.NewPCG(seed, 7))
	j := &job{parts: make(map[string]int)}
	j.spec = Spec{
		Layout:     pairs.Layout{Key: []int{0, 0, 3, 8, 12}[rng.IntN(5)], Value: []int{0, 8, 8, 20}[rng.IntN(4)]},
		Partitions: []int{1, 2, 5, 40}[rng.IntN(4)],
		SortValues: rng.IntN(3) == 0,
		Remote:     rng.IntN(2) == 0,
		ReadGroup:  rng.IntN(3),
		MinExtent:  []int64{1, 1 << 40}[rng.IntN(2)],
		BatchBytes: []int{0, 100, 3000}[rng.IntN(3)],
	}
	if j.spec.Layout.Value == 8 && rng.IntN(2) == 0 {
		j.spec.Combiner = func() pairs.Combiner { return &sum{} }
	}
	j.group = 1
	if j.spec.Remote {
		j.group = 1 << rng.IntN(4)
	}
	j.shares = [2]int64{MinShare + writerBytes, MinShare + int64(rng.IntN(2)<<20)}
	word := func(width, most int) string {
		n := width
		if n == 0 {
			n = rng.IntN(most)
		}
		b := make([]byte, n)
		last := rng.IntN(10) == 0
		for i := range b {
			if last { // the greatest prefix, as of inputs at their end
				b[i] = 0xff
				continue
			}
			b[i] = byte(rng.IntN(3)) // zeros, too: they look like padding
			if rng.IntN(3) > 0 {
				b[i] = 'a'
			}
		}
		return string(b)
	}
	for range 1 + rng.IntN(3) {
		var emitted []kv
		for range pairsPerMap {
			p := kv{word(j.spec.Layout.Key, 25), word(j.spec.Layout.Value, 40)}
			emitted = append(emitted, p)
			j.parts[p.key] = int(pairs.PartitionOf(pairs.Hash([]byte(p.key)), j.spec.Partitions))
		}
		j.maps = append(j.maps, emitted)
	}
	return j
}

// run shuffles the job on the real code and returns the pairs of each reducer.
func (j *job) run(t *testing.T, store *memStore, budget *Budget) [][]kv {
	t.Helper()
	var runs []plan.Run
	rows := make([]int64, j.spec.Partitions)
	for _, emitted := range j.maps {
		made, n := j.mapTask(t, store, budget, emitted)
		runs = append(runs, made...)
		for p := range n {
			rows[p] += n[p]
		}
	}
	out := make([][]kv, j.spec.Partitions)
	groups := NewGroups(budget, 32<<20)
	for p := range out {
		held := take(t, groups, j.group, p, runs, store)
		out[p] = readHeld(t, &j.spec, p, runs, held, store, budget, j.shares[1])
		held.Release(true)
		if int64(len(out[p])) != rows[p] && j.spec.Combiner == nil {
			t.Fatalf("partition %d: %d pairs were read, the mappers state %d", p, len(out[p]), rows[p])
		}
	}
	return out
}

func (j *job) mapTask(t *testing.T, store *memStore, budget *Budget, emitted []kv) ([]plan.Run, []int64) {
	t.Helper()
	mem, err := budget.Acquire(t.Context(), j.shares[0])
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Release()
	w, err := NewMapWriter(t.Context(), j.spec, mem, store)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := w.Collector()
	for i, p := range emitted {
		if i%2 == 0 {
			c.Append([]byte(p.key), []byte(p.value), uint32(j.parts[p.key]))
			continue
		}
		b := append(c.Room(), p.key...)
		c.Add(append(b, p.value...), len(p.key), uint32(j.parts[p.key]))
	}
	runs, rows, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if mem.Left() != mem.Size() {
		t.Fatalf("%d bytes are still charged after Close", mem.Size()-mem.Left())
	}
	return runs, rows
}

// take returns the group of a partition, nil when there is none.
func take(t *testing.T, groups *Groups, size, p int, runs []plan.Run, store RunStore) *Held {
	t.Helper()
	if size == 1 {
		return nil
	}
	held, err := groups.Take(t.Context(), size, p, runs, store)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func readAll(t *testing.T, spec *Spec, p int, runs []plan.Run, store *memStore, budget *Budget, share int64) []kv {
	t.Helper()
	return readHeld(t, spec, p, runs, nil, store, budget, share)
}

func readHeld(t *testing.T, spec *Spec, p int, runs []plan.Run, held *Held, store RunStore, budget *Budget, share int64) []kv {
	t.Helper()
	mem, err := budget.Acquire(t.Context(), share)
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Release()
	r, err := OpenHeld(t.Context(), *spec, p, runs, held, store, mem)
	if err != nil {
		t.Fatal(err)
	}
	var got []kv
	for {
		k, v, ok := r.Next()
		if !ok {
			break
		}
		got = append(got, kv{string(k), string(v)})
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if mem.Left() != mem.Size() {
		t.Fatalf("%d bytes are still charged after Close", mem.Size()-mem.Left())
	}
	return got
}

// naive returns the pairs that each reducer must read, by a stable sort of
// everything.
func (j *job) naive() [][]kv {
	out := make([][]kv, j.spec.Partitions)
	for _, emitted := range j.maps {
		for _, p := range emitted {
			out[j.parts[p.key]] = append(out[j.parts[p.key]], p)
		}
	}
	for _, part := range out {
		slices.SortStableFunc(part, func(a, b kv) int {
			if c := cmp.Compare(a.key, b.key); c != 0 || !j.spec.SortValues {
				return c
			}
			return cmp.Compare(a.value, b.value)
		})
	}
	return out
}

// totals folds the values of each key.
func totals(part []kv) map[string]uint64 {
	m := make(map[string]uint64)
	for _, p := range part {
		m[p.key] += binary.BigEndian.Uint64([]byte(p.value))
	}
	return m
}

func (j *job) check(t *testing.T, seed uint64, got [][]kv) {
	t.Helper()
	for p, want := range j.naive() {
		if j.spec.Combiner == nil {
			if !slices.Equal(got[p], want) {
				t.Fatalf("seed %d, partition %d: %d pairs differ from the %d of a naive sort (%+v)",
					seed, p, len(got[p]), len(want), j.spec)
			}
			continue
		}
		if !slices.IsSortedFunc(got[p], func(a, b kv) int { return cmp.Compare(a.key, b.key) }) {
			t.Fatalf("seed %d, partition %d: keys are not in order", seed, p)
		}
		a, b := totals(got[p]), totals(want)
		if len(a) != len(b) {
			t.Fatalf("seed %d, partition %d: %d keys, want %d", seed, p, len(a), len(b))
		}
		for k, n := range b {
			if a[k] != n {
				t.Fatalf("seed %d, partition %d: key %q has %d, want %d", seed, p, k, a[k], n)
			}
		}
	}
}

func TestReducersReadWhatANaiveSortGives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		j := makeJob(seed, int(seed%4)*700)
		store, budget := newMemStore(), NewBudget(64<<20)
		j.check(t, seed, j.run(t, store, budget))
		store.checkClosed(t)
	}
}

// TestSpillsAndPassesChangeNothing has map attempts spill several times and
// reducers merge in passes.
func TestSpillsAndPassesChangeNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		j := makeJob(seed, 140_000)
		j.maps = j.maps[:1]
		store, budget := newMemStore(), NewBudget(64<<20)
		got := j.run(t, store, budget)
		j.check(t, seed, got)
		store.checkClosed(t)
		if store.n < 3 {
			t.Errorf("seed %d: only %d runs were written", seed, store.n)
		}
		if left := len(store.keys()); (left == 1) != (j.spec.MinExtent > 1) {
			t.Errorf("seed %d: %d runs are left with extents of at least %d", seed, left, j.spec.MinExtent)
		}
	}
}

// manyRuns writes n runs of one partition and 1 MiB records each. A share of
// MinShare cannot read them at once.
func manyRuns(t *testing.T, spec Spec, store *memStore, n, perRun, valueSize int) (runs []plan.Run, want []kv) {
	t.Helper()
	budget := NewBudget(1 << 30)
	for i := range n {
		mem, err := budget.Acquire(t.Context(), 512<<20)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewMapWriter(t.Context(), spec, mem, store)
		if err != nil {
			t.Fatal(err)
		}
		for k := range perRun {
			p := kv{fmt.Sprintf("key %d", k), string(bytes.Repeat([]byte{byte(i)}, valueSize))}
			w.Collector().Append([]byte(p.key), []byte(p.value), 0)
			want = append(want, p)
		}
		made, _, err := w.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, made...)
		w.Close()
		mem.Release()
	}
	slices.SortStableFunc(want, func(a, b kv) int { return cmp.Compare(a.key, b.key) })
	return runs, want
}

func TestIntermediateMergesKeepOrderAndMemory(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		spec := Spec{Partitions: 1, Remote: remote, BatchBytes: 256 << 10}
		store := newMemStore()
		runs, want := manyRuns(t, spec, store, 40, 20, 50_000)
		before := store.keys()
		budget := NewBudget(8 << 20)
		mem, err := budget.Acquire(t.Context(), 8<<20)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(t.Context(), spec, 0, runs, store, mem)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for key, value, ok := r.Next(); ok; key, value, ok = r.Next() {
			if i >= len(want) || want[i].key != string(key) || want[i].value != string(value) {
				t.Fatalf("pair %d is not the one of a naive sort", i)
			}
			i++
		}
		if r.Err() != nil || i != len(want) {
			t.Fatalf("%d of %d pairs: %v", i, len(want), r.Err())
		}
		if r.Stats().Spills == 0 {
			t.Error("all runs were merged at once")
		}
		if !remote && r.Stats().SpillBytes > 15<<20 { // 31 of 40 runs fit, of 1 MB each
			t.Errorf("%d bytes went through an intermediate merge", r.Stats().SpillBytes)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if budget.Peak() > budget.Total() {
			t.Errorf("%d bytes were used of %d", budget.Peak(), budget.Total())
		}
		if !slices.Equal(store.keys(), before) {
			t.Error("intermediate runs were left behind")
		}
		store.checkClosed(t)
	}
}

// TestSmallExtentsNeedFewOpenRuns verifies that many small extents are merged
// at once, without as many open files.
func TestSmallExtentsNeedFewOpenRuns(t *testing.T) {
	t.Parallel()
	spec := Spec{Partitions: 1}
	store := newMemStore()
	runs, want := manyRuns(t, spec, store, 200, 3, 10)
	got := readAll(t, &spec, 0, runs, store, NewBudget(MinShare), MinShare)
	if !slices.Equal(got, want) {
		t.Errorf("%d pairs of %d, or others", len(got), len(want))
	}
	if store.n != 200 || store.most > 2 {
		t.Errorf("%d runs were open at once, %d intermediate ones were written", store.most, store.n-200)
	}
}

func TestRecordsLargerThanTheShareOfAReducer(t *testing.T) {
	t.Parallel()
	spec := Spec{Partitions: 1}
	store := newMemStore()
	runs, want := manyRuns(t, spec, store, 3, 2, 5<<20)
	got := readAll(t, &spec, 0, runs, store, NewBudget(MinShare), MinShare)
	if !slices.Equal(got, want) {
		t.Errorf("%d pairs of %d, or others", len(got), len(want))
	}
}
