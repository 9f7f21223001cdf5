package arrow_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type Reading struct {
	Station string    `arrow:"station"` // also a dictionary
	At      time.Time `arrow:"at,timestamp(millisecond)"`
	Celsius *float64  `arrow:"celsius"`
	Flags   []string  `arrow:"flags"`
}

var Warmest = jobs.Define("warmest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	readings := jobs.Read(p, arrow.Records[Reading]{})
	jobs.Map(readings, func(_ *jobs.Context, r Reading, emit jobs.Emit[string, float64]) error {
		if r.Celsius != nil {
			emit(r.Station, *r.Celsius)
		}
		return nil
	}).Fold(jobs.Max).WriteTSV()
	return nil
})

func ExampleRecords() {
	celsius := func(v float64) *float64 { return &v }
	at := time.Date(2026, 7, 7, 9, 0, 0, 0, time.UTC)
	var object bytes.Buffer
	w, err := arrow.Records[Reading]{Codec: "lz4"}.Open(jobs.Part{Writer: &object})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range []Reading{{"Chur", at, celsius(21.5), nil}, {"Arosa", at, celsius(14), []string{"wind"}}, {"Chur", at, nil, nil}, {"Chur", at, celsius(24), nil}} {
		if err := w.Write(r); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}
	result, err := minirun.Run(context.Background(), Warmest, minirun.Options{Partitions: 1}, minirun.Object{Name: "readings.arrow", Text: object.String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// Arosa	14
	// Chur	24
}
