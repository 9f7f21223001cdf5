package forecast_test

import (
	"testing"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/internal/forecast"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// sorting returns a job of some maps, each of one whole object of 500 bytes in a
// bucket, and some partitions. Runs and manifests are files; the output is a bucket.
func sorting(maps, partitions int) *forecast.Job {
	t := &attempts.Table{Partitions: partitions, Input: int64(maps) * 500}
	for range maps {
		o := plan.Object{Root: "in", Key: "key", Size: 500}
		t.Splits = append(t.Splits, plan.Split{Sections: []plan.Section{{Object: o, Length: 500}}})
	}
	in, out := bucket, bucket
	in.Scheme, out.Scheme = "in", "out"
	return &forecast.Job{Table: t, Inputs: []forecast.Input{{}}, Input: func(string) forecast.Store { return in }, Output: out, Scratch: file, Mode: output.Fail}
}

// TestWholeRun derives all requests of a run of two maps and one reduce by hand, from
// docs/output-format.md for the output, and from the objects that tasks leave.
func TestWholeRun(t *testing.T) {
	t.Parallel()
	got := sorting(2, 1).Foresee(forecast.Sizes{Runs: []int64{500, 500}, Parts: []int64{800}, Manifest: 400})
	for scheme, want := range map[string]plan.Usage{
		// Each object of input is small enough for one request.
		"in": {Gets: 2},
		// Maps write a run and a manifest each, and the reduce a manifest: 5 puts.
		// The commit reads 3 manifests. The sweep lists and deletes all 5 objects.
		// The pairs that the reduce reads are not foreseen on files.
		"file": {Puts: 5, Gets: 3, Lists: 1, Deletes: 5},
		// Puts: the probe 2, the reservation 1, the part 1, the manifest 1, the entry
		// that commits it 1, _SUCCESS 1.
		// Gets: the probe 1, the next slot of the log 1, the log before the first
		// part 2, the log after the commit 2.
		// Lists: the log, the objects, temporary data, probes and signs of life
		// before the run; manifests and parts after it: 7.
		// Deletes: the probe 1, _SUCCESS before the first part 1, the sign of life 1.
		"out": {Puts: 7, Gets: 6, Lists: 7, Deletes: 3},
	} {
		if got[scheme] != want {
			t.Errorf("%s: %+v\nwant %+v", scheme, got[scheme], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("requests to %d kinds of stores are foreseen: %v", len(got), got)
	}
}

// TestRequestsGrow counts the requests that a run makes more than another one.
func TestRequestsGrow(t *testing.T) {
	t.Parallel()
	sizes := func() forecast.Sizes {
		return forecast.Sizes{Runs: []int64{500, 500}, Parts: []int64{800}, Manifest: 400}
	}
	for name, tt := range map[string]struct {
		change func(j *forecast.Job, s *forecast.Sizes)
		want   plan.Requests
	}{
		// It reads its object, writes a run and a manifest, of which the commit
		// reads one and the sweep deletes both.
		"one more map": {func(j *forecast.Job, s *forecast.Sizes) {
			j.Table.Splits, s.Runs = append(j.Table.Splits, j.Table.Splits[0]), append(s.Runs, 500)
		}, plan.Requests{"in": {Gets: 1}, "file": {Puts: 2, Gets: 1, Deletes: 2}}},
		// It writes a part and a manifest, which the commit reads and the sweep
		// deletes.
		"one more reduce": {func(j *forecast.Job, s *forecast.Sizes) {
			j.Table.Partitions, s.Parts = 2, append(s.Parts, 800)
		}, plan.Requests{"file": {Puts: 1, Gets: 1, Deletes: 1}, "out": {Puts: 1}}},
		// A spill of a map is one more run.
		"one more run": {func(_ *forecast.Job, s *forecast.Sizes) { s.Runs = append(s.Runs, 1) }, plan.Requests{"file": {Puts: 1, Deletes: 1}}},
		// The sections that a job makes itself are not read.
		"a section that is made": {func(j *forecast.Job, _ *forecast.Sizes) {
			j.Table.Splits[0].Sections = append(j.Table.Splits[0].Sections, plan.Section{Length: 500})
		}, plan.Requests{}},
		// A part of 2,001 bytes is begun, sent in 3 pieces of at most 1,000, and
		// ended, where one of 800 is put.
		"a part in pieces": {func(_ *forecast.Job, s *forecast.Sizes) { s.Parts[0] = 2001 }, plan.Requests{"out": {Puts: -1, Multipart: 5}}},
		// Another root of runs may hold those of jobs that wrote the output before:
		// it is listed for each.
		"runs elsewhere": {func(j *forecast.Job, _ *forecast.Sizes) { j.Apart, j.Found.Before = true, 2 }, plan.Requests{"file": {Lists: 2}}},
		// The newest entry of the log is read, and the manifest that it names;
		// _SUCCESS is looked for; that manifest goes.
		"contents before": {func(j *forecast.Job, _ *forecast.Sizes) {
			j.Found = output.Found{Entries: 2, Contents: true, Manifests: 1, Objects: 4}
		}, plan.Requests{"out": {Gets: 2, Stats: 1, Deletes: 1}}},
		// The parts of the contents before go, too.
		"contents that are replaced": {func(j *forecast.Job, _ *forecast.Sizes) {
			j.Mode, j.Found = output.Replace, output.Found{Entries: 2, Contents: true, Manifests: 1, Objects: 7, Parts: 3, PartNames: 3}
		}, plan.Requests{"out": {Gets: 2, Stats: 1, Deletes: 4}}},
		// Temporary data 4, probes 1 and signs of life 2 go, and 5 parts of dead
		// jobs, for which the parts are listed. The age of the probe needs the store's
		// clock: an object is written, looked at and deleted.
		"leftovers of dead jobs": {func(j *forecast.Job, _ *forecast.Sizes) {
			j.Found = output.Found{Tmp: 4, Probes: 1, Beats: 2, Garbage: true, PartNames: 5, Dead: 5}
		}, plan.Requests{"out": {Puts: 1, Stats: 1, Lists: 1, Deletes: 13}}},
		// 2,500 objects are 3 pages of 1,000, in place of 1.
		"a long listing": {func(j *forecast.Job, _ *forecast.Sizes) { j.Found.Objects = 2500 }, plan.Requests{"out": {Lists: 2}}},
		// Two objects of 2 parts are begun, sent and ended: 2*4. The second is given
		// up where the store creates objects once, and the first is deleted.
		"a big input": {func(j *forecast.Job, _ *forecast.Sizes) { j.Table.Input, j.PartOnce = attempts.ProbeBytes, true },
			plan.Requests{"out": {Multipart: 9, Deletes: 1}}},
		"a big input, and a store that creates nothing once": {func(j *forecast.Job, _ *forecast.Sizes) { j.Table.Input = attempts.ProbeBytes },
			plan.Requests{"out": {Multipart: 8, Deletes: 1}}},
		// Planning is over, and was counted.
		"planning": {func(j *forecast.Job, _ *forecast.Sizes) {
			j.Planning = plan.Requests{"in": {Lists: 3}, "gs": {Stats: 1}}
		},
			plan.Requests{"in": {Lists: 3}, "gs": {Stats: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sizes()
			before := sorting(2, 1).Foresee(s)
			j := sorting(2, 1)
			tt.change(j, &s)
			after := j.Foresee(s)
			for _, scheme := range []string{"in", "file", "out", "gs"} {
				if got := after[scheme].Minus(before[scheme]); got != tt.want[scheme] {
					t.Errorf("%s: %+v more, want %+v", scheme, got, tt.want[scheme])
				}
			}
		})
	}
}

// TestRemoteShuffle verifies that what reducers read is foreseen where a request costs
// something, and less of it the more ranges are empty.
func TestRemoteShuffle(t *testing.T) {
	t.Parallel()
	j := sorting(4, 8)
	if j.Whole() {
		t.Error("on files the forecast counts what reducers read")
	}
	j.Scratch, j.Memory = forecast.Store{Scheme: "gs", Remote: true, PartSize: 1 << 20, Range: 1 << 20}, 64<<20
	if !j.Whole() {
		t.Error("on a bucket the forecast does not count what reducers read")
	}
	if mapOnly := sorting(4, 0); !mapOnly.Whole() {
		t.Error("a job without reducers reads no pairs")
	}
	// The commit reads 12 manifests. The 8 partitions fit into one group, for which
	// 1 range of each of the 4 runs is read.
	for empty, want := range map[float64]int64{0: 12 + 4, 0.5: 12 + 2, 1: 12} {
		s := forecast.Sizes{Runs: []int64{500, 500, 500, 500}, Parts: make([]int64, 8), Empty: empty}
		if got := j.Foresee(s)["gs"].Gets; got != want {
			t.Errorf("with %v of the ranges empty there are %d gets, want %d", empty, got, want)
		}
	}
}

// TestEstimate verifies the sizes that are taken before a run: maps leave as many bytes
// as they read, and reduces write as many.
func TestEstimate(t *testing.T) {
	t.Parallel()
	s := sorting(3, 2).Estimate()
	// 1,500 bytes in two parts, and 300 bytes of manifest with 150 for each part.
	if len(s.Runs) != 3 || s.Runs[2] != 500 || len(s.Parts) != 2 || s.Parts[1] != 750 || s.Manifest != 600 {
		t.Errorf("of 3 maps and 2 reduces: %+v", s)
	}
	s = sorting(3, 0).Estimate()
	if len(s.Runs) != 0 || len(s.Parts) != 3 || s.Parts[0] != 500 || s.Manifest != 750 {
		t.Errorf("of 3 maps that write parts: %+v", s)
	}
	j := sorting(3, 2)
	j.Mode, j.Found.Parts = output.Append, 10 // the manifest has the parts before, too
	if s := j.Estimate(); s.Manifest != 2100 || len(s.Parts) != 2 {
		t.Errorf("of 2 parts behind 10: %+v", s)
	}
}
