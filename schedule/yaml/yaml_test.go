package yaml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/schedule"
	"github.com/windrow-mr/windrow/schedule/yaml"
)

// whole has every kind of value.
const whole = `# Nightly.
name: clicks-daily
job:
  name: wordcount
  params: {min: 3, day: "{{ds}}"}
cron: 15 2 * * *
timeZone: Europe/Berlin
start: 2026-01-01T00:00:00Z
jitter: 5m
input:
- s3://bkt/logs/{{ .Start.Format "2006/01/02" }}/
- s3://bkt/more/{{ hours "2006010215" }}
output: s3://bkt/out/dt={{ds}}/
onExists: replace
ready: {success: "s3://bkt/logs/{{ds}}/_SUCCESS", quiet: 10m, timeout: 6h, minObjects: 1}
overlap: parallel:2
catchup: {window: 72h, maxRuns: 10, order: oldest}
incremental: true
notify:
- {command: [echo, "1"], on: [failed, late]}
`

// TestRead verifies that all kinds of values are read, also from several documents.
func TestRead(t *testing.T) {
	t.Parallel()
	all, err := yaml.Read("f.yaml", []byte("---\n"+whole+"---\nname: b\njob: {name: j}\ncron: ['@daily', '@every 36h']\noutput: b/{{ts}}\n---\n"))
	if err != nil || len(all) != 2 {
		t.Fatalf("got %v, %v", all, err)
	}
	want := schedule.Spec{Name: "clicks-daily", Job: schedule.Job{Name: "wordcount", Params: map[string]string{"min": "3", "day": "{{ds}}"}},
		Cron: []string{"15 2 * * *"}, TimeZone: "Europe/Berlin", Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Jitter: schedule.Duration(5 * time.Minute),
		Input:  []string{`s3://bkt/logs/{{ .Start.Format "2006/01/02" }}/`, `s3://bkt/more/{{ hours "2006010215" }}`},
		Output: "s3://bkt/out/dt={{ds}}/", OnExists: "replace",
		Ready:   schedule.Ready{Success: []string{"s3://bkt/logs/{{ds}}/_SUCCESS"}, Quiet: schedule.Duration(10 * time.Minute), Timeout: schedule.Duration(6 * time.Hour), MinObjects: 1},
		Overlap: "parallel:2", Catchup: schedule.Catchup{Window: schedule.Duration(72 * time.Hour), MaxRuns: 10, Order: "oldest"}, Incremental: true,
		Notify: []schedule.Notify{{Command: []string{"echo", "1"}, On: []string{"failed", "late"}}}}
	if d, err := schedule.Diff(want, all[0].Spec()); err != nil || len(d) > 0 {
		t.Errorf("it differs: %v, %v", d, err)
	}
	if got := all[1].Spec().Cron; len(got) != 2 || got[1] != "@every 36h" {
		t.Errorf("the second one has cron %q", got)
	}
	if line, column := all[0].Place("input[1]"); line != 13 || column != 3 {
		t.Errorf("input[1] is at %d:%d", line, column)
	}
}

// TestMistakes verifies that a mistake is reported with its place, and that nothing is
// returned.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const second = "---\nname: second\njob: {name: j}\ncron: '@daily'\n"
	for _, test := range []struct{ old, new, want string }{
		{"onExists:", "onExist:", `f.yaml:14:1: unknown field "onExist"; did you mean "onExists"?`},
		{"quiet:", "calm:", `f.yaml:15:51: unknown field "ready.calm": there are minObjects, quiet, success, timeout`},
		{"cron: 15 2", "cron: 75 2", `f.yaml:6:7: cron: cron "75 2 * * *": minute: 75 is not between 0 and 59`},
		{"cron: 15 2 * * *", "cron: 0 0 30 2 *", `f.yaml:6:7: cron: cron "0 0 30 2 *" never happens: no month that it allows has such a day`},
		{"Europe/Berlin", "Europe/Berlim", `f.yaml:7:11: timeZone: unknown time zone "Europe/Berlim": name one of the IANA database, such as Europe/Berlin or UTC`},
		{"jitter: 5m", "jitter: 5 minutes", `f.yaml:9:9: jitter: "5 minutes" is not a duration such as 90s, 10m, 6h, 1h30m, 3d or 2w`},
		{"jitter: 5m", "jitter: 5", `f.yaml:9:9: jitter: "5" is not a duration such as 90s, 10m, 6h, 1h30m, 3d or 2w`},
		{"jitter: 5m", "jitter: [5m]", `f.yaml:9:9: jitter: it is not a text`},
		{"start: 2026-01-01T00:00:00Z", "start: 2026-01-01", `f.yaml:8:8: start: "2026-01-01" is not a time such as 2026-01-31T00:00:00Z`},
		{`"2006010215" }}`, `"2006010215"`, `f.yaml:12:3: input[1]: "s3://bkt/more/{{ hours \"2006010215\"" is not a template: unclosed action`},
		{"minObjects: 1", "minObjects: one", `f.yaml:15:88: ready.minObjects: "one" is not a whole number`},
		{"minObjects: 1", "minObjects: 99999999999999999999", `f.yaml:15:88: ready.minObjects: "99999999999999999999" is not a whole number`},
		{"incremental: true", "incremental: yes please", `f.yaml:18:14: incremental: "yes please" is neither true nor false`},
		{"name: wordcount", "name: [a]", `f.yaml:4:9: job.name: it is not a single value`},
		{"  name: wordcount", "  name:", `f.yaml:4:8: job.name: it is not a single value`},
		{"overlap: parallel:2", "overlap: queue\noverlap: skip", "f.yaml:17:1: overlap is given twice"},
		{"incremental: true", "incremental: &a true", "f.yaml:18:14: incremental: anchors and aliases are not read: write the value"},
		{"ready: {success", "ready: x # {success", "f.yaml:15:8: ready: it must have fields of its own, NAME: VALUE"},
		{"name: clicks-daily\n", "name: clicks-daily\n  x: y\n", "f.yaml:3:1: it is not YAML: mapping values are not allowed in this context"},
		{"on: [failed, late]", "on: [failed, lat]", `f.yaml:20:39: notify[0].on[1]: "lat" is none of failed, skipped, paused, late, succeeded; did you mean "late"?`},
		{"onExists: replace", "onExists: fail\ninterval: previous\ncron: '@hourly'", "f.yaml:16:1: cron is given twice"},
		{whole, "just text", "f.yaml:1:1: the document: it must have fields of its own, NAME: VALUE"},
		{whole, "", "f.yaml:1:1: the file has no schedule"},
		{"name: clicks-daily\n", "", `f.yaml:2:1: name: "" is not a name: it has letters, digits, -, _ and ., begins with a letter or a digit, and has at most 100 bytes`},
		{"incremental: true", "dependsOn: second\nincremental: true", ""},
		{whole, whole + second + "output: s3://bkt/out/\nonExists: replace\n", "f.yaml:25:9: output: the output s3://bkt/out/ of the interval that begins at 2024-01-01T00:00:00Z overlaps s3://bkt/out/dt=2026-01-01 of schedule clicks-daily: each schedule needs a directory of its own"},
		{whole, whole + second + "output: 2/{{ds}}\ndependsOn: [third]\n---\nname: third\njob: {name: j}\ncron: '@daily'\noutput: 3/{{ds}}\ndependsOn: [second]\n", "f.yaml:32:13: dependsOn[0]: the dependencies are a cycle: second → third → second"},
	} {
		text := strings.Replace(whole, test.old, test.new, 1)
		all, err := yaml.Read("f.yaml", []byte(text))
		got := ""
		if err != nil {
			got = err.Error()
			if all != nil || plan.KindOf(err) != plan.Invalid {
				t.Errorf("%s: got %v and the kind %v", got, all, plan.KindOf(err))
			}
		}
		if got != test.want {
			t.Errorf("%s → %s:\n got %s\nwant %s", test.old, test.new, got, test.want)
		}
	}
	// All mistakes are reported at once.
	_, err := yaml.Read("f.yaml", []byte(strings.NewReplacer("Europe/Berlin", "x", "15 2", "99 2").Replace(whole)+second+"dst: x\n"))
	if got := strings.Count(err.Error(), "\n") + 1; got != 4 {
		t.Errorf("%d mistakes: %v", got, err)
	}
}

// FuzzRead verifies that no file makes the reader panic.
func FuzzRead(f *testing.F) {
	f.Add(whole)
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := yaml.Read("f", []byte(text))
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("got %v, %v", all, err)
		}
	})
}
