package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// master serves the API of a cluster in memory.
func master(t *testing.T) (*apitest.Backend, string) {
	t.Helper()
	b := apitest.New()
	server := httptest.NewServer(api.Handler(b, api.Config{Loopback: true}))
	t.Cleanup(server.Close)
	return b, server.URL
}

// user runs commands with their own environment and configuration.
type user struct {
	env    map[string]string
	config string
	stores store.Options
}

func newUser(t *testing.T, env ...string) *user {
	t.Helper()
	u := &user{env: map[string]string{}, config: filepath.Join(t.TempDir(), "windrow")}
	for i := 0; i < len(env); i += 2 {
		u.env[env[i]] = env[i+1]
	}
	return u
}

// do runs a command of windrow.
func (u *user) do(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = serially(t, Program{Args: append([]string{"windrow"}, args...), Jobs: library.All(), Library: true, Stdout: &out, Stderr: &errs,
		Stores: u.stores, ConfigDir: u.config, Getenv: func(name string) string { return u.env[name] }})
	return code, out.String(), errs.String()
}

// must runs a command that must succeed, and returns what it printed.
func (u *user) must(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := u.do(t, args...)
	if code != exitOK {
		t.Fatalf("%q: exit %d: %s", args, code, stderr)
	}
	return stdout
}

// submitted submits a job, and returns its id.
func (u *user) submitted(t *testing.T, more ...string) string {
	t.Helper()
	return strings.TrimSpace(u.must(t, append([]string{"submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x", "--detach"}, more...)...))
}

// TestSubmitDetached verifies that a submission contains what the user typed, and
// that only the job's id is printed.
func TestSubmitDetached(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	code, stdout, stderr := u.do(t, "submit", "grep", "--input", "in/*.txt", "--input", "s3://in/x?region=r", "--out", "out/", "--pattern", "a+", "--invert",
		"--partitions", "7", "--split-size", "1MiB", "--compress", "zstd", "--decompress", "none", "--max-ratio", "none", "--max-decompressed", "2GiB",
		"--on-exists", "append", "--attempts", "9", "--priority", "250", "--label", "team=web", "--label", "nightly=", "--detach")
	if code != exitOK || stdout != string(apitest.ID(1))+"\n" || stderr != "" {
		t.Fatalf("exit %d, %q, %s", code, stdout, stderr)
	}
	spec, err := b.Spec(t.Context(), apitest.ID(1))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"file://" + here + "/in/*.txt", "s3://in/x?region=r"}; !slices.Equal(spec.Input, want) || spec.Output != "file://"+here+"/out/" {
		t.Errorf("from %q to %q", spec.Input, spec.Output)
	}
	if spec.Job != "grep" || spec.Params["pattern"] != "a+" || spec.Params["invert"] != "true" || spec.Partitions != 7 || spec.SplitSize != 1<<20 ||
		spec.Compress != "zstd" || spec.Decompress != "none" || spec.MaxRatio != -1 || spec.MaxDecompressed != 2<<30 || spec.OnExists != "append" ||
		spec.Attempts != 9 || spec.Priority != 250 || spec.Labels["team"] != "web" || len(spec.Labels) != 2 || len(spec.Bundles) != 0 || spec.Build == "" || !strings.Contains(spec.Plan, "grep") {
		t.Errorf("submitted: %+v", spec)
	}
	one, again := u.submitted(t, "--idempotency-key", "k"), u.submitted(t, "--idempotency-key", "k")
	if one != again || one != string(apitest.ID(2)) {
		t.Errorf("the same key gave the jobs %s and %s", one, again)
	}
	var made client.Submitted
	if err := json.Unmarshal([]byte(u.must(t, "submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x", "-d", "-o", "json", "--idempotency-key", "k")), &made); err != nil || !made.Known || string(made.ID) != one {
		t.Errorf("as JSON: %+v, %v", made, err)
	}
}

// TestSubmitWaits verifies that a command that follows its job ends with the job's
// result.
func TestSubmitWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state client.State
		cause *client.Cause
		code  int
		says  []string
	}{
		"succeeded": {client.Succeeded, nil, exitOK, []string{"wordcount → s3://out/x", "7 records in 5 B, 2 parts"}},
		"failed":    {client.FailedJob, &client.Cause{Kind: plan.Failed, Task: "map/3", Text: "division by zero"}, exitFailed, []string{"task map/3: division by zero"}},
		"denied":    {client.FailedJob, &client.Cause{Kind: plan.Denied, Text: "no rights"}, exitDenied, []string{"no rights"}},
		"no input":  {client.FailedJob, &client.Cause{Kind: plan.NotFound, Text: "s3://in/x is not there"}, exitNotFound, []string{"is not there"}},
		"conflict":  {client.FailedJob, &client.Cause{Kind: plan.Conflict, Text: "output exists"}, exitConflict, []string{"output exists"}},
		"invalid":   {client.FailedJob, &client.Cause{Kind: plan.Invalid, Text: "no such codec"}, exitInvalid, []string{"no such codec"}},
		"cancelled": {client.Cancelled, &client.Cause{Kind: plan.Cancelled, Text: "a user asked for it"}, exitFailed, []string{"was cancelled"}},
		"no cause":  {client.FailedJob, nil, exitFailed, []string{"failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, url := master(t)
			u := newUser(t)
			go func() { // the cluster
				for b.Calls("Submit") == 0 {
					<-time.After(time.Millisecond)
				}
				b.Change(apitest.ID(1), func(j *apitest.Job) {
					j.State, j.Cause, j.Ended = c.state, c.cause, j.Submitted.Add(time.Second)
					j.Result = &client.Result{Records: 7, Bytes: 5, Parts: 2}
				})
			}()
			code, stdout, stderr := u.do(t, "submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x", "--master", url, "-o", "json")
			var job client.Job
			if err := json.Unmarshal([]byte(stdout), &job); err != nil || job.State != c.state {
				t.Errorf("printed %s: %v", stdout, err)
			}
			for _, says := range append(c.says, "submitted job "+string(apitest.ID(1))) {
				if !strings.Contains(stderr, says) {
					t.Errorf("it does not say %q: %s", says, stderr)
				}
			}
			if code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, stderr)
			}
			// A later watch sees the same end.
			if again, _, stderr := u.do(t, "watch", string(apitest.ID(1)), "--master", url); again != c.code || !strings.Contains(stderr, c.says[0]) {
				t.Errorf("watched: exit %d: %s", again, stderr)
			}
			if quiet, stdout, stderr := u.do(t, "watch", string(apitest.ID(1)), "--master", url, "-q"); quiet != c.code || stdout != "" || (c.code == exitOK) != (stderr == "") {
				t.Errorf("quiet: exit %d, %q: %s", quiet, stdout, stderr)
			}
		})
	}
}

// TestLooks verifies the commands that show a cluster, as text and as JSON.
func TestLooks(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", "http://127.0.0.1:1,"+url)
	id := u.submitted(t, "--label", "team=web")
	b.Change(apitest.ID(1), func(j *apitest.Job) {
		j.State, j.Phase, j.Workers = client.Running, "map", 3
		j.Submitted = time.Now().Add(-90*time.Minute - time.Second)
		j.Phases = []client.Phase{{Phase: "map", Tasks: 1024, Committed: 512, Running: 2}}
		j.Progress = client.Progress{Fraction: 0.25, Bytes: 1 << 30, Input: 2 << 30, Retried: 2}
		j.Tasks = []client.Task{{Task: "map/0", State: client.TaskCommitted, Attempts: 1, Seconds: 1.5, Read: client.Amount{Bytes: 2048}, Worker: "w-00000001"},
			{Task: "map/1", State: client.TaskFailed, Attempts: 4, Failures: 4, Error: "division by zero\nat line 3"}}
		j.Counters = client.Counters{Read: client.Amount{Records: 1234567, Bytes: 2048}, Counts: map[string]int64{"bad lines": 12},
			Stats: map[string]client.Stat{"length": {Count: 2, Sum: 5, Min: 1, Max: 4}}}
		j.Logs = []apitest.Log{
			{Log: client.Log{Task: "map/0", Attempt: "1.1.00000001", State: "committed"}, Text: "first\n", Ended: true},
			{Log: client.Log{Task: "map/1", Attempt: "1.2.00000002", State: "failed", Worker: "w-00000001"}, Text: "second", Ended: true}}
	})
	other := u.submitted(t, "--priority", "50")
	b.SetWorkers(client.Worker{ID: "w-00000001", Host: "h1", OS: "linux", Arch: "arm64", State: client.WorkerReady, Slots: 4, Memory: 1 << 30, Heard: 1.2})
	b.SetGarbage(client.Garbage{Jobs: []client.GarbageItem{{Prefix: "j/aa/X/", Why: "it ended", Objects: 1200, Bytes: 4096}}, Objects: 1200, Bytes: 4096})
	for command, want := range map[string][]string{
		"ls":                                     {id, other, "wordcount", "running", "25%", "1h30m", "s3://out/x"},
		"ls --state running --label team":        {id},
		"ls --limit 1":                           {other},
		"get " + id:                              {"wordcount " + id + ": running", "512 of 1,024 tasks, 2 running", "team=web", "1 GiB of 2 GiB", "3 workers", "2 attempts"},
		"get " + strings.ToLower(id[20:]):        {id},
		"tasks " + id:                            {"map/0", "1.5s", "2 KiB", "w-00000001", "division by zero"},
		"tasks --state failed " + id[18:]:        {"map/1"},
		"tasks " + id + " --limit 1":             {"map/0"},
		"counters " + id:                         {"1,234,567 records", "bad lines", "mean 2.5, from 1 to 4"},
		"logs " + id:                             {"==> map/0, attempt 1.1.00000001, committed <==\nfirst\n", "on w-00000001 <==\nsecond"},
		"logs " + id + "/map/1":                  {"second"},
		"logs --failed " + id:                    {"second"},
		"logs " + id + " --attempt 1.1.00000001": {"first"},
		"logs -f " + id + "/map/1 --attempt 1.2.00000002": {"map/1 | second\n"},
		"workers ls":   {"w-00000001", "linux/arm64", "ready", "1 GiB", "1.2s ago"},
		"gc --dry-run": {"j/aa/X/", "1,200", "4 KiB", "it ended"},
	} {
		printed := u.must(t, strings.Fields(command)...)
		for _, w := range want {
			if !strings.Contains(printed, w) {
				t.Errorf("%s does not print %q:\n%s", command, w, printed)
			}
		}
		if strings.Contains(command, "team") && strings.Contains(printed, other) || strings.Contains(command, "failed") && strings.Contains(printed, "map/0") {
			t.Errorf("%s prints too much:\n%s", command, printed)
		}
	}
	for command, key := range map[string]string{"ls": "jobs", "get " + id: "state", "tasks " + id: "total", "counters " + id: "complete", "logs " + id: "logs",
		"workers ls": "workers", "gc --dry-run": "objects", "context ls": "contexts", "workers drain h1": "draining"} {
		var v map[string]any
		printed := u.must(t, append(strings.Fields(command), "-o", "json")...)
		if err := json.Unmarshal([]byte(printed), &v); err != nil || v[key] == nil {
			t.Errorf("%s -o json: %v\n%s", command, err, printed)
		}
	}
}

// TestWorkersSayWhy verifies that the list of workers shows why a worker gets no
// tasks, below a heading, and nothing for one that does.
func TestWorkersSayWhy(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	why := "attempts of job " + string(apitest.ID(1)) + " failed there in a row: it gets none of them for 5m0s"
	b.SetWorkers(client.Worker{ID: "w-1", State: client.WorkerReady, Build: "v1"}, client.Worker{ID: "w-2", State: client.WorkerReady, Build: "v1"},
		client.Worker{ID: "w-3", State: client.WorkerExcluded, Build: "v1", Failures: 3, Reason: why})
	u.must(t, "workers", "drain", "w-2")
	lines := strings.Split(u.must(t, "workers", "ls"), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	at := strings.Index(lines[0], "REASON")
	for i, want := range []struct{ state, reason string }{{"ready", ""}, {"draining", "a user asked"}, {"excluded", why}} {
		line := lines[i+1]
		if got := strings.TrimSpace(line[min(at, len(line)):]); !strings.Contains(line, want.state) || got != want.reason {
			t.Errorf("the reason is %q, want %q: %s", got, want.reason, line)
		}
	}
}

// TestOrders verifies that jobs can be cancelled, retried and rerun.
func TestOrders(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	first, second := u.submitted(t), u.submitted(t, "--label", "a=b", "--priority", "7")
	u.must(t, "cancel", first, second[20:])
	for _, id := range []string{first, second} {
		if printed := u.must(t, "get", id); !strings.Contains(printed, "cancelled") {
			t.Errorf("cancelled: %s", printed)
		}
	}
	if printed := u.must(t, "retry", first, "--detach"); printed != first+"\n" {
		t.Errorf("retry prints %q", printed)
	}
	if printed := u.must(t, "get", first); !strings.Contains(printed, "running") {
		t.Errorf("retried: %s", printed)
	}
	third := strings.TrimSpace(u.must(t, "rerun", second, "--detach", "--on-exists", "replace"))
	spec, err := b.Spec(t.Context(), apitest.ID(3))
	if err != nil || third != string(apitest.ID(3)) || spec.Labels["a"] != "b" || spec.Priority != 7 || spec.OnExists != "replace" || spec.Output != "s3://out/x" || spec.Plan == "" {
		t.Errorf("rerun as %s: %+v, %v", third, spec, err)
	}
	u.must(t, "rerun", third, "--detach", "--out", "s3://out/y", "--priority", "9")
	if spec, err = b.Spec(t.Context(), apitest.ID(4)); err != nil || spec.Output != "s3://out/y" || spec.Priority != 9 || spec.OnExists != "replace" {
		t.Errorf("rerun elsewhere: %+v, %v", spec, err)
	}
	b.Change(apitest.ID(4), func(j *apitest.Job) { j.State = client.Succeeded })
	for _, command := range []string{"cancel", "retry"} {
		if code, _, stderr := u.do(t, command, string(apitest.ID(4))); code != exitConflict || !strings.Contains(stderr, "succeeded") {
			t.Errorf("%s of a job that has succeeded: exit %d: %s", command, code, stderr)
		}
	}
}

// TestClusterMistakes verifies that the error for a mistake explains the right
// usage.
func TestClusterMistakes(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	u.submitted(t)
	u.submitted(t)
	b.SetWorkers(client.Worker{ID: "w-1", Host: "h1", OS: "linux", Arch: "amd64"}, client.Worker{ID: "w-2", Host: "h1", OS: "linux", Arch: "amd64"})
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho hello\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	job := string(apitest.ID(1))
	for command, c := range map[string]struct {
		code int
		says string
	}{
		"submit":                                           {exitInvalid, "no job named"},
		"submit wordcont":                                  {exitInvalid, `did you mean "wordcount"`},
		"submit --input x wordcount":                       {exitInvalid, "the job comes first"},
		"submit wordcount":                                 {exitInvalid, "needs --out"},
		"submit wordcount --input x":                       {exitInvalid, "--out"},
		"submit wordcount --out x extra":                   {exitInvalid, `unexpected argument "extra"`},
		"submit wordcount --out x --inptu x":               {exitInvalid, "did you mean --input"},
		"submit wordcount --out x --priority 0":            {exitInvalid, "--priority 0"},
		"submit wordcount --out x --priority x":            {exitInvalid, "priority"},
		"submit wordcount --out x --partitions 0":          {exitInvalid, "--partitions"},
		"submit wordcount --out x --label a=b --label a=c": {exitInvalid, "label a is given twice"},
		"submit wordcount --out x --label =b":              {exitInvalid, "label"},
		"submit wordcount --out x --on-exists no":          {exitInvalid, "fail, replace, append"},
		"submit wordcount --out x --compress rar":          {exitInvalid, "rar"},
		"submit wordcount --out x --param colour=red":      {exitInvalid, "unknown parameter colour"},
		"submit grep --out x":                              {exitInvalid, "pattern is required"},
		"submit wordcount --out x --detach --wait":         {exitInvalid, "--detach and --wait"},
		"submit wordcount --out x --wait -o xml":           {exitInvalid, "neither text nor json"},
		"submit wordcount --out x --token-file /nowhere":   {exitInvalid, "/nowhere"},
		"submit ./nowhere":                                 {exitNotFound, "no program and no package at ./nowhere"},
		"submit " + script + " --out x":                    {exitInvalid, "was not started"},
		"submit " + dir + " --out x":                       {exitInvalid, "cannot be built"},
		"submit ./cli.go --out x":                          {exitInvalid, "give its folder"},
		"submit ../../plan/nearest --out x":                {exitInvalid, "windrow.Main"},
		"get":                                              {exitInvalid, "missing argument: JOB"},
		"get " + job + " " + job:                           {exitInvalid, "unexpected argument"},
		"get x":                                            {exitInvalid, "last 4 characters"},
		"get 0000":                                         {exitNotFound, "no job"},
		"get 00002":                                        {exitOK, ""},
		"get 01JD0000000000000000000099":                   {exitNotFound, "no job"},
		"get " + job + " -o yaml":                          {exitInvalid, "neither text nor json"},
		"ls --state runing":                                {exitInvalid, "did you mean running"},
		"ls --limit 0":                                     {exitInvalid, "--limit 0"},
		"ls --limit many":                                  {exitInvalid, "limit"},
		"tasks " + job + " --sort colour":                  {exitInvalid, "duration"},
		"tasks " + job + " --limit -1":                     {exitInvalid, "--limit -1"},
		"logs " + job + "/map":                             {exitInvalid, "map/17"},
		"logs " + job + " -f -o json":                      {exitInvalid, "--follow"},
		"cancel":                                           {exitInvalid, "JOB"},
		"workers":                                          {exitInvalid, "ls and drain"},
		"workers rm":                                       {exitInvalid, "unknown command"},
		"workers drain w-9":                                {exitNotFound, "no worker w-9"},
		"workers drain h1":                                 {exitInvalid, "this drains all 2 workers of the cluster: w-1, w-2; give --yes"},
		"workers drain w-1 w-2":                            {exitInvalid, "all 2 workers"},
		"logs " + job + " --attempt 9.9.99999999":          {exitNotFound, "no log of the attempt 9.9.99999999"},
		"context":                                             {exitInvalid, "ls, use, set, rename and rm"},
		"context use nowhere":                                 {exitInvalid, "no context"},
		"context set a":                                       {exitInvalid, "--master or --root"},
		"context set a/b --master x":                          {exitInvalid, "not a valid name"},
		"ls --context nowhere":                                {exitInvalid, "no context"},
		"ls --master " + url + " --root s3://x":               {exitInvalid, "give one"},
		"ls --master localhost:7411":                          {exitInvalid, "http://HOST:PORT"},
		"ls --root nosuch://x":                                {exitInvalid, "nosuch"},
		"ls --master https" + strings.TrimPrefix(url, "http"): {exitNoMaster, "HTTP"},
		"ls --cert-file /nowhere":                             {exitInvalid, "--key-file"},
		"ls --master http://name.invalid:1":                   {exitNoMaster, "name.invalid"},
		"gc now":                                              {exitInvalid, "unexpected argument"},
		"gc --dry-rum":                                        {exitInvalid, "did you mean --dry-run"},
		"watch":                                               {exitInvalid, "JOB"},
		"rerun 01JD0000000000000000000099 --detach":           {exitNotFound, "no job"},
		"submit wordcount --out x --master " + url + "/v1":    {exitInvalid, "more than http://HOST:PORT"},
		"submit wordcount --out x --idempotency-key " + "a\u00e4":               {exitInvalid, "idempotencyKey"},
		"submit wordcount --out x --wait --input " + strings.Repeat("x/", 3000): {exitInvalid, "input"},
	} {
		code, stdout, stderr := u.do(t, strings.Fields(command)...)
		if code != c.code || !strings.Contains(stderr, c.says) || c.code != exitOK && stdout != "" || strings.Contains(stderr, "goroutine") {
			t.Errorf("%.100s: exit %d, want %d with %q: %s%s", command, code, c.code, c.says, stdout, stderr)
		}
	}
}

// TestWhichCluster verifies the order of precedence: a flag, then the environment,
// then a context.
func TestWhichCluster(t *testing.T) {
	t.Parallel()
	clusters := map[string]string{}
	for _, name := range []string{"flag", "env", "context", "other"} {
		b, url := master(t)
		b.SetWorkers(client.Worker{ID: "of-" + name})
		clusters[name] = url
	}
	u := newUser(t)
	which := func(args ...string) string {
		t.Helper()
		printed := u.must(t, append([]string{"workers", "ls"}, args...)...)
		for name := range clusters {
			if strings.Contains(printed, "of-"+name) {
				return name
			}
		}
		return printed
	}
	u.must(t, "context", "set", "one", "--master", clusters["context"])
	u.must(t, "context", "use", "one")
	u.must(t, "context", "set", "two", "--master", clusters["other"])
	if got := which(); got != "context" {
		t.Errorf("the current context does not count: %s", got)
	}
	if got := which("--context", "two"); got != "other" {
		t.Errorf("with --context two: %s", got)
	}
	u.must(t, "context", "use", "two")
	if got := which(); got != "other" {
		t.Errorf("with two as the current context: %s", got)
	}
	u.env["WINDROW_CONTEXT"] = "one"
	if got := which(); got != "context" {
		t.Errorf("with WINDROW_CONTEXT=one: %s", got)
	}
	u.env["WINDROW_MASTER"] = clusters["env"]
	if got := which(); got != "env" {
		t.Errorf("with WINDROW_MASTER: %s", got)
	}
	if got := which("--master", clusters["flag"]); got != "flag" {
		t.Errorf("with --master: %s", got)
	}
	if printed := u.must(t, "context", "ls"); !strings.Contains(printed, "*   two") || !strings.Contains(printed, "one") {
		t.Errorf("contexts:\n%s", printed)
	}
	info, err := os.Stat(filepath.Join(u.config, "config.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of contexts: %v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(u.config, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := u.do(t, "ls"); code != exitFailed || !strings.Contains(stderr, "is damaged") {
		t.Errorf("damaged contexts: exit %d: %s", code, stderr)
	}
}

// TestToken verifies that commands send the token from the file that a flag, the
// environment or a context names.
func TestToken(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := auth.Config{TokenFile: token}.Server(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(guard.Clients(api.Handler(apitest.New(), api.Config{})))
	t.Cleanup(server.Close)
	u := newUser(t, "WINDROW_MASTER", server.URL)
	if code, _, stderr := u.do(t, "ls"); code != exitDenied || !strings.Contains(stderr, "--token-file") {
		t.Errorf("without a token: exit %d: %s", code, stderr)
	}
	u.must(t, "ls", "--token-file", token)
	u.must(t, "context", "set", "x", "--master", server.URL, "--token-file", token)
	u.must(t, "context", "use", "x")
	u.must(t, "ls")
	other := newUser(t, "WINDROW_MASTER", server.URL, "WINDROW_TOKEN_FILE", token)
	other.must(t, "ls")
	if code, _, stderr := other.do(t, "submit", "wordcount", "--input", "s3://in", "--out", "s3://out", "--detach"); code != exitOK {
		t.Errorf("submit: exit %d: %s", code, stderr)
	}
}

// TestNoMasterThere verifies that a command gives up when no master answers, and
// that its error contains the URL.
func TestNoMasterThere(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	url := closed.URL
	closed.Close()
	u := newUser(t, "WINDROW_MASTER", url)
	began := time.Now()
	if code, _, stderr := u.do(t, "ls"); code != exitNoMaster || !strings.Contains(stderr, url) || time.Since(began) > time.Minute {
		t.Errorf("exit %d after %v: %s", code, time.Since(began), stderr)
	}
}
