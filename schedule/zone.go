package schedule

import (
	"fmt"
	"math"
	"time"
)

// LoadZone returns the time zone of a name of the IANA database, such as
// "Europe/Berlin". "" is UTC. "Local" is an error: it differs from machine to machine.
func LoadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf("the time zone Local differs from machine to machine: name one such as Europe/Berlin")
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: name one of the IANA database, such as Europe/Berlin or UTC", name)
	}
	return l, nil
}

// zone maps readings of the clock of a time zone to instants. Instants are in seconds
// since the Unix epoch.
type zone struct{ *time.Location }

// horizon bounds how long before an instant a reading can have been shown that the clock
// shows again, or skips: clocks are at most a day apart from UTC. In seconds.
const horizon = 48 * 60 * 60

// stretch is a time during which the offset of a zone is the same.
type stretch struct{ start, end, offset int64 }

// at returns the stretch of an instant.
func (z zone) at(t int64) stretch {
	moment := time.Unix(t, 0).In(z.Location)
	_, offset := moment.Zone()
	start, end := moment.ZoneBounds()
	p := stretch{math.MinInt64, math.MaxInt64, int64(offset)}
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	if p.end <= t {
		// Package time ends a year after 365 days, so on 31 December of a leap year,
		// beyond the table of a zone, its stretch ends before it. The offset is the
		// same until the next whole hour, or at least during this second.
		p.end = t - t%3600 + 3600
		if _, last := time.Unix(p.end-1, 0).In(z.Location).Zone(); last != offset {
			p.end = t + 1
		}
	}
	return p
}

// first returns the first instant at which the clock shows a reading or a later one. Of
// a reading that is shown twice it is the first time; of one that is skipped, the first
// instant after the gap.
func (z zone) first(c civil) int64 {
	for t := int64(c) - horizon; ; {
		p := z.at(t)
		if at := max(p.start, int64(c)-p.offset); at < p.end {
			return at
		}
		t = p.end
	}
}

// latest returns the latest reading that the clock has shown up to an instant. It is
// later than the one at that instant while a reading is shown again.
func (z zone) latest(t int64) civil {
	p := z.at(t)
	shown := t + p.offset
	for start := p.start; start > t-horizon; start = p.start {
		p = z.at(start - 1)
		shown = max(shown, start-1+p.offset)
	}
	return civil(shown)
}
