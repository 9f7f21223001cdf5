package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time in a specification, such as 90s, 1h30m, 3d or 2w. A day
// has 24 hours.
type Duration time.Duration

// mostDays bounds durations: 100 years.
const mostDays = 100 * 365

// ParseDuration reads a duration: numbers with the units w, d, h, m, s and ms, in
// decreasing order of units.
func ParseDuration(text string) (time.Duration, error) {
	days, rest, err := parseParts(text)
	return time.Duration(days)*24*time.Hour + rest, err
}

// parseParts reads a duration as days, and the rest.
func parseParts(text string) (days int64, rest time.Duration, err error) {
	if text == "" {
		return 0, 0, fmt.Errorf("the duration is empty: write one such as 10m or 3d")
	}
	words := text
	for _, unit := range []struct {
		suffix string
		days   int64
	}{{"w", 7}, {"d", 1}} {
		digits := len(words) - len(strings.TrimLeft(words, "0123456789"))
		after, ok := strings.CutPrefix(words[digits:], unit.suffix)
		if !ok || digits == 0 {
			continue
		}
		n, err := strconv.ParseInt(words[:digits], 10, 64)
		if err != nil || n > mostDays/unit.days {
			return 0, 0, tooLong(text)
		}
		days, words = days+n*unit.days, after
	}
	if words != "" {
		rest, err = time.ParseDuration(words)
		if err != nil || rest < 0 || words[0] == '+' {
			return 0, 0, fmt.Errorf("%q is not a duration such as 90s, 10m, 6h, 1h30m, 3d or 2w", text)
		}
	}
	if days+int64(rest/(24*time.Hour)) > mostDays {
		return 0, 0, tooLong(text)
	}
	return days, rest, nil
}

func tooLong(text string) error { return fmt.Errorf("%q is longer than 100 years", text) }

// String writes the duration as ParseDuration reads it.
func (d Duration) String() string {
	days, rest := time.Duration(d)/(24*time.Hour), time.Duration(d)%(24*time.Hour)
	text := rest.String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	switch {
	case days == 0:
		return text
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	default:
		return fmt.Sprintf("%dd%s", days, text)
	}
}

// MarshalText writes the duration as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the duration as ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	read, err := ParseDuration(string(text))
	*d = Duration(read)
	return err
}
