package shuffle

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// FuzzMerge merges runs of keys that are cut out of data, and compares with a
// stable sort of all of them.
func FuzzMerge(f *testing.F) {
	f.Add([]byte("a\x00b\x00\x00c;a\x00\x00b;;x"), uint8(2), false)
	f.Add([]byte("equal;equal;equal"), uint8(5), true)
	f.Add(bytes.Repeat([]byte("prefix00x;prefix00;"), 9), uint8(9), true)
	f.Fuzz(func(t *testing.T, data []byte, width uint8, byValue bool) {
		if len(data) > 2000 {
			return
		}
		spec := Spec{Partitions: 1, SortValues: byValue, BatchBytes: 50}
		j := &job{spec: spec, shares: [2]int64{8 << 20, 8 << 20}, parts: map[string]int{}}
		store, budget := newMemStore(), NewBudget(8<<20)
		var runs []plan.Run
		var want []kv
		for part := range bytes.SplitSeq(data, []byte{';'}) {
			var emitted []kv
			for chunk := range slices.Chunk(part, int(width)%12+1) {
				emitted = append(emitted, kv{string(chunk[:len(chunk)/2]), string(chunk[len(chunk)/2:])})
			}
			want = append(want, emitted...)
			made, _ := j.mapTask(t, store, budget, emitted)
			runs = append(runs, made...)
		}
		slices.SortStableFunc(want, func(a, b kv) int {
			if c := cmp.Compare(a.key, b.key); c != 0 || !byValue {
				return c
			}
			return cmp.Compare(a.value, b.value)
		})
		if got := readAll(t, &spec, 0, runs, store, budget, 8<<20); !slices.Equal(got, want) {
			t.Fatalf("merged %v, want %v", got, want)
		}
	})
}
