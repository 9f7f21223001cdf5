package jsonl_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/jsonl"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func ExampleRecords() {
	type sale struct {
		Country string `json:"country"`
		Cents   int64  `json:"cents"`
	}
	totals := jobs.Define("totals", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sales := jobs.Read(p, jsonl.Records[sale]{Strict: true})
		sums := jobs.Map(sales, func(_ *jobs.Context, s sale, emit jobs.Emit[string, int64]) error {
			emit(s.Country, s.Cents)
			return nil
		}).Fold(jobs.Sum)
		jobs.Convert(sums, func(t jobs.Pair[string, int64]) sale { return sale{t.Key, t.Value} }).Write(jsonl.Records[sale]{})
		return nil
	})
	for _, last := range []string{`{"country":"CH","cents":30}`, `{"country":"CH","cent":30}`} {
		sales := `{"country":"CH","cents":120}` + "\n" + `{"country":"NO","cents":80}` + "\n" + last + "\n"
		result, err := minirun.Run(context.Background(), totals, minirun.Options{Partitions: 1}, minirun.Object{Name: "sales", Text: sales})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(result.Text())
	}
	// Output:
	// {"country":"CH","cents":150}
	// {"country":"NO","cents":80}
	// byte 73 of mem://test/sales: in "/cent": unknown object member name
}
