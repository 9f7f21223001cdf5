package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
)

// answer is the answer of a handler.
type answer struct {
	StatusCode int
	Header     http.Header
	body       string
}

// request makes a request to a handler, and returns the answer.
func request(t *testing.T, h http.Handler, method, target, body string, header ...string) *answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:7411"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return &answer{w.Code, w.Header(), w.Body.String()}
}

// problem returns the error in an answer.
func problem(t *testing.T, r *answer) client.Error {
	t.Helper()
	var p client.Problem
	body := r.body
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.Error == nil {
		t.Fatalf("%d is answered with %q: %v", r.StatusCode, body, err)
	}
	return *p.Error
}

// decode decodes an answer that is not an error.
func decode[T any](t *testing.T, r *answer) T {
	t.Helper()
	var v T
	body := r.body
	if r.StatusCode >= 300 {
		t.Fatalf("%d: %s", r.StatusCode, body)
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return v
}

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// wordcount is a valid submission.
const wordcount = `{"job":"wordcount","build":"v1","plan":"p","input":["s3://in/a"],"output":"s3://out/a"}`

// with returns wordcount with some fields added or replaced.
func with(t *testing.T, fields map[string]any) string {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(wordcount), &s); err != nil {
		t.Fatal(err)
	}
	maps.Copy(s, fields)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// populated returns a cluster with jobs, workers and garbage.
func populated() *apitest.Backend {
	b := apitest.New()
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	counters := client.Counters{Read: client.Amount{Records: 5, Bytes: 50}, Counts: map[string]int64{"seen": 3}, Complete: true,
		Stats: map[string]client.Stat{"length": {Count: 2, Sum: 5.5, Min: 1, Max: 4.5}}}
	spec := plan.Spec{Version: 1, ID: apitest.ID(901), Job: "wordcount", Plan: "p", Build: "v1", Input: []string{"s3://in/a"}, Output: "s3://out/a",
		Once: map[string][]byte{"x": {1}}, Submitted: at}
	attempt := plan.AttemptID{Epoch: 3, N: 17, Rand: 0x5ca1ab1e}
	b.Set(&apitest.Job{Spec: spec, Counters: counters,
		Job: client.Job{ID: apitest.ID(901), Job: "wordcount", Input: spec.Input, Output: spec.Output, Priority: 100, State: client.Succeeded,
			Submitted: at, Ended: at.Add(time.Minute), Phases: []client.Phase{{Phase: "map", Tasks: 2, Committed: 2}}, Labels: map[string]string{"team": "web"},
			Result: &client.Result{Parts: 1, Records: 3, Bytes: 30}},
		Tasks: []client.Task{
			{Task: "plan/0", State: client.TaskCommitted, Attempts: 1, Seconds: 0.5},
			{Task: "map/0", State: client.TaskCommitted, Attempts: 2, Failures: 1, Seconds: 3, Read: client.Amount{Bytes: 10}, Error: "no"},
			{Task: "map/1", State: client.TaskCommitted, Attempts: 1, Seconds: 7, Read: client.Amount{Bytes: 40}, Attempt: attempt.String(), Worker: "w1", Started: at},
			{Task: "reduce/0", State: client.TaskCommitted, Attempts: 1, Seconds: 3, Read: client.Amount{Bytes: 20}},
		},
		Logs: []apitest.Log{
			{Log: client.Log{Task: "map/0", Attempt: "3.1.00000001", State: "failed", Error: "no"}, Text: "first\n", Ended: true},
			{Log: client.Log{Task: "map/1", Attempt: attempt.String(), State: "committed", Worker: "w1"}, Text: "hello\nworld\n", Ended: true},
		}})
	failed := client.Job{ID: apitest.ID(902), Job: "sort", Output: "s3://out/b", Priority: 100, State: client.FailedJob, Submitted: at, Phases: []client.Phase{},
		Cause: &client.Cause{Kind: plan.Failed, Task: "map/3", Text: "division by zero"}, Labels: map[string]string{"team": "ads"}}
	b.Set(&apitest.Job{Job: failed})
	running := failed
	running.ID, running.State, running.Phase, running.Cause = apitest.ID(903), client.Running, "map", nil
	b.Set(&apitest.Job{Job: running})
	b.SetWorkers(client.Worker{ID: "w1", Host: "h1", State: client.WorkerReady, OS: "linux", Arch: "amd64", Joined: at})
	b.SetGarbage(client.Garbage{Jobs: []client.GarbageItem{{Prefix: "j/aa/X/", Why: "it ended", Objects: 2, Bytes: 20}}, Objects: 2, Bytes: 20})
	return b
}

// TestRefusals verifies that every invalid request is answered with JSON that has
// the kind of error, and says what is wrong.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := api.Handler(populated(), api.Config{Loopback: true, MaxBundle: 1000})
	job := "/v1/jobs/" + string(apitest.ID(901))
	const invalid, denied, missing, conflict = plan.Invalid, plan.Denied, plan.NotFound, plan.Conflict
	for name, c := range map[string]struct {
		method, target, body string
		header               []string
		status               int
		kind                 plan.Kind
		says                 string
	}{
		"no such path":           {"GET", "/v1/job", "", nil, 404, missing, "/v1/openapi.json"},
		"no path":                {"GET", "/", "", nil, 404, missing, "/v1/openapi.json"},
		"other method":           {"DELETE", job, "", nil, 405, invalid, "GET"},
		"other methods":          {"PATCH", "/v1/jobs", "", nil, 405, invalid, "GET and POST"},
		"no such job":            {"GET", "/v1/jobs/" + string(apitest.ID(7)), "", nil, 404, missing, "no job"},
		"no id":                  {"GET", "/v1/jobs/..%2f..%2fetc", "", nil, 400, invalid, "26 letters"},
		"small id":               {"GET", "/v1/jobs/01jd0000000000000000000901", "", nil, 400, invalid, "26 letters"},
		"unknown parameter":      {"GET", "/v1/jobs?sate=failed", "", nil, 400, invalid, `did you mean "state"`},
		"parameter for none":     {"GET", job + "?x=1", "", nil, 400, invalid, "there are none"},
		"parameter twice":        {"GET", "/v1/jobs?state=failed&state=running", "", nil, 400, invalid, "2 times"},
		"unknown state":          {"GET", "/v1/jobs?state=runing", "", nil, 400, invalid, "did you mean running"},
		"malformed query":        {"GET", "/v1/jobs?state=%zz", "", nil, 400, invalid, "query"},
		"limit of nothing":       {"GET", "/v1/jobs?limit=0", "", nil, 400, invalid, "1 to 1000"},
		"limit of too much":      {"GET", job + "/tasks?limit=10001", "", nil, 400, invalid, "1 to 10000"},
		"before no id":           {"GET", "/v1/jobs?before=me", "", nil, 400, invalid, "before=me"},
		"unknown phase":          {"GET", job + "/tasks?phase=mop", "", nil, 400, invalid, "did you mean map"},
		"unknown order":          {"GET", job + "/tasks?sort=colour", "", nil, 400, invalid, "task, duration, bytes, attempts"},
		"after no page":          {"GET", job + "/tasks?after=map/1", "", nil, 400, invalid, "next of a page"},
		"log of no task":         {"GET", job + "/log", "", nil, 400, invalid, "/logs lists them"},
		"log of a wrong task":    {"GET", job + "/log?task=map&attempt=3.1.00000001", "", nil, 400, invalid, "map/17"},
		"log of a wrong attempt": {"GET", job + "/log?task=map/0&attempt=1", "", nil, 400, invalid, "3.17.5ca1ab1e"},
		"log of no attempt":      {"GET", job + "/log?task=map/0&attempt=3.1.00000002", "", nil, 404, missing, "no attempt"},
		"log before its begin":   {"GET", job + "/log?task=map/0&attempt=3.1.00000001&from=-1", "", nil, 400, invalid, "from=-1"},
		"cancelled too late":     {"POST", job + "/cancel", "", nil, 409, conflict, "succeeded"},
		"retried too late":       {"POST", job + "/retry", "", nil, 409, conflict, "rerun"},
		"no such worker":         {"POST", "/v1/workers/w9/drain", "", nil, 404, missing, "no worker w9"},
		"no body":                {"POST", "/v1/jobs", "", []string{"Content-Type", "application/json"}, 400, invalid, "empty"},
		"no content type":        {"POST", "/v1/jobs", wordcount, []string{"Content-Type", ""}, 415, invalid, "application/json"},
		"a form":                 {"POST", "/v1/jobs", wordcount, []string{"Content-Type", "text/plain"}, 415, invalid, "application/json"},
		"no JSON":                {"POST", "/v1/jobs", "job: x", nil, 400, invalid, "not JSON"},
		"half a document":        {"POST", "/v1/jobs", wordcount[:40], nil, 400, invalid, "not JSON"},
		"two documents":          {"POST", "/v1/jobs", wordcount + wordcount, nil, 400, invalid, "more than one"},
		"a list":                 {"POST", "/v1/jobs", "[]", nil, 400, invalid, "array"},
		"unknown field":          {"POST", "/v1/jobs", `{"ouput":"x"}`, nil, 400, invalid, `did you mean "output"`},
		"unknown inner field":    {"POST", "/v1/jobs", `{"bundles":[{"sha-256":"x"}]}`, nil, 400, invalid, `"sha256"`},
		"wrong type":             {"POST", "/v1/jobs", `{"partitions":"many"}`, nil, 400, invalid, "partitions"},
		"too much":               {"POST", "/v1/jobs", `{"plan":"` + strings.Repeat("x", 9<<20) + `"}`, nil, 413, invalid, "8388608"},
		"too much of little":     {"POST", "/v1/gc", `{"dryRun":` + strings.Repeat(" ", 2<<20) + `true}`, nil, 413, invalid, "1048576"},
		"no digest":              {"PUT", "/v1/bundles/abc", "x", nil, 400, invalid, "64 hexadecimal"},
		"big digest":             {"PUT", "/v1/bundles/" + strings.ToUpper(digest), "x", nil, 400, invalid, "lower case"},
		"wrong digest":           {"PUT", "/v1/bundles/" + digest, "x", nil, 400, invalid, "digest"},
		"big bundle":             {"PUT", "/v1/bundles/" + digest, strings.Repeat("x", 1001), nil, 413, invalid, "at most 1000"},
		"empty bundle":           {"PUT", "/v1/bundles/" + digest, "", nil, 400, invalid, "empty"},
		"another name":           {"GET", "/v1/jobs", "", []string{"Host", "evil.example:7411"}, 421, denied, "evil.example"},
		"another name's health":  {"GET", "/healthz", "", []string{"Host", "127.0.0.1.evil.example"}, 421, denied, "localhost"},
		"another origin":         {"POST", job + "/cancel", "", []string{"Origin", "http://evil.example"}, 403, denied, "origin"},
		"another site":           {"POST", job + "/cancel", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, denied, "origin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(t, h, c.method, c.target, c.body, c.header...)
			e := problem(t, r)
			if r.StatusCode != c.status || e.Kind != c.kind || !strings.Contains(e.Text, c.says) {
				t.Errorf("%d %s: %s; want %d %s with %q", r.StatusCode, e.Kind, e.Text, c.status, c.kind, c.says)
			}
			if got := r.Header.Get("Content-Type"); got != "application/json" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("content type %q", got)
			}
			if r.StatusCode == http.StatusMethodNotAllowed && r.Header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
}

// TestNames verifies that a master without a token answers only under loopback's
// names, and one with a token under any.
func TestNames(t *testing.T) {
	t.Parallel()
	open, guarded := api.Handler(populated(), api.Config{Loopback: true}), api.Handler(populated(), api.Config{})
	for _, host := range []string{"localhost", "LOCALHOST:7411", "127.0.0.1", "127.8.9.1:80", "[::1]:7411", "[::1]"} {
		if r := request(t, open, http.MethodGet, "/v1/cluster", "", "Host", host); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", host, r.body)
		}
	}
	if r := request(t, guarded, http.MethodGet, "/v1/cluster", "", "Host", "master.example"); r.StatusCode != http.StatusOK {
		t.Error(r.body)
	}
}

// TestSubmissionIsChecked verifies that a submission that no cluster can run is
// refused before the backend sees it, with the field's name.
func TestSubmissionIsChecked(t *testing.T) {
	t.Parallel()
	b := apitest.New()
	h := api.Handler(b, api.Config{})
	bundle := func(more map[string]any) []any {
		m := map[string]any{"os": "linux", "arch": "amd64", "sha256": digest, "size": 5}
		maps.Copy(m, more)
		return []any{m}
	}
	for _, c := range []struct {
		name string
		is   any
		says string
	}{
		{"job", "", "job is missing"}, {"job", "Word Count", "lower-case"}, {"job", "../x", "lower-case"}, {"plan", "", "plan is missing"},
		{"output", "", "output is missing"}, {"output", strings.Repeat("x", 5000), "4096"}, {"input", []any{""}, "1 to 4096"},
		{"onExists", "overwrite", "fail, replace, append"}, {"partitions", -1, "partitions"}, {"splitSize", -1, "splitSize"},
		{"badRecords", "skip", "no limit"}, {"badRecords", "drop", "not one of"}, {"trial", map[string]any{"share": 2}, "between 0 and 1"}, {"trial", map[string]any{"objects": -1}, "negative"},
		{"compress", "bzip2", "can be read but not written"}, {"compress", "rar", "rar"}, {"decompress", "rar", "rar"}, {"maxDecompressed", -5, "maxDecompressed"},
		{"priority", -1, "priority"}, {"priority", 2_000_000, "1000000"}, {"build", "", "bundles is missing"},
		{"bundles", bundle(nil), "no meaning beside bundles"},
		{"labels", map[string]any{"": "x"}, "label"}, {"labels", map[string]any{"a b": "x"}, "label"}, {"labels", map[string]any{"a": strings.Repeat("x", 64)}, "63"},
		{"idempotencyKey", "a b", "visible"}, {"idempotencyKey", strings.Repeat("k", 201), "200"},
	} {
		e := problem(t, request(t, h, http.MethodPost, "/v1/jobs", with(t, map[string]any{c.name: c.is})))
		if e.Kind != plan.Invalid || !strings.Contains(e.Text, c.says) {
			t.Errorf("%s %.50v: %s %s; want %q", c.name, c.is, e.Kind, e.Text, c.says)
		}
	}
	for _, c := range []struct {
		bundles []any
		says    string
	}{
		{bundle(map[string]any{"sha256": "abc"}), "64 hexadecimal"}, {bundle(map[string]any{"os": ""}), "os and arch"}, {bundle(map[string]any{"os": "a/b"}), "os and arch"},
		{bundle(map[string]any{"size": 0}), "size"}, {append(bundle(nil), bundle(nil)...), "two for linux/amd64"},
	} {
		e := problem(t, request(t, h, http.MethodPost, "/v1/jobs", with(t, map[string]any{"build": "", "bundles": c.bundles})))
		if e.Kind != plan.Invalid || !strings.Contains(e.Text, c.says) {
			t.Errorf("%v: %s %s; want %q", c.bundles, e.Kind, e.Text, c.says)
		}
	}
	if n := b.Calls("Submit"); n != 0 {
		t.Errorf("%d of them were submitted", n)
	}
}

// TestSubmit verifies that a key creates one job, and cannot create another one.
func TestSubmit(t *testing.T) {
	t.Parallel()
	h := api.Handler(apitest.New(), api.Config{})
	key := map[string]any{"idempotencyKey": "k1"}
	r := request(t, h, http.MethodPost, "/v1/jobs", with(t, key))
	first := decode[client.Submitted](t, r)
	if r.StatusCode != http.StatusCreated || first.Known || r.Header.Get("Location") != "/v1/jobs/"+string(first.ID) {
		t.Errorf("%d %+v at %q", r.StatusCode, first, r.Header.Get("Location"))
	}
	r = request(t, h, http.MethodPost, "/v1/jobs", with(t, key))
	if again := decode[client.Submitted](t, r); r.StatusCode != http.StatusOK || !again.Known || again.ID != first.ID {
		t.Errorf("again: %d %+v", r.StatusCode, again)
	}
	key["output"] = "s3://out/other"
	if r = request(t, h, http.MethodPost, "/v1/jobs", with(t, key)); r.StatusCode != http.StatusConflict {
		t.Errorf("another job with the same key: %d", r.StatusCode)
	}
	one, two := decode[client.Submitted](t, request(t, h, http.MethodPost, "/v1/jobs", wordcount)), decode[client.Submitted](t, request(t, h, http.MethodPost, "/v1/jobs", wordcount))
	if one.ID == two.ID {
		t.Error("without a key, two submissions are one job")
	}
}

// TestJobsPages verifies the pages and filters of the list of jobs.
func TestJobsPages(t *testing.T) {
	t.Parallel()
	b := populated()
	h := api.Handler(b, api.Config{})
	ids := func(query string) (ids []plan.JobID, next plan.JobID) {
		page := decode[client.JobsPage](t, request(t, h, http.MethodGet, "/v1/jobs"+query, ""))
		for i := range page.Jobs {
			ids = append(ids, page.Jobs[i].ID)
		}
		return ids, page.Next
	}
	for query, want := range map[string]string{
		"": "[903 902 901] ", "?limit=3": "[903 902 901] ", "?limit=2": "[903 902] 902", "?state=failed": "[902] ", "?label=team": "[903 902 901] ",
		"?label=team%3Dads": "[903 902] ", "?label=team%3Da": "[] ", "?state=failed&limit=1": "[902] 902",
		"?limit=2&before=" + string(apitest.ID(902)): "[901] ", "?before=" + string(apitest.ID(1)): "[] ",
	} {
		list, next := ids(query)
		var short []string
		for _, id := range list {
			short = append(short, strings.TrimPrefix(string(id), "01JD0000000000000000000"))
		}
		if got := fmt.Sprintf("%v %s", short, strings.TrimPrefix(string(next), "01JD0000000000000000000")); got != want {
			t.Errorf("%q lists %s, want %s", query, got, want)
		}
	}
}

// TestTasksPages verifies that pages of one task list all tasks of a job, in every
// order.
func TestTasksPages(t *testing.T) {
	t.Parallel()
	h := api.Handler(populated(), api.Config{})
	for order, want := range map[string]string{
		"task": "plan/0 map/0 map/1 reduce/0", "duration": "map/1 map/0 reduce/0 plan/0", "bytes": "map/1 reduce/0 map/0 plan/0", "attempts": "map/0 plan/0 map/1 reduce/0",
	} {
		var names []string
		after := ""
		for range 5 {
			page := decode[client.TasksPage](t, request(t, h, http.MethodGet, "/v1/jobs/"+string(apitest.ID(901))+"/tasks?limit=1&sort="+order+"&after="+after, ""))
			if len(page.Tasks) != 1 || page.Total != 4 {
				t.Fatalf("%s: a page of %d, %d in all", order, len(page.Tasks), page.Total)
			}
			names = append(names, page.Tasks[0].Task)
			if after = page.Next; after == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("by %s: %s, want %s", order, got, want)
		}
	}
	page := decode[client.TasksPage](t, request(t, h, http.MethodGet, "/v1/jobs/"+string(apitest.ID(901))+"/tasks?phase=map&state=committed", ""))
	if len(page.Tasks) != 2 || page.Tasks[1].Task != "map/1" || page.Next != "" {
		t.Errorf("maps: %+v", page)
	}
}

// TestErrorsOfBackend verifies that errors of the backend reach the client with
// their kind, including those without one.
func TestErrorsOfBackend(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var logged bytes.Buffer
	for _, c := range []struct {
		err    error
		status int
		kind   plan.Kind
		says   string
	}{
		{&client.Error{Kind: plan.NotLeader, Text: "another leads", Leader: "http://m2:7411"}, http.StatusMisdirectedRequest, plan.NotLeader, "another"},
		{client.Errorf(plan.Unavailable, "the store is away"), http.StatusServiceUnavailable, plan.Unavailable, "away"},
		{client.Errorf(plan.Denied, "bucket"), http.StatusForbidden, plan.Denied, "bucket"},
		{errors.New("disk on fire"), http.StatusInternalServerError, plan.Failed, "disk on fire"},
	} {
		b := populated()
		b.Fail(c.err)
		h := api.Handler(b, api.Config{Log: slog.New(slog.NewTextHandler(&lockedWriter{&mu, &logged}, nil))})
		for _, target := range []string{"GET /v1/jobs", "GET /v1/workers", "GET /v1/cluster", "POST /v1/workers/w1/drain", "HEAD /v1/bundles/" + digest,
			"GET /v1/jobs/" + string(apitest.ID(901)), "GET /v1/jobs/" + string(apitest.ID(901)) + "/events", "GET /v1/jobs/" + string(apitest.ID(901)) + "/log?task=map/0&attempt=3.1.00000001"} {
			method, path, _ := strings.Cut(target, " ")
			r := request(t, h, method, path, "")
			if r.StatusCode != c.status {
				t.Errorf("%s: %d, want %d", target, r.StatusCode, c.status)
			}
			if e := problem(t, r); e.Kind != c.kind || !strings.Contains(e.Text, c.says) || c.kind == plan.NotLeader && e.Leader != "http://m2:7411" {
				t.Errorf("%s: %+v", target, e)
			}
		}
		// A request for readiness needs no token, so its answer has no details.
		if r := request(t, h, http.MethodGet, "/readyz", ""); r.StatusCode != http.StatusServiceUnavailable || strings.Contains(r.body, c.says) {
			t.Errorf("readyz: %d", r.StatusCode)
		}
		if r := request(t, h, http.MethodGet, "/healthz", ""); r.StatusCode != http.StatusOK {
			t.Errorf("healthz: %d", r.StatusCode)
		}
	}
	if !strings.Contains(logged.String(), "disk on fire") {
		t.Errorf("the log has %s", &logged)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// TestBundles verifies that a bundle can be uploaded, and then exists.
func TestBundles(t *testing.T) {
	t.Parallel()
	b := apitest.New()
	h := api.Handler(b, api.Config{})
	const body, sum = "a program", "6465a83ca8e68e1d5bda6ceac5ba01a8ac8a7bd1c5eb6e3d2d1a2a1b0c3a1d57"
	if r := request(t, h, http.MethodHead, "/v1/bundles/"+digest, ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("before the upload: %d", r.StatusCode)
	}
	if r := request(t, h, http.MethodPut, "/v1/bundles/"+sum, body); r.StatusCode != http.StatusBadRequest || b.Bundle(sum) != nil {
		t.Errorf("with another digest: %d", r.StatusCode)
	}
	right := sha(body)
	for range 2 {
		if r := request(t, h, http.MethodPut, "/v1/bundles/"+right, body); r.StatusCode != http.StatusNoContent || string(b.Bundle(right)) != body {
			t.Errorf("%d: %s", r.StatusCode, r.body)
		}
	}
	if r := request(t, h, http.MethodHead, "/v1/bundles/"+right, ""); r.StatusCode != http.StatusOK {
		t.Errorf("after the upload: %d", r.StatusCode)
	}
	chunked := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v1/bundles/"+right, strings.NewReader(body))
	chunked.ContentLength = -1
	w := httptest.NewRecorder()
	h.ServeHTTP(w, chunked)
	if w.Code != http.StatusLengthRequired {
		t.Errorf("without a length: %d", w.Code)
	}
}
