package schedule

import (
	"fmt"
	"strings"
	"time"
)

// Lint returns notices about what a schedule does in the year after an instant, and about
// settings that are allowed and often a mistake.
func (s *Schedule) Lint(from time.Time) []Problem {
	c := new(checker)
	for n, t := range s.times.crons {
		if t.days {
			c.addf(fmt.Sprintf("cron[%d]", s.cronField(n)), "the day of the month and the day of the week are both set: it runs on days that match either; begin one of them with a star for days that match both")
		}
	}
	s.lintClock(c, from)
	s.lintIntervals(c, from)
	if s.spec.StartingDeadline > 0 && s.spec.StartingDeadline < s.spec.Jitter {
		c.addf("startingDeadline", "it is shorter than jitter (%s): runs can be skipped before they may start", s.spec.Jitter)
	}
	if strings.HasPrefix(s.spec.Overlap, parallel) && s.spec.OnExists == appends {
		c.addf("overlap", "runs at the same time append to one output in the order in which they end")
	}
	return c.problems
}

// cronField returns the number of a cron expression among all expressions.
func (s *Schedule) cronField(n int) int {
	for i, text := range s.spec.Cron {
		if strings.HasPrefix(text, everyPrefix) {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return 0
}

// lintClock reports the changes of the clock at which times of the schedule are.
func (s *Schedule) lintClock(c *checker, from time.Time) {
	z := zone{s.zone}
	for p := z.at(from.Unix()); p.end < from.AddDate(1, 0, 0).Unix(); {
		next := z.at(p.end)
		// Readings that are skipped, or shown twice.
		low, high := civil(p.end+min(p.offset, next.offset)), civil(p.end+max(p.offset, next.offset))
		for n, cron := range s.times.crons {
			reading, ok := cron.next(low)
			if !ok || reading >= high {
				continue
			}
			day := time.Unix(p.end, 0).In(s.zone).Format("2006-01-02")
			what := "is skipped; it runs at the first instant after the gap"
			switch literally := s.times.literal; {
			case next.offset > p.offset && literally:
				what = "is skipped, and does not run; set dst to once to run it after the gap"
			case next.offset < p.offset && literally:
				what = "is shown twice, and runs twice; set dst to once to run it once"
			case next.offset < p.offset:
				what = "is shown twice, and runs once"
			}
			c.addf(fmt.Sprintf("cron[%d]", s.cronField(n)), "on %s the clock of %s changes: %s %s", day, s.zone, time.Unix(int64(reading), 0).UTC().Format("15:04"), what)
		}
		if next.end <= p.end {
			return
		}
		p = next
	}
}

// mostLinted bounds the intervals that are looked at.
const mostLinted = 2000

// lintIntervals reports what intervals have in common that should be their own.
func (s *Schedule) lintIntervals(c *checker, from time.Time) {
	outputs := map[string]time.Time{}
	varies, repeats := strings.Contains(s.spec.Output, "{{"), false
	at, until := from, from.AddDate(1, 0, 0)
	var shortest time.Duration
	for range mostLinted {
		i, ok := s.Next(at)
		if !ok || i.End.After(until) {
			break
		}
		at = i.End
		if length := i.End.Sub(i.Nominal); shortest == 0 || length < shortest {
			shortest = length
		}
		r, err := s.Resolve(i)
		if err != nil {
			continue
		}
		if before, twice := outputs[r.Output]; twice && varies && !repeats {
			repeats = true
			c.addf("output", "the intervals that begin at %s and %s both have the output %s", before.Format(time.RFC3339), i.Nominal.Format(time.RFC3339), r.Output)
		}
		outputs[r.Output] = i.Nominal
	}
	if jitter := time.Duration(s.spec.Jitter); jitter > 0 && shortest > 0 && jitter >= shortest {
		c.addf("jitter", "%s is not shorter than the time between two runs (%s): runs can start in another order", s.spec.Jitter, Duration(shortest))
	}
}
