package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// master answers as a test wants.
type master struct {
	sync func(*cluster.Sync) (*cluster.Orders, error)
	work func(*cluster.WorkQuery) (*cluster.WorkAnswer, error)
}

func (m *master) Sync(_ context.Context, s *cluster.Sync) (*cluster.Orders, error) { return m.sync(s) }
func (m *master) Work(_ context.Context, q *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
	return m.work(q)
}

func serve(t *testing.T, m *master) *cluster.Client {
	t.Helper()
	s := httptest.NewServer(cluster.Handler(m))
	t.Cleanup(s.Close)
	return &cluster.Client{URL: s.URL, HTTP: http.DefaultTransport}
}

// TestMessages verifies that every field of a message arrives.
func TestMessages(t *testing.T) {
	t.Parallel()
	ref := cluster.Ref{Job: "01J", Task: plan.TaskID{Phase: plan.Map, Index: 3}, Attempt: plan.AttemptID{Epoch: 2, N: 7, Rand: 9}}
	sent := &cluster.Sync{Version: cluster.Version, Worker: "w", Seq: 5, Heard: 4, Epoch: 2, Draining: true, Leaving: true,
		Info:    cluster.Info{Host: "h", PID: 1, Build: "b", OS: "linux", Arch: "amd64", Slots: 2, Memory: 3},
		Running: []cluster.Running{{Ref: ref, Bytes: 1, Records: 2, Asking: true}},
		Outcomes: []cluster.Outcome{{Ref: ref, Result: cluster.Failed, Took: time.Second, Winner: ref.Attempt, Digest: plan.Digest{In: 1, Out: 2, Bytes: 3, CRC: 4},
			Counts: plan.Counts{Samples: 1, Maps: 2, Reduces: 3}, Sums: []plan.SectionSum{{Last: 1, Before: 2, BeforeIsRead: true}},
			Failure: plan.Failure{Text: "t", Fingerprint: "f", Final: true, Kind: plan.Denied}, LostInput: &ref, Graph: &plan.Graph{Steps: []plan.Step{{Group: plan.Group{Stage: "s", Phase: plan.Map}, Tasks: 2}}}}}}
	answered := &cluster.Orders{Version: cluster.Version, Epoch: 2, Launches: []cluster.Launch{{Ref: ref, Run: 1, Planned: ref.Attempt, Writes: []plan.Write{{Partitions: 3}}, Work: 4, Slots: 5}},
		Stops: []cluster.Ref{ref}, Grants: []cluster.Grant{{Ref: ref, All: []plan.AttemptID{ref.Attempt}}}, Acks: []cluster.Ref{ref}, Ended: []plan.JobID{"01J"}, Drain: true}
	var got *cluster.Sync
	c := serve(t, &master{sync: func(s *cluster.Sync) (*cluster.Orders, error) { got = s; return answered, nil },
		work: func(q *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
			return &cluster.WorkAnswer{Stale: q.Generation == 1 && q.Group == ref.Task.Group(), Work: plan.Work{Partitions: 3}}, nil
		}})
	o, err := c.Sync(t.Context(), sent)
	if err != nil || !reflect.DeepEqual(got, sent) || !reflect.DeepEqual(o, answered) {
		t.Errorf("sent %+v, arrived %+v; answered %+v, arrived %+v: %v", sent, got, answered, o, err)
	}
	a, err := c.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: "01J", Group: ref.Task.Group(), Generation: 1})
	if err != nil || !a.Stale || a.Work.Partitions != 3 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestRefusals verifies that a worker that cannot be answered gets the reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	fail := error(&cluster.NotLeader{URL: "http://other"})
	c := serve(t, &master{sync: func(*cluster.Sync) (*cluster.Orders, error) { return nil, fail }})
	_, err := c.Sync(t.Context(), &cluster.Sync{Version: cluster.Version})
	if other, ok := errors.AsType[*cluster.NotLeader](err); !ok || other.URL != "http://other" {
		t.Errorf("another leads: %v", err)
	}
	_, err = c.Sync(t.Context(), &cluster.Sync{Version: cluster.Version + 1})
	if r, ok := errors.AsType[*cluster.Refused](err); !ok || !strings.Contains(r.Text, "version 3") || !strings.Contains(r.Text, "the same build") {
		t.Errorf("another version: %v", err)
	}
	_, err = c.Work(t.Context(), &cluster.WorkQuery{})
	if _, ok := errors.AsType[*cluster.Refused](err); !ok {
		t.Errorf("no version: %v", err)
	}
	fail = errors.New("the store is slow")
	_, err = c.Sync(t.Context(), &cluster.Sync{Version: cluster.Version})
	if _, refused := errors.AsType[*cluster.Refused](err); err == nil || refused || !strings.Contains(err.Error(), "the store is slow") {
		t.Errorf("a temporary error is a refusal: %v", err)
	}
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no token", http.StatusUnauthorized) }))
	defer denied.Close()
	_, err = (&cluster.Client{URL: denied.URL, HTTP: http.DefaultTransport}).Sync(t.Context(), &cluster.Sync{})
	if r, ok := errors.AsType[*cluster.Refused](err); !ok || !strings.Contains(r.Text, "no token") {
		t.Errorf("no token: %v", err)
	}
}

// TestHostileMessages verifies that a body that is no message is refused before
// the master sees it, and takes little memory.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	h := cluster.Handler(&master{sync: func(*cluster.Sync) (*cluster.Orders, error) { t.Error("it came through"); return nil, errors.New("no") }})
	good, err := msgpack.Marshal(&cluster.Sync{Version: cluster.Version})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"nothing":          "",
		"text":             "hello",
		"a list of 2^32":   "\xdd\xff\xff\xff\xff",
		"deep":             strings.Repeat("\x91", 100_000) + "\xc0",
		"cut":              string(good[:len(good)-1]),
		"with more behind": string(good) + "\x00",
		"too long":         strings.Repeat("\xc0", 17<<20),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, post(t, strings.NewReader(body)))
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "no message of the cluster's protocol") {
			t.Errorf("%s: %d %q", name, w.Code, w.Body.String())
		}
	}
}

// post returns a request with a message for Sync.
func post(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, cluster.Path+"sync", body)
	r.Header.Set("Content-Type", "application/vnd.msgpack")
	return r
}

// TestLongMessages verifies that few of many long messages are read at once,
// that the others wait outside, and that all are answered.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := cluster.Handler(&master{sync: func(*cluster.Sync) (*cluster.Orders, error) { return &cluster.Orders{}, nil }})
		message, err := msgpack.Marshal(&cluster.Sync{Version: cluster.Version, Worker: strings.Repeat("w", 1<<20)})
		if err != nil {
			t.Fatal(err)
		}
		const senders = 20
		var asked, answered atomic.Int32
		flow := make(chan struct{})
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				rest := &tap{Reader: bytes.NewReader(message[128<<10:]), asked: &asked, flow: flow}
				body := io.MultiReader(bytes.NewReader(message[:128<<10]), rest)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, post(t, body))
				if w.Code == http.StatusOK {
					answered.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := asked.Load(); n < 1 || n > 4 {
			t.Errorf("%d of %d long messages are read at once", n, senders)
		}
		close(flow)
		all.Wait()
		if n := answered.Load(); n != senders {
			t.Errorf("%d of %d were answered", n, senders)
		}
	})
}

// tap is a reader that counts once when it is read, and waits for flow.
type tap struct {
	io.Reader
	asked *atomic.Int32
	flow  chan struct{}
	once  sync.Once
}

func (r *tap) Read(p []byte) (int, error) {
	r.once.Do(func() { r.asked.Add(1) })
	<-r.flow
	return r.Reader.Read(p)
}
