package master_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/plan"
)

// balanced returns what a Balance says of map attempts.
func balanced(reduces int, left ...plan.Shuffled) []plan.Skew {
	g := plan.OneShuffle(plan.Counts{Maps: len(left), Reduces: reduces})
	b := master.NewBalance(&g)
	for i, l := range left {
		m := &plan.Manifest{Task: plan.TaskID{Phase: plan.Map, Index: i}}
		m.Leave(l)
		b.Take(m)
	}
	return b.Skew()
}

// wrote returns what an attempt left: so many pairs and stored bytes by partition.
func wrote(rows, stored []int64, bytes int64, keys ...plan.HeavyKey) plan.Shuffled {
	extents := make([]plan.Extent, len(stored))
	for p, n := range stored {
		extents[p] = plan.Extent{Length: n, Rows: rows[p]}
	}
	return plan.Shuffled{Rows: rows, Runs: []plan.Run{{Partitions: extents}}, Heavy: &plan.Heavy{Bytes: bytes, Keys: keys, Advice: "divide it"}}
}

func key(partition int, text string, pairs, bytes int64) plan.HeavyKey {
	return plan.HeavyKey{Partition: partition, Hash: uint64(len(text)), Text: text, Pairs: pairs, Bytes: bytes}
}

// TestSkew verifies which keys are reported: those that give one task at least four times
// as much as the median task, and that are large enough to matter.
func TestSkew(t *testing.T) {
	t.Parallel()
	const million = 1_000_000
	even := []int64{1, 1, 1, 1}
	for name, c := range map[string]struct {
		got  []plan.Skew
		want string
	}{
		"a key of 60 %": {balanced(4, wrote([]int64{million, million, 7 * million, million}, even, 1000*million, key(2, `"hot"`, 6*million, 600*million))),
			`reduce reduce/2 "hot" pairs 0.60 7.0`},
		"over several attempts": {balanced(4, wrote([]int64{0, 0, 4 * million, million}, even, 500*million, key(2, "a", 3*million, 300*million)),
			wrote([]int64{million, million, 3 * million, 0}, even, 500*million, key(2, "a", 3*million, 300*million))),
			`reduce reduce/2 a pairs 0.60 7.0`},
		"3.9 times the median":                     {balanced(4, wrote([]int64{1000, 1000, 3999, 1000}, even, 1<<40, key(2, "a", 3000, 1<<39))), ""},
		"4 times":                                  {balanced(4, wrote([]int64{1000, 1000, 4000, 1000}, even, 1<<40, key(2, "a", 3000, 1<<39))), "reduce reduce/2 a pairs 0.43 4.0"},
		"large values":                             {balanced(4, wrote([]int64{9, 9, 9, 9}, []int64{1 << 20, 1 << 20, 1 << 30, 1 << 20}, 1<<31, key(2, "a", 5, 1<<30))), "reduce reduce/2 a bytes 0.50 1024.0"},
		"too little to matter":                     {balanced(4, wrote([]int64{1000, 1000, 97000, 1000}, even, 64<<20, key(2, "a", 90000, 60<<20))), ""},
		"many pairs, too small a key":              {balanced(64, wrote(append(make([]int64, 63), 100*million), make([]int64, 64), 1<<40, key(63, "a", 20*million, 1))), ""},
		"no other task has any":                    {balanced(4, wrote([]int64{0, 0, 2 * million, 0}, []int64{0, 0, 1, 0}, 1<<30, key(2, "a", 2*million, 1<<30))), "reduce reduce/2 a pairs 1.00 0.0"},
		"one partition":                            {balanced(1, wrote([]int64{9 * million}, []int64{1}, 1<<30, key(0, "a", 9*million, 1<<30))), ""},
		"the partition is large for other reasons": {balanced(4, wrote([]int64{million, million, 30 * million, million}, even, 1<<40, key(2, "a", 3*million, 1<<27))), ""},
		"two keys in one partition": {balanced(4, wrote([]int64{million, million, 9 * million, million}, even, 1200*million, key(2, "a", 4*million, 400*million), key(2, "bb", 5*million, 500*million))),
			"reduce reduce/2 bb pairs 0.42 9.0; reduce reduce/2 a pairs 0.33 9.0"},
		"no sketch":             {balanced(4, plan.Shuffled{Rows: []int64{1, 1, 1 << 40, 1}}), ""},
		"others' partitions":    {balanced(4, wrote([]int64{1, 1 << 40}, []int64{1, 1}, 1<<40, key(1, "a", 1<<40, 1<<40))), ""},
		"a key of no partition": {balanced(2, wrote([]int64{1, 1 << 40}, []int64{1, 1}, 1<<40, key(-1, "a", 1<<40, 1<<40), key(2, "b", 1<<40, 1<<40))), ""},
		"sums beyond 64 bits": {balanced(2, wrote([]int64{1, math.MaxInt64}, []int64{1, math.MaxInt64}, math.MaxInt64, key(1, "a", math.MaxInt64, math.MaxInt64)),
			wrote([]int64{1, math.MaxInt64}, []int64{1, math.MaxInt64}, math.MaxInt64, key(1, "a", math.MaxInt64, math.MaxInt64))), "reduce reduce/1 a pairs 1.00 4611686018427387904.0"},
	} {
		var got string
		for i, s := range c.got {
			if i > 0 {
				got += "; "
			}
			got += fmt.Sprintf("%s %s %s %s %.2f %.1f", s.Stage, s.Task, s.Key, s.Of, s.Share, s.Times)
			if s.Advice != "divide it" {
				t.Errorf("%s: the advice is %q", name, s.Advice)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestSkewIsBounded verifies that a job whose attempts name many long keys takes little
// memory of the master, and is described by three of them.
func TestSkewIsBounded(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, 1<<16))
	var all []plan.Shuffled
	for i := range 500 {
		var keys []plan.HeavyKey
		for k := range 100 {
			keys = append(keys, plan.HeavyKey{Partition: 1, Hash: uint64(i*100 + k), Text: long, Pairs: 1 << 40})
		}
		all = append(all, wrote([]int64{0, 1 << 41}, []int64{1, 1}, 0, keys...))
	}
	found := balanced(2, all...)
	if len(found) > 3 {
		t.Errorf("%d keys", len(found))
	}
	for _, s := range found {
		if len(s.Key) > plan.MostKeyText {
			t.Errorf("a key of %d bytes", len(s.Key))
		}
	}
}
