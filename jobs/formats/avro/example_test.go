package avro_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/avro"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func ExampleRecords() {
	type sale struct {
		Country string  `avro:"country"`
		Cents   int64   `avro:"cents"`
		Note    *string `avro:"note"`
	}
	write := jobs.Define("write", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func(line []byte) sale {
			return sale{Country: string(line), Cents: 120}
		}).Write(avro.Records[sale]{Codec: "zstandard"})
		return nil
	})
	sales, err := minirun.Run(context.Background(), write, minirun.Options{}, minirun.Lines("CH", "NO", "CH"))
	if err != nil {
		fmt.Println(err)
		return
	}
	// A reader needs the fields that it uses. The object's schema says where they are.
	type amount struct {
		Country string
		Sum     float64 `avro:"cents"`
	}
	type country struct {
		Country string `avro:"country"`
	}
	count := jobs.Define("count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		read := jobs.Read(p, avro.Records[country]{})
		jobs.Map(read, func(_ *jobs.Context, c country, emit jobs.Emit[string, int64]) error {
			emit(c.Country, 1)
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	totals := jobs.Define("totals", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.Read(p, avro.Records[amount]{}), func(a amount) string { return fmt.Sprint(a.Sum) }).WriteTSV()
		return nil
	})
	for _, job := range []*jobs.Job{count, totals} {
		result, err := minirun.Run(context.Background(), job, minirun.Options{Partitions: 1}, minirun.Object{Name: "sales.avro", Text: sales.Text()})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Print(result.Text())
	}
	// Output:
	// CH	2
	// NO	1
	// byte 0 of mem://test/sales.avro: the schema of the object does not fit a avro_test.amount: field Country: the object has none, and it is no pointer and has no default: give its tag a default or the name of a field
}
