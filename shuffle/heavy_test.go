package shuffle

import (
	"fmt"
	"testing"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// TestHeavyKeysOfSpills verifies that the pairs of a hot key count once, whether spills
// stay as they are or are merged, and that a combiner leaves one of them in each run.
func TestHeavyKeysOfSpills(t *testing.T) {
	t.Parallel()
	const n, hot = 400_000, 240_000
	for name, c := range map[string]struct {
		least    int64 // MinExtent
		combiner func() pairs.Combiner
	}{
		"spills stay":          {1, nil},
		"merged":               {1 << 40, nil},
		"combined":             {1, func() pairs.Combiner { return new(sum) }},
		"combined, and merged": {1 << 40, func() pairs.Combiner { return new(sum) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem, err := NewBudget(12<<20).Acquire(t.Context(), 12<<20)
			if err != nil {
				t.Fatal(err)
			}
			defer mem.Release()
			spec := Spec{Layout: pairs.Layout{Value: 8}, Partitions: 4, MinExtent: c.least, Combiner: c.combiner,
				KeyText: func(key []byte) string { return string(key) }}
			w, err := NewMapWriter(t.Context(), spec, mem, newMemStore())
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			for i := range n {
				key := "hot"
				if i%10 >= 6 {
					key = fmt.Sprintf("key-%d", i)
				}
				to := w.Collector()
				to.Add(append(append(to.Room(), key...), make([]byte, 8)...), len(key), pairs.PartitionOf(pairs.Hash([]byte(key)), 4))
			}
			runs, _, err := w.Finish(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := w.Heavy()
			if w.Stats().Spills < 2 || (len(runs) == 1) != (c.least > 1) {
				t.Fatalf("%d runs after %d spills", len(runs), w.Stats().Spills)
			}
			if c.combiner != nil {
				if len(found.Keys) > 0 {
					t.Errorf("%+v, and each key has a pair in each of %d runs", found.Keys, len(runs))
				}
				return
			}
			if len(found.Keys) != 1 || found.Keys[0].Text != "hot" || found.Keys[0].Pairs != hot || found.Keys[0].Bytes != hot*11 {
				t.Errorf("%+v, want %d pairs of hot", found.Keys, hot)
			}
		})
	}
}
