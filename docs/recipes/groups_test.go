package recipes_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/sketch"
)

func Example_topPerGroup() {
	type product struct{ Shop, Name string }
	job := jobs.Define("best-sellers", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sold := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[product, int]) error {
			var of product
			var pieces int
			if _, err := fmt.Sscan(string(line), &of.Shop, &of.Name, &pieces); err != nil {
				return err
			}
			emit(of, pieces)
			return nil
		}).Fold(jobs.Sum)
		byShop := jobs.Map(sold, func(_ *jobs.Context, s jobs.Pair[product, int], emit jobs.Emit[string, jobs.Pair[string, int]]) error {
			emit(s.Key.Shop, jobs.Pair[string, int]{Key: s.Key.Name, Value: s.Value})
			return nil
		})
		byShop.Top(2, jobs.ByValue).WriteTSV()
		return nil
	})
	show(job, "bern hay 3", "oslo rake 1", "bern rope 7", "bern hay 5", "oslo hay 4", "bern rake 2", "oslo rake 1")
	// Output:
	// bern	hay	8
	// bern	rope	7
	// oslo	hay	4
	// oslo	rake	2
}

func Example_countDistinct() {
	type visit struct{ Page, User string }
	job := jobs.Define("visitors", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		visits := jobs.Convert(jobs.ReadLines(p), func(line []byte) visit {
			page, user, _ := strings.Cut(string(line), " ")
			return visit{page, user}
		})
		page := func(v visit) string { return v.Page }
		jobs.CountBy(visits.Distinct(), page).WriteTSV().Named("exact")
		users := jobs.Map(visits, func(_ *jobs.Context, v visit, emit jobs.Emit[string, string]) error {
			emit(v.Page, v.User)
			return nil
		})
		sketch.CountDistinct(users).WriteTSV().Named("estimated")
		return nil
	})
	show(job, "/hay ann", "/hay bob", "/row ann", "/hay ann", "/hay eve", "/row ann")
	// Output:
	// estimated:
	// /hay	3
	// /row	1
	// exact:
	// /hay	3
	// /row	1
}

func Example_dedupKeepingTheNewest() {
	type order struct{ ID, Changed, Status string }
	job := jobs.Define("newest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		orders := jobs.Convert(jobs.ReadLines(p), func(line []byte) order {
			f := strings.Fields(string(line))
			return order{f[0], f[1], f[2]}
		})
		newest := jobs.KeyBy(orders, func(o order) string { return o.ID }).
			Last(func(a, b order) int { return cmp.Compare(a.Changed, b.Changed) })
		jobs.Convert(newest, func(p jobs.Pair[string, order]) order { return p.Value }).WriteTSV()
		return nil
	})
	show(job, "o1 09:00 open", "o2 09:30 open", "o1 17:00 paid", "o1 12:00 sent", "o2 09:30 open")
	// Output:
	// o1	17:00	paid
	// o2	09:30	open
}

func Example_percentiles() {
	type row struct {
		Route       string
		Median, P90 float64
	}
	job := jobs.Define("latencies", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		times := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
			var route string
			var millis int64
			if _, err := fmt.Sscan(string(line), &route, &millis); err != nil {
				return err
			}
			emit(route, millis)
			return nil
		})
		jobs.Convert(sketch.Quantiles(times, 0.5, 0.9), func(q jobs.Pair[string, []float64]) row {
			return row{q.Key, q.Value[0], q.Value[1]}
		}).WriteTSV()
		return nil
	})
	show(job, "/hay 30", "/row 5", "/hay 10", "/hay 90", "/hay 20", "/hay 40", "/row 7")
	// Output:
	// /hay	30	40
	// /row	5	5
}

func Example_histogram() {
	type bar struct {
		From, To uint64
		Bar      string
	}
	job := jobs.Define("histogram", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sizes := jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func(uint64)) error {
			var size uint64
			if _, err := fmt.Sscan(string(line), &size); err != nil {
				return err
			}
			emit(size)
			return nil
		})
		counts := jobs.CountBy(sizes, func(size uint64) uint64 { return size / 100 })
		sorted := jobs.KeyBy(counts, func(c jobs.Pair[uint64, int64]) uint64 { return c.Key }).Sort()
		jobs.Convert(sorted, func(p jobs.Pair[uint64, jobs.Pair[uint64, int64]]) bar {
			return bar{p.Key * 100, p.Key*100 + 99, strings.Repeat("#", int(p.Value.Value))}
		}).WriteTSV()
		return nil
	})
	show(job, "7", "420", "15", "101", "199", "99", "450")
	// Output:
	// 0	99	###
	// 100	199	##
	// 400	499	##
}

func Example_pivot() {
	type quarters [4]int64
	job := jobs.Define("pivot", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sales := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, quarters]) error {
			var region string
			var month, amount int64
			if _, err := fmt.Sscan(string(line), &region, &month, &amount); err != nil {
				return err
			}
			if month < 1 || month > 12 {
				return fmt.Errorf("month %d: want 1 to 12", month)
			}
			var q quarters
			q[(month-1)/3] = amount
			emit(region, q)
			return nil
		})
		sums := sales.Fold(func(a, b quarters) quarters {
			for i := range a {
				a[i] += b[i]
			}
			return a
		})
		jobs.Convert(sums, func(s jobs.Pair[string, quarters]) string {
			return fmt.Sprintf("%s\t%d\t%d\t%d\t%d", s.Key, s.Value[0], s.Value[1], s.Value[2], s.Value[3])
		}).WriteTSV()
		return nil
	})
	show(job, "north 1 10", "south 12 4", "north 3 5", "north 4 7", "south 10 6", "north 12 1")
	// Output:
	// north	15	7	0	1
	// south	0	0	0	10
}

func Example_coOccurrence() {
	type couple struct{ A, B string }
	job := jobs.Define("bought-together", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		couples := jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, basket []byte, emit func(couple)) error {
			things := strings.Fields(string(basket))
			for i, a := range things {
				for _, b := range things[i+1:] {
					if a != b {
						emit(couple{min(a, b), max(a, b)})
					}
				}
			}
			return nil
		})
		jobs.CountBy(couples, func(c couple) couple { return c }).Top(3, jobs.ByValue).WriteTSV()
		return nil
	})
	show(job, "hay rake rope", "rope hay", "rake rope", "hay oats rope", "oats", "rake oats")
	// Output:
	// hay	rope	3
	// rake	rope	2
	// hay	oats	1
}

func Example_sampling() {
	hash := func(text []byte) []byte {
		sum := sha256.Sum256(text)
		return sum[:]
	}
	job := jobs.Define("sample", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.ReadLines(p)
		lines.Top(3, func(a, b []byte) int { return bytes.Compare(hash(a), hash(b)) }).WriteTSV().Named("three")
		lines.Filter(func(line []byte) bool {
			user, _, _ := bytes.Cut(line, []byte(" "))
			return hash(user)[0] < 128 // of 256: half the users, with all of their lines
		}).WriteTSV().Named("users")
		return nil
	})
	show(job, "ann /a", "bob /b", "eve /c", "ann /d", "dan /e", "bob /f", "joe /g", "ann /h")
	// Output:
	// three:
	// joe /g
	// ann /h
	// dan /e
	// users:
	// ann /a
	// ann /d
	// joe /g
	// ann /h
}
