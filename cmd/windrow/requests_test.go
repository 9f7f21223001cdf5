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

// asked is a request that a server got.
type asked struct {
	kind string // as windrow counts it
	key  string // of the object, or the prefix of a listing
}

// record is what a server was asked for, in order.
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

// take returns what was asked for, and begins anew.
func (s *record) take() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// untilEnd returns the requests before the master looked whether another one has put
// a job away; by then it had made up what is told.
func untilEnd(t *testing.T, all []asked, id string) []asked {
	t.Helper()
	for i, a := range all {
		if a.kind == "gets" && strings.HasPrefix(a.key, "root/ended/"+id) {
			return all[:i]
		}
	}
	t.Fatalf("nobody has put the job away: %v", all)
	return nil
}

// numbers returns how many requests there are of each kind, of keys that match.
func numbers(all []asked, match func(a asked) bool) map[string]int64 {
	n := make(map[string]int64)
	for _, a := range all {
		if match(a) {
			n[a.kind]++
		}
	}
	return n
}

// dev starts a cluster in a process of its own, and returns its URL. end ends it.
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

// toldJob is what windrow prints of a job.
type toldJob struct {
	ID, State string
	Requests  struct {
		Puts, Heartbeats, Multipart, Gets, Stats, Lists, Deletes, BytesUp, BytesDown, Throttles int64
	}
	Dollars float64
}

// TestAClusterTellsItsRequests submits jobs to a cluster on a bucket. What is told
// of each is what the server was asked for on its behalf, as far as that can be
// seen from its keys, and no more than it was asked for in all.
func TestAClusterTellsItsRequests(t *testing.T) {
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
	var all []toldJob
	for i := range 2 {
		s.take()
		out := fmt.Sprint("out", i)
		code, stdout, stderr := windrow(t, "submit", "terasort", "--input", bucket+"/in", "--out", bucket+"/"+out, "--partitions", "3", "--split-size", "700KiB",
			"-o", "json", "--master", master)
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		var job, again toldJob
		decode(t, stdout, &job)
		compareRequests(t, &job, untilEnd(t, s.take(), job.ID), out)
		if u := job.Requests; u.BytesDown < 3*size || u.BytesUp < 2*size || job.Dollars <= 0 {
			t.Errorf("%d bytes down and %d up are told, for $%v", u.BytesDown, u.BytesUp, job.Dollars)
		}
		for _, text := range []string{stderr, must(t, "get", job.ID, "--master", master)} {
			if !strings.Contains(text, "  requests   ") || !strings.Contains(text, " MiB down\n  price      about $0.00") {
				t.Errorf("it told\n%s", text)
			}
		}
		decode(t, must(t, "get", job.ID, "-o", "json", "--master", master), &again)
		if again != job {
			t.Errorf("told at the end are %+v, and later %+v", job, again)
		}
		all = append(all, job)
	}
	if a, b := all[0].Requests, all[1].Requests; b.Gets > a.Gets+a.Gets/2 || b.BytesDown > a.BytesDown+size/2 {
		t.Errorf("of the first job %+v are told, of the next like it %+v", a, b)
	}
}

// compareRequests compares what is told of a job with what the server was asked for
// until its end.
func compareRequests(t *testing.T, job *toldJob, seen []asked, out string) {
	t.Helper()
	mine := func(a asked) bool {
		return strings.HasPrefix(a.key, "root/j/") && strings.Contains(a.key, job.ID) || strings.HasPrefix(a.key, "in") || strings.HasPrefix(a.key, out)
	}
	// What the master reads of its log, and whether it still leads, it may read for
	// somebody who asks about the job.
	unsure := func(a asked) bool {
		return a.kind == "gets" || a.kind == "lists" || a.kind == "puts" && strings.HasSuffix(a.key, "/spec")
	}
	ofLog := func(a asked) bool {
		return strings.Contains(a.key, "/log/") || strings.Contains(a.key, "/snap/") || strings.HasSuffix(a.key, "/spec")
	}
	least := numbers(seen, func(a asked) bool { return mine(a) && !(unsure(a) && ofLog(a)) })
	most := numbers(seen, func(a asked) bool { return mine(a) || unsure(a) })
	// Logs of the last attempts are written when their end has been told.
	least["puts"] -= numbers(seen, func(a asked) bool { return strings.Contains(a.key, "/logs/") })["puts"]
	u := job.Requests
	for kind, told := range map[string]int64{"puts": u.Puts + u.Heartbeats, "gets": u.Gets, "stats": u.Stats, "lists": u.Lists, "deletes": u.Deletes} {
		if told < least[kind] || told > most[kind] {
			t.Errorf("told are %d %s; the server got %d to %d for the job", told, kind, least[kind], most[kind])
		}
	}
	if least["puts"] < 10 || least["gets"] < 10 || u.Throttles+u.Multipart > 0 {
		t.Errorf("told are %+v, the server got %v", u, least)
	}
	t.Logf("told are %+v, the server got %v to %v", u, least, most)
}

// TestRequestsOutliveACluster kills all of a cluster in the middle of a job. What
// the log had by then is told of the job that goes on, and nothing twice.
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
			<-time.After(2 * time.Millisecond) // as a store does, so that it is killed in the middle
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
	var job toldJob
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
		t.Errorf("told are %+v; the server got %v for the job, of %v", u, mine, total)
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
