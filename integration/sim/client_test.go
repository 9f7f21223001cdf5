package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/plan"
)

const clientName = "client"

func answerJob(w http.ResponseWriter, r *http.Request, m *control.Master) {
	job, err := m.Job(r.Context(), plan.JobID(r.PathValue("id")))
	answer(w, job, err)
}

func answerSubmit(w http.ResponseWriter, r *http.Request, m *control.Master) {
	var s client.Submission
	err := json.NewDecoder(r.Body).Decode(&s)
	var out client.Submitted
	if err == nil {
		out, err = m.Submit(r.Context(), &s)
	}
	answer(w, out, err)
}

func answer(w http.ResponseWriter, document any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if err := json.NewEncoder(w).Encode(document); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// ask submits a job, any number of times, to any master, until one takes it: the
// job is one.
func (w *world) ask(me *process, s *client.Submission) (plan.JobID, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	var last error
	for n := range 2000 {
		p := w.live[n%len(w.live)]
		if !strings.HasPrefix(p.name, "master") {
			continue
		}
		r, err := http.NewRequestWithContext(me.ctx, http.MethodPost, "http://"+p.name+"/job", bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		resp, err := from{w.network, me}.RoundTrip(r) //nolint:bodyclose // it is in memory
		if err == nil && resp.StatusCode == http.StatusOK {
			var out client.Submitted
			err := json.NewDecoder(resp.Body).Decode(&out)
			return out.ID, err
		}
		if last = err; err == nil {
			text, err := io.ReadAll(resp.Body)
			last = fmt.Errorf("%s: %s (%w)", resp.Status, text, err)
		}
		if err := wait(me.ctx, 100*time.Millisecond); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("nobody takes the job: %w", last)
}
