package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
)

func newClient(t *testing.T, n *network, cfg client.Config) *client.Client {
	t.Helper()
	if cfg.URLs == nil && cfg.Find == nil {
		cfg.URLs = []string{"http://m1"}
	}
	cfg.Transport = n
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func submission(output string) client.Submission {
	return client.Submission{Job: "wordcount", Build: "v1", Plan: "p", Input: []string{"s3://in"}, Output: output}
}

// kindOf returns the kind of an error of a cluster.
func kindOf(err error) plan.Kind {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Kind
	}
	return plan.Unknown
}

// TestBadURLs verifies that New refuses a URL that cannot be a master's, before
// any request, and that a password in it does not appear in the error.
func TestBadURLs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "localhost:7411", "ftp://x", "http://", "http://u:secret@x", "http://x/v1", "http://x?a=b", "http://x#y", "http://[::1", "s3://bucket"} {
		_, err := client.New(client.Config{URLs: []string{text}})
		if kindOf(err) != plan.Invalid || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := client.New(client.Config{}); kindOf(err) != plan.Invalid {
		t.Errorf("no URL: %v", err)
	}
	if _, err := client.New(client.Config{URLs: []string{"https://[::1]:7411/"}}); err != nil {
		t.Error(err)
	}
}

// TestEverything makes each request of the API to a real handler.
func TestEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		n.serve("m1", api.Handler(b, api.Config{}))
		c, ctx := newClient(t, n, client.Config{}), t.Context()
		made, err := c.Submit(ctx, submission("s3://out"))
		must(t, err)
		id := made.ID
		b.Change(id, func(j *apitest.Job) {
			j.Tasks = []client.Task{{Task: "map/0", State: client.TaskRunning}, {Task: "map/1", State: client.TaskWaiting}}
			j.Counters = client.Counters{Counts: map[string]int64{"seen": 3}}
			j.Logs = []apitest.Log{{Log: client.Log{Task: "map/0", Attempt: "3.1.00000001", State: "lost"}, Text: "hello\n", Ended: true}}
		})
		page, err := c.Jobs(ctx, client.JobsQuery{State: client.Planning, Limit: 5})
		if must(t, err); len(page.Jobs) != 1 || page.Jobs[0].ID != id {
			t.Errorf("jobs: %+v", page)
		}
		if page, err = c.Jobs(ctx, client.JobsQuery{Label: "a=b"}); err != nil || len(page.Jobs) != 0 {
			t.Errorf("jobs with a label: %+v, %v", page, err)
		}
		job, err := c.Job(ctx, id)
		if must(t, err); job.State != client.Planning || job.Output != "s3://out" {
			t.Errorf("job: %+v", job)
		}
		spec, err := c.Spec(ctx, id)
		if must(t, err); spec.Plan != "p" || spec.ID != id {
			t.Errorf("spec: %+v", spec)
		}
		tasks, err := c.Tasks(ctx, id, client.TasksQuery{State: client.TaskWaiting, Phase: "map", Sort: client.ByBytes, Limit: 1})
		if must(t, err); len(tasks.Tasks) != 1 || tasks.Tasks[0].Task != "map/1" {
			t.Errorf("tasks: %+v", tasks)
		}
		counters, err := c.Counters(ctx, id)
		if must(t, err); counters.Counts["seen"] != 3 {
			t.Errorf("counters: %+v", counters)
		}
		logs, err := c.Logs(ctx, id, client.LogsQuery{Task: "map/0", Failed: true})
		if must(t, err); len(logs) != 1 || logs[0].Bytes != 6 {
			t.Errorf("logs: %+v", logs)
		}
		var text bytes.Buffer
		if must(t, c.Log(ctx, id, "map/0", "3.1.00000001", false, &text)); text.String() != "hello\n" {
			t.Errorf("log: %q", &text)
		}
		b.SetWorkers(client.Worker{ID: "a/b", OS: "linux"})
		must(t, c.Drain(ctx, "a/b"))
		workers, err := c.Workers(ctx)
		if must(t, err); len(workers) != 1 || workers[0].State != client.WorkerDraining {
			t.Errorf("workers: %+v", workers)
		}
		if cluster, err := c.Cluster(ctx); err != nil || cluster.Epoch != 3 {
			t.Errorf("cluster: %+v, %v", cluster, err)
		}
		b.SetGarbage(client.Garbage{Objects: 7})
		if g, err := c.CollectGarbage(ctx, true); err != nil || g.Objects != 7 || !g.DryRun {
			t.Errorf("garbage: %+v, %v", g, err)
		}
		must(t, c.Cancel(ctx, id))
		must(t, c.Retry(ctx, id))
		if job, err = c.Job(ctx, id); err != nil || job.Run != 1 {
			t.Errorf("reopened: %+v, %v", job, err)
		}
		if _, err = c.Job(ctx, apitest.ID(99)); kindOf(err) != plan.NotFound {
			t.Errorf("a job that is not there: %v", err)
		}
		if _, err = c.Submit(ctx, submission("")); kindOf(err) != plan.Invalid {
			t.Errorf("a bad submission: %v", err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUpload uploads a bundle through a connection that breaks halfway.
func TestUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		h := api.Handler(b, api.Config{})
		tries := 0
		n.serve("m1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				if tries++; tries == 1 {
					_, _ = io.CopyN(io.Discard, r.Body, 3)
					w.(*exchange).breakOff()
					return
				}
			}
			h.ServeHTTP(w, r)
		}))
		c := newClient(t, n, client.Config{})
		bundle := plan.Bundle{Digest: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Size: 5}
		opened := 0
		open := func() (io.ReadCloser, error) { opened++; return io.NopCloser(strings.NewReader("hello")), nil }
		if there, err := c.HasBundle(t.Context(), bundle.Digest); there || err != nil {
			t.Errorf("before: %v, %v", there, err)
		}
		must(t, c.UploadBundle(t.Context(), bundle, open))
		if there, err := c.HasBundle(t.Context(), bundle.Digest); !there || err != nil || opened != 2 || string(b.Bundle(bundle.Digest)) != "hello" {
			t.Errorf("behind: %v, %v, opened %d times", there, err, opened)
		}
		missing := func() (io.ReadCloser, error) { return nil, client.Errorf(plan.NotFound, "it is gone") }
		if err := c.UploadBundle(t.Context(), bundle, missing); kindOf(err) != plan.NotFound {
			t.Errorf("a file that is gone: %v", err)
		}
	})
}

// follower answers every request by naming the leader.
func follower(leader string) http.Handler {
	b := apitest.New()
	b.Fail(&client.Error{Kind: plan.NotLeader, Text: "another leads", Leader: leader})
	return api.Handler(b, api.Config{})
}

// TestFollowsLeader verifies that every master leads a client to the leader, by
// an error or by a redirection, and that the next request goes there at once.
func TestFollowsLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		n.serve("m1", follower("http://m2"))
		n.serve("m2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://m3"+r.URL.Path, http.StatusTemporaryRedirect)
		}))
		n.serve("m3", api.Handler(b, api.Config{}))
		c := newClient(t, n, client.Config{})
		began := time.Now()
		for range 3 {
			_, err := c.Submit(t.Context(), submission("s3://out"))
			must(t, err)
		}
		if n.counted("m1") != 1 || n.counted("m2") != 1 || n.counted("m3") != 3 || time.Since(began) > 0 {
			t.Errorf("asked %q, %v", n.asked, time.Since(began))
		}
	})
}

// TestTwoThatBelieveInEachOther verifies that two masters that both name the
// other one do not keep a client busy.
func TestTwoThatBelieveInEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve("m1", follower("http://m2"))
		n.serve("m2", follower("http://m1"))
		began := time.Now()
		_, err := newClient(t, n, client.Config{Patience: 20 * time.Second}).Workers(t.Context())
		if took := time.Since(began); kindOf(err) != plan.Unavailable || took < 20*time.Second || took > 25*time.Second || len(n.asked) > 200 {
			t.Errorf("%v after %v and %d requests", err, took, len(n.asked))
		}
	})
}

// TestFailover: a master dies, and for 18 s there is none. A submission, a
// watch and a log that are under way get the same answers as without the
// failure.
func TestFailover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		h := api.Handler(b, api.Config{})
		n.serve("m1", h)
		var leader atomic.Value
		leader.Store("http://m1")
		find := func(context.Context) (string, error) { return leader.Load().(string), nil }
		var logged bytes.Buffer
		c := newClient(t, n, client.Config{Find: find, Log: slog.New(slog.NewTextHandler(&logged, nil))})
		made, err := c.Submit(t.Context(), submission("s3://out"))
		must(t, err)
		b.Change(made.ID, func(j *apitest.Job) {
			j.Logs = []apitest.Log{{Log: client.Log{Task: "map/0", Attempt: "3.1.00000001"}, Text: "one\n"}}
		})
		type seen struct {
			states []client.State
			log    string
			err    error
		}
		results := make(chan seen, 2)
		go func() {
			var s seen
			for e, err := range c.Watch(t.Context(), made.ID) {
				if err != nil {
					s.err = err
					break
				}
				s.states = append(s.states, e.Job.State)
			}
			results <- s
		}()
		go func() {
			var text bytes.Buffer
			err := c.Log(t.Context(), made.ID, "map/0", "3.1.00000001", true, &text)
			results <- seen{log: text.String(), err: err}
		}()
		time.Sleep(5 * time.Second)
		n.serve("m1", nil)
		time.Sleep(18 * time.Second)
		leader.Store("http://m2")
		n.serve("m2", h)
		time.Sleep(5 * time.Second) // events that arrived do not arrive again
		b.Change(made.ID, func(j *apitest.Job) {
			j.State, j.Logs = client.Succeeded, []apitest.Log{{Log: j.Logs[0].Log, Text: "one\ntwo\n", Ended: true}}
		})
		for range 2 {
			s := <-results
			if s.err != nil || s.log != "" && s.log != "one\ntwo\n" || s.log == "" && (len(s.states) != 2 || s.states[1] != client.Succeeded) {
				t.Errorf("%+v", s)
			}
		}
		if !strings.Contains(logged.String(), "no answer from the master at http://m1") {
			t.Errorf("logged: %s", &logged)
		}
	})
}

// TestGivesUp verifies that a client that gets no answer gives up in time and
// returns the reason, and that the rate of its requests is right.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg          client.Config
		up           http.Handler
		least, most  time.Duration
		tries, spare int
	}{
		"no master":              {client.Config{Patience: time.Minute, FirstPatience: 5 * time.Second}, nil, 5 * time.Second, 6 * time.Second, 5, 12},
		"no patience":            {client.Config{Patience: -1}, nil, 0, 0, 1, 1},
		"masters, but no leader": {client.Config{Patience: time.Minute, FirstPatience: 5 * time.Second}, follower(""), time.Minute, 62 * time.Second, 30, 80},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.serve("m1", c.up)
				began := time.Now()
				_, err := newClient(t, n, c.cfg).Workers(t.Context())
				took, tries := time.Since(began), n.counted("m1")
				if kindOf(err) != plan.Unavailable || took < c.least || took > c.most || tries < c.tries || tries > c.spare {
					t.Errorf("%v after %v and %d tries", err, took, tries)
				}
				if c.up == nil && !strings.Contains(err.Error(), "http://m1: connection refused") {
					t.Errorf("it says %v", err)
				}
			})
		})
	}
}

// TestNotesNameTheMasters verifies that a user who has given several masters learns which
// ones do not answer, in notes as in the error.
func TestNotesNameTheMasters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve("m1", nil)
		n.serve("m2", follower(""))
		var notes bytes.Buffer
		c := newClient(t, n, client.Config{URLs: []string{"http://m1", "http://m2"}, FirstPatience: 5 * time.Second, Patience: 5 * time.Second,
			Log: slog.New(slog.NewTextHandler(&notes, nil))})
		_, err := c.Workers(t.Context())
		for what, text := range map[string]string{"the error": err.Error(), "the note": notes.String()} {
			if !strings.Contains(text, "none of the masters at http://m1, http://m2 answers and leads") {
				t.Errorf("%s does not name both: %s", what, text)
			}
		}
	})
}

// TestDurationsAreOfOneClock verifies that a client whose clock is an hour behind shows
// how long a job has taken by the clock of the master.
func TestDurationsAreOfOneClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		job := func(more string) string {
			return `{"id":"01JD0000000000000000000001","state":"running","submitted":"` + ahead.Add(-90*time.Second).Format(time.RFC3339) + `"` + more + `}`
		}
		n.serve("m1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "skewed") {
				w.Header().Set("Date", ahead.Format(http.TimeFormat))
			}
			switch {
			case strings.HasSuffix(r.URL.Path, "/events"):
				_, _ = io.WriteString(w, "id: 1\nevent: end\ndata: "+job("")+"\n\n")
			case r.URL.Path == "/v1/jobs":
				_, _ = io.WriteString(w, `{"jobs":[`+job("")+`,`+job(`,"ended":"`+ahead.Add(-80*time.Second).Format(time.RFC3339)+`"`)+`]}`)
			default:
				_, _ = io.WriteString(w, job(""))
			}
		}))
		c := newClient(t, n, client.Config{})
		page, err := c.Jobs(t.Context(), client.JobsQuery{})
		if err != nil {
			t.Fatal(err)
		}
		one, err := c.Job(t.Context(), "01JD0000000000000000000001")
		if err != nil {
			t.Fatal(err)
		}
		all := append(page.Jobs, one)
		for e, err := range c.Watch(t.Context(), one.ID) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Job)
		}
		for i, want := range []time.Duration{90 * time.Second, 10 * time.Second, 90 * time.Second, 90 * time.Second} {
			if i >= len(all) || all[i].Elapsed() != want || all[i].Age() != 90*time.Second {
				t.Fatalf("answer %d of %d: after %v, want %v", i, len(all), all[i].Elapsed(), want)
			}
		}
		undated, err := c.Job(t.Context(), "skewed")
		if err != nil || undated.Elapsed() != 0 || undated.Age() != 0 {
			t.Errorf("without the master's clock: %v, %v (%v)", undated.Elapsed(), undated.Age(), err)
		}
	})
}

// TestStalls verifies that a client does not hang when a master has stopped and
// holds its connections open.
func TestStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		n.serve("m1", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		n.serve("m2", api.Handler(b, api.Config{}))
		c := newClient(t, n, client.Config{URLs: []string{"http://m1", "http://m2"}})
		began := time.Now()
		made, err := c.Submit(t.Context(), submission("s3://out"))
		must(t, err)
		if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("it took %v", took)
		}
		// A stream without events is alive as long as signs of life arrive.
		go func() {
			time.Sleep(10 * time.Minute)
			b.Change(made.ID, func(j *apitest.Job) { j.State = client.Succeeded })
		}()
		before := n.counted("m2")
		var kinds []client.EventKind
		for e, err := range c.Watch(t.Context(), made.ID) {
			must(t, err)
			kinds = append(kinds, e.Kind)
		}
		if len(kinds) != 2 || kinds[1] != client.EndEvent || n.counted("m2") != before+1 {
			t.Errorf("events %q in %d requests", kinds, n.counted("m2")-before)
		}
	})
}

// TestSubmitOnce verifies that a submission whose answer is lost is repeated,
// and that there is one job.
func TestSubmitOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		h := api.Handler(b, api.Config{})
		lost := 0
		n.serve("m1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lost++; lost <= 2 {
				h.ServeHTTP(httptest.NewRecorder(), r)
				w.(*exchange).breakOff()
				return
			}
			h.ServeHTTP(w, r)
		}))
		made, err := newClient(t, n, client.Config{}).Submit(t.Context(), submission("s3://out"))
		if must(t, err); !made.Known || made.ID != apitest.ID(1) || b.Calls("Submit") != 3 {
			t.Errorf("%+v after %d submissions", made, b.Calls("Submit"))
		}
	})
}

// TestNoMaster verifies that a client recognizes a server that is not a master.
func TestNoMaster(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		kind plan.Kind
		says string
	}{
		"a web page":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, plan.Failed, "is a windrow master there"},
		"another API":     {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>no</h1>", http.StatusNotFound) }, plan.NotFound, "is a windrow master there"},
		"a login":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, plan.Denied, "token"},
		"a way nowhere":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }, plan.Failed, "not with a URL"},
		"a way elsewhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://u:p@m2/x", http.StatusFound) }, plan.NotFound, "m2 is where it goes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.serve("m1", c.h)
				n.serve("m2", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					http.Error(w, "m2 is where it goes", http.StatusNotFound)
				}))
				_, err := newClient(t, n, client.Config{}).Workers(t.Context())
				if kindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v", kindOf(err), err)
				}
			})
		})
	}
}

// TestContextEnds verifies that a caller whose context ends gets the context's
// error, at once.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, b := newNetwork(t), apitest.New()
		c := newClient(t, n, client.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := c.Workers(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("no master: %v after %v", err, time.Since(began))
		}
		n.serve("m1", api.Handler(b, api.Config{}))
		made, err := c.Submit(t.Context(), submission("s3://out"))
		must(t, err)
		watched, stop := context.WithCancel(t.Context())
		defer stop()
		var last error
		for _, err := range c.Watch(watched, made.ID) {
			last = err
			stop()
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("watched: %v", last)
		}
		for range c.Watch(t.Context(), made.ID) {
			break // a caller may leave
		}
	})
}
