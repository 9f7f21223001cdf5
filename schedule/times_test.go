package schedule_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/schedule"
)

var seed = flag.Uint64("seed", 0, "seed of the random cases; 0 draws one")

// random returns a source of random numbers, and prints the command that replays it.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay: go test ./schedule -run '^%s$' -seed=%d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, 0))
}

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := schedule.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// between lists the instants of a set from one instant, up to another, in both
// directions, and fails if these differ.
func between(t *testing.T, times *schedule.Times, from, to time.Time) []string {
	t.Helper()
	var forward, backward []string
	for at, ok := times.Next(from.Add(-1)); ok && at.Before(to); at, ok = times.Next(at) {
		forward = append(forward, at.Format(time.RFC3339))
	}
	for at, ok := times.Prev(to); ok && !at.Before(from); at, ok = times.Prev(at) {
		backward = append(backward, at.Format(time.RFC3339))
	}
	slices.Reverse(backward)
	if !slices.Equal(forward, backward) {
		t.Errorf("forward %v, backward %v", forward, backward)
	}
	return forward
}

// TestKnownTimes holds cases whose answer is known from the history of the zones.
func TestKnownTimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, zone, cron string
		literal          bool
		from, to         string // UTC
		want             string
	}{
		{"gap", "Europe/Berlin", "30 2 * * *", false, "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z",
			"2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		{"gap, literal", "Europe/Berlin", "30 2 * * *", true, "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z",
			"2026-03-28T02:30:00+01:00 2026-03-30T02:30:00+02:00"},
		{"fold", "Europe/Berlin", "30 2 * * *", false, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z",
			"2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"fold, literal", "Europe/Berlin", "30 2 * * *", true, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z",
			"2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 2026-10-26T02:30:00+01:00"},
		{"times of a gap are one run", "Europe/Berlin", "0,15,30,45 2,3 * * *", false, "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z",
			"2026-03-29T03:00:00+02:00 2026-03-29T03:15:00+02:00 2026-03-29T03:30:00+02:00 2026-03-29T03:45:00+02:00"},
		{"from the second pass of a fold", "Europe/Berlin", "30 2 * * *", false, "2026-10-25T01:10:00Z", "2026-10-26T12:00:00Z",
			"2026-10-26T02:30:00+01:00"},
		{"end of the fold", "Europe/Berlin", "0 3 * * *", false, "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z",
			"2026-10-25T03:00:00+01:00"},
		{"midnight does not exist", "America/Sao_Paulo", "0 0 * * *", false, "2018-11-03T00:00:00Z", "2018-11-06T00:00:00Z",
			"2018-11-03T00:00:00-03:00 2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"},
		{"midnight does not exist, literal", "America/Sao_Paulo", "0 0 * * *", true, "2018-11-03T00:00:00Z", "2018-11-06T00:00:00Z",
			"2018-11-03T00:00:00-03:00 2018-11-05T00:00:00-02:00"},
		{"gap of half an hour", "Australia/Lord_Howe", "15 2 * * *", false, "2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z",
			"2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
		{"fold of half an hour, literal", "Australia/Lord_Howe", "45 1 * * *", true, "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z",
			"2026-04-05T01:45:00+11:00 2026-04-05T01:45:00+10:30"},
		{"fold of half an hour", "Australia/Lord_Howe", "45 1 * * *", false, "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z",
			"2026-04-05T01:45:00+11:00"},
		{"a day that does not exist", "Pacific/Apia", "0 12 * * *", false, "2011-12-29T00:00:00Z", "2011-12-31T12:00:00Z",
			"2011-12-29T12:00:00-10:00 2011-12-31T00:00:00+14:00 2011-12-31T12:00:00+14:00"},
		{"a day that does not exist, literal", "Pacific/Apia", "0 12 * * *", true, "2011-12-29T00:00:00Z", "2011-12-31T12:00:00Z",
			"2011-12-29T12:00:00-10:00 2011-12-31T12:00:00+14:00"},
		{"leap days", "UTC", "0 0 29 2 *", false, "1895-01-01T00:00:00Z", "1909-01-01T00:00:00Z",
			"1896-02-29T00:00:00Z 1904-02-29T00:00:00Z 1908-02-29T00:00:00Z"},
		{"leap days on a Sunday", "UTC", "0 0 29 2 */7", false, "2000-01-01T00:00:00Z", "2110-01-01T00:00:00Z",
			"2004-02-29T00:00:00Z 2032-02-29T00:00:00Z 2060-02-29T00:00:00Z 2088-02-29T00:00:00Z"},
		{"months of 31 days", "UTC", "0 0 31 * *", false, "2026-01-01T00:00:00Z", "2026-09-01T00:00:00Z",
			"2026-01-31T00:00:00Z 2026-03-31T00:00:00Z 2026-05-31T00:00:00Z 2026-07-31T00:00:00Z 2026-08-31T00:00:00Z"},
		{"last day of a leap year", "Europe/Berlin", "0 12 * * *", false, "2040-12-30T12:00:00Z", "2041-01-01T12:00:00Z",
			"2040-12-31T12:00:00+01:00 2041-01-01T12:00:00+01:00"},
		{"last day of a leap year, literal", "Europe/Berlin", "0 12 * * *", true, "2040-12-30T12:00:00Z", "2041-01-01T12:00:00Z",
			"2040-12-31T12:00:00+01:00 2041-01-01T12:00:00+01:00"},
		{"either day", "UTC", "0 0 13 * fri", false, "2026-11-01T00:00:00Z", "2026-11-21T00:00:00Z",
			"2026-11-06T00:00:00Z 2026-11-13T00:00:00Z 2026-11-20T00:00:00Z"},
		{"either day of two", "UTC", "0 0 10 * fri", false, "2026-11-01T00:00:00Z", "2026-11-14T00:00:00Z",
			"2026-11-06T00:00:00Z 2026-11-10T00:00:00Z 2026-11-13T00:00:00Z"},
		{"both days after a star", "UTC", "0 0 */2 * fri", false, "2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z",
			"2026-11-13T00:00:00Z 2026-11-27T00:00:00Z"},
		{"Sunday is 0 and 7", "UTC", "0 0 * * 7,0", false, "2026-11-27T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"a range to Sunday", "UTC", "0 0 * * fri-sun", false, "2026-11-25T00:00:00Z", "2026-12-01T00:00:00Z",
			"2026-11-27T00:00:00Z 2026-11-28T00:00:00Z 2026-11-29T00:00:00Z"},
		{"epoch", "Asia/Kolkata", "@every 8h", false, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z",
			"2026-01-01T05:30:00+05:30 2026-01-01T13:30:00+05:30 2026-01-01T21:30:00+05:30"},
		{"seconds", "UTC", "@every 90s", false, "1970-01-01T00:00:00Z", "1970-01-01T00:05:00Z",
			"1970-01-01T00:00:00Z 1970-01-01T00:01:30Z 1970-01-01T00:03:00Z 1970-01-01T00:04:30Z"},
		{"weekly", "UTC", "@weekly", false, "2026-11-27T00:00:00Z", "2026-12-02T00:00:00Z", "2026-11-29T00:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			times, err := schedule.ParseTimes([]string{test.cron}, schedule.TimesOptions{Zone: location(t, test.zone), Literal: test.literal})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(between(t, times, instant(t, test.from), instant(t, test.to)), " "); got != test.want {
				t.Errorf("%s in %s:\n got %s\nwant %s", test.cron, test.zone, got, test.want)
			}
		})
	}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestAnchor verifies that the instants of @every depend on the anchor only.
func TestAnchor(t *testing.T) {
	t.Parallel()
	anchor := instant(t, "2026-05-01T00:00:07Z")
	times, err := schedule.ParseTimes([]string{"@every 1d"}, schedule.TimesOptions{Anchor: anchor})
	if err != nil {
		t.Fatal(err)
	}
	got := between(t, times, instant(t, "2026-04-29T12:00:00Z"), instant(t, "2026-05-02T00:00:00Z"))
	if want := []string{"2026-04-30T00:00:07Z", "2026-05-01T00:00:07Z"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSeveral verifies that a set of several expressions has each instant once.
func TestSeveral(t *testing.T) {
	t.Parallel()
	times, err := schedule.ParseTimes([]string{"0 6 * * *", "0 6,18 * * *", "@every 12h"}, schedule.TimesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := between(t, times, instant(t, "2026-01-01T00:00:00Z"), instant(t, "2026-01-02T00:00:00Z"))
	if want := []string{"2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z", "2026-01-01T12:00:00Z", "2026-01-01T18:00:00Z"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFractions verifies that Next and Prev exclude the instant they are given, and no
// other.
func TestFractions(t *testing.T) {
	t.Parallel()
	times, err := schedule.ParseTimes([]string{"@daily"}, schedule.TimesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	midnight := instant(t, "2026-01-02T00:00:00Z")
	for _, test := range []struct {
		at         time.Time
		next, prev int // days from midnight
	}{{midnight, 1, -1}, {midnight.Add(1), 1, 0}, {midnight.Add(-1), 0, -1}} {
		next, _ := times.Next(test.at)
		prev, _ := times.Prev(test.at)
		if want := midnight.AddDate(0, 0, test.next); !next.Equal(want) {
			t.Errorf("after %v comes %v, want %v", test.at, next, want)
		}
		if want := midnight.AddDate(0, 0, test.prev); !prev.Equal(want) {
			t.Errorf("before %v comes %v, want %v", test.at, prev, want)
		}
	}
}

// TestEndOfTime verifies that the set ends with the year 9999 and begins with year 1.
func TestEndOfTime(t *testing.T) {
	t.Parallel()
	for _, literal := range []bool{false, true} {
		times, err := schedule.ParseTimes([]string{"0 0 1 1 *", "@every 52w"}, schedule.TimesOptions{Literal: literal})
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := times.Next(instant(t, "9999-12-01T00:00:00Z")); ok {
			t.Errorf("%v is after the last year", at)
		}
		if at, ok := times.Next(time.Unix(1<<60, 0)); ok {
			t.Errorf("%v is after the last year", at)
		}
		if at, ok := times.Prev(instant(t, "0001-01-01T00:00:00Z")); ok {
			t.Errorf("%v is before the first year", at)
		}
	}
}

// TestBadTimes verifies what a user reads about a mistake.
func TestBadTimes(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]string{
		"":                       `cron "" has 0 fields of 5: minute, hour, day of the month, month, day of the week`,
		"* * * *":                `cron "* * * *" has 4 fields of 5: minute, hour, day of the month, month, day of the week`,
		"0 0 0 * * *":            `cron "0 0 0 * * *" has 6 fields: there is none for seconds or years; @every has intervals of seconds`,
		"60 * * * *":             `cron "60 * * * *": minute: 60 is not between 0 and 59`,
		"* 24 * * *":             `cron "* 24 * * *": hour: 24 is not between 0 and 23`,
		"* * 0 * *":              `cron "* * 0 * *": day of the month: 0 is not between 1 and 31`,
		"* * * jab *":            `cron "* * * jab *": month: "jab" is neither a number nor a name such as jan`,
		"* * * * 8":              `cron "* * * * 8": day of the week: 8 is not between 0 and 7`,
		"* * L * *":              `cron "* * L * *": day of the month: "L" is not a number`,
		"-1 * * * *":             `cron "-1 * * * *": minute: "" is not a number`,
		"+1 * * * *":             `cron "+1 * * * *": minute: "+1" is not a number`,
		"1, * * * *":             `cron "1, * * * *": minute: "" is not a number`,
		"5-1 * * * *":            `cron "5-1 * * * *": minute: "5-1" ends before it begins: write the two parts, separated by a comma`,
		"*/0 * * * *":            `cron "*/0 * * * *": minute: "*/0" is not a step: write a positive number after the slash`,
		"*/ * * * *":             `cron "*/ * * * *": minute: "*/" is not a step: write a positive number after the slash`,
		"*/90 * * * *":           `cron "*/90 * * * *": minute: no value is 90 after another; for an interval that fits no field write @every DURATION`,
		"99999999999999 * * * *": `cron "99999999999999 * * * *": minute: "99999999999999" is not a number`,
		"0 0 30 2 *":             `cron "0 0 30 2 *" never happens: no month that it allows has such a day`,
		"0 0 31 4,6 *":           `cron "0 0 31 4,6 *" never happens: no month that it allows has such a day`,
		"@dialy":                 `unknown cron "@dialy"; did you mean "@daily"?`,
		"@reboot":                `unknown cron "@reboot": there are @hourly, @daily, @weekly, @monthly, @yearly and @every DURATION`,
		"@every":                 `unknown cron "@every": there are @hourly, @daily, @weekly, @monthly, @yearly and @every DURATION`,
		"@every 1x":              `cron "@every 1x": "1x" is not a duration such as 90s, 10m, 6h, 1h30m, 3d or 2w`,
		"@every 0s":              `cron "@every 0s": the interval must be whole seconds, and at least 1s`,
		"@every 1500ms":          `cron "@every 1500ms": the interval must be whole seconds, and at least 1s`,
		"TZ=UTC 0 0 * * *":       `cron "TZ=UTC 0 0 * * *" names a time zone: set timeZone`,
		"CRON_TZ=UTC":            `cron "CRON_TZ=UTC" names a time zone: set timeZone`,
	} {
		_, err := schedule.ParseTimes([]string{cron}, schedule.TimesOptions{})
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", cron, err, want)
		}
	}
	_, err := schedule.ParseTimes([]string{"30 2 25-31 3 */7"}, schedule.TimesOptions{Zone: location(t, "Europe/Berlin"), Literal: true})
	if want := `cron "30 2 25-31 3 */7": it never happens in Europe/Berlin, whose clock skips these times: set dst to once`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := schedule.ParseTimes(nil, schedule.TimesOptions{}); err == nil {
		t.Error("no expression is no error")
	}
}

// TestZones verifies the errors of names of zones.
func TestZones(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Local":         "the time zone Local differs from machine to machine: name one such as Europe/Berlin",
		"Europe/Berlim": `unknown time zone "Europe/Berlim": name one of the IANA database, such as Europe/Berlin or UTC`,
		"../etc/passwd": `unknown time zone "../etc/passwd": name one of the IANA database, such as Europe/Berlin or UTC`,
	} {
		if _, err := schedule.LoadZone(name); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if l := location(t, ""); l != time.UTC {
		t.Errorf("no name is %v", l)
	}
}

// TestDurations verifies that durations are read, and written as they can be read.
func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "3d": 72 * time.Hour, "2w1d": 15 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0, "250ms": 250 * time.Millisecond,
	} {
		got, err := schedule.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
		again, err := schedule.ParseDuration(schedule.Duration(got).String())
		if err != nil || again != got {
			t.Errorf("%s is written as %s, which is %v, %v", text, schedule.Duration(got), again, err)
		}
	}
	for _, text := range []string{"", "5", "-5m", "1d-5m", "d", "1h1d", "1000000000000w", "99999999999999999999d", "2000000h", "1.5d", "+1h"} {
		if d, err := schedule.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, d)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", time.Hour: "1h", 90 * time.Minute: "1h30m", 72 * time.Hour: "3d", 36 * time.Hour: "1d12h", time.Minute: "1m", 10 * time.Hour: "10h", 20 * time.Second: "20s"} {
		if got := schedule.Duration(d).String(); got != want {
			t.Errorf("%v is written as %s, want %s", d, got, want)
		}
	}
}

// zones are those of the random cases: whole, half and quarter hours, both hemispheres,
// changes at midnight, and one zone that skipped a day.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Pacific/Chatham",
	"America/St_Johns", "Africa/Casablanca", "Asia/Tehran", "Asia/Gaza", "Antarctica/Troll", "America/Caracas", "Asia/Pyongyang", "Pacific/Kwajalein",
}

// expression draws an expression.
func expression(r *rand.Rand) string {
	part := func(low, high int) string {
		switch r.IntN(6) {
		case 0:
			return fmt.Sprintf("*/%d", 1+r.IntN(high-low))
		case 1:
			a, b := low+r.IntN(high-low+1), low+r.IntN(high-low+1)
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 2:
			a, b := low+r.IntN(high-low+1), low+r.IntN(high-low+1)
			return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), 1+r.IntN(high-low))
		default:
			return strconv.Itoa(low + r.IntN(high-low+1))
		}
	}
	words := make([]string, 5)
	for i, bounds := range [][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}} {
		words[i] = part(bounds[0], bounds[1])
		for r.IntN(3) == 0 {
			words[i] += "," + part(bounds[0], bounds[1])
		}
		if r.IntN(5) < []int{1, 2, 3, 4, 3}[i] {
			words[i] = "*"
		}
	}
	return strings.Join(words, " ")
}

// expand lists the values of a field, for the oracle: it shares no code with the package.
func expand(t *testing.T, text string, low, high int) map[int]bool {
	t.Helper()
	all := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		var a, b, step int
		switch {
		case part == "*":
			a, b, step = low, high, 1
		case strings.HasPrefix(part, "*"):
			a, b = low, high
			scan(t, part, "*/%d", &step)
		case strings.Contains(part, "/"):
			scan(t, part, "%d-%d/%d", &a, &b, &step)
		case strings.Contains(part, "-"):
			scan(t, part, "%d-%d", &a, &b)
			step = 1
		default:
			scan(t, part, "%d", &a)
			b, step = a, 1
		}
		for v := a; v <= b; v += step {
			all[v] = true
		}
	}
	return all
}

func scan(t *testing.T, text, format string, values ...any) {
	t.Helper()
	if _, err := fmt.Sscanf(text, format, values...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// oracle lists the instants of an expression by a look at each minute.
func oracle(t *testing.T, expression string, l *time.Location, literal bool, from, to time.Time) []string {
	t.Helper()
	words := strings.Fields(expression)
	minutes, hours := expand(t, words[0], 0, 59), expand(t, words[1], 0, 23)
	days, months, weekdays := expand(t, words[2], 1, 31), expand(t, words[3], 1, 12), expand(t, words[4], 0, 6)
	if weekdays[7] {
		weekdays[0] = true
	}
	both := words[2][0] == '*' || words[4][0] == '*'
	// The clock on the wall is written as a time in UTC.
	shows := func(wall time.Time) bool {
		day, weekday := days[wall.Day()], weekdays[int(wall.Weekday())]
		return minutes[wall.Minute()] && hours[wall.Hour()] && months[int(wall.Month())] && (both && day && weekday || !both && (day || weekday))
	}
	wallOf := func(at time.Time) time.Time {
		at = at.In(l)
		return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
	}
	var all []string
	seen := wallOf(from.AddDate(0, 0, -3))
	for at := from.AddDate(0, 0, -3); at.Before(to); at = at.Add(time.Minute) {
		wall := wallOf(at)
		runs := literal && shows(wall)
		if !literal {
			for next := seen.Add(time.Minute); !next.After(wall); next = next.Add(time.Minute) {
				runs = runs || shows(next)
			}
		}
		if wall.After(seen) {
			seen = wall
		}
		if runs && !at.Before(from) {
			all = append(all, at.In(l).Format(time.RFC3339))
		}
	}
	return all
}

// TestTimesMinuteByMinute compares random expressions in zones with a change of the clock
// to an oracle that looks at each minute.
func TestTimesMinuteByMinute(t *testing.T) {
	t.Parallel()
	r := random(t)
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		name, cron, literal := zones[r.IntN(len(zones))], expression(r), r.IntN(2) == 0
		l := location(t, name)
		times, err := schedule.ParseTimes([]string{cron}, schedule.TimesOptions{Zone: l, Literal: literal})
		if err != nil && strings.Contains(err.Error(), "never happens") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		// Some days around a change of the clock.
		from := time.Date(1990+r.IntN(55), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), 0, 0, time.UTC)
		if _, change := from.In(l).ZoneBounds(); !change.IsZero() && r.IntN(10) > 0 {
			from = change.Add(-time.Duration(r.IntN(36*60)) * time.Minute).Truncate(time.Minute).UTC()
		}
		to := from.Add(time.Duration(1+r.IntN(5*24*60)) * time.Minute)
		got, want := between(t, times, from, to), oracle(t, cron, l, literal, from, to)
		if !slices.Equal(got, want) {
			t.Fatalf("%s in %s, literal %t, from %v to %v:\n got %v\nwant %v", cron, name, literal, from, to, got, want)
		}
	}
}

// FuzzParseTimes verifies that an expression is refused, or has instants, in order.
func FuzzParseTimes(f *testing.F) {
	for _, text := range []string{"15 2 * * *", "@every 90s", "*/5 0-23/2 1,15 jan-mar mon", "0 0 30 2 *", "TZ=", "@daily", "0 0 29 2 */7"} {
		f.Add(text)
	}
	l, err := schedule.LoadZone("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, literal := range []bool{false, true} {
			times, err := schedule.ParseTimes([]string{text}, schedule.TimesOptions{Zone: l, Literal: literal})
			if err != nil {
				continue
			}
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			next, ok := times.Next(at)
			if !ok || !next.After(at) {
				t.Fatalf("%q: after %v comes %v, %t", text, at, next, ok)
			}
			prev, ok := times.Prev(next)
			if !ok || prev.After(at) {
				t.Fatalf("%q: before %v comes %v, %t", text, next, prev, ok)
			}
			if again, _ := times.Next(prev); !again.Equal(next) {
				t.Fatalf("%q: after %v comes %v, want %v", text, prev, again, next)
			}
		}
	})
}

// BenchmarkNext measures the time for one instant, also of rare expressions.
func BenchmarkNext(b *testing.B) {
	l, err := schedule.LoadZone("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	for _, cron := range []string{"*/5 * * * *", "15 2 * * *", "0 0 29 2 */7"} {
		for _, literal := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/literal=%t", strings.ReplaceAll(cron, " ", "_"), literal), func(b *testing.B) {
				times, err := schedule.ParseTimes([]string{cron}, schedule.TimesOptions{Zone: l, Literal: literal})
				if err != nil {
					b.Fatal(err)
				}
				at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				for b.Loop() {
					times.Next(at)
				}
			})
		}
	}
}
