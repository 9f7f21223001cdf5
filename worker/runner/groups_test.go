//go:build linux

package runner_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/runner"
)

// A process with adjacent reduces reads each run once for several of them, and
// for fewer where more processes share the reduces.
func TestAJobProcessKeepsWhatItFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "remote", func(c *runner.Config) { c.Slots, c.Memory = 1, leastMemory(1)+192<<20 })
	w.write(t, "hay straw\n", "hay barn\n", "rake\n")
	for slots, groups := range map[int]int64{1: 1, 4: 4, 16: 8} {
		id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Partitions, s.SplitSize = 8, 1 })
		counts, planned := w.prepare(t, id)
		base := facts{planned: planned}
		maps := w.tasks(t, id, plan.Map, counts.Maps, base, nil)
		before := w.root.Usage()
		for i := range counts.Reduces {
			l := w.launch(id, plan.Reduce, i)
			l.Planned, l.Slots = planned, slots
			done(t, w.Run(t.Context(), l, &host{maps: maps, self: l.Attempt}))
		}
		got := w.root.Usage().Minus(before)
		// Three map tasks have words, and not all of them have words in every
		// group.
		if gets := got.Gets - got.Hedges; gets > 3*groups || gets < 3 || groups > 1 && gets == 3 {
			t.Errorf("%d slots: %d ranges were read of 3 runs in %d groups", slots, gets, groups)
		}
		w.Forget(id)
	}
}
