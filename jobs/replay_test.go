package jobs_test

import (
	"iter"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/plan"
)

// TestWhatCanBeReplayed verifies for which inputs the records of a job can be read later,
// alone: those of which outputs are made record by record.
func TestWhatCanBeReplayed(t *testing.T) {
	t.Parallel()
	count := func(rows iter.Seq[[]byte]) (n int, _ error) {
		for range rows {
			n++
		}
		return n, nil
	}
	with := func(in jobs.Records[[]byte], side *jobs.Side[int]) jobs.Records[[]byte] {
		return jobs.FlatMap(in, func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			if side.Get(ctx) > 0 {
				emit(line)
			}
			return nil
		})
	}
	counted := func(in jobs.Records[[]byte]) jobs.Records[jobs.Pair[[]byte, int64]] {
		return jobs.Map(in, func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			emit(line, 1)
			return nil
		}).Fold(jobs.Sum[int64])
	}
	for name, c := range map[string]struct {
		build func(p *jobs.Pipeline)
		says  map[string]string // why records of an input cannot be replayed; "": they can
	}{
		"a copy": {func(p *jobs.Pipeline) { jobs.ReadLines(p).Write(text.Lines{}) }, map[string]string{"": ""}},
		"two outputs": {func(p *jobs.Pipeline) {
			in := jobs.ReadLines(p)
			in.Write(text.Lines{}).Named("all")
			in.Filter(func(line []byte) bool { return len(line) > 3 }).Write(text.Lines{}).Named("long")
		}, map[string]string{"": ""}},
		"a fold": {func(p *jobs.Pipeline) { counted(jobs.ReadLines(p)).WriteTSV() }, map[string]string{"": "reduce makes the output of many records together"}},
		"a copy and a fold of another input": {func(p *jobs.Pipeline) {
			jobs.ReadLines(p).Named("a").Write(text.Lines{}).Named("copy")
			counted(jobs.ReadLines(p).Named("b")).WriteTSV().Named("sums")
		}, map[string]string{"a": "makes the output of many records together", "b": "makes the output of many records together"}},
		"a side input": {func(p *jobs.Pipeline) {
			side := jobs.Broadcast(jobs.ReadLines(p).Named("side"), count)
			with(jobs.ReadLines(p).Named("main"), side).Write(text.Lines{})
		}, map[string]string{"main": "", "side": "other records were combined or joined"}},
		"a side input behind a fold": {func(p *jobs.Pipeline) {
			sums := jobs.Convert(counted(jobs.ReadLines(p).Named("side")), func(r jobs.Pair[[]byte, int64]) []byte { return r.Key })
			with(jobs.ReadLines(p).Named("main"), jobs.Broadcast(sums, count)).Write(text.Lines{})
		}, map[string]string{"main": "", "side": "other records were combined or joined"}},
		"a side input that is written too": {func(p *jobs.Pipeline) {
			in := jobs.ReadLines(p).Named("side")
			side := jobs.Broadcast(in, count)
			in.Write(text.Lines{}).Named("copy")
			with(jobs.ReadLines(p).Named("main"), side).Write(text.Lines{}).Named("other")
		}, map[string]string{"main": "would write its output a second time", "side": "both read it"}},
		"a side input of the same input": {func(p *jobs.Pipeline) {
			in := jobs.ReadLines(p)
			with(in, jobs.Broadcast(in, count)).Write(text.Lines{})
		}, map[string]string{"": "both read it"}},
	} {
		made, err := build(c.build).Build(nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kept, err := made.Tolerant(plan.BadRecords{Keep: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range made.Inputs {
			want := c.says[made.Inputs[i].Name]
			for _, p := range []string{made.NoReplay(i), kept.NoReplay(i)} { // its own quarantine changes nothing
				if (p == "") != (want == "") || !strings.Contains(p, want) {
					t.Errorf("%s, input %q: %q, want %q", name, made.Inputs[i].Name, p, want)
				}
			}
		}
	}
}
