package jsonl_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/jsonl"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/plan"
)

// TestBadLinesAreLeftOut verifies that lines that are no record are left out on request,
// each with its text, and that those after them are read.
func TestBadLinesAreLeftOut(t *testing.T) {
	t.Parallel()
	job := jobs.Define("lines", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		type rec struct{ N int }
		jobs.Read(p, jsonl.Records[rec]{}).WriteTSV()
		return nil
	})
	text := "{\"N\":1}\n{\"N\":\"two\"}\n{\"N\":3}\n{\"N\":\n{\"N\":5}\n"
	for _, split := range []int64{1 << 20, 5} {
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: split, Bad: plan.BadRecords{Keep: true}}, minirun.Object{Name: "a.jsonl", Text: text})
		if err != nil {
			t.Fatal(err)
		}
		aside := got.Of(plan.QuarantineDir)
		if got.Text() != "1\n3\n5\n" || got.Tally.Bad != 2 || got.Tally.RecordsIn != 5 || !strings.Contains(aside, `"offset":8,`) || !strings.Contains(aside, `"offset":28,`) ||
			!strings.Contains(aside, `"record":"{\"N\":\"two\"}"`) {
			t.Errorf("splits of %d: %d of %d bad, %q, %s", split, got.Tally.Bad, got.Tally.RecordsIn, got.Text(), aside)
		}
	}
}
