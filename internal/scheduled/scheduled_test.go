package scheduled_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	wcli "github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/scheduled"
	"github.com/windrow-mr/windrow/jobs/library"
)

// oneMain keeps two command lines from being parsed at once: the library that parses them
// has one help flag for the whole process.
var oneMain sync.Mutex

// do runs a command line.
func do(t *testing.T, words ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	oneMain.Lock()
	defer oneMain.Unlock()
	code = wcli.Main(t.Context(), wcli.Program{Args: append([]string{"windrow"}, words...), Stdout: &out, Stderr: &errs,
		Jobs: library.All(), Library: true, Commands: scheduled.Commands()})
	return code, out.String(), errs.String()
}

// file writes a file of a schedule of word counts, and one text of input for the
// interval of 28 November. DIR in the text is a directory.
func file(t *testing.T, text string) (name, dir string) {
	t.Helper()
	dir = t.TempDir()
	name = filepath.Join(dir, "s.yaml")
	day := filepath.Join(dir, "logs", "2026", "11", "28")
	if err := os.MkdirAll(day, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{name: strings.ReplaceAll(text, "DIR", dir), filepath.Join(day, "x.txt"): "a b a\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return name, dir
}

const words = `name: words
job: {name: wordcount}
cron: 30 2 * * *
timeZone: Europe/Berlin
jitter: 5m
input: DIR/logs/{{ .Start.Format "2006/01/02" }}/
output: DIR/out/dt={{ds}}
`

const hourly = `---
name: hourly
job: {name: wordcount}
cron: '@hourly'
interval: 3d
input: DIR/logs/{{ days "02" }}/
output: DIR/hourly/{{ts_nodash}}
`

// TestLint verifies that notices have their place, and that a mistake is an error.
func TestLint(t *testing.T) {
	t.Parallel()
	name, _ := file(t, words+hourly)
	code, out, errs := do(t, "schedule", "lint", "-f", name, "--after", "2026-11-28")
	want := name + ":3:7: cron[0]: on 2027-03-28 the clock of Europe/Berlin changes: 02:30 is skipped; it runs at the first instant after the gap\n" +
		name + ":3:7: cron[0]: on 2027-10-31 the clock of Europe/Berlin changes: 02:30 is shown twice, and runs once\n"
	if code != 0 || out != want || errs != "2 schedules in "+name+", without a mistake; 2 notices\n" {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	code, out, _ = do(t, "schedule", "lint", "-f", name, "--after", "2026-11-28", "-o", "json")
	var notices []struct {
		Schedule, Field string
		Line, Column    int
	}
	if err := json.Unmarshal([]byte(out), &notices); err != nil || code != 0 || len(notices) != 2 || notices[1].Schedule != "words" || notices[1].Line != 3 {
		t.Errorf("status %d, %v: %s", code, err, out)
	}
	bad, _ := file(t, strings.Replace(words, "jitter", "jiter", 1))
	code, out, errs = do(t, "schedule", "lint", "-f", bad)
	if want := "windrow: " + bad + `:5:1: unknown field "jiter"; did you mean "jitter"?` + "\n"; code != 2 || out != "" || errs != want {
		t.Errorf("status %d, %s%s", code, out, errs)
	}
}

// TestNext verifies that runs are shown in UTC and in local time, with what they read
// and write.
func TestNext(t *testing.T) {
	t.Parallel()
	name, dir := file(t, words+hourly)
	code, out, errs := do(t, "schedule", "next", "-f", name, "-n", "1", "--after", "2026-11-28T23:30:00Z")
	var got []string
	for line := range strings.Lines(strings.ReplaceAll(out, dir, "DIR")) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{"SCHEDULE DUE (UTC) DUE (LOCAL) DATA FROM (LOCAL) INPUT OUTPUT",
		"words 2026-11-29 01:30:00 2026-11-29 02:30:00 +01:00 2026-11-28 02:30:00 +01:00 DIR/logs/2026/11/28/ DIR/out/dt=2026-11-28",
		"hourly 2026-11-29 00:00:00 2026-11-29 00:00:00 +00:00 2026-11-26 00:00:00 +00:00 DIR/logs/26/ and 2 more DIR/hourly/20261128T230000"}
	if code != 0 || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("status %d, %s\n%s", code, errs, strings.Join(got, "\n"))
	}
	code, out, _ = do(t, "schedule", "next", "-f", name, "--name", "words", "-n", "3", "--after", "2026-11-28 02:30", "-o", "json")
	var runs []struct{ Due, Starts, Nominal, Output string }
	if err := json.Unmarshal([]byte(out), &runs); err != nil || code != 0 || len(runs) != 3 || runs[0].Due != "2026-11-29T01:30:00Z" || runs[0].Nominal != "2026-11-28T02:30:00+01:00" ||
		!strings.HasPrefix(runs[0].Starts, "2026-11-29T01:3") || runs[0].Starts == runs[0].Due {
		t.Errorf("status %d, %v: %s", code, err, out)
	}
}

// TestTry verifies that run --schedule runs one interval, in the words of run.
func TestTry(t *testing.T) {
	t.Parallel()
	name, dir := file(t, words)
	code, _, errs := do(t, "run", "--schedule", name, "--at", "2026-11-29 03:00")
	if code != 0 || !strings.HasPrefix(errs, "schedule words: the interval from 2026-11-28T02:30:00+01:00 to 2026-11-29T02:30:00+01:00\nwordcount → ") {
		t.Fatalf("status %d, %s", code, errs)
	}
	output := filepath.Join(dir, "out", "dt=2026-11-28")
	if code, out, errs := do(t, "cat", output); code != 0 || out != "a\t2\nb\t1\n" {
		t.Errorf("status %d, %s%s", code, out, errs)
	}
	again := []string{"run", "--schedule", name, "--at", "2026-11-29T01:30:00Z"}
	_, _, plainly := do(t, "run", "wordcount", "--input", filepath.Join(dir, "logs/2026/11/28")+"/", "--out", output)
	if code, _, errs := do(t, again...); code != 6 || !strings.HasSuffix(errs, "\n"+plainly) {
		t.Errorf("status %d, %s\nrun says %s", code, errs, plainly)
	}
	if code, _, errs := do(t, append(again, "--", "--on-exists", "replace", "--quiet")...); code != 0 {
		t.Errorf("status %d, %s", code, errs)
	}
	if code, _, errs := do(t, "run", "--schedule", name, "--at", "2026-11-28T01:30:00Z"); code != 5 || !strings.Contains(errs, "logs/2026/11/27/: there is no such object") {
		t.Errorf("status %d, %s", code, errs)
	}
}

// TestTryExpects verifies that the output of an interval is staged if it is not as expected.
func TestTryExpects(t *testing.T) {
	t.Parallel()
	name, dir := file(t, words+"expect: [records >= 1, records <= 1]\n")
	code, _, errs := do(t, "run", "--schedule", name, "--at", "2026-11-29 03:00")
	if code != 8 || !strings.Contains(errs, "expected records <= 1: there are 2; the output is staged") {
		t.Errorf("status %d, %s", code, errs)
	}
	if code, out, _ := do(t, "cat", filepath.Join(dir, "out", "dt=2026-11-28")); code != 5 || out != "" {
		t.Errorf("cat: status %d, %s", code, out)
	}
}

// TestTryProgram verifies that the job of another program is run by that program.
func TestTryProgram(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs("../../docs/firstjob")
	if err != nil {
		t.Fatal(err)
	}
	name, dir := file(t, strings.Replace(words, "{name: wordcount}", "{program: "+program+"}", 1))
	if code, _, errs := do(t, "run", "--schedule", name, "--at", "2026-11-29 03:00"); code != 0 || !strings.Contains(errs, "built "+program) {
		t.Fatalf("status %d, %s", code, errs)
	}
	if code, out, errs := do(t, "cat", filepath.Join(dir, "out", "dt=2026-11-28")); code != 0 || !strings.Contains(out, "a\t2\n") {
		t.Errorf("status %d, %s%s", code, out, errs)
	}
	if code, _, errs := do(t, "run", "--schedule", name, "--at", "2026-11-29 03:00"); code != 6 || !strings.Contains(errs, "\nfirstjob: output ") {
		t.Errorf("status %d, %s", code, errs)
	}
}

// TestMistakes verifies the exit status and the sentence of each mistake.
func TestMistakes(t *testing.T) {
	t.Parallel()
	name, _ := file(t, words+hourly)
	for _, test := range []struct {
		line string
		code int
		want string
	}{
		{"schedule", 2, "no subcommand named; there are lint and next"},
		{"schedule lin", 2, `unknown command "lin"; did you mean "lint"?`},
		{"schedule lint", 2, "no file named: give one with -f"},
		{"schedule lint " + name, 2, `unexpected argument "` + name + `"; -f names the file`},
		{"schedule lint -f none.yaml", 5, "there is no file none.yaml"},
		{"schedule lint -f " + name + " -o yaml", 2, `-o "yaml" is neither text nor json`},
		{"schedule next -f " + name + " -n 0", 2, "-n 0: it must be 1 to 10000"},
		{"schedule next -f " + name + " --after noon", 2, `--after "noon" is not a time such as 2026-01-31T06:00:00Z, or 2026-01-31 06:00 in the time zone of the schedule`},
		{"schedule next -f " + name + " --name x", 5, "the file has no schedule x; there are words, hourly"},
		{"run --schedule " + name, 2, "the file has 2 schedules: choose one with --name words, hourly"},
		{"run --schedule " + name + " wordcoun", 2, `unexpected argument "wordcoun": the schedule names the job; flags of run can follow --`},
		{"run --schedule none.yaml", 5, "there is no file none.yaml"},
		{"run --at noon", 2, "--at is for a schedule: name its file with --schedule"},
		{"run", 2, "no job named; 'windrow jobs' lists them"},
		{"run --inptu x", 2, "no job before --inptu; the job comes first: windrow run JOB [flags]"},
	} {
		code, out, errs := do(t, strings.Fields(test.line)...)
		if first, _, _ := strings.Cut(errs, "\n"); code != test.code || out != "" || first != "windrow: "+test.want {
			t.Errorf("%s: status %d, %s%s", test.line, code, out, errs)
		}
	}
}
