package jobstest_test

import (
	"fmt"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// Expectations.

type Customer struct {
	Number  int64
	Country string
}

type CustomersParams struct {
	Least int `help:"customers that are expected"`
}

var Customers = jobs.Define("customers", CustomersParams{}, func(p *jobs.Pipeline, a CustomersParams) error {
	p.Expect(fmt.Sprintf("records >= %d", a.Least))
	rows := jobs.Read(p, csv.Records[Customer]{})
	rows = jobs.Expect(rows, "customers without a country", func(c Customer) bool { return c.Country != "" })
	rows = jobs.ExpectUnique(rows, "customers with the number of another", func(c Customer) int64 { return c.Number })
	rows.Write(csv.Records[Customer]{})
	return nil
})

func TestCustomers(t *testing.T) {
	t.Parallel()
	r := jobstest.Run(t, Customers, jobstest.Lines("Number,Country", "1,CH", "2,NL"), jobstest.Params(CustomersParams{Least: 2}), jobstest.Expect("records <= 2"))
	if n := r.Counter("customers without a country") + r.Counter("customers with the number of another"); n != 0 {
		t.Errorf("%d customers are not as expected", n)
	}
}
