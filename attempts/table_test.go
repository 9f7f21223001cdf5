package attempts_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

const job plan.JobID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

var attempt = plan.AttemptID{Epoch: 3, N: 7, Rand: 0xfeed}

// randomTable returns a table of objects that share words, and of sections that
// share objects.
func randomTable(r *rand.Rand) *attempts.Table {
	t := &attempts.Table{Job: job, Ext: []string{"", ".txt", ".txt.gz"}[r.IntN(3)], Partitions: r.IntN(100),
		PartOnce: r.IntN(2) == 0, Input: r.Int64(), LeftOut: plan.LeftOut{Hidden: r.IntN(5), Links: r.IntN(2), Special: r.IntN(2), Untried: r.IntN(3) * r.IntN(1<<40)}}
	objects := make([]plan.Object, 1+r.IntN(20))
	for i := range objects {
		objects[i] = plan.Object{Input: []string{"", "left", "right"}[r.IntN(3)], Root: fmt.Sprintf("mem://in%d", r.IntN(3)),
			Key: fmt.Sprintf("dir/%d.txt", r.IntN(1000)), Size: r.Int64N(1 << 40), ETag: fmt.Sprint(r.Uint32()),
			Sum: plan.Checksum{Algorithm: uint8(r.IntN(4)), Value: r.Uint64()}, Codec: []string{"", "auto", "gzip"}[r.IntN(3)]}
	}
	list := func(n int) []plan.Split {
		var splits []plan.Split
		for range n {
			split := plan.Split{Input: r.IntN(3)}
			for range 1 + r.IntN(5) {
				o := objects[r.IntN(len(objects))]
				from := r.Int64N(o.Size + 1)
				split.Sections = append(split.Sections, plan.Section{Object: o, Offset: from, Length: r.Int64N(o.Size - from + 1),
					PlainOffset: r.Int64N(100), PlainLength: r.Int64()})
			}
			splits = append(splits, split)
		}
		return splits
	}
	t.Splits, t.Samples = list(r.IntN(30)), list(r.IntN(3))
	if r.IntN(3) == 0 { // a replay
		for i := range t.Splits {
			for range t.Splits[i].Sections {
				offsets := make([]int64, r.IntN(4))
				for k := range offsets {
					offsets[k] = r.Int64N(1 << 62)
				}
				slices.Sort(offsets)
				t.Splits[i].Only = append(t.Splits[i].Only, offsets)
			}
		}
	}
	return t
}

// TestTableRoundTrip writes random tables and reads them again.
func TestTableRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		want := randomTable(rand.New(rand.NewPCG(seed, 1)))
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := attempts.DecodeTable(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %+v became %+v, %v", seed, want, got, err)
		}
	}
}

// TestTableIsSmall verifies that what sections have in common is written once.
func TestTableIsSmall(t *testing.T) {
	t.Parallel()
	o := plan.Object{Root: "s3://bucket/" + strings.Repeat("x", 100), Key: strings.Repeat("y", 200), Size: 1 << 40, ETag: strings.Repeat("e", 40)}
	table := &attempts.Table{Job: job}
	for i := range int64(100_000) {
		table.Splits = append(table.Splits, plan.Split{Sections: []plan.Section{{Object: o, Offset: i * 10_000_000, Length: 10_000_000}}})
	}
	b, err := table.Encode()
	if err != nil || len(b) > 30*len(table.Splits) {
		t.Errorf("%d map tasks take %d bytes, %v", len(table.Splits), len(b), err)
	}
}

// TestTableDamage flips each bit of a table, and cuts it off at each byte: it
// is not read as another.
func TestTableDamage(t *testing.T) {
	t.Parallel()
	b, err := randomTable(rand.New(rand.NewPCG(7, 7))).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if got, err := attempts.DecodeTable(b); err == nil {
				t.Fatalf("with bit %d of byte %d flipped it reads as %+v", bit, i, got)
			}
			b[i] ^= 1 << bit
		}
		if got, err := attempts.DecodeTable(b[:i]); err == nil {
			t.Fatalf("its first %d bytes read as %+v", i, got)
		}
	}
}

// TestTableThatMakesNoSense verifies that such a table is refused, though
// nothing is damaged.
func TestTableThatMakesNoSense(t *testing.T) {
	t.Parallel()
	sum := func(b []byte) []byte {
		binary.BigEndian.PutUint32(b[8:], checksum.SumCRC32C(b[12:]))
		return b
	}
	whole, err := randomTable(rand.New(rand.NewPCG(3, 3))).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attempts.DecodeTable(sum(append(slices.Clone(whole), 0))); err == nil {
		t.Error("a byte too many is read over")
	}
	if _, err := attempts.DecodeTable(sum(slices.Clone(whole[:len(whole)-1]))); err == nil {
		t.Error("a byte too few is read over")
	}
	o := plan.Object{Root: "mem://a", Key: "x", Size: 100}
	for what, table := range map[string]*attempts.Table{
		"a section beyond its object":    {Splits: []plan.Split{{Sections: []plan.Section{{Object: o, Offset: 90, Length: 11}}}}},
		"a section of negative length":   {Splits: []plan.Split{{Sections: []plan.Section{{Object: o, Length: -1}}}}},
		"a section that overflows":       {Splits: []plan.Split{{Sections: []plan.Section{{Object: o, Offset: 1, Length: 1<<63 - 1}}}}},
		"partitions below 0":             {Partitions: -1},
		"more partitions than there are": {Partitions: attempts.MaxPartitions + 1},
		"an input below 0":               {Splits: []plan.Split{{Input: -1}}},
	} {
		b, err := table.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := attempts.DecodeTable(b); err == nil {
			t.Errorf("%s is read as %+v", what, got)
		}
	}
}

// TestTableIsKept verifies that a cluster's root keeps a table, found by job
// and attempt.
func TestTableIsKept(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := randomTable(rand.New(rand.NewPCG(1, 2)))
	if err := want.Write(t.Context(), root, attempt); err != nil {
		t.Fatal(err)
	}
	got, err := attempts.ReadTable(t.Context(), root, job, attempt)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	const other plan.JobID = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
	body, err := root.Get(t.Context(), plan.TableKey(job, attempt), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), plan.TableKey(other, attempt), body, store.Scratch); err != nil {
		t.Fatal(err)
	}
	if _, err := attempts.ReadTable(t.Context(), root, other, attempt); err == nil || !strings.Contains(err.Error(), string(job)) {
		t.Errorf("another job's table: %v", err)
	}
	if _, err := attempts.ReadTable(t.Context(), root, job, plan.AttemptID{Epoch: 4}); plan.KindOf(err) != plan.NotFound {
		t.Errorf("a table that was never written: %v", err)
	}
	if err := root.Put(t.Context(), plan.TableKey(job, attempt), body[:len(body)-1], store.Scratch); err != nil {
		t.Fatal(err)
	}
	if _, err := attempts.ReadTable(t.Context(), root, job, attempt); err == nil || !strings.Contains(err.Error(), plan.TableKey(job, attempt)) {
		t.Errorf("a damaged table: %v", err)
	}
}

// TestPartNames verifies that attempts share a part's name only where the store
// makes it once.
func TestPartNames(t *testing.T) {
	t.Parallel()
	table := attempts.Table{Job: job, Ext: ".txt.gz"}
	task, other := plan.TaskID{Phase: plan.Reduce, Index: 4}, attempt
	other.N++
	name := func(id plan.AttemptID, run int) string { return table.PartName(task, id, 0, run) }
	if name(attempt, 0) == name(other, 0) {
		t.Errorf("two attempts call their part %s", name(attempt, 0))
	}
	for _, other := range []plan.AttemptID{{Epoch: attempt.Epoch + 1, N: attempt.N, Rand: attempt.Rand}, {Epoch: attempt.Epoch, N: attempt.N, Rand: attempt.Rand + 1}} {
		if name(attempt, 0) == name(other, 0) {
			t.Errorf("attempts of two leaders call their part %s", name(attempt, 0))
		}
	}
	table.PartOnce = true
	if a, b := name(attempt, 0), name(other, 0); a != b || a != "part-r-00004-q69g5fav.0.txt.gz" {
		t.Errorf("two attempts call their part %s and %s", a, b)
	}
	if name(attempt, 0) == name(attempt, 1) {
		t.Error("parts of two runs have one name")
	}
}

// TestCounts verifies the numbers of tasks of a job.
func TestCounts(t *testing.T) {
	t.Parallel()
	table := attempts.Table{Splits: make([]plan.Split, 3)}
	if got := table.Counts(); got != (plan.Counts{Maps: 3}) {
		t.Errorf("a map-only job has %+v", got)
	}
	table.Partitions, table.Samples = 2, make([]plan.Split, 5)
	if got := table.Counts(); got != (plan.Counts{Samples: 1, Maps: 3, Reduces: 2}) {
		t.Errorf("a job with ranges has %+v", got)
	}
}
