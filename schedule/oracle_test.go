//go:build schedules

package schedule_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/schedule"
)

// oracleCase is a line for testdata/oracle.py.
type oracleCase struct {
	Cron string `json:"cron"`
	Zone string `json:"zone"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

// oracleAnswer is a line of its answer.
type oracleAnswer struct {
	Once    []int64 `json:"once"`
	Literal []int64 `json:"literal"`
	Cronsim []int64 `json:"cronsim"`
}

// allZones lists the zones that both Go and Python know.
func allZones(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import zoneinfo; print(*sorted(zoneinfo.available_timezones()))").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for name := range strings.FieldsSeq(string(out)) {
		if _, err := schedule.LoadZone(name); err == nil && name != "localtime" && name != "Factory" {
			all = append(all, name)
		}
	}
	if len(all) < 300 {
		t.Fatalf("only %d zones", len(all))
	}
	return all
}

// point finds ranges that may have one value.
var point = regexp.MustCompile(`\b(0-0|1-1|2-2|3-3|4-4|5-5|6-6|7-7|8-8|9-9|(\d)(0-\d0|1-\d1|2-\d2|3-\d3|4-\d4|5-\d5|6-\d6|7-\d7|8-\d8|9-\d9))\b`)

// sparse draws an expression with at most 20 instants a day, which Python can list. It
// leaves out two forms that croniter reads in a way of its own: a range such as 5-5, and
// a field without a star that allows every day.
func sparse(t *testing.T, r *rand.Rand) string {
	t.Helper()
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for {
		cron := expression(r)
		words := strings.Fields(cron)
		if point.MatchString(cron) || words[2][0] != '*' && len(expand(t, words[2], 1, 31)) == 31 || words[4][0] != '*' && len(expand(t, words[4], 0, 6)) >= 7 {
			continue
		}
		times, err := schedule.ParseTimes([]string{cron}, schedule.TimesOptions{})
		if err != nil {
			continue
		}
		first, _ := times.Next(from)
		at := first
		for range 20 {
			at, _ = times.Next(at)
		}
		if at.Sub(first) > 23*time.Hour {
			return cron
		}
	}
}

// TestTimesOracle compares random expressions, in all zones, over 20 years, to croniter
// and cronsim: days around each change of the clock, and one random week a year. With
// -short it draws one zone of 20.
func TestTimesOracle(t *testing.T) {
	t.Parallel()
	r := random(t)
	var cases []oracleCase
	for _, name := range allZones(t) {
		if testing.Short() && r.IntN(20) > 0 {
			continue
		}
		l := location(t, name)
		begin := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
		end := begin.AddDate(20, 0, 0)
		add := func(from time.Time, days int) {
			cron := sparse(t, r)
			from = from.Add(-time.Duration(r.IntN(36*60)) * time.Minute).Truncate(time.Minute)
			cases = append(cases, oracleCase{cron, name, from.Unix(), from.AddDate(0, 0, days).Unix()})
		}
		for at := begin; at.Before(end); at = at.AddDate(1, 0, 0) {
			add(at.AddDate(0, 0, r.IntN(360)), 7)
		}
		_, change := begin.In(l).ZoneBounds()
		for !change.IsZero() && change.Before(end) {
			add(change, 3)
			_, change = change.ZoneBounds()
		}
	}
	var input bytes.Buffer
	lines := json.NewEncoder(&input)
	for _, c := range cases {
		if err := lines.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/oracle.py")
	cmd.Stdin, cmd.Stderr = &input, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(bytes.NewReader(out))
	answers.Buffer(nil, 1<<24)
	instants, differ := 0, 0
	for _, c := range cases {
		var a oracleAnswer
		if !answers.Scan() {
			t.Fatal("an answer is missing")
		}
		if err := json.Unmarshal(answers.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		instants += len(a.Once) + len(a.Literal)
		if !compare(t, c, a) {
			if differ++; differ > 5 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d windows with %d instants agree", len(cases)-differ, instants)
}

// wholeHours reports whether the clock changes by whole hours in a window, and the days
// before it. After another change cronsim leaves out times of expressions with a star:
// it advances by hours of UTC.
func wholeHours(t *testing.T, c oracleCase) bool {
	t.Helper()
	l := location(t, c.Zone)
	_, first := time.Unix(c.From, 0).AddDate(0, 0, -2).In(l).Zone()
	_, last := time.Unix(c.To, 0).In(l).Zone()
	return (last-first)%3600 == 0
}

// compare reports whether the package agrees with an answer.
func compare(t *testing.T, c oracleCase, a oracleAnswer) bool {
	t.Helper()
	words := strings.Fields(c.Cron)
	wild := words[0][0] == '*' || words[1][0] == '*'
	agree := true
	for _, literal := range []bool{false, true} {
		var got []int64
		times, err := schedule.ParseTimes([]string{c.Cron}, schedule.TimesOptions{Zone: location(t, c.Zone), Literal: literal})
		if err != nil {
			t.Fatal(err)
		}
		for at, ok := times.Next(time.Unix(c.From-1, 0)); ok && at.Unix() < c.To; at, ok = times.Next(at) {
			got = append(got, at.Unix())
		}
		want := a.Once
		if literal {
			want = a.Literal
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v, literal %t:\n got %v\nwant %v", c, literal, got, want)
			agree = false
		}
		if wild == literal && (!wild || wholeHours(t, c)) && !slices.Equal(got, a.Cronsim) {
			t.Errorf("%+v, literal %t:\n got %v\ncronsim %v", c, literal, got, a.Cronsim)
			agree = false
		}
	}
	return agree
}
