package csv_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func ExampleRecords() {
	type city struct {
		Country string `csv:"country"`
		People  *int64 `csv:"people"` // nil for an empty field
	}
	type total struct {
		Country string `csv:"country"`
		People  int64  `csv:"people"`
	}
	totals := jobs.Define("totals", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		cities := jobs.Read(p, csv.Records[city]{})
		sums := jobs.Map(cities, func(_ *jobs.Context, c city, emit jobs.Emit[string, int64]) error {
			if c.People != nil {
				emit(c.Country, *c.People)
			}
			return nil
		}).Fold(jobs.Sum)
		jobs.Convert(sums, func(t jobs.Pair[string, int64]) total { return total{t.Key, t.Value} }).Write(csv.Records[total]{})
		return nil
	})
	for _, last := range []string{"Oslo,NO,717710", "Oslo,NO,many"} {
		cities := "name,country,people\n\"Zug, Zug\",CH,31000\nBern,CH,134000\nAtlantis,,\n" + last + "\n"
		result, err := minirun.Run(context.Background(), totals, minirun.Options{Partitions: 1}, minirun.Object{Name: "cities", Text: cities})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(result.Text())
	}
	// Output:
	// country,people
	// CH,165000
	// NO,717710
	// byte 74 of mem://test/cities: column "people": "many" cannot be a Go int64: invalid syntax
}
