package recipes_test

import (
	"fmt"
	"iter"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

func Example_sessionsAndTotals() {
	type session struct {
		User                string
		From, Until, Clicks int64
	}
	job := jobs.Define("sessions", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.ReadLines(p) // user, second, page
		jobs.CountBy(lines, func(line []byte) string { return strings.Fields(string(line))[2] }).WriteTSV().Named("pages")
		clicks := jobs.Map(lines, func(_ *jobs.Context, line []byte, emit jobs.Emit[jobs.By[string, int64], struct{}]) error {
			var c jobs.By[string, int64] // the seconds of a user, in order
			_, err := fmt.Sscan(string(line), &c.Key, &c.Order)
			emit(c, struct{}{})
			return err
		})
		jobs.ReduceBy(clicks, func(_ *jobs.Context, user string, clicks iter.Seq2[int64, struct{}], emit func(session)) error {
			s := session{User: user}
			for second := range clicks {
				if s.Clicks > 0 && second-s.Until > 1800 { // half an hour of silence
					emit(s)
					s.Clicks = 0
				}
				if s.Clicks++; s.Clicks == 1 {
					s.From = second
				}
				s.Until = second
			}
			emit(s)
			return nil
		}).WriteTSV().Named("sessions")
		return nil
	})
	show(job, "ann 100 /a", "ann 9000 /a", "ann 1500 /b")
	// Output:
	// pages:
	// /a	2
	// /b	1
	// sessions:
	// ann	100	1500	2
	// ann	9000	9000	1
}

func Example_sortByValue() {
	type count = jobs.Pair[string, int64]
	type place struct {
		Count jobs.Desc[int64]
		Word  string
	}
	job := jobs.Define("by-count", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		words := jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func(string)) error {
			for word := range strings.FieldsSeq(string(line)) {
				emit(word)
			}
			return nil
		})
		counts := jobs.CountBy(words, func(word string) string { return word })
		places := jobs.KeyBy(counts, func(c count) place { return place{jobs.Desc[int64]{V: c.Value}, c.Key} })
		jobs.Convert(places.Sort(), func(p jobs.Pair[place, count]) count { return p.Value }).WriteTSV()
		return nil
	})
	show(job, "to be or not to be", "that is the question", "to be")
	// Output:
	// be	3
	// to	3
	// is	1
	// not	1
	// or	1
	// question	1
	// that	1
	// the	1
}

func Example_secondarySortWithTies() {
	type result struct {
		Points jobs.Desc[int]
		Name   string
	}
	type row struct {
		Race   string
		Rank   int
		Name   string
		Points int
	}
	job := jobs.Define("ranks", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		results := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[jobs.By[string, result], struct{}]) error {
			var r jobs.By[string, result]
			_, err := fmt.Sscan(string(line), &r.Key, &r.Order.Name, &r.Order.Points.V)
			emit(r, struct{}{})
			return err
		})
		jobs.ReduceBy(results, func(_ *jobs.Context, race string, results iter.Seq2[result, struct{}], emit func(row)) error {
			last, n := row{Race: race}, 0
			for r := range results {
				if n++; n == 1 || r.Points.V != last.Points {
					last.Rank = n // equal points have the same rank
				}
				last.Name, last.Points = r.Name, r.Points.V
				emit(last)
			}
			return nil
		}).WriteTSV()
		return nil
	})
	show(job, "mow eve 7", "mow ann 9", "row bob 3", "mow bob 9", "mow dan 4", "row ann 5")
	// Output:
	// mow	1	ann	9
	// mow	1	bob	9
	// mow	3	eve	7
	// mow	4	dan	4
	// row	1	ann	5
	// row	2	bob	3
}

func Example_movingAverage() {
	type day = jobs.By[string, string] // station, date
	type row struct {
		Station, Date string
		Mean          float64
	}
	job := jobs.Define("moving-average", struct{ Days int }{3}, func(p *jobs.Pipeline, a struct{ Days int }) error {
		readings := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[day, int64]) error {
			var of day
			var degrees int64
			_, err := fmt.Sscan(string(line), &of.Key, &of.Order, &degrees)
			emit(of, degrees)
			return err
		})
		jobs.ReduceBy(readings, func(_ *jobs.Context, station string, days iter.Seq2[string, int64], emit func(row)) error {
			var window []int64
			var sum int64
			for date, degrees := range days {
				window, sum = append(window, degrees), sum+degrees
				if len(window) > a.Days {
					sum -= window[0]
					window = window[1:]
				}
				emit(row{station, date, float64(sum) / float64(len(window))})
			}
			return nil
		}).WriteTSV()
		return nil
	})
	show(job, "bern 05-02 14", "oslo 05-01 3", "bern 05-01 10", "bern 05-04 6", "bern 05-03 18", "oslo 05-02 4")
	// Output:
	// bern	05-01	10
	// bern	05-02	12
	// bern	05-03	14
	// bern	05-04	12.666666666666666
	// oslo	05-01	3
	// oslo	05-02	3.5
}

func Example_badRecordsAside() {
	type size struct{ Status, Bytes int64 }
	type bad struct {
		Offset       int64
		Line, Reason string
	}
	type parsed struct {
		Size size
		Bad  *bad
	}
	job := jobs.Define("sizes", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(parsed)) error {
			var r parsed
			if n, _ := fmt.Sscan(string(line), &r.Size.Status, &r.Size.Bytes); n < 2 {
				r.Bad = &bad{ctx.Position().Offset, string(line), "want two numbers"}
			} else if r.Size.Bytes < 0 {
				r.Bad = &bad{ctx.Position().Offset, string(line), "negative size"}
			}
			emit(r)
			return nil
		})
		good := lines.Filter(func(r parsed) bool { return r.Bad == nil })
		jobs.Convert(good, func(r parsed) size { return r.Size }).WriteTSV().Named("good")
		others := lines.Filter(func(r parsed) bool { return r.Bad != nil })
		jobs.Convert(others, func(r parsed) bad { return *r.Bad }).WriteTSV().Named("bad")
		return nil
	})
	show(job, "200 17", "404", "200 -5", "301 0")
	// Output:
	// bad:
	// 7	404	want two numbers
	// 11	200 -5	negative size
	// good:
	// 200	17
	// 301	0
}

func Example_fanOut() {
	levels := []string{"error", "warn", "info"}
	level := func(line []byte) string {
		word, _, _ := strings.Cut(string(line), " ")
		return word
	}
	job := jobs.Define("by-level", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.ReadLines(p)
		for _, name := range levels {
			lines.Filter(func(line []byte) bool { return level(line) == name }).WriteTSV().Named(name)
		}
		jobs.CountBy(lines, level).WriteTSV().Named("counts")
		return nil
	})
	show(job, "info started", "warn slow", "info ready", "error no hay", "debug 17", "info stopped")
	// Output:
	// counts:
	// debug	1
	// error	1
	// info	3
	// warn	1
	// error:
	// error no hay
	// info:
	// info started
	// info ready
	// info stopped
	// warn:
	// warn slow
}
