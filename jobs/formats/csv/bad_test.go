package csv_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/plan"
)

// TestBadRowsAreLeftOut verifies that rows that cannot be decoded are left out on request,
// each with its text, and that those after them are read; and that a quote too many is an
// error where fields may have line feeds, since it decides where the next row begins.
func TestBadRowsAreLeftOut(t *testing.T) {
	t.Parallel()
	type row struct {
		Name string `csv:"name"`
		N    int    `csv:"n"`
	}
	job := func(multiline bool) *jobs.Job {
		return jobs.Define("rows", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.Read(p, csv.Records[row]{Multiline: multiline}).WriteTSV()
			return nil
		})
	}
	keep := plan.BadRecords{Keep: true}
	text := "name,n\na,1\nb,two\nc,3\nd\ne,5,5\nf,6\n"
	for _, multiline := range []bool{false, true} {
		for _, split := range []int64{1 << 20, 5} {
			got, err := minirun.Run(t.Context(), job(multiline), minirun.Options{Split: split, Bad: keep}, minirun.Object{Name: "rows.csv", Text: text})
			if err != nil {
				t.Fatal(err)
			}
			aside := got.Of(plan.QuarantineDir)
			if got.Text() != "a\t1\nc\t3\nf\t6\n" || got.Tally.Bad != 3 || got.Tally.RecordsIn != 6 || strings.Count(aside, "\n") != 3 ||
				!strings.Contains(aside, `"offset":11,`) || !strings.Contains(aside, `"record":"b,two"`) || !strings.Contains(aside, `"record":"e,5,5"`) {
				t.Errorf("multiline %v, splits of %d: %d of %d bad, %q, %s", multiline, split, got.Tally.Bad, got.Tally.RecordsIn, got.Text(), aside)
			}
		}
	}
	quote := "name,n\na,1\n\"b\"b,2\nc,3\n"
	if got, err := minirun.Run(t.Context(), job(false), minirun.Options{Bad: keep}, minirun.Object{Name: "rows.csv", Text: quote}); err != nil || got.Text() != "a\t1\nc\t3\n" {
		t.Errorf("a quote too many: %v", err)
	}
	if _, err := minirun.Run(t.Context(), job(true), minirun.Options{Bad: keep}, minirun.Object{Name: "rows.csv", Text: quote}); err == nil || !strings.Contains(err.Error(), "byte ") {
		t.Errorf("a quote too many where fields have line feeds: %v", err)
	}
}
