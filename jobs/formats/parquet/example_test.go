package parquet_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type Trip struct {
	City  string    `parquet:"city"`
	Fare  int64     `parquet:"fare,decimal(2:9)"`
	Tip   *float64  `parquet:"tip"`
	Start time.Time `parquet:"start,timestamp(microsecond)"`
	Stops []string  `parquet:"stops"`
}

var Fares = jobs.Define("fares", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	trips := jobs.Read(p, parquet.Records[Trip]{Where: parquet.AtLeast("start", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))})
	jobs.Map(trips, func(_ *jobs.Context, t Trip, emit jobs.Emit[string, int64]) error {
		emit(t.City, t.Fare)
		return nil
	}).Fold(jobs.Sum).WriteTSV()
	return nil
})

func ExampleRecords() {
	day := func(month time.Month) time.Time { return time.Date(2026, month, 7, 9, 0, 0, 0, time.UTC) }
	var object bytes.Buffer
	w, err := parquet.Records[Trip]{}.Open(jobs.Part{Writer: &object})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, trip := range []Trip{{"Bern", 1250, nil, day(11), nil}, {"Zug", 900, nil, day(11), []string{"Baar"}}, {"Bern", 700, nil, day(12), nil}, {"Bern", 100, nil, day(10), nil}} {
		if err := w.Write(trip); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}
	result, err := minirun.Run(context.Background(), Fares, minirun.Options{Partitions: 1}, minirun.Object{Name: "trips", Text: object.String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// Bern	1950
	// Zug	900
}
