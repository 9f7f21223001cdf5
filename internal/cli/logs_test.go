package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
)

// TestLines verifies that lines of several logs do not mix, that each has its prefix,
// and that none is lost, however the bytes come.
func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", longestLine)
	for name, tt := range map[string]struct {
		writes []string
		want   string
	}{
		"nothing":             {nil, ""},
		"a line":              {[]string{"one\n"}, "> one\n"},
		"two in one write":    {[]string{"one\ntwo\n"}, "> one\n> two\n"},
		"one in pieces":       {[]string{"o", "n", "e\n"}, "> one\n"},
		"an empty line":       {[]string{"\n\n"}, "> \n> \n"},
		"no end":              {[]string{"one\ntwo"}, "> one\n> two\n"},
		"a carriage return":   {[]string{"one\r\n"}, "> one\r\n"},
		"a line that is long": {[]string{long, "y", "z\n"}, "> " + long + "y\n> z\n"}, // it is cut, so that a log without lines takes no memory
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			w := &lineWriter{to: &out, mu: new(sync.Mutex), prefix: "> "}
			for _, text := range tt.writes {
				if n, err := io.WriteString(w, text); err != nil || n != len(text) {
					t.Errorf("%d of %d bytes are written (%v)", n, len(text), err)
				}
			}
			if err := w.close(); err != nil {
				t.Error(err)
			}
			if out.String() != tt.want {
				t.Errorf("it prints %q, want %q", out.String(), tt.want)
			}
		})
	}
}

// TestLinesOfSeveralLogs verifies the same for logs that are followed at the same time.
func TestLinesOfSeveralLogs(t *testing.T) {
	t.Parallel()
	const logs, lines = 8, 100
	var out bytes.Buffer
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range logs {
		all.Go(func() {
			w := &lineWriter{to: &out, mu: &mu, prefix: fmt.Sprintf("%d | ", n)}
			for range lines {
				for _, piece := range []string{"a", "b", "c\n"} {
					_, _ = io.WriteString(w, piece) // a buffer takes all
				}
			}
		})
	}
	all.Wait()
	seen := make(map[string]int)
	for line := range strings.Lines(out.String()) {
		seen[line]++
	}
	for n := range logs {
		if got := seen[fmt.Sprintf("%d | abc\n", n)]; got != lines {
			t.Errorf("log %d has %d whole lines of %d", n, got, lines)
		}
	}
}

var errFull = errors.New("the disk is full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestLinesThatCannotBePrinted verifies that an error of standard output ends the
// command.
func TestLinesThatCannotBePrinted(t *testing.T) {
	t.Parallel()
	w := &lineWriter{to: full{}, mu: new(sync.Mutex)}
	if _, err := io.WriteString(w, "one\n"); !errors.Is(err, errFull) {
		t.Errorf("a line: %v", err)
	}
	w = &lineWriter{to: full{}, mu: new(sync.Mutex), rest: []byte("one")}
	if err := w.close(); !errors.Is(err, errFull) {
		t.Errorf("the last line: %v", err)
	}
}

// withLogs makes a job that runs, with two logs.
func withLogs(t *testing.T, ended bool) (b *apitest.Backend, u *user, id string) {
	t.Helper()
	b, url := master(t)
	u = newUser(t, "WINDROW_MASTER", url)
	id = u.submitted(t)
	b.Change(apitest.ID(1), func(j *apitest.Job) {
		j.State = client.Running
		j.Logs = []apitest.Log{
			{Log: client.Log{Task: "map/0", Attempt: "1.1.00000001", State: "committed", Worker: "w-1"}, Text: "first\n", Ended: true},
			{Log: client.Log{Task: "map/1", Attempt: "1.2.00000002", State: "running"}, Text: "second\n", Ended: ended},
		}
	})
	return b, u, id
}

// TestLogs verifies which logs are printed, and how.
func TestLogs(t *testing.T) {
	t.Parallel()
	_, u, id := withLogs(t, true)
	both := "==> map/0, attempt 1.1.00000001, committed on w-1 <==\nfirst\n==> map/1, attempt 1.2.00000002, running <==\nsecond\n"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{id}, both},
		{[]string{id[20:]}, both},
		{[]string{id + "/"}, both},
		{[]string{id + "/map/0"}, "first\n"}, // one log needs no heading
		{[]string{id, "--attempt", "1.2.00000002"}, "second\n"},
		{[]string{id + "/reduce/0"}, ""},
		{[]string{id, "--failed"}, ""},
	} {
		code, stdout, stderr := u.do(t, append([]string{"logs"}, tt.args...)...)
		if code != exitOK || stdout != tt.want || (stdout == "") != (stderr != "") {
			t.Errorf("logs %q: exit %d, prints %q, want %q; %q", tt.args, code, stdout, tt.want, stderr)
		}
	}
	var list client.LogList
	if err := json.Unmarshal([]byte(u.must(t, "logs", id, "-o", "json")), &list); err != nil || len(list.Logs) != 2 || list.Logs[0].Worker != "w-1" {
		t.Errorf("as JSON they are %+v (%v)", list, err)
	}
	for _, task := range []string{"map", "map/x", "sort/1", "map/-1"} {
		if code, stdout, stderr := u.do(t, "logs", id+"/"+task); code != exitInvalid || stdout != "" || !strings.Contains(stderr, "JOB/map/17") {
			t.Errorf("logs JOB/%s: exit %d: %s%s", task, code, stdout, stderr)
		}
	}
}

// reaction calls do once, when a text is written that contains a word.
type reaction struct {
	bytes.Buffer
	word string
	do   func()
	once sync.Once
}

func (r *reaction) Write(p []byte) (int, error) {
	n, err := r.Buffer.Write(p)
	if strings.Contains(r.String(), r.word) {
		r.once.Do(r.do)
	}
	return n, err
}

// TestFollowedLog verifies that lines are printed as they come, and that the command
// ends when the attempt has ended.
func TestFollowedLog(t *testing.T) {
	t.Parallel()
	b, u, id := withLogs(t, false)
	out := &reaction{word: "second", do: func() {
		b.Change(apitest.ID(1), func(j *apitest.Job) { j.Logs[1].Text, j.Logs[1].Ended = "second\nthird", true })
	}}
	var errs bytes.Buffer
	code := serially(t, Program{Args: []string{"windrow", "logs", "-f", id, "--attempt", "1.2.00000002"}, Stdout: out, Stderr: &errs,
		ConfigDir: u.config, Getenv: func(name string) string { return u.env[name] }})
	if want := "map/1 | second\nmap/1 | third\n"; code != exitOK || out.String() != want {
		t.Errorf("exit %d, prints %q, want %q: %s", code, out.String(), want, errs.String())
	}
}

// TestFollowedJob verifies that all logs of a job are printed, each line with its task,
// until the job has ended.
func TestFollowedJob(t *testing.T) {
	t.Parallel()
	b, u, id := withLogs(t, true)
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.State = client.Succeeded })
	printed := u.must(t, "logs", "-f", id)
	if len(printed) != len("map/0 | first\nmap/1 | second\n") || !strings.Contains(printed, "map/0 | first\n") || !strings.Contains(printed, "map/1 | second\n") {
		t.Errorf("it prints %q", printed)
	}
}

// TestLogsOfACluster verifies that a failure of the cluster ends the command with the
// exit status of its kind.
func TestLogsOfACluster(t *testing.T) {
	t.Parallel()
	b, u, id := withLogs(t, true)
	b.Fail(client.Errorf(plan.Denied, "you may not read logs"))
	for _, args := range [][]string{{"logs", id}, {"logs", "-f", id}, {"tasks", id}, {"counters", id}, {"get", id}} {
		if code, stdout, stderr := u.do(t, args...); code != exitDenied || stdout != "" || !strings.Contains(stderr, "you may not read logs") {
			t.Errorf("%q: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
}
