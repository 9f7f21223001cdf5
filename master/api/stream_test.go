package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

// streamed is an answer that is read while it is written.
type streamed struct {
	mu     sync.Mutex
	header http.Header
	status int
	body   strings.Builder
	broken error
}

func (s *streamed) Header() http.Header { return s.header }

func (s *streamed) WriteHeader(status int) { s.status = status }

func (s *streamed) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.Write(p)
}

func (s *streamed) Flush() {}

// take returns what was written since the last call.
func (s *streamed) take() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.body.String()
	s.body.Reset()
	return text
}

// stream begins a request in a bubble. end ends it, and waits.
func stream(t *testing.T, h http.Handler, target string, header ...string) (s *streamed, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	s = &streamed{header: http.Header{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { s.broken, _ = recover().(error) }()
		h.ServeHTTP(s, r)
	}()
	return s, func() { cancel(); <-done }
}

// kinds returns the kinds of the events in a stream, and "♥" for a comment.
func kinds(stream string) string {
	var all []string
	for line := range strings.Lines(stream) {
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			all = append(all, strings.TrimSpace(kind))
		} else if strings.HasPrefix(line, ":") {
			all = append(all, "♥")
		}
	}
	return strings.Join(all, " ")
}

// lastID returns the id of a stream's last event.
func lastID(stream string) string {
	_, rest, _ := strings.Cut(stream[strings.LastIndex(stream, "id: "):], ": ")
	id, _, _ := strings.Cut(rest, "\n")
	return id
}

// TestEvents verifies the events of a job from one state to the next, until it
// ends.
func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := populated()
		h := api.Handler(b, api.Config{})
		id := apitest.ID(903)
		s, end := stream(t, h, "/v1/jobs/"+string(id)+"/events")
		defer end()
		expect := func(after time.Duration, want string) string {
			t.Helper()
			time.Sleep(after)
			got := s.take()
			if kinds(got) != want {
				t.Errorf("%v later: %q, want %q", after, kinds(got), want)
			}
			return got
		}
		first := expect(0, "state")
		if s.header.Get("Content-Type") != "text/event-stream" || !strings.Contains(first, `"state":"running"`) {
			t.Errorf("the first event is %s", first)
		}
		expect(9*time.Second, "")
		expect(2*time.Second, "♥")
		b.Change(id, func(j *apitest.Job) { j.Progress.Bytes = 5 })
		expect(time.Second, "progress")
		for n := range int64(100) { // all at once
			b.Change(id, func(j *apitest.Job) { j.Progress.Bytes = n + 10 })
		}
		time.Sleep(300 * time.Millisecond)
		// There is one event, or two if the first change was sent before the last
		// one was made.
		if got := s.take(); strings.Count(got, "event: progress") > 2 || !strings.Contains(got, `"bytes":109`) {
			t.Errorf("the events are %s", got)
		}
		for n := range int64(100) { // ten each second
			b.Change(id, func(j *apitest.Job) { j.Progress.Bytes = n + 200 })
			time.Sleep(100 * time.Millisecond)
		}
		if got := strings.Count(s.take(), "event: progress"); got < 25 || got > 41 {
			t.Errorf("%d events in 10 s", got)
		}
		b.Change(id, func(j *apitest.Job) { j.Phase = "reduce" })
		expect(time.Second, "state")
		b.Change(id, func(j *apitest.Job) { j.Run++ })
		known := lastID(expect(time.Second, "state"))

		// A client that comes back gets no event that it knows, only a comment.
		again, endAgain := stream(t, h, "/v1/jobs/"+string(id)+"/events", "Last-Event-ID", known)
		defer endAgain()
		if got := kinds(again.take()); got != "♥" {
			t.Errorf("a client that knows all gets %q", got)
		}
		b.Change(id, func(j *apitest.Job) { j.State = client.Succeeded })
		expect(time.Second, "end")
		if got := kinds(again.take()); got != "end" {
			t.Errorf("the client that came back gets %q", got)
		}
		// Every client gets the end of the job, whatever it knows.
		last, endLast := stream(t, h, "/v1/jobs/"+string(id)+"/events", "Last-Event-ID", known)
		defer endLast()
		if got := kinds(last.take()); got != "end" {
			t.Errorf("a job that has ended gives %q", got)
		}
	})
}

// TestEventsBreakOff verifies that the stream of a master that no longer leads is
// broken, not ended as if it were complete.
func TestEventsBreakOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := populated()
		s, end := stream(t, api.Handler(b, api.Config{}), "/v1/jobs/"+string(apitest.ID(903))+"/events")
		s.take()
		b.Fail(&client.Error{Kind: plan.NotLeader, Text: "another leads"})
		time.Sleep(time.Second)
		if got := s.take(); got != "" {
			t.Errorf("after the break: %s", got)
		}
		end()
		if !errors.Is(s.broken, http.ErrAbortHandler) {
			t.Errorf("ended by %v", s.broken)
		}
	})
}

// TestLogFollows verifies that a log can be read while it grows, from any byte.
func TestLogFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := populated()
		h := api.Handler(b, api.Config{})
		id := apitest.ID(903)
		grow := func(text string, ended bool) {
			b.Change(id, func(j *apitest.Job) {
				j.Logs = []apitest.Log{{Log: client.Log{Task: "map/0", Attempt: "3.1.00000001", State: "running"}, Text: text, Ended: ended}}
			})
		}
		grow("one\n", false)
		target := "/v1/jobs/" + string(id) + "/log?task=map/0&attempt=3.1.00000001"
		s, end := stream(t, h, target+"&follow=true")
		defer end()
		if got := s.take(); got != "one\n" || s.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("at first %q of type %q", got, s.header.Get("Content-Type"))
		}
		grow("one\ntwo\n", false)
		time.Sleep(2 * time.Second)
		if got := s.take(); got != "two\n" {
			t.Errorf("then %q", got)
		}
		once, endOnce := stream(t, h, target+"&from=2")
		if got := once.take(); got != "e\ntwo\n" {
			t.Errorf("from byte 2 on: %q", got)
		}
		endOnce()
		grow("one\ntwo\nthree\n", true)
		time.Sleep(2 * time.Second)
		if got := s.take(); got != "three\n" {
			t.Errorf("last %q", got)
		}
		end()
		if s.broken != nil {
			t.Errorf("broken off by %v", s.broken)
		}
		if text, endLast := stream(t, h, target+"&from=99&follow=true"); text.take() != "" || text.status != http.StatusOK {
			t.Error("there is more after the end")
		} else {
			endLast()
		}
	})
}
