package schedule_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/schedule"
)

// daily returns a schedule that has no mistake.
func daily() schedule.Spec {
	return schedule.Spec{Name: "clicks", Job: schedule.Job{Name: "wordcount"}, Cron: []string{"0 2 * * *"}, TimeZone: "Europe/Berlin",
		Input: []string{`s3://logs/{{ .Start.Format "2006/01/02" }}/`}, Output: "s3://out/dt={{ds}}/"}
}

func made(t *testing.T, spec schedule.Spec) *schedule.Schedule {
	t.Helper()
	s, err := schedule.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// resolved returns the run of the first interval that ends after an instant.
func resolved(t *testing.T, spec schedule.Spec, after string) *schedule.Run {
	t.Helper()
	s := made(t, spec)
	i, ok := s.Next(instant(t, after))
	if !ok {
		t.Fatal("there is no interval")
	}
	r, err := s.Resolve(i)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestIntervals verifies that periods follow each other without a gap, also where the
// clock changes, and that Prev finds what Next finds.
func TestIntervals(t *testing.T) {
	t.Parallel()
	for _, dst := range []string{"once", "literal"} {
		spec := daily()
		spec.Cron, spec.DST, spec.Output = []string{"30 2 * * *", "*/20 1-3 * * sun"}, dst, "out/{{.Nominal.Unix}}"
		s := made(t, spec)
		at := instant(t, "2026-03-20T00:00:00Z")
		last, _ := s.Prev(at)
		for range 400 {
			i, ok := s.Next(at)
			if !ok || !i.Nominal.Equal(last.End) || !i.Start.Equal(i.Nominal) || !i.End.After(i.Start) {
				t.Fatalf("%+v follows %+v", i, last)
			}
			if before, ok := s.Prev(i.End); !ok || before != i {
				t.Fatalf("the interval that ends at %v is %+v, want %+v", i.End, before, i)
			}
			last, at = i, i.End
		}
	}
}

// TestBounds verifies that no period begins before the start or ends after the end.
func TestBounds(t *testing.T) {
	t.Parallel()
	spec := daily()
	spec.TimeZone, spec.Start, spec.End = "", instant(t, "2026-01-01T00:00:00Z"), instant(t, "2026-01-04T02:00:00Z")
	s := made(t, spec)
	var got []string
	for at, more := instant(t, "2020-01-01T00:00:00Z"), true; more; {
		var i schedule.Interval
		if i, more = s.Next(at); more {
			got, at = append(got, i.Nominal.Format(time.DateOnly)), i.End
		}
	}
	if want := []string{"2026-01-01", "2026-01-02", "2026-01-03"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if i, ok := s.Prev(instant(t, "2030-01-01T00:00:00Z")); !ok || i.Nominal.Day() != 3 {
		t.Errorf("the last interval is %v, %t", i, ok)
	}
	if i, ok := s.Prev(instant(t, "2026-01-02T01:59:59Z")); ok {
		t.Errorf("%v is before the start", i)
	}
}

// TestTemplates holds the values of a resolved run, in the zone of the schedule.
func TestTemplates(t *testing.T) {
	t.Parallel()
	const autumn = "2026-10-25T02:00:00Z" // after the tick on the day whose clock is set back
	for template, want := range map[string]string{
		"{{ds}} {{ds_nodash}} {{next_ds}} {{next_ds_nodash}}":          "2026-10-25 20261025 2026-10-26 20261026",
		"{{ts}} {{ts_nodash}}":                                         "2026-10-25T02:00:00+02:00 20261025T020000",
		"{{ .Start }} {{ .End }}":                                      "2026-10-25T02:00:00+02:00 2026-10-26T02:00:00+01:00",
		"{{ .Start.UTC }} {{ .Nominal.Unix }} {{ .Name }}":             "2026-10-25T00:00:00Z 1792886400 clicks",
		`{{ (.Start.AddDate 0 0 -7).Format "2006/01/02" }}`:            "2026/10/18",
		`{{ if eq (.Start.Format "Mon") "Sun" }}s{{ else }}w{{ end }}`: "s",
	} {
		spec := daily()
		spec.Output = "{{ds}}/" + template
		if got := resolved(t, spec, autumn).Output; got != "2026-10-25/"+want {
			t.Errorf("%s:\n got %s\nwant %s", template, got, want)
		}
	}
}

// TestParts holds the URLs that an input becomes by the parts of its interval.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cron, zone, interval, input, after string
		want                               []string
	}{
		{"0 0 * * *", "Europe/Berlin", "", `{{hours "15"}}`, "2026-03-28T23:00:00Z", // a day of 23 hours
			strings.Fields("00 01 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23")},
		{"0 0 * * *", "Europe/Berlin", "", `{{hours "15-0700"}}`, "2026-10-24T22:00:00Z", // of 25
			strings.Fields("00+0200 01+0200 02+0200 02+0100 03+0100 04+0100 05+0100 06+0100 07+0100 08+0100 09+0100 10+0100 11+0100 12+0100 13+0100 14+0100 15+0100 16+0100 17+0100 18+0100 19+0100 20+0100 21+0100 22+0100 23+0100")},
		{"0 0 * * *", "Europe/Berlin", "", `{{hours "15"}}`, "2026-10-24T22:00:00Z", // An hour that is shown twice is one URL.
			strings.Fields("00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23")},
		{"0 6 * * *", "America/Caracas", "5h", `{{hours "1504"}}`, "2016-05-01T09:00:00Z", // 02:30 became 03:00
			strings.Fields("0030 0100 0200 0300 0400 0500")},
		{"0 3 * * *", "UTC", "", `{{days "0102"}}`, "2026-01-10T03:00:00Z", strings.Fields("0110 0111")},
		{"0 0 * * *", "UTC", "3d", `{{days "0102"}}`, "2026-03-01T12:00:00Z", strings.Fields("0227 0228 0301")},
		{"0 0 * * *", "Europe/Berlin", "1w", `{{.Start}} {{days "02"}}`, "2026-03-30T12:00:00Z", // Its midnights are 167 hours apart.
			strings.Split("2026-03-24T00:00:00+01:00 24|2026-03-24T00:00:00+01:00 25|2026-03-24T00:00:00+01:00 26|2026-03-24T00:00:00+01:00 27|2026-03-24T00:00:00+01:00 28|2026-03-24T00:00:00+01:00 29|2026-03-24T00:00:00+01:00 30", "|")},
		{"0 0 * * *", "UTC", "2h", `{{days "0102"}}/{{hours "15"}}`, "2026-03-01T12:00:00Z", strings.Fields("0301/22 0301/23")},
		{"0 0 1 * *", "UTC", "", `{{months "2006-01"}}`, "2026-01-05T12:00:00Z", strings.Fields("2026-01")},
		{"0 0 1 1 *", "UTC", "", `{{months "01"}}`, "2026-01-05T12:00:00Z", strings.Fields("01 02 03 04 05 06 07 08 09 10 11 12")},
		{"30 0 * * *", "Australia/Lord_Howe", "4h", `{{hours "1504-0700"}}`, "2026-04-05T00:00:00Z", strings.Fields("2030+1030 2100+1030 2200+1030 2300+1030 0000+1030")},
		{"0 4 * * *", "Australia/Lord_Howe", "4h", `{{hours "1504-0700"}}`, "2026-04-04T16:00:00Z", // 02:00+11 is 01:30+10:30
			strings.Fields("0030+1100 0100+1100 0130+1030 0200+1030 0300+1030")},
	} {
		spec := daily()
		spec.Cron, spec.TimeZone, spec.Interval, spec.Input = []string{test.cron}, test.zone, test.interval, []string{test.input}
		if got := resolved(t, spec, test.after).Input; !slices.Equal(got, test.want) {
			t.Errorf("%+v:\n got %q\nwant %q", test, got, test.want)
		}
	}
}

// TestJitter verifies that the delay of a run is always the same, differs between runs,
// and is shorter than the jitter.
func TestJitter(t *testing.T) {
	t.Parallel()
	spec := daily()
	spec.Jitter = schedule.Duration(10 * time.Minute)
	s := made(t, spec)
	delays := map[time.Duration]bool{}
	at := instant(t, "2026-01-01T00:00:00Z")
	for range 50 {
		i, _ := s.Next(at)
		delay := s.Actual(i).Sub(i.End)
		if delay < 0 || delay >= 10*time.Minute || delay != made(t, spec).Actual(i).Sub(i.End) {
			t.Fatalf("the run of %v is delayed by %v", i.Nominal, delay)
		}
		delays[delay], at = true, i.End
	}
	if len(delays) < 45 {
		t.Errorf("50 runs have %d delays", len(delays))
	}
}

// TestBadSpecs verifies what a user reads about a mistake.
func TestBadSpecs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(s *schedule.Spec)
		want   string
	}{
		{func(s *schedule.Spec) { s.Name = "a b" }, `name: "a b" is not a name: it has letters, digits, -, _ and ., begins with a letter or a digit, and has at most 100 bytes`},
		{func(s *schedule.Spec) { s.Job.Name = "" }, "job.name: no job is named"},
		{func(s *schedule.Spec) { s.Cron = nil }, `cron: no cron expression: name at least one, such as "15 2 * * *" or "@every 1h"`},
		{func(s *schedule.Spec) { s.TimeZone = "Mars" }, `timeZone: unknown time zone "Mars": name one of the IANA database, such as Europe/Berlin or UTC`},
		{func(s *schedule.Spec) { s.DST = "onse" }, `dst: "onse" is none of once, literal; did you mean "once"?`},
		{func(s *schedule.Spec) { s.Overlap = "parallel:0" }, `overlap: "parallel:0": write parallel and the number of runs, from 1 to 1000, such as parallel:4`},
		{func(s *schedule.Spec) { s.Overlap = "wait" }, `overlap: "wait" is none of queue, skip, replace, parallel:N`},
		{func(s *schedule.Spec) { s.Interval = "prev" }, `interval: "prev" is not a duration such as 90s, 10m, 6h, 1h30m, 3d or 2w; or write previous`},
		{func(s *schedule.Spec) { s.Interval = "0d" }, `interval: "0d": the length must be whole seconds, and positive`},
		{func(s *schedule.Spec) { s.Jitter = -1 }, `jitter: -1 is negative`},
		{func(s *schedule.Spec) { s.Output = "" }, `output: no output is named`},
		{func(s *schedule.Spec) { s.Expect = []string{"records >= 1", "records > 1"} }, `expect[1]: expectation "records > 1": it is no condition; write records >= N, records(OUTPUT) <= N, records = N..M, count(COUNTER) <= N, bad <= N, bad <= P% or change <= P%`},
		{func(s *schedule.Spec) { s.Output = "s3://out/" }, `output: it is the same for all intervals, so the second run would find the output of the first: add {{ds}} or {{ts}}, or set onExists to replace or append`},
		{func(s *schedule.Spec) { s.Cron = []string{"@hourly"} }, `output: the intervals that begin at 2024-01-01T01:00:00+01:00 and 2024-01-01T02:00:00+01:00 both have the output s3://out/dt=2024-01-01/: name it by {{ts}}, or set onExists to replace or append`},
		{func(s *schedule.Spec) { s.Output = `{{if eq ds ""}}x{{end}}` }, "output: it becomes empty for the interval that begins at 2023-12-31T02:00:00+01:00"},
		{func(s *schedule.Spec) { s.Output = "{{dss}}" }, `output: "{{dss}}" has no value "dss"; did you mean "ds"?`},
		{func(s *schedule.Spec) { s.Output = "{{ .Strat }}" }, `output: "{{ .Strat }}": there is no field .Strat; did you mean .Start?`},
		{func(s *schedule.Spec) { s.Output = "{{ds" }, `output: "{{ds" is not a template: unclosed action`},
		{func(s *schedule.Spec) { s.Output = `{{hours "15"}}` }, `output: "{{hours \"15\"}}" would be several: months, days and hours are for input`},
		{func(s *schedule.Spec) { s.Input = []string{"a", "{{range 1000000000}}{{end}}"} }, `input[1]: "{{range 1000000000}}{{end}}": {{range 1000000000}}{{end}} is not allowed: write values and if only`},
		{func(s *schedule.Spec) { s.Input = []string{`{{printf "%s" ds}}`} }, `input[0]: "{{printf \"%s\" ds}}": the function printf is not allowed`},
		{func(s *schedule.Spec) { s.Input = []string{`{{define "a"}}{{end}}`} }, `input[0]: "{{define \"a\"}}{{end}}" defines a template: write values and if only`},
		{func(s *schedule.Spec) { s.Input = []string{" "} }, "input[0]: the URL is empty"},
		{func(s *schedule.Spec) { s.Job.Params = map[string]string{"day": "{{now}}"} }, `job.params.day: "{{now}}" has no value "now": there are days, ds, ds_nodash, hours, months, next_ds, next_ds_nodash, ts, ts_nodash, and fields such as .Start`},
		{func(s *schedule.Spec) { s.DependsOn = []string{"clicks"} }, "dependsOn[0]: the schedule depends on itself"},
		{func(s *schedule.Spec) { s.Notify = []schedule.Notify{{}} }, "notify[0]: it needs a webhook or a command, and not both"},
		{func(s *schedule.Spec) { s.Catchup = schedule.Catchup{Off: true, MaxRuns: 3} }, "catchup.off: catchup is off, and has other fields: remove off or them"},
		{func(s *schedule.Spec) { s.End = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); s.Start = s.End }, "end: 2000-01-01T00:00:00Z is not after start"},
	} {
		spec := daily()
		test.change(&spec)
		_, err := schedule.New(spec)
		if err == nil || err.Error() != test.want || plan.KindOf(err) != plan.Invalid {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
}

// TestBoundedTemplates verifies that a template cannot use unbounded time or memory.
func TestBoundedTemplates(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		strings.Repeat("a", 5000):                                 "the template has 5000 bytes, of at most 4096",
		"{{" + "ds" + "}}" + strings.Repeat("{{ts}}", 600):        "it becomes longer than 4 KiB",
		`{{.Start.Format "` + strings.Repeat("2006", 100) + `"}}`: "a layout of 400 bytes: it has at most 200",
	} {
		spec := daily()
		spec.Input = []string{input}
		if _, err := schedule.New(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %v, want %s", input, err, want)
		}
	}
	spec := daily()
	spec.Cron, spec.Input = []string{"0 0 1 1 *"}, []string{`{{hours "2006-01-02-15"}}`, `{{hours "2006-01-02-15"}}`}
	if _, err := schedule.New(spec); err == nil || !strings.Contains(err.Error(), "the interval becomes more than 10000 URLs") {
		t.Errorf("got %v", err)
	}
}

// TestConflicts verifies that mistakes of several schedules are found.
func TestConflicts(t *testing.T) {
	t.Parallel()
	spec := func(name, output string, after ...string) *schedule.Schedule {
		s := daily()
		s.Name, s.Output, s.DependsOn = name, output, after
		return made(t, s)
	}
	for _, test := range []struct {
		all  []*schedule.Schedule
		want string
	}{
		{[]*schedule.Schedule{spec("a", "o/{{ds}}/a", "b"), spec("b", "o/{{ds}}/b"), spec("c", "o/x{{ds}}", "a", "elsewhere")}, "[]"},
		{[]*schedule.Schedule{spec("a", "o/a{{ds}}"), spec("a", "o/b{{ds}}")}, "[{1 {name another schedule has the name a}}]"},
		{[]*schedule.Schedule{spec("a", "1{{ds}}", "c"), spec("b", "2{{ds}}", "a"), spec("c", "3{{ds}}", "b")}, "[{1 {dependsOn[0] the dependencies are a cycle: a → c → b → a}}]"},
		{[]*schedule.Schedule{spec("a", "o/{{ds}}/"), spec("b", "o/{{next_ds}}")},
			"[{1 {output the output o/2024-01-01 of the interval that begins at 2023-12-31T02:00:00+01:00 overlaps o/2024-01-01 of schedule a: each schedule needs a directory of its own}}]"},
		{[]*schedule.Schedule{spec("a", "o/{{ds}}/a"), spec("b", "o/{{ds}}")},
			"[{1 {output the output o/2023-12-31 of the interval that begins at 2023-12-31T02:00:00+01:00 overlaps o/2023-12-31/a of schedule a: each schedule needs a directory of its own}}]"},
		{[]*schedule.Schedule{spec("a", "o/{{ds}}"), spec("b", "o/{{ds}}/a")},
			"[{1 {output the output o/2023-12-31/a of the interval that begins at 2023-12-31T02:00:00+01:00 overlaps o/2023-12-31 of schedule a: each schedule needs a directory of its own}}]"},
	} {
		if got := fmt.Sprint(schedule.Conflicts(test.all)); got != test.want {
			t.Errorf("got %s\nwant %s", got, test.want)
		}
	}
}

// TestLint holds the notices about a schedule.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(s *schedule.Spec)
		want   []string
	}{
		{func(s *schedule.Spec) { s.Cron = []string{"0 4 * * *"} }, nil},
		{func(s *schedule.Spec) { s.Cron, s.Output = []string{"@every 1d", "0 4 1 * mon"}, "{{ts}}" }, []string{
			"cron[1]: the day of the month and the day of the week are both set: it runs on days that match either; begin one of them with a star for days that match both"}},
		{func(s *schedule.Spec) { s.Cron = []string{"30 2 * * *"} }, []string{
			"cron[0]: on 2026-03-29 the clock of Europe/Berlin changes: 02:30 is skipped; it runs at the first instant after the gap",
			"cron[0]: on 2026-10-25 the clock of Europe/Berlin changes: 02:30 is shown twice, and runs once"}},
		{func(s *schedule.Spec) { s.Cron, s.DST, s.Output = []string{"30 2 * * *"}, "literal", "{{ts}}" }, []string{
			"cron[0]: on 2026-03-29 the clock of Europe/Berlin changes: 02:30 is skipped, and does not run; set dst to once to run it after the gap",
			"cron[0]: on 2026-10-25 the clock of Europe/Berlin changes: 02:30 is shown twice, and runs twice; set dst to once to run it once"}},
		{func(s *schedule.Spec) { s.Cron, s.Jitter = []string{"0 4 * * *"}, schedule.Duration(24*time.Hour) }, []string{
			"jitter: 1d is not shorter than the time between two runs (23h): runs can start in another order"}},
		{func(s *schedule.Spec) { s.TimeZone, s.Cron, s.OnExists = "UTC", []string{"0 4,16 * * *"}, "replace" }, []string{
			"output: the intervals that begin at 2026-01-01T04:00:00Z and 2026-01-01T16:00:00Z both have the output s3://out/dt=2026-01-01/"}},
	} {
		spec := daily()
		test.change(&spec)
		var got []string
		for _, p := range made(t, spec).Lint(instant(t, "2026-01-01T00:00:00Z")) {
			got = append(got, p.Field+": "+p.Text)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// TestDiff verifies that the fields that changed are listed, and others are not.
func TestDiff(t *testing.T) {
	t.Parallel()
	before, after := daily(), daily()
	if d, err := schedule.Diff(before, after); err != nil || d != nil {
		t.Errorf("equal specifications differ: %v, %v", d, err)
	}
	after.Cron, after.Job.Params, after.TimeZone, after.Jitter = []string{"@daily"}, map[string]string{"min": "3"}, "", schedule.Duration(5*time.Minute)
	got, err := schedule.Diff(before, after)
	want := []schedule.Change{{"cron", `["0 2 * * *"]`, `["@daily"]`}, {"jitter", "", `"5m"`}, {"job.params.min", "", `"3"`}, {"timeZone", `"Europe/Berlin"`, ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
}

// filled sets every field of a value, so that a field that JSON loses is seen.
func filled(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // Spec has no other
	case reflect.Struct:
		if at, ok := reflect.TypeAssert[*time.Time](v.Addr()); ok {
			*at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			return
		}
		for _, field := range v.Fields() {
			filled(field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(v.Index(0))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": "v"}))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(int64(90 * time.Minute))
	}
}

// TestJSON verifies that JSON keeps every field, and that a minimal schedule is short.
func TestJSON(t *testing.T) {
	t.Parallel()
	var before, after schedule.Spec
	filled(reflect.ValueOf(&before).Elem())
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &after); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%s is read as %+v, %v", text, after, err)
	}
	text, err = json.Marshal(schedule.Spec{Name: "a", Job: schedule.Job{Name: "j"}, Cron: []string{"@daily"}, Output: "o", Jitter: schedule.Duration(time.Hour)})
	if want := `{"name":"a","job":{"name":"j"},"cron":["@daily"],"jitter":"1h","output":"o"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v\nwant %s", text, err, want)
	}
}
