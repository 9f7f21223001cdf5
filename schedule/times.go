package schedule

import (
	"fmt"
	"strings"
	"time"
)

// Times is a set of instants: those of cron expressions in a time zone, and of fixed
// intervals. All are whole seconds of the years 1 to 9999.
//
// A cron expression names readings of a clock. When the clock is set forward, readings
// are skipped; when it is set back, they are shown twice. Without Literal, each reading is
// one instant: the first at which the clock shows it or a later one. With Literal, a
// reading is as many instants as the clock shows it, none or two.
type Times struct {
	crons   []*cron
	every   []int64 // seconds
	anchor  int64
	zone    zone
	literal bool
}

// TimesOptions say how expressions are read.
type TimesOptions struct {
	// Zone is the time zone of cron expressions. Nil: UTC.
	Zone *time.Location
	// Literal says that a reading that the clock skips is no instant, and that one that
	// it shows twice is two.
	Literal bool
	// Anchor is an instant of every @every. The zero time: the Unix epoch, so that the
	// instants do not depend on when a program was started.
	Anchor time.Time
}

// ParseTimes reads expressions: five fields as in crontab(5), @hourly, @daily, @weekly,
// @monthly, @yearly, or "@every DURATION". A day matches when the day of the month or the
// day of the week does, if both are restricted; if one of the two begins with a star,
// both must match. At least one expression is needed.
func ParseTimes(expressions []string, o TimesOptions) (*Times, error) {
	if len(expressions) == 0 {
		return nil, fmt.Errorf("no cron expression: name at least one, such as \"15 2 * * *\" or \"@every 1h\"")
	}
	t := &Times{zone: zone{o.Zone}, literal: o.Literal}
	if o.Zone == nil {
		t.zone.Location = time.UTC
	}
	if !o.Anchor.IsZero() {
		t.anchor = o.Anchor.Unix()
	}
	for _, text := range expressions {
		if strings.HasPrefix(text, everyPrefix) {
			d, err := parseEvery(text)
			if err != nil {
				return nil, err
			}
			t.every = append(t.every, int64(d/time.Second))
			continue
		}
		c, err := parseCron(text)
		if err != nil {
			return nil, err
		}
		if err := t.happens(c); err != nil {
			return nil, fmt.Errorf("cron %q: %w", text, err)
		}
		t.crons = append(t.crons, c)
	}
	return t, nil
}

// happens returns an error if the clock never shows a reading of the set. An expression
// can name only readings that a change of the clock skips every year.
func (t *Times) happens(c *cron) error {
	const year2000 = 946684800
	if _, ok := t.nextOf(c, year2000); !ok {
		return fmt.Errorf("it never happens in %s, whose clock skips these times: set dst to once", t.zone)
	}
	return nil
}

// The instants that a time.Time can carry to JSON: years 1 to 9999.
const (
	earliestInstant = -62135596800
	latestInstant   = 253402300799
)

// Next returns the first instant of the set after another, in the time zone of the set.
// There is none after the year 9999.
func (t *Times) Next(after time.Time) (time.Time, bool) {
	from := min(max(after.Unix(), earliestInstant), latestInstant) + 1
	best := int64(latestInstant + 1)
	for _, c := range t.crons {
		if at, ok := t.nextOf(c, from); ok {
			best = min(best, at)
		}
	}
	for _, step := range t.every {
		n, _ := divide(from-t.anchor+step-1, step)
		best = min(best, t.anchor+n*step)
	}
	return time.Unix(best, 0).In(t.zone.Location), best <= latestInstant
}

// Prev returns the last instant of the set before another. There is none before the
// year 1.
func (t *Times) Prev(before time.Time) (time.Time, bool) {
	from := before.Unix()
	if before.Nanosecond() == 0 {
		from--
	}
	from = max(min(from, latestInstant), earliestInstant-1)
	best := int64(earliestInstant - 1)
	for _, c := range t.crons {
		if at, ok := t.prevOf(c, from); ok {
			best = max(best, at)
		}
	}
	for _, step := range t.every {
		n, _ := divide(from-t.anchor, step)
		best = max(best, t.anchor+n*step)
	}
	return time.Unix(best, 0).In(t.zone.Location), best >= earliestInstant
}

// nextOf returns the first instant of an expression that is not before from.
func (t *Times) nextOf(c *cron, from int64) (int64, bool) {
	if !t.literal {
		at, ok := c.next(t.zone.latest(from-1) + 1)
		if !ok {
			return 0, false
		}
		return t.zone.first(at), true
	}
	for limit := min(from+cycleSeconds, latestInstant); from <= limit; {
		p := t.zone.at(from)
		reading, ok := c.next(civil(from + p.offset))
		if !ok {
			return 0, false
		}
		if at := int64(reading) - p.offset; at < p.end {
			return at, true
		}
		from = p.end
	}
	return 0, false
}

// prevOf returns the last instant of an expression that is not after from.
func (t *Times) prevOf(c *cron, from int64) (int64, bool) {
	if !t.literal {
		at, ok := c.prev(t.zone.latest(from))
		if !ok {
			return 0, false
		}
		return t.zone.first(at), true
	}
	for limit := max(from-cycleSeconds, earliestInstant); from >= limit; {
		p := t.zone.at(from)
		reading, ok := c.prev(civil(from + p.offset))
		if !ok {
			return 0, false
		}
		if at := int64(reading) - p.offset; at >= p.start {
			return at, true
		}
		from = p.start - 1
	}
	return 0, false
}
