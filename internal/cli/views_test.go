package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestStatusesOfTheManual verifies that docs/cli.md lists every exit status that a kind
// of failure can give, and no other.
func TestStatusesOfTheManual(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []int
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(page), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, n)
	}
	used := []int{exitOK, status(strictly(1)), exitInterrupted}
	for _, kind := range plan.Kinds() {
		used = append(used, status(client.Errorf(kind, "x")))
	}
	slices.Sort(used)
	slices.Sort(listed)
	if used = slices.Compact(used); !slices.Equal(listed, used) {
		t.Errorf("docs/cli.md lists the statuses %v, and failures give %v", listed, used)
	}
}

// TestDoctor verifies that a root that works is reported so, for people and programs,
// and that nothing is left there.
func TestDoctor(t *testing.T) {
	t.Parallel()
	u, dir := newUser(t), t.TempDir()
	var report struct {
		Root     string
		Findings []struct{ Check, Status, Detail string }
	}
	printed := u.must(t, "doctor", dir, "-o", "json")
	if err := json.Unmarshal([]byte(printed), &report); err != nil || !strings.Contains(report.Root, dir) || len(report.Findings) < 5 {
		t.Errorf("it prints %s (%v)", printed, err)
	}
	text := u.must(t, "doctor", dir)
	for _, f := range report.Findings {
		if f.Status == "failed" || !strings.Contains(text, f.Check) {
			t.Errorf("%s is %s: %s; for people there is\n%s", f.Check, f.Status, f.Detail, text)
		}
	}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			t.Errorf("it leaves %s (%v)", path, err)
		}
		return nil
	})
}

// TestTasksInPages verifies that the list of tasks ends at the limit, and says how many
// there are beyond it.
func TestTasksInPages(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	id := u.submitted(t)
	const tasks = 10_234 // more than one answer of the API has
	b.Change(apitest.ID(1), func(j *apitest.Job) {
		for i := range tasks {
			j.Tasks = append(j.Tasks, client.Task{Task: fmt.Sprintf("map/%d", i), State: client.TaskCommitted})
		}
	})
	for _, limit := range []int{1, 100, 10_000, 10_001, tasks, 2 * tasks} {
		code, stdout, stderr := u.do(t, "tasks", id, "--limit", strconv.Itoa(limit))
		rows, more := strings.Count(stdout, "\n")-1, tasks-min(limit, tasks)
		if code != exitOK || rows != min(limit, tasks) {
			t.Errorf("--limit %d: exit %d, %d rows", limit, code, rows)
		}
		if says := number(int64(more)); (more > 0) != strings.Contains(stderr, "--limit") || more > 0 && !strings.HasPrefix(stderr, says) {
			t.Errorf("--limit %d: with %d more it says %q", limit, more, stderr)
		}
	}
}

// TestJobsInPages is the same for the list of jobs, which begins with the newest.
func TestJobsInPages(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	const jobs = 1003 // more than one answer of the API has
	var ids []string
	for n := jobs; n > 0; n-- {
		ids = append(ids, string(apitest.ID(n)))
		b.Set(&apitest.Job{Job: client.Job{ID: apitest.ID(n), Job: "sort", State: client.Running}})
	}
	for _, limit := range []int{1, 3, 1000, 1001, jobs, 2 * jobs} {
		code, stdout, stderr := u.do(t, "ls", "--limit", strconv.Itoa(limit))
		var got []string
		for line := range strings.Lines(stdout) {
			if word := strings.Fields(line)[0]; word != "ID" {
				got = append(got, word)
			}
		}
		if code != exitOK || !slices.Equal(got, ids[:min(limit, jobs)]) || (limit < jobs) != strings.Contains(stderr, "--limit") {
			t.Errorf("--limit %d: exit %d, %d jobs; %s", limit, code, len(got), stderr)
		}
	}
}

// TestFindJob verifies that the end of an id is enough where it is the only one.
func TestFindJob(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	const first, second = "01JD00000000000000000AAAAA", "01JD00000000000000000BAAAA"
	for _, id := range []string{first, second} {
		b.Set(&apitest.Job{Job: client.Job{ID: plan.JobID(id), Job: "sort", State: client.Running}})
	}
	for word, tt := range map[string]struct {
		code  int
		found string
		says  []string
	}{
		first:                  {exitOK, first, nil},
		strings.ToLower(first): {exitOK, first, nil},
		"aaaaa":                {exitOK, first, nil},
		"BAAAA":                {exitOK, second, nil},
		"aaaa":                 {exitInvalid, "", []string{first, second}},
		"aaa":                  {exitInvalid, "", []string{`"AAA"`}},
		first + "A":            {exitInvalid, "", []string{first + "A"}},
		"CAAAA":                {exitNotFound, "", []string{"CAAAA", "windrow ls"}},
		"ZZZZZZZZ":             {exitNotFound, "", []string{"ZZZZZZZZ", "windrow ls"}},
	} {
		code, stdout, stderr := u.do(t, "get", word)
		if code != tt.code || !strings.Contains(stdout, tt.found) || (tt.found == "") != (stdout == "") {
			t.Errorf("get %s: exit %d: %s%s", word, code, stdout, stderr)
		}
		if tt.code == exitNotFound && strings.Contains(stderr, "mean") {
			t.Errorf("get %s: ids are random, so a similar one is no better than another: %s", word, stderr)
		}
		for _, says := range tt.says {
			if !strings.Contains(stderr, says) {
				t.Errorf("get %s does not say %q: %s", word, says, stderr)
			}
		}
	}
}

// TestWatchedJob verifies that a program that watches a job gets a line of JSON for each
// change, up to the end, and that people get a summary.
func TestWatchedJob(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	id := u.submitted(t)
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.State = client.Running })
	out := &reaction{word: `"running"`, do: func() {
		b.Change(apitest.ID(1), func(j *apitest.Job) {
			j.State, j.Ended, j.Result = client.Succeeded, j.Submitted.Add(90*time.Second), &client.Result{Records: 1234, Bytes: 2048, Parts: 1}
			j.Phases = []client.Phase{{Phase: "map", Tasks: 1, Committed: 1}}
		})
	}}
	var errs bytes.Buffer
	code := serially(t, Program{Args: []string{"windrow", "watch", id, "-o", "json"}, Stdout: out, Stderr: &errs,
		ConfigDir: u.config, Getenv: func(name string) string { return u.env[name] }})
	var states []client.State
	for line := range strings.Lines(out.String()) {
		var job client.Job
		if err := json.Unmarshal([]byte(line), &job); err != nil || string(job.ID) != id {
			t.Errorf("the line %q: %v", line, err)
		}
		states = append(states, job.State)
	}
	if code != exitOK || len(states) < 2 || states[0] != client.Running || states[len(states)-1] != client.Succeeded {
		t.Errorf("exit %d, with the states %v: %s", code, states, errs.String())
	}
	_, _, stderr := u.do(t, "watch", id)
	for _, says := range []string{"wordcount → s3://out/x in 1m30s", "1,234 records in 2 KiB, 1 part", "1 task\n"} {
		if !strings.Contains(stderr, says) {
			t.Errorf("it does not say %q: %s", says, stderr)
		}
	}
}

// TestJobThatWaits verifies that a user learns why nothing happens, from get, watch and
// submit, once for each reason.
func TestJobThatWaits(t *testing.T) {
	t.Parallel()
	const none = "the cluster has no workers: start one with 'windrow worker'"
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	id := u.submitted(t)
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.State, j.Waits = client.Planning, none })
	if text := u.must(t, "get", id); !strings.Contains(text, "waits      "+none) {
		t.Errorf("get does not say it: %s", text)
	}
	errs := &reaction{word: none, do: func() {
		b.Change(apitest.ID(1), func(j *apitest.Job) {
			j.State, j.Waits, j.Ended = client.Succeeded, "", j.Submitted.Add(time.Second)
			j.Job.Counters, j.Stats = map[string]int64{"bad lines": 1234, "cents": math.MaxInt64, "debts": math.MinInt64}, map[string]client.Stat{"cents": {Count: 2, Sum: 5, Min: 1, Max: 4}, "none": {}}
		})
	}}
	code := serially(t, Program{Args: []string{"windrow", "watch", id}, Stdout: io.Discard, Stderr: errs,
		ConfigDir: u.config, Getenv: func(name string) string { return u.env[name] }})
	said := errs.String()
	if code != exitOK || strings.Count(said, none) != 1 || !strings.Contains(said, "note: job "+id+" waits: ") {
		t.Errorf("watch: exit %d: %s", code, said)
	}
	for _, text := range []string{said, u.must(t, "get", id)} {
		for _, want := range []string{"counted    bad lines: 1,234\n", "counted    cents: 9,223,372,036,854,775,807 or more", "debts: -9,223,372,036,854,775,808 or less", "observed   cents: 2 values, mean 2.5, from 1 to 4", "observed   none: 0 values\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("the summary does not show %q: %s", want, text)
			}
		}
	}
	var job struct {
		Counters map[string]int64      `json:"counters"`
		Stats    map[string]reportStat `json:"stats"`
	}
	if err := json.Unmarshal([]byte(u.must(t, "get", id, "-o", "json")), &job); err != nil || job.Counters["bad lines"] != 1234 || job.Stats["cents"].Sum != 5 {
		t.Errorf("under the names of run's report there is %+v (%v)", job, err)
	}
}

// TestClocksThatDisagree verifies that no duration is reckoned from two clocks: where the
// clocks of masters, or of this machine, disagree, it is left out.
func TestClocksThatDisagree(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	id := u.submitted(t)
	says := func(want bool, texts ...string) {
		t.Helper()
		for command, printed := range map[string]string{"get": u.must(t, "get", id), "ls": u.must(t, "ls")} {
			for _, text := range texts {
				if command == "ls" && strings.HasSuffix(text, "ago") || command == "get" && text == "–" {
					continue
				}
				if strings.Contains(printed, text) != want {
					t.Errorf("%s shows %q: %v, want %v:\n%s", command, text, !want, want, printed)
				}
			}
			if regexp.MustCompile(`-\d+m|after 0s|  0s `).MatchString(printed) {
				t.Errorf("%s shows a time that cannot be:\n%s", command, printed)
			}
		}
	}
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.Submitted = time.Now().Add(time.Hour) }) // by the clock of another master
	says(false, "ago")
	says(true, "–")
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.State, j.Ended = client.Succeeded, j.Submitted.Add(-time.Hour) })
	says(false, "ago", "after")
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.Submitted, j.Ended = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour) })
	says(true, "1h0m0s", "ago")
}

// TestReasonsToWaitAreShownOnce verifies that a reason is shown when it has lasted, and
// again only after another.
func TestReasonsToWaitAreShownOnce(t *testing.T) {
	t.Parallel()
	var w waiting
	begin := time.Unix(1_795_000_000, 0)
	for i, c := range []struct {
		at   time.Duration
		text string
		due  bool
	}{
		{0, "", false}, {0, "none", false}, {900 * time.Millisecond, "none", false}, {time.Second, "none", true}, {5 * time.Second, "none", false},
		{6 * time.Second, "", false}, {7 * time.Second, "none", false}, {7500 * time.Millisecond, "busy", false}, {8600 * time.Millisecond, "busy", true},
	} {
		if due := w.due(c.text, begin.Add(c.at)); due != c.due {
			t.Errorf("step %d: due %v, want %v", i, due, c.due)
		}
	}
}

// script writes a program of the shell, and returns it as one that has jobs.
func script(t *testing.T, lines string) *foreign {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &foreign{binary: name}
}

// TestJobOfAnotherProgram verifies which job of a program is submitted, and that it need
// not be named where there is only one.
func TestJobOfAnotherProgram(t *testing.T) {
	t.Parallel()
	const one = `echo '[{"name":"sort","params":[{"name":"by","type":"string","help":"x","required":true}]}]'`
	const two = `echo '[{"name":"sort"},{"name":"count"}]'`
	for name, tt := range map[string]struct {
		program, typed string
		job, rest      string
		says           string // "": it is found
	}{
		"the only one":          {one, "", "sort", "", ""},
		"the only one, flags":   {one, "--out x", "sort", "--out x", ""},
		"the only one, by name": {one, "sort --out x", "sort", "--out x", ""},
		"one of two":            {two, "count --out x", "count", "--out x", ""},
		"none of two":           {two, "--out x", "", "", "sort, count"},
		"a mistake":             {two, "cuont --out x", "", "", `"count"`},
		"unknown":               {two, "mapreduce", "", "", `"mapreduce"`},
		"a program that fails":  {"echo 'no licence' >&2; exit 3", "sort", "", "", "no licence"},
		"a silent one":          {"exit 3", "sort", "", "", "exit status 3"},
		"one without JSON":      {"echo hello", "sort", "", "", "windrow.Main"},
		"one that is asked":     {`[ "$*" = "jobs -o json" ] && ` + one, "", "sort", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cli.NewContext(&cli.App{Name: "windrow"}, nil, nil)
			program := script(t, tt.program)
			all, err := program.jobs(t.Context())
			var job jobReport
			var rest []string
			if err == nil {
				job, rest, err = program.choose(c, all, strings.Fields(tt.typed))
			}
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) || status(err) != exitInvalid {
					t.Errorf("exit %d: %v does not say %q", status(err), err, tt.says)
				}
				return
			}
			if err != nil || job.Name != tt.job || strings.Join(rest, " ") != tt.rest {
				t.Errorf("the job %q with %q (%v)", job.Name, rest, err)
			}
			if params := paramsOf(job); tt.program == one && (len(params) != 1 || params[0].Name != "by" || !params[0].Required) {
				t.Errorf("its parameters are %+v", params)
			}
		})
	}
}

// TestPlanOfAnotherProgram verifies that a program makes the plan of its job, from the
// parameters that were typed.
func TestPlanOfAnotherProgram(t *testing.T) {
	t.Parallel()
	s := &client.Submission{Job: "sort", Params: map[string]string{"by": "a b"}}
	f := script(t, `[ "$1 $2 $3 $4" = "describe --param by=a b sort" ] && printf %s '{"plan":"read\nwrite\n","once":{"cut":"aGk="}}'`)
	if err := f.describe(t.Context(), nil, s); err != nil || s.Plan != "read\nwrite\n" || string(s.Once["cut"]) != "hi" {
		t.Errorf("the submission is %+v (%v)", s, err)
	}
}

// TestCatOfADamagedPart verifies that cat does not take other bytes for the output.
func TestCatOfADamagedPart(t *testing.T) {
	t.Parallel()
	u, _ := runner(t, "a\n")
	u.must(t, "run", "wordcount", "--input", "mem://in", "--out", "mem://out", "--partitions", "1", "-q")
	out, err := store.Open(t.Context(), "mem://out", u.stores)
	if err != nil {
		t.Fatal(err)
	}
	part := ""
	for o, err := range out.List(t.Context(), "part-") {
		if err != nil {
			t.Fatal(err)
		}
		part = o.Key
	}
	if err := out.Put(t.Context(), part, []byte("a\t7\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := u.do(t, "cat", "mem://out"); code != exitFailed || !strings.Contains(stderr, part) || !strings.Contains(stderr, "CRC32C") {
		t.Errorf("another part: exit %d: %s", code, stderr)
	}
	if err := out.Delete(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := u.do(t, "cat", "mem://out"); code != exitNotFound || stdout != "" || !strings.Contains(stderr, part) {
		t.Errorf("no part: exit %d: %s%s", code, stdout, stderr)
	}
}
