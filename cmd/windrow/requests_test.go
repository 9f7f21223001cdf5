package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asked is a request to a server.
type asked struct {
	kind string // as windrow counts it
	key  string // of the object, or the prefix of a listing
}

// record lists the requests to a server, in order.
type record struct {
	mu  sync.Mutex
	all []asked
}

func (s *record) note(r *http.Request) {
	kinds := map[string]string{http.MethodPut: "puts", http.MethodDelete: "deletes", http.MethodHead: "stats", http.MethodGet: "gets"}
	_, key, object := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	a := asked{kinds[r.Method], key}
	if !object && a.kind == "gets" {
		a = asked{"lists", r.URL.Query().Get("prefix")}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, a)
}

// take returns the recorded requests, and forgets them.
func (s *record) take() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// untilEnd returns the requests before the master archived a job, and looked whether
// another one had: the last look before it wrote. By then the job's requests, as they
// are shown, had been added up. A master that takes a job over looks, too.
func untilEnd(t *testing.T, all []asked, id string) []asked {
	t.Helper()
	looked := -1
	for i, a := range all {
		switch {
		case !strings.HasPrefix(a.key, "root/ended/"+id):
		case a.kind == "gets":
			looked = i
		case a.kind == "puts" && looked >= 0:
			return all[:looked]
		}
	}
	t.Fatalf("the job was not archived: %v", all)
	return nil
}

// numbers returns the numbers of requests, by kind, for keys that match.
func numbers(all []asked, match func(a asked) bool) map[string]int64 {
	n := make(map[string]int64)
	for _, a := range all {
		if match(a) {
			n[a.kind]++
		}
	}
	return n
}

// dev starts a cluster in its own process, and returns its URL. end ends it.
func dev(t *testing.T, args ...string) (url string, end func(how os.Signal)) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append([]string{"dev", "--listen", "127.0.0.1:0", "--cache", t.TempDir()}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=yes", "GORACE=halt_on_error=1 exitcode=66")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	end = sync.OnceValue(func() func(os.Signal) {
		return func(how os.Signal) {
			if cmd.Process.Signal(how) == nil {
				reading.Wait()
				_ = cmd.Wait() // it was asked to end
			}
		}
	})()
	t.Cleanup(func() { end(syscall.SIGTERM) })
	found := make(chan string, 1)
	reading.Go(func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if _, url, ok := strings.Cut(lines.Text(), "windrow: try: "); ok {
				_, url, _ = strings.Cut(url, "--master ")
				found <- url
			}
		}
		close(found)
	})
	url, ok := <-found
	if !ok {
		t.Fatal("windrow dev ended at once")
	}
	return url, end
}

// shownJob is what windrow prints of a job.
type shownJob struct {
	ID, State string
	Requests  struct {
		Puts, Heartbeats, Multipart, Gets, Stats, Lists, Deletes, BytesUp, BytesDown, Throttles int64
	}
	Dollars float64
}

// TestClusterShowsRequests verifies that the requests shown for a job on a bucket
// are those that the server got on its behalf, as far as keys show that, and not
// more than the server got in all.
func TestClusterShowsRequests(t *testing.T) {
	t.Parallel()
	var s record
	url := fakeS3(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		s.note(r)
		server.ServeHTTP(w, r)
	})
	const records, size = 30_000, 3_000_000
	must(t, "run", "teragen", "--records", fmt.Sprint(records), "--out", in(url, "in"), "--quiet")
	master, _ := dev(t, "--root", in(url, "root"), "--allow", in(url, ""))
	bucket, _, _ := strings.Cut(url, "?")
	var all []shownJob
	for i := range 2 {
		s.take()
		out := fmt.Sprint("out", i)
		code, stdout, stderr := windrow(t, "submit", "terasort", "--input", bucket+"/in", "--out", bucket+"/"+out, "--partitions", "3", "--split-size", "700KiB",
			"-o", "json", "--master", master)
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		var job, again shownJob
		decode(t, stdout, &job)
		compareRequests(t, &job, untilEnd(t, s.take(), job.ID), out)
		if u := job.Requests; u.BytesDown < 3*size || u.BytesUp < 2*size || job.Dollars <= 0 {
			t.Errorf("%d bytes down and %d up are shown, for $%v", u.BytesDown, u.BytesUp, job.Dollars)
		}
		for _, text := range []string{stderr, must(t, "get", job.ID, "--master", master)} {
			if !strings.Contains(text, "  requests   ") || !strings.Contains(text, " MiB down\n  price      about $0.00") {
				t.Errorf("it printed\n%s", text)
			}
		}
		decode(t, must(t, "get", job.ID, "-o", "json", "--master", master), &again)
		if again != job {
			t.Errorf("the end shows %+v, but later the job has %+v", job, again)
		}
		all = append(all, job)
	}
	if a, b := all[0].Requests, all[1].Requests; b.Gets > a.Gets+a.Gets/2 || b.BytesDown > a.BytesDown+size/2 {
		t.Errorf("the first job has %+v, but the next one like it %+v", a, b)
	}
}

// compareRequests compares the requests shown for a job with those that the server
// got until its end.
func compareRequests(t *testing.T, job *shownJob, seen []asked, out string) {
	t.Helper()
	mine := func(a asked) bool {
		return strings.HasPrefix(a.key, "root/j/") && strings.Contains(a.key, job.ID) || strings.HasPrefix(a.key, "in") || strings.HasPrefix(a.key, out)
	}
	// The master reads the job's log, and whether it still leads, also to answer
	// questions about the job.
	unsure := func(a asked) bool {
		return a.kind == "gets" || a.kind == "lists" || a.kind == "puts" && strings.HasSuffix(a.key, "/spec")
	}
	ofLog := func(a asked) bool {
		return strings.Contains(a.key, "/log/") || strings.Contains(a.key, "/snap/") || strings.HasSuffix(a.key, "/spec")
	}
	least := numbers(seen, func(a asked) bool { return mine(a) && !(unsure(a) && ofLog(a)) })
	most := numbers(seen, func(a asked) bool { return mine(a) || unsure(a) })
	// Logs of the last attempts are written after their end was reported.
	least["puts"] -= numbers(seen, func(a asked) bool { return strings.Contains(a.key, "/logs/") })["puts"]
	u := job.Requests
	for kind, shown := range map[string]int64{"puts": u.Puts + u.Heartbeats, "gets": u.Gets, "stats": u.Stats, "lists": u.Lists, "deletes": u.Deletes} {
		if shown < least[kind] || shown > most[kind] {
			t.Errorf("%d %s are shown, but the server got %d to %d for the job", shown, kind, least[kind], most[kind])
		}
	}
	if least["puts"] < 10 || least["gets"] < 10 || u.Throttles+u.Multipart > 0 {
		t.Errorf("shown are %+v, but the server got %v", u, least)
	}
	t.Logf("shown are %+v, the server got %v to %v", u, least, most)
}

// TestRequestsOutliveACluster verifies that, after a whole cluster was killed in
// the middle of a job, the requests that the log had by then are shown with the job
// that continues, and none twice.
func TestRequestsOutliveACluster(t *testing.T) {
	t.Parallel()
	var s record
	reached, once := make(chan struct{}), new(sync.Once)
	url := fakeS3(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		s.note(r)
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/logs/m00011") {
			once.Do(func() { close(reached) })
		}
		if r.Method == http.MethodPut {
			<-time.After(2 * time.Millisecond) // as slow as a store, so that the cluster is killed in the middle
		}
		server.ServeHTTP(w, r)
	})
	must(t, "run", "teragen", "--records", "60000", "--out", in(url, "in"), "--quiet")
	flags := []string{"--root", in(url, "root"), "--allow", in(url, ""), "--slots", "1"}
	master, end := dev(t, flags...)
	bucket, _, _ := strings.Cut(url, "?")
	s.take()
	id := strings.TrimSpace(must(t, "submit", "terasort", "--input", bucket+"/in", "--out", bucket+"/out", "--partitions", "3", "--split-size", "200KiB",
		"--detach", "--master", master))
	<-reached
	end(os.Kill)
	master, _ = dev(t, flags...)
	var job shownJob
	decodeLast(t, must(t, "watch", id, "-o", "json", "--master", master), &job)
	if job.State != "succeeded" {
		t.Fatalf("the job %s", job.State)
	}
	seen := untilEnd(t, s.take(), id)
	mine := numbers(seen, func(a asked) bool {
		return strings.Contains(a.key, id) || strings.HasPrefix(a.key, "in") || strings.HasPrefix(a.key, "out")
	})
	total := numbers(seen, func(asked) bool { return true })
	u := job.Requests
	if u.Gets < mine["gets"]*2/3 || u.Gets > total["gets"] || u.Puts < mine["puts"]*2/3 || u.Puts+u.Heartbeats > mine["puts"] {
		t.Errorf("shown are %+v, but the server got %v for the job, of %v", u, mine, total)
	}
}

// decodeLast decodes the last line of a text.
func decodeLast(t *testing.T, text string, v any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}
