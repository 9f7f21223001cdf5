package jobstest_test

import (
	"iter"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// Stages and several outputs.

// Ranking counts words, and writes the counts by word and by count.
var Ranking = jobs.Define("ranking", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	words := jobs.FlatMap(jobs.ReadLines(p), split)
	counts := jobs.CountBy(words, func(word string) string { return word }).Named("count")
	counts.WriteTSV().Named("counts")
	ranks := jobs.KeyBy(counts, func(c jobs.Pair[string, int64]) jobs.Desc[int64] { return jobs.Desc[int64]{V: c.Value} })
	ranked := ranks.Sort().Named("rank")
	jobs.Convert(ranked, func(r jobs.Pair[jobs.Desc[int64], jobs.Pair[string, int64]]) jobs.Pair[string, int64] {
		return r.Value
	}).WriteTSV().Named("ranking")
	return nil
})

func split(_ *jobs.Context, line []byte, emit func(string)) error {
	for word := range strings.FieldsSeq(string(line)) {
		emit(word)
	}
	return nil
}

func TestRanking(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Ranking, jobstest.Lines("to be or", "not to be to"), jobstest.Strict()).
		Want("be\t2", "not\t1", "or\t1", "to\t3", // counts
			"to\t3", "be\t2", "not\t1", "or\t1") // ranking
}

// Joins.

// Bills joins orders "product pieces" with prices "product cents".
var Bills = jobs.Define("bills", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	orders := jobs.Map(jobs.ReadLines(p).Named("orders"), amount)
	prices := jobs.Map(jobs.ReadLines(p).Named("prices"), amount)
	jobs.Join(orders, prices, func(_ *jobs.Context, product string, pieces, cents int64, emit func(jobs.Pair[string, int64])) error {
		emit(jobs.Pair[string, int64]{Key: product, Value: pieces * cents})
		return nil
	}).WriteTSV()
	return nil
})

func amount(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	product, number, _ := strings.Cut(string(line), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	emit(product, n)
	return err
}

func TestBills(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Bills, jobstest.File("orders", "o", "hay 3\nrope 2\nhay 1\nrake 9\n"), jobstest.File("prices", "p", "hay 10\nrope 25\n"), jobstest.Strict()).
		Want("hay\t30", "hay\t10", "rope\t50")
}

// Side inputs.

type Station struct{ ID, City string }

// Cities counts the readings of each city. Lines are "station temperature".
var Cities = jobs.Define("cities", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	lines := jobs.Convert(jobs.ReadLines(p).Named("stations"), func(line []byte) Station {
		id, city, _ := strings.Cut(string(line), " ")
		return Station{id, city}
	})
	stations := jobs.Broadcast(lines, jobs.Index(func(s Station) string { return s.ID }))
	jobs.Map(jobs.ReadLines(p).Named("readings"), func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		id, _, _ := strings.Cut(string(line), " ")
		if s, ok := stations.Get(ctx)[id]; ok {
			emit(s.City, 1)
		}
		return nil
	}).Fold(jobs.Sum).WriteTSV()
	return nil
})

func TestCities(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Cities, jobstest.File("stations", "s", "s1 bern\ns2 oslo\ns3 bern\n"),
		jobstest.File("readings", "r", "s1 4\ns3 5\ns2 -1\ns9 3\n"), jobstest.Strict()).Want("bern\t2", "oslo\t1")
}

// Records aside, and directories.

// Sorted writes the numbers of its input to directories by their number of digits, and
// lines that are no numbers to an output of their own.
var Sorted = jobs.Define("sorted", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	bad := jobs.Output(p, "bad", text.Lines{})
	numbers := jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(int64)) error {
		n, err := strconv.ParseInt(string(line), 10, 64)
		if err != nil {
			bad.Emit(ctx, line)
			return nil
		}
		emit(n)
		return nil
	})
	numbers.WriteTSV().Named("numbers").PartitionBy(func(n int64) string {
		return "digits=" + strconv.Itoa(len(strconv.FormatInt(n, 10)))
	})
	return nil
})

func TestSorted(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Sorted, jobstest.Lines("7", "hay", "10", "12"), jobstest.Strict()).Want("hay", "7", "10", "12")
}

// Rounds.

// Hops finds how many flights it takes at least from an airport to each other one. A line
// of the input is a flight: from, to.
var Hops = jobs.Define("hops", struct{ From string }{"zrh"}, func(p *jobs.Pipeline, a struct{ From string }) error {
	type hop = jobs.Pair[string, int]
	lines := jobs.ReadLines(p)
	flights := jobs.Map(lines, func(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
		from, to, _ := strings.Cut(string(line), " ")
		emit(from, to)
		return nil
	})
	start := jobs.Map(lines, func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int]) error {
		if strings.HasPrefix(string(line), a.From+" ") {
			emit(a.From, 0)
		}
		return nil
	}).Fold(jobs.Min)
	hops := start.Loop(100, func(known jobs.Records[hop]) jobs.Records[hop] {
		pairs := jobs.Map(known, func(_ *jobs.Context, h hop, emit jobs.Emit[string, int]) error {
			emit(h.Key, h.Value)
			return nil
		})
		next := jobs.Join(flights, pairs, func(_ *jobs.Context, _, to string, n int, emit func(hop)) error {
			emit(hop{Key: to, Value: n + 1})
			return nil
		})
		return jobs.CoGroup(pairs, jobs.KeyBy(next, func(h hop) string { return h.Key }), nearest)
	}, func(seen map[string]jobs.Stat) bool { return seen["found"].Count == 0 })
	hops.WriteTSV()
	return nil
})

// nearest keeps the hops of an airport that is known, and observes that another one is
// found.
func nearest(ctx *jobs.Context, to string, known iter.Seq[int], next iter.Seq[jobs.Pair[string, int]], emit func(jobs.Pair[string, int])) error {
	for n := range known {
		emit(jobs.Pair[string, int]{Key: to, Value: n})
		return nil
	}
	for h := range next {
		ctx.Observe("found", 1)
		emit(h)
		return nil
	}
	return nil
}

func TestHops(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Hops, jobstest.Lines("zrh osl", "osl arn", "arn hel", "hel osl", "zrh arn", "lis mad"), jobstest.Strict()).
		Want("zrh\t0", "osl\t1", "arn\t1", "hel\t2")
}
