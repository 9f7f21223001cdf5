package schedule

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan/nearest"
)

// cron is an expression of five fields, as the set of readings of the clock that match.
type cron struct {
	minute, hour, dayOfMonth, month, dayOfWeek uint64 // a bit for each value
	// both says that the day of the month and the day of the week must match: one of
	// the fields begins with a star, as cron(8) has it. Otherwise either is enough.
	both bool
	// days says that both fields restrict the day.
	days bool
}

// field describes a field of an expression.
type field struct {
	name     string
	min, max int
	last     int      // value of a star, and of a step without an end
	names    []string // of the values from min on
}

var (
	minuteField     = field{name: "minute", max: 59, last: 59}
	hourField       = field{name: "hour", max: 23, last: 23}
	dayOfMonthField = field{name: "day of the month", min: 1, max: 31, last: 31}
	monthField      = field{"month", 1, 12, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}}
	// Both 0 and 7 are Sunday.
	dayOfWeekField = field{"day of the week", 0, 7, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}
)

// macros are expressions with a name.
var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// parseCron reads an expression of five fields, or the name of one.
func parseCron(text string) (*cron, error) {
	expression := text
	switch {
	case strings.HasPrefix(text, "TZ="), strings.HasPrefix(text, "CRON_TZ="):
		return nil, fmt.Errorf("cron %q names a time zone: set timeZone", text)
	case strings.HasPrefix(text, "@"):
		known, ok := macros[strings.ToLower(text)]
		if !ok {
			return nil, unknownMacro(text)
		}
		expression = known
	}
	words := strings.Fields(expression)
	switch {
	case len(words) == 6:
		return nil, fmt.Errorf("cron %q has 6 fields: there is none for seconds or years; @every has intervals of seconds", text)
	case len(words) != 5:
		return nil, fmt.Errorf("cron %q has %d fields of 5: minute, hour, day of the month, month, day of the week", text, len(words))
	}
	c := new(cron)
	for i, f := range []struct {
		set *uint64
		*field
	}{{&c.minute, &minuteField}, {&c.hour, &hourField}, {&c.dayOfMonth, &dayOfMonthField}, {&c.month, &monthField}, {&c.dayOfWeek, &dayOfWeekField}} {
		var err error
		if *f.set, err = f.parse(words[i]); err != nil {
			return nil, fmt.Errorf("cron %q: %w", text, err)
		}
	}
	if c.dayOfWeek&(1<<7) != 0 {
		c.dayOfWeek = c.dayOfWeek&^(1<<7) | 1
	}
	star := func(word string) bool { return word[0] == '*' || word[0] == '?' }
	c.both = star(words[2]) || star(words[4])
	c.days = !c.both
	if _, ok := c.next(0); !ok {
		return nil, fmt.Errorf("cron %q never happens: no month that it allows has such a day", text)
	}
	return c, nil
}

func unknownMacro(text string) error {
	names := []string{"@every"}
	for name := range macros {
		names = append(names, name)
	}
	word, _, _ := strings.Cut(strings.ToLower(text), " ")
	if near := nearest.Name(word, names); near != "" && near != word {
		return fmt.Errorf("unknown cron %q; did you mean %q?", text, near)
	}
	return fmt.Errorf("unknown cron %q: there are @hourly, @daily, @weekly, @monthly, @yearly and @every DURATION", text)
}

// parse reads a field: a list of values, ranges and steps.
func (f *field) parse(text string) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		values, err := f.part(part)
		if err != nil {
			return 0, err
		}
		set |= values
	}
	return set, nil
}

// part reads an element of a list: "*", "5", "1-5", "*/2", "1-30/2" or "5/2", which is
// from 5 to the end.
func (f *field) part(text string) (set uint64, err error) {
	values, stepText, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		if step, err = number(stepText); err != nil || step == 0 {
			return 0, fmt.Errorf("%s: %q is not a step: write a positive number after the slash", f.name, text)
		}
		if step > f.max-f.min {
			return 0, fmt.Errorf("%s: no value is %d after another; for an interval that fits no field write @every DURATION", f.name, step)
		}
	}
	low, high := f.min, f.last
	if values != "*" && values != "?" {
		from, to, ranged := strings.Cut(values, "-")
		if low, err = f.value(from); err != nil {
			return 0, err
		}
		switch {
		case ranged:
			if high, err = f.value(to); err != nil {
				return 0, err
			}
			if f.max > f.last && high == 0 && low > 0 {
				high = f.max // "fri-sun"
			}
			if high < low {
				return 0, fmt.Errorf("%s: %q ends before it begins: write the two parts, separated by a comma", f.name, values)
			}
		case !stepped:
			high = low
		}
	}
	for v := low; v <= high; v += step {
		set |= 1 << v
	}
	return set, nil
}

// value reads a number or a name.
func (f *field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := number(text)
	switch {
	case err != nil && f.names != nil:
		return 0, fmt.Errorf("%s: %q is neither a number nor a name such as %s", f.name, text, f.names[0])
	case err != nil:
		return 0, fmt.Errorf("%s: %q is not a number", f.name, text)
	case n < f.min || n > f.max:
		return 0, fmt.Errorf("%s: %d is not between %d and %d", f.name, n, f.min, f.max)
	}
	return n, nil
}

// number reads a number of at most four digits without a sign.
func number(text string) (int, error) {
	if len(text) > 4 {
		return 0, strconv.ErrRange
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

// matches reports whether a day is in the set.
func (c *cron) matches(day int64) bool {
	_, _, dayOfMonth := dateOf(day)
	ofMonth, ofWeek := c.dayOfMonth&(1<<dayOfMonth) != 0, c.dayOfWeek&(1<<weekdayOf(day)) != 0
	if c.both {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// next returns the first reading of the set that is not before from. There is none if
// 400 years, after which dates fall on the same days of the week, have none.
func (c *cron) next(from civil) (civil, bool) {
	day, second := from.day()
	minute := int((second + 59) / 60)
	for limit := day + cycleDays + 1; day <= limit; {
		year, month, _ := dateOf(day)
		if c.month&(1<<month) == 0 {
			day, minute = dayOf(year, month+1, 1), 0
			continue
		}
		if c.matches(day) {
			if m, ok := c.nextMinute(minute); ok {
				return civil(day*daySeconds + int64(m)*60), true
			}
		}
		day, minute = day+1, 0
	}
	return 0, false
}

// prev returns the last reading of the set that is not after from.
func (c *cron) prev(from civil) (civil, bool) {
	day, second := from.day()
	minute := int(second / 60)
	const last = 24*60 - 1
	for limit := day - cycleDays - 1; day >= limit; {
		year, month, _ := dateOf(day)
		if c.month&(1<<month) == 0 {
			day, minute = dayOf(year, month, 1)-1, last
			continue
		}
		if c.matches(day) {
			if m, ok := c.prevMinute(minute); ok {
				return civil(day*daySeconds + int64(m)*60), true
			}
		}
		day, minute = day-1, last
	}
	return 0, false
}

// nextMinute returns the first minute of a day that is not before from.
func (c *cron) nextMinute(from int) (int, bool) {
	hour, minute := from/60, from%60
	if hour < 24 && c.hour&(1<<hour) != 0 {
		if later := c.minute >> minute; later != 0 {
			return from + bits.TrailingZeros64(later), true
		}
	}
	later := c.hour >> (hour + 1)
	if later == 0 {
		return 0, false
	}
	return (hour+1+bits.TrailingZeros64(later))*60 + bits.TrailingZeros64(c.minute), true
}

// prevMinute returns the last minute of a day that is not after from.
func (c *cron) prevMinute(from int) (int, bool) {
	hour, minute := from/60, from%60
	if c.hour&(1<<hour) != 0 {
		if earlier := c.minute & (1<<(minute+1) - 1); earlier != 0 {
			return hour*60 + bits.Len64(earlier) - 1, true
		}
	}
	earlier := c.hour & (1<<hour - 1)
	if earlier == 0 {
		return 0, false
	}
	return (bits.Len64(earlier)-1)*60 + bits.Len64(c.minute) - 1, true
}

// everyPrefix begins an expression for a fixed interval.
const everyPrefix = "@every "

// parseEvery reads an expression for a fixed interval.
func parseEvery(text string) (time.Duration, error) {
	d, err := ParseDuration(strings.TrimSpace(text[len(everyPrefix):]))
	switch {
	case err != nil:
		return 0, fmt.Errorf("cron %q: %w", text, err)
	case d < time.Second, d%time.Second != 0:
		return 0, fmt.Errorf("cron %q: the interval must be whole seconds, and at least 1s", text)
	}
	return d, nil
}
