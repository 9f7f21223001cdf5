package embedded_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
)

// TestPlansOfColumns verifies that the plan of a job that reads columns counts one get for
// the footer in each section, says that it leaves out those for the columns, and promises
// no more gets than are made.
func TestPlansOfColumns(t *testing.T) {
	t.Parallel()
	type row struct{ A, B int64 }
	var object bytes.Buffer
	w, err := parquet.Records[row]{Codec: "uncompressed"}.Open(jobs.Part{Writer: &object})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(50_000) {
		if err := w.Write(row{i, i * i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	job := jobs.Define("columns", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, parquet.Records[row]{}).Write(parquet.Records[row]{})
		return nil
	})
	p := places()["remote"](t)
	p.put(t, "a.parquet", object.Bytes())
	o := embedded.Options{Input: []string{p.url("in")}, Output: p.url("out"), SplitSize: 200_000, Slots: 2, Stores: p.stores}
	planned, err := embedded.Look(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	if !planned.Scattered {
		t.Error("the plan counts all requests")
	}
	if all := strings.Join(planned.Assumed, "\n"); !strings.Contains(all, "one request a section, for the footer; those for the columns follow from what is in the objects, and are not included") {
		t.Errorf("the plan assumes\n%s", all)
	}
	_, receipt, err := embedded.RunPlanned(t.Context(), job, o, func(*embedded.Plan) {})
	if err != nil {
		t.Fatal(err)
	}
	if least, made := kindsOf(planned.Requests).gets, kindsOf(receipt.Counted).gets; planned.Maps < 3 || least >= made {
		t.Errorf("%d sections: the plan has %d gets, and %d were made", planned.Maps, least, made)
	}
}
