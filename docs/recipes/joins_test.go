package recipes_test

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

func Example_threeWayJoin() {
	first := func(f []string) string { return f[0] }
	second := func(f []string) string { return f[1] }
	job := jobs.Define("bills", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		read := func(input string) jobs.Records[[]string] {
			lines := jobs.ReadLines(p).Named(input)
			return jobs.Convert(lines, func(line []byte) []string { return strings.Fields(string(line)) })
		}
		orders := jobs.KeyBy(read("orders"), second) // customer, product, pieces
		products := jobs.KeyBy(read("products"), first)
		priced := jobs.Join(orders, products, func(_ *jobs.Context, _ string, o, product []string, emit func([]string)) error {
			emit([]string{o[0], o[1], o[2], product[1]})
			return nil
		})
		customers := jobs.KeyBy(read("customers"), first)
		jobs.LeftJoin(jobs.KeyBy(priced, first), customers,
			func(_ *jobs.Context, id string, o []string, customer *[]string, emit func(string)) error {
				name := id + ", unknown"
				if customer != nil {
					name = (*customer)[1]
				}
				emit(fmt.Sprintf("%s: %s %s for %s each", name, o[2], o[1], o[3]))
				return nil
			}).WriteTSV()
		return nil
	})
	showInputs(job, Inputs{"orders": {"c1 hay 3", "c2 rope 1", "c1 rope 2", "c9 hay 1"},
		"products": {"hay 10", "rope 25"}, "customers": {"c1 ann", "c2 bob"}})
	// Output:
	// ann: 3 hay for 10 each
	// ann: 2 rope for 25 each
	// bob: 1 rope for 25 each
	// c9, unknown: 1 hay for 10 each
}

func Example_slowlyChangingDimension() {
	type sale struct{ Customer, Day, Amount string }
	type city struct{ Customer, From, Until, Name string }
	type row struct {
		Sale sale
		City string
	}
	job := jobs.Define("cities-of-sales", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sales := jobs.Convert(jobs.ReadLines(p).Named("sales"), func(line []byte) sale {
			f := strings.Fields(string(line))
			return sale{f[0], f[1], f[2]}
		})
		cities := jobs.Convert(jobs.ReadLines(p).Named("cities"), func(line []byte) city {
			f := strings.Fields(string(line))
			return city{f[0], f[1], f[2], f[3]}
		})
		jobs.CoGroup(jobs.KeyBy(sales, func(s sale) string { return s.Customer }), jobs.KeyBy(cities, func(c city) string { return c.Customer }),
			func(_ *jobs.Context, _ string, sales iter.Seq[sale], cities iter.Seq[city], emit func(row)) error {
				for s := range sales {
					at := row{s, "unknown"}
					for c := range cities { // each of the customer: they can be read again
						if c.From <= s.Day && s.Day < c.Until {
							at.City = c.Name
						}
					}
					emit(at)
				}
				return nil
			}).WriteTSV()
		return nil
	})
	showInputs(job, Inputs{"sales": {"ann 2026-02-01 5", "bob 2026-02-01 1", "ann 2026-03-01 7"},
		"cities": {"ann 2026-01-01 2026-03-01 bern", "ann 2026-03-01 9999-12-31 oslo"}})
	// Output:
	// ann	2026-02-01	5	bern
	// ann	2026-03-01	7	oslo
	// bob	2026-02-01	1	unknown
}

func Example_invertedIndex() {
	type in struct{ Word, Doc string }
	type posting struct {
		Doc string
		N   int64
	}
	job := jobs.Define("tf-idf", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		docs := jobs.ReadLines(p) // a line is a name and words
		number := jobs.Broadcast(jobs.Count(docs), func(rows iter.Seq[int64]) ([]int64, error) { return slices.Collect(rows), nil })
		words := jobs.FlatMap(docs, func(_ *jobs.Context, line []byte, emit func(in)) error {
			f := strings.Fields(string(line))
			for _, word := range f[1:] {
				emit(in{word, f[0]})
			}
			return nil
		})
		counts := jobs.CountBy(words, func(w in) in { return w })
		postings := jobs.Map(counts, func(_ *jobs.Context, c jobs.Pair[in, int64], emit jobs.Emit[string, posting]) error {
			emit(c.Key.Word, posting{c.Key.Doc, c.Value})
			return nil
		})
		found := jobs.CountBy(counts, func(c jobs.Pair[in, int64]) string { return c.Key.Word }) // in so many documents
		jobs.Join(postings, jobs.KeyBy(found, func(f jobs.Pair[string, int64]) string { return f.Key }),
			func(ctx *jobs.Context, word string, at posting, f jobs.Pair[string, int64], emit func(string)) error {
				score := float64(at.N) * math.Log(float64(number.Get(ctx)[0])/float64(f.Value))
				emit(fmt.Sprintf("%s\t%s\t%.4f", word, at.Doc, score))
				return nil
			}).WriteTSV()
		return nil
	})
	show(job, "a.txt hay row hay", "b.txt row rake", "c.txt hay row")
	// Output:
	// hay	a.txt	0.8109
	// hay	c.txt	0.4055
	// rake	b.txt	1.0986
	// row	a.txt	0.0000
	// row	b.txt	0.0000
	// row	c.txt	0.0000
}
