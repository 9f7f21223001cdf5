package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// seen counts the requests to a server, by kind.
type seen struct {
	mu sync.Mutex
	requests
	beats int64 // heartbeats
	heads int64 // of the bucket
}

// requests are numbers of requests as windrow prints them.
type requests struct {
	Puts, Gets, Stats, Lists, Deletes, Heartbeats, Hedges int64
}

func (s *seen) count(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ofBucket := strings.Trim(r.URL.Path, "/") == "test"
	switch {
	case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/_windrow/beats/"):
		s.beats++
	case r.Method == http.MethodPut:
		s.Puts++
	case r.Method == http.MethodDelete:
		s.Deletes++
	case r.Method == http.MethodHead && ofBucket:
		s.heads++
	case r.Method == http.MethodHead:
		s.Stats++
	case ofBucket:
		s.Lists++
	default:
		s.Gets++
	}
}

// take returns the counts, and sets them to 0.
func (s *seen) take() (all requests, beats int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, beats = s.requests, s.beats
	s.requests, s.beats = requests{}, 0
	return all, beats
}

// TestPlanAgainstTheServer verifies that the requests that a plan and a run show
// are those that the server got.
func TestPlanAgainstTheServer(t *testing.T) {
	t.Parallel()
	var s seen
	url := fakeS3(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		s.count(r)
		server.ServeHTTP(w, r)
	})
	// The records have one size: with lines, some gets depend on where the lines
	// end.
	must(t, "run", "teragen", "--records", "30000", "--out", in(url, "in"), "--quiet")
	args := []string{"terasort", "--input", in(url, "in"), "--out", in(url, "out"), "--partitions", "3", "--split-size", "700KiB", "-o", "json"}
	before := listed(t, url)
	s.take()
	var plan struct {
		Maps, Partitions int
		Requests         struct {
			requests

			Whole   bool
			Dollars float64
		}
	}
	decode(t, must(t, append([]string{"plan"}, args...)...), &plan)
	if got, beats := s.take(); got.Puts+got.Deletes+beats > 0 {
		t.Errorf("a plan wrote or deleted: %+v", got)
	}
	if after := listed(t, url); len(after) != len(before) {
		t.Errorf("a plan left %q of %q", after, before)
	}
	s.take()
	var report struct {
		Maps, Reduces     int
		Requests, Planned requests
		Dollars           float64
	}
	code, stdout, stderr := windrow(t, append([]string{"run"}, args...)...)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	decode(t, stdout, &report)
	if first, card, _ := strings.Cut(stderr, "\n"); !strings.HasPrefix(first, "terasort: plan: ") || !strings.HasSuffix(first, " at S3 list prices") ||
		!strings.Contains(card, "  price      about $") || strings.Contains(card, "(planned") {
		t.Errorf("it printed\n%s", stderr)
	}
	got, beats := s.take()
	// Each heartbeat includes a look whether the output is still held. The look, or
	// a second request whose answer is no longer needed, may not have arrived.
	if extra := report.Requests.Heartbeats - beats + report.Requests.Hedges; got.Gets > plan.Requests.Gets && got.Gets <= plan.Requests.Gets+extra {
		got.Gets = plan.Requests.Gets
	}
	if plan.Requests.requests != got || report.Planned != got {
		t.Errorf("the server got %+v\n the plan has %+v\n the run planned %+v", got, plan.Requests.requests, report.Planned)
	}
	report.Requests.Gets -= report.Requests.Hedges
	report.Requests.Heartbeats, report.Requests.Hedges = 0, 0
	if report.Requests != got {
		t.Errorf("the server got %+v, the run counted %+v", got, report.Requests)
	}
	if plan.Maps != report.Maps || plan.Partitions != report.Reduces || plan.Partitions != 3 || plan.Maps < 4 || !plan.Requests.Whole {
		t.Errorf("planned %+v, run %+v", plan, report)
	}
	if plan.Requests.Dollars <= 0 || report.Dollars < plan.Requests.Dollars {
		t.Errorf("planned $%v, but with heartbeats it was $%v", plan.Requests.Dollars, report.Dollars)
	}
	if n := len(must(t, "cat", in(url, "out"))); n != 3_000_000 {
		t.Errorf("the output has %d bytes", n)
	}
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

// TestPlanWritesNothing verifies that plan creates no directory, and refuses what
// run would refuse, with the same exit status.
func TestPlanWritesNothing(t *testing.T) {
	t.Parallel()
	path, _, _ := text(t, 100)
	dir := t.TempDir()
	at := func(key string) string { return filepath.Join(dir, key) }
	said := must(t, "plan", "wordcount", "--input", path, "--out", at("a/b"), "--root", at("c/d"))
	for _, want := range []string{"file://" + at("a/b"), "1 object", "1 task", "1 partition", "new", "puts", "gets of the shuffle are not included"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	if strings.Contains(said, "$") {
		t.Errorf("files have a price: %q", said)
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("a plan left %v, %v", made, err)
	}
	if err := os.Symlink(filepath.Dir(path), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := windrow(t, "run", "wordcount", "--input", path, "--out", at("out"), "--quiet")
	if code != 0 || stderr != "" {
		t.Errorf("exit %d, a quiet run printed %q", code, stderr)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no job":                      {nil, 2, "no job named"},
		"an input that is missing":    {[]string{"wordcount", "--input", at("none"), "--out", at("new")}, 5, "there is no such"},
		"an output that exists":       {[]string{"wordcount", "--input", path, "--out", at("out")}, 6, "it exists"},
		"an output within the input":  {[]string{"wordcount", "--input", filepath.Dir(path), "--out", at("link/below/new")}, 2, "lies in what the input"},
		"an output below a file":      {[]string{"wordcount", "--input", path, "--out", at("file/new")}, 1, "not a directory"},
		"an output among other files": {[]string{"wordcount", "--input", path, "--out", dir}, 6, "which windrow did not write"},
		"a bad parameter of the job":  {[]string{"teragen", "--records", "none", "--out", at("new")}, 2, "records"},
		"text without a parameter":    {[]string{"grep", "--text"}, 2, "pattern"},
	} {
		code, stdout, stderr := windrow(t, append([]string{"plan"}, c.args...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit %d, want %d; printed %q and %q, want %q", name, code, c.code, stdout, stderr, c.says)
		}
	}
	if said := must(t, "plan", "wordcount", "--input", path, "--out", at("out"), "--on-exists", "replace"); !strings.Contains(said, "holds 1 part, which run replaces") {
		t.Errorf("%q does not say what is replaced", said)
	}
	if text := must(t, "plan", "grep", "--pattern", "x.y", "--text"); !strings.Contains(text, "x.y") {
		t.Errorf("the canonical text is %q", text)
	}
}
