package sim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/plan"
)

const (
	clientName = "client"
	canceled   = plan.Interrupted
)

// serve returns the API of a master.
func serve(m *control.Master) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(cluster.Path, cluster.Handler(m))
	on := func(pattern string, do func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			document, err := do(r)
			if err != nil {
				kind := canceled
				if e, ok := errors.AsType[*client.Error](err); ok {
					kind = e.Kind
				}
				name, _ := json.Marshal(kind) // never fails
				http.Error(w, string(name)+": "+err.Error(), http.StatusServiceUnavailable)
				return
			}
			if err := json.NewEncoder(w).Encode(document); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	id := func(r *http.Request) plan.JobID { return plan.JobID(r.PathValue("id")) }
	on("POST /jobs", func(r *http.Request) (any, error) {
		var s client.Submission
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			return nil, err
		}
		return m.Submit(r.Context(), &s)
	})
	on("GET /jobs/{id}", func(r *http.Request) (any, error) { return m.Job(r.Context(), id(r)) })
	on("GET /jobs", func(r *http.Request) (any, error) {
		var all []client.Job
		for j, err := range m.Jobs(r.Context(), "") {
			if err != nil {
				return nil, err
			}
			all = append(all, j)
		}
		return all, nil
	})
	on("GET /counters/{id}", func(r *http.Request) (any, error) { return m.Counters(r.Context(), id(r)) })
	on("GET /tasks/{id}", func(r *http.Request) (any, error) { return m.Tasks(r.Context(), id(r)) })
	on("POST /cancel/{id}", func(r *http.Request) (any, error) { return nil, m.Cancel(r.Context(), id(r)) })
	on("POST /retry/{id}", func(r *http.Request) (any, error) {
		next, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("run"), "0"))
		if err != nil {
			return nil, err
		}
		return nil, m.Retry(r.Context(), id(r), next)
	})
	on("GET /workers", func(r *http.Request) (any, error) { return m.Workers(r.Context()) })
	on("POST /gc", func(r *http.Request) (any, error) { return m.Collect(r.Context(), r.URL.Query().Has("dry")) })
	on("POST /drain/{id}", func(r *http.Request) (any, error) { return nil, m.Drain(r.Context(), r.PathValue("id")) })
	return mux
}

// answer is the answer of a master.
type answer struct {
	status int
	body   []byte
}

func (a *answer) done() bool { return a.status == http.StatusOK }

// into decodes the answer, if it was successful.
func (a *answer) into(document any) bool {
	return a.done() && json.Unmarshal(a.body, document) == nil
}

// ask asks any master, until one has done it or refused for good. All requests
// run in parallel; then, which may be nil, is called by one at a time.
func (w *world) ask(method, path string, document any, then func(*answer)) {
	w.askFrom(w.r.IntN(8), method, path, document, then)
}

// askFrom is ask with the master that is asked first. Any goroutine may call it.
func (w *world) askFrom(turn int, method, path string, document any, then func(*answer)) {
	body, err := json.Marshal(document)
	w.must(err)
	until := time.Now().Add(troubleTime + repairTime)
	w.requests.Go(func() {
		for ; w.me.ctx.Err() == nil; turn++ {
			if time.Now().After(until) {
				w.breach("no master has answered %s %s", method, path)
				return
			}
			if a := w.once(method, path, body, turn); a != nil {
				if then != nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					then(a)
				}
				return
			}
			if wait(w.me.ctx, 500*time.Millisecond) != nil {
				return
			}
		}
	})
}

// once asks one master. Nil says that the request should be repeated.
func (w *world) once(method, path string, body []byte, turn int) *answer {
	masters := w.masters()
	if len(masters) == 0 {
		return nil
	}
	r, err := http.NewRequestWithContext(w.me.ctx, method, "http://"+masters[turn%len(masters)]+path, bytes.NewReader(body))
	if err != nil {
		return nil
	}
	resp, err := from{w.network, w.me}.RoundTrip(r)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	for _, passing := range []plan.Kind{plan.Unavailable, plan.NotLeader, canceled} {
		name, err := passing.MarshalJSON()
		if err == nil && bytes.HasPrefix(text, append(name, ':')) {
			return nil
		}
	}
	w.log.Debug("answered", "to", path, "status", resp.StatusCode, "text", string(text))
	return &answer{resp.StatusCode, text}
}
