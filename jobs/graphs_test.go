package jobs_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestRandomGraphs verifies that random jobs of several stages have the outputs that loops
// over slices make, whatever the splits, partitions and tables.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		g, r := graphs.New(seed), rand.New(rand.NewPCG(seed, 9))
		texts := g.Texts(r)
		var objects []minirun.Object
		for _, name := range g.Inputs {
			objects = append(objects, minirun.Object{Input: name, Name: "text" + name, Text: texts[name], Whole: r.IntN(6) == 0})
		}
		job := build(func(p *jobs.Pipeline) { g.Build(p) })
		o := minirun.Options{Split: 1 + r.Int64N(400), Partitions: 1 + r.IntN(5), Table: r.Int64N(2) * 1 << 12, NoCombiner: r.IntN(2) == 0}
		got, err := minirun.Run(t.Context(), job, o, objects...)
		if err != nil {
			t.Errorf("seed %d: %v\n%v", seed, err, g)
			continue
		}
		for _, out := range g.Outputs {
			lines := strings.Split(strings.TrimSuffix(got.Of(out.Name), "\n"), "\n")
			if got.Of(out.Name) == "" {
				lines = nil
			}
			if !out.Ordered {
				slices.Sort(lines)
			}
			if want := g.Want(texts)[out.Name]; !slices.Equal(lines, want) {
				t.Errorf("seed %d: output %q is %q, want %q\n%v", seed, out.Name, lines, want, g)
			}
		}
	}
}
