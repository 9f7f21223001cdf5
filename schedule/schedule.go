package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Schedule is a Spec that has no mistake.
type Schedule struct {
	spec   Spec
	times  *Times
	window window
	zone   *time.Location

	input, success []*urlTemplate
	output         *urlTemplate
	params         map[string]*urlTemplate
}

// Interval is the data of a run.
type Interval struct {
	// Nominal is when the period of the run begins. It names the run: no two runs of a
	// schedule have the same.
	Nominal time.Time
	// Start is when the data begins: with the period, unless the schedule has an interval
	// of a fixed length.
	Start time.Time
	// End is when the data and the period end, and the run is due.
	End time.Time
}

// New checks a Spec and returns the schedule. The error is an *Error.
func New(spec Spec) (*Schedule, error) {
	c := new(checker)
	c.fields(&spec)
	s := &Schedule{spec: spec}
	var err error
	if s.zone, err = LoadZone(spec.TimeZone); err != nil {
		c.add("timeZone", err)
		s.zone = time.UTC
	}
	c.add("cron", s.parseTimes())
	if s.window, err = parseWindow(spec.Interval); err != nil {
		c.add("interval", err)
	}
	s.parseTemplates(c)
	if len(c.problems) == 0 {
		s.try(c)
	}
	if len(c.problems) > 0 {
		return nil, &Error{c.problems}
	}
	return s, nil
}

func (s *Schedule) parseTimes() (err error) {
	s.times, err = ParseTimes(s.spec.Cron, TimesOptions{Zone: s.zone, Literal: s.spec.DST == literal, Anchor: s.spec.Start})
	return err
}

// Spec returns what the schedule was made of.
func (s *Schedule) Spec() Spec { return s.spec }

// Zone returns the time zone of the schedule.
func (s *Schedule) Zone() *time.Location { return s.zone }

// Next returns the first interval that ends after an instant. There is none after the
// end of the schedule.
func (s *Schedule) Next(after time.Time) (Interval, bool) {
	if !s.spec.Start.IsZero() {
		first, ok := s.times.Next(s.spec.Start.Add(-1))
		if !ok {
			return Interval{}, false
		}
		if first.After(after) {
			after = first
		}
	}
	end, ok := s.times.Next(after)
	if !ok {
		return Interval{}, false
	}
	return s.interval(end)
}

// Prev returns the last interval that ends at an instant or before it. There is none
// before the start of the schedule.
func (s *Schedule) Prev(at time.Time) (Interval, bool) {
	if !s.spec.End.IsZero() && at.After(s.spec.End) {
		at = s.spec.End
	}
	end, ok := s.times.Prev(at.Add(1))
	if !ok {
		return Interval{}, false
	}
	return s.interval(end)
}

// interval returns the interval that ends at a tick, if the schedule has it.
func (s *Schedule) interval(end time.Time) (Interval, bool) {
	nominal, ok := s.times.Prev(end)
	if !ok || nominal.Before(s.spec.Start) || !s.spec.End.IsZero() && end.After(s.spec.End) {
		return Interval{}, false
	}
	return Interval{nominal, s.window.before(end, nominal, s.zone), end}, true
}

// Actual returns when the run of an interval starts if nothing delays it: at its end,
// delayed by the jitter.
func (s *Schedule) Actual(i Interval) time.Time {
	span := uint64(s.spec.Jitter) / uint64(time.Millisecond)
	if span == 0 {
		return i.End
	}
	// The same on every master, and in every year.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", s.spec.Name, i.Nominal.Unix()))
	delay := binary.BigEndian.Uint64(sum[:]) % span
	return i.End.Add(time.Duration(delay) * time.Millisecond)
}

// window is the length of the data of a run. The zero window is the period.
type window struct {
	days int
	rest time.Duration
}

// parseWindow reads the field interval.
func parseWindow(text string) (w window, err error) {
	if text == "" || text == previous {
		return w, nil
	}
	days, rest, err := parseParts(text)
	switch {
	case err != nil:
		return w, fmt.Errorf("%w; or write previous", err)
	case days == 0 && rest == 0, rest%time.Second != 0:
		return w, fmt.Errorf("%q: the length must be whole seconds, and positive", text)
	}
	return window{int(days), rest}, nil
}

// before returns the start of a window that ends with a period.
func (w window) before(end, nominal time.Time, l *time.Location) time.Time {
	if w == (window{}) {
		return nominal
	}
	start := end
	if w.days > 0 {
		_, offset := end.In(l).Zone()
		reading := civil(end.Unix() + int64(offset) - int64(w.days)*daySeconds)
		start = time.Unix(zone{l}.first(reading), 0).In(l)
	}
	return start.Add(-w.rest)
}
