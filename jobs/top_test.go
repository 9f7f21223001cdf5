package jobs_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// sale is a record with borrowed bytes, a string and a number.
type sale struct {
	Shop  []byte
	Item  string
	Cents int64
}

func parseSale(_ *jobs.Context, line []byte, emit func(sale)) error {
	f := strings.Fields(string(line))
	if len(f) != 3 {
		return fmt.Errorf("%d fields", len(f))
	}
	cents, err := strconv.ParseInt(f[2], 10, 64)
	emit(sale{line[:len(f[0])], f[1], cents})
	return err
}

func showSale(s sale) string { return fmt.Sprintf("%s %s %d", s.Shop, s.Item, s.Cents) }

func byCents(a, b sale) int { return cmp.Compare(a.Cents, b.Cents) }

func bySalesShop(s sale) string { return string(s.Shop) }

// sales returns random lines. Shops and prices are few, so that there are ties;
// shops have lengths that differ from their order.
func sales(r *rand.Rand, n int) []string {
	shops, items, prices := 1+r.IntN(30), 1+r.IntN(6), 1+r.IntN(50)
	lines := make([]string, n)
	for i := range lines {
		shop, item := r.IntN(shops), r.IntN(items)
		lines[i] = fmt.Sprintf("s%s%d i%s %d", strings.Repeat("x", shop%4), shop, strings.Repeat("y", item), r.IntN(prices)-20)
	}
	return lines
}

// divided returns random ways of dividing the work.
func divided(r *rand.Rand) minirun.Options {
	return minirun.Options{
		Split:      1 + r.Int64N(3000),
		Partitions: 1 + r.IntN(5),
		Table:      []int64{1, 2 << 20, 4 << 20}[r.IntN(3)],
		NoCombiner: r.IntN(2) == 0,
	}
}

// topOrder is the documented order of sales by price, greatest first, written apart
// from the code under test: of one price, by shop and item.
func topOrder(a, b string) int {
	f, g := strings.Fields(a), strings.Fields(b)
	x, _ := strconv.Atoi(f[2])
	y, _ := strconv.Atoi(g[2])
	return cmp.Or(cmp.Compare(y, x), strings.Compare(f[0], g[0]), strings.Compare(f[1], g[1]))
}

// TestCombinersOnRandomInputs verifies that each ready combiner returns what a
// loop over the whole input returns, whatever the splits, tables and partitions.
func TestCombinersOnRandomInputs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for i := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, i))
		lines := sales(r, 1+r.IntN(400))
		n := 1 + r.IntN(20)
		for name, c := range combiners(n, lines) {
			o := divided(r)
			got, err := minirun.Run(t.Context(), build(func(p *jobs.Pipeline) {
				c.job(jobs.FlatMap(jobs.ReadLines(p), parseSale)).WriteTSV()
			}), o, minirun.Lines(lines...))
			if err != nil {
				t.Fatalf("%s, seed %d, run %d, %+v: %v", name, seed, i, o, err)
			}
			text := strings.Split(strings.TrimSuffix(got.Text(), "\n"), "\n")
			if !c.ordered {
				slices.Sort(text)
				slices.Sort(c.want)
			}
			if !slices.Equal(text, c.want) {
				t.Fatalf("%s %d, seed %d, run %d, %+v, of %q:\n got %q\nwant %q", name, n, seed, i, o, lines, text, c.want)
			}
		}
	}
}

type combinerCase struct {
	job     func(in jobs.Records[sale]) jobs.Records[string]
	want    []string
	ordered bool
}

// combiners returns the jobs, and their results by loops over the lines.
func combiners(n int, lines []string) map[string]combinerCase {
	all := slices.Clone(lines)
	slices.SortFunc(all, topOrder)
	byShop := map[string][]string{}
	for _, line := range all {
		shop := strings.Fields(line)[0]
		byShop[shop] = append(byShop[shop], line)
	}
	var most, counts, last, first []string
	for shop, of := range byShop {
		most = append(most, of[:min(n, len(of))]...)
		counts = append(counts, fmt.Sprint(shop, " ", len(of)))
		last = append(last, of[0])
		first = append(first, slices.MinFunc(of, func(a, b string) int {
			x, y := strings.Fields(a), strings.Fields(b)
			p, _ := strconv.Atoi(x[2])
			q, _ := strconv.Atoi(y[2])
			return cmp.Or(cmp.Compare(p, q), strings.Compare(x[1], y[1]))
		}))
	}
	rows := func(in jobs.Records[jobs.Pair[string, sale]]) jobs.Records[string] {
		return jobs.Convert(in, func(p jobs.Pair[string, sale]) string { return showSale(p.Value) })
	}
	keyed := func(in jobs.Records[sale]) jobs.Pairs[string, sale] { return jobs.KeyBy(in, bySalesShop) }
	return map[string]combinerCase{
		"Top":       {func(in jobs.Records[sale]) jobs.Records[string] { return jobs.Convert(in.Top(n, byCents), showSale) }, all[:min(n, len(all))], true},
		"Pairs.Top": {func(in jobs.Records[sale]) jobs.Records[string] { return rows(keyed(in).Top(n, byCents)) }, most, false},
		"Last":      {func(in jobs.Records[sale]) jobs.Records[string] { return rows(keyed(in).Last(byCents)) }, last, false},
		"First":     {func(in jobs.Records[sale]) jobs.Records[string] { return rows(keyed(in).First(byCents)) }, first, false},
		"Distinct": {func(in jobs.Records[sale]) jobs.Records[string] { return jobs.Convert(in.Distinct(), showSale) },
			slices.Compact(slices.Sorted(slices.Values(lines))), false},
		"Count": {func(in jobs.Records[sale]) jobs.Records[string] {
			return jobs.Convert(jobs.Count(in), func(n int64) string { return fmt.Sprint(n) })
		}, []string{fmt.Sprint(len(lines))}, true},
		"CountBy": {func(in jobs.Records[sale]) jobs.Records[string] {
			return jobs.Convert(jobs.CountBy(in, bySalesShop), func(p jobs.Pair[string, int64]) string { return fmt.Sprint(p.Key, " ", p.Value) })
		}, counts, false},
	}
}

// TestTopBeforeTheShuffle verifies that a map task sends the n greatest records, not
// all of them: a top 10 of a large input must cost no large shuffle.
func TestTopBeforeTheShuffle(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(in jobs.Records[sale]) jobs.Records[string]{
		"Top": func(in jobs.Records[sale]) jobs.Records[string] { return jobs.Convert(in.Top(10, byCents), showSale) },
		"Pairs.Top": func(in jobs.Records[sale]) jobs.Records[string] {
			one := jobs.KeyBy(in, func(sale) string { return "all" })
			return jobs.Convert(one.Top(10, byCents), func(p jobs.Pair[string, sale]) string { return showSale(p.Value) })
		},
	} {
		built, err := build(func(p *jobs.Pipeline) { f(jobs.FlatMap(jobs.ReadLines(p), parseSale)).WriteTSV() }).Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := sales(rand.New(rand.NewPCG(1, 2)), 10_000)
		if size := mapText(t, built, strings.Join(lines, "\n")+"\n").Bytes(); size > 1000 {
			t.Errorf("%s sends %d bytes of 10 records", name, size)
		}
	}
}

// TestTopOfAllThatIsAllowed verifies the greatest n, on records in their order and
// against it, and more records than a table has room for.
func TestTopOfAllThatIsAllowed(t *testing.T) {
	t.Parallel()
	const all = 60_000
	var lines, want []string
	for i := range all {
		lines = append(lines, fmt.Sprintf("shop item %d", i))
	}
	for i := range jobs.MostTop {
		want = append(want, fmt.Sprintf("shop item %d", all-1-i))
	}
	job := build(func(p *jobs.Pipeline) {
		jobs.Convert(jobs.FlatMap(jobs.ReadLines(p), parseSale).Top(jobs.MostTop, byCents), showSale).WriteTSV()
	})
	for range 2 {
		got, err := minirun.Run(t.Context(), job, minirun.Options{Table: 2 << 20, Split: 500_000}, minirun.Lines(lines...))
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != strings.Join(want, "\n")+"\n" {
			t.Errorf("the result differs: %.200q", got.Text())
		}
		slices.Reverse(lines)
	}
}

// TestTopOfTypesWithoutOrder verifies ties of records that are no keys: the result is
// the same in any order of the input.
func TestTopOfTypesWithoutOrder(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		lists := jobs.Convert(jobs.ReadLines(p), func(line []byte) []string { return strings.Fields(string(line)) })
		top := lists.Top(2, func(a, b []string) int { return cmp.Compare(len(a), len(b)) })
		jobs.Convert(top, func(l []string) string { return strings.Join(l, " ") }).WriteTSV()
	})
	lines := []string{"a b", "c d", "b c", "a", "", "a c"}
	for range 6 {
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 3}, minirun.Lines(lines...))
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != "a b\na c\n" {
			t.Errorf("of %q the top is %q", lines, got.Text())
		}
		lines = append(lines[1:], lines[0])
	}
}

// TestCombinersThatCannotBe verifies what a job says when a combiner cannot work: at
// submission, with the operation's name, not with one of its parts.
func TestCombinersThatCannotBe(t *testing.T) {
	t.Parallel()
	type odd struct{ F func() }
	odds := func(p *jobs.Pipeline) jobs.Records[odd] {
		return jobs.Convert(jobs.ReadLines(p), func([]byte) odd { return odd{} })
	}
	by := func(_, _ odd) int { return 0 }
	key := func(odd) string { return "" }
	shops := func(p *jobs.Pipeline) jobs.Records[sale] { return jobs.FlatMap(jobs.ReadLines(p), parseSale) }
	for name, c := range map[string]struct {
		f     func(p *jobs.Pipeline)
		wants []string
	}{
		"n of 0":         {func(p *jobs.Pipeline) { shops(p).Top(0, byCents).WriteTSV() }, []string{"Top", "byCents", "n is 0", "1 to 10000"}},
		"n beyond":       {func(p *jobs.Pipeline) { jobs.KeyBy(shops(p), bySalesShop).Top(10_001, byCents).WriteTSV() }, []string{"Top", "n is 10001", "Sort"}},
		"no order":       {func(p *jobs.Pipeline) { shops(p).Top(1, nil).WriteTSV() }, []string{"Top", "function is nil"}},
		"no first":       {func(p *jobs.Pipeline) { jobs.KeyBy(shops(p), bySalesShop).First(nil).WriteTSV() }, []string{"First", "function is nil"}},
		"no codec":       {func(p *jobs.Pipeline) { odds(p).Top(1, by).Write(nil) }, []string{"Top", "func()"}},
		"no keyed codec": {func(p *jobs.Pipeline) { jobs.KeyBy(odds(p), key).Top(1, by).Write(nil) }, []string{"Top", "func()"}},
		"no last codec":  {func(p *jobs.Pipeline) { jobs.KeyBy(odds(p), key).Last(by).Write(nil) }, []string{"Last", "func()"}},
		"no key":         {func(p *jobs.Pipeline) { odds(p).Distinct().Write(nil) }, []string{"Distinct", "func()", "no order"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := build(c.f).Build(nil, nil)
			wantError(t, err, c.wants...)
		})
	}
}

// TestPipelinesDifferByTheirCombiners verifies that two processes whose Top differs in
// n, order or type do not work on one job.
func TestPipelinesDifferByTheirCombiners(t *testing.T) {
	t.Parallel()
	lines := func(p *jobs.Pipeline) jobs.Records[int64] {
		return jobs.Convert(jobs.ReadLines(p), func(b []byte) int64 { return int64(len(b)) })
	}
	up, down := cmp.Compare[int64], func(a, b int64) int { return cmp.Compare(b, a) }
	seen := map[[32]byte]string{}
	for name, f := range map[string]func(p *jobs.Pipeline){
		"10":    func(p *jobs.Pipeline) { lines(p).Top(10, up).WriteTSV() },
		"11":    func(p *jobs.Pipeline) { lines(p).Top(11, up).WriteTSV() },
		"down":  func(p *jobs.Pipeline) { lines(p).Top(10, down).WriteTSV() },
		"bytes": func(p *jobs.Pipeline) { jobs.ReadLines(p).Top(10, func(a, b []byte) int { return 0 }).WriteTSV() },
		"keys":  func(p *jobs.Pipeline) { lines(p).Distinct().WriteTSV() },
	} {
		built, err := build(f).Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[built.Hash]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[built.Hash] = name
	}
}

// TestErrorsOfCombiners verifies that a comparison that panics fails the task with the
// name of the operation and the record, as any function of the job does.
func TestErrorsOfCombiners(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		jobs.Convert(jobs.FlatMap(jobs.ReadLines(p), parseSale).Top(1, func(a, b sale) int { panic("no price") }), showSale).WriteTSV()
	})
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("a b 1", "a b 2"))
	wantError(t, err, "Top 1 func at top_test.go", "byte 6 of mem://test/lines", "no price")
}

// TestCombinersOfNothing verifies that combiners of an empty input have no results.
func TestCombinersOfNothing(t *testing.T) {
	t.Parallel()
	for name, c := range combiners(3, nil) {
		got, err := minirun.Run(t.Context(), build(func(p *jobs.Pipeline) {
			c.job(jobs.FlatMap(jobs.ReadLines(p), parseSale)).WriteTSV()
		}), minirun.Options{}, minirun.Object{Name: "empty"})
		if err != nil || got.Text() != "" {
			t.Errorf("%s: %q, %v", name, got.Text(), err)
		}
	}
}
