package api

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

func (s *server) logs(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	q := queryOf(r, "task", "attempt", "failed")
	task, attempt, failed := q.task("task"), q.values.Get("attempt"), q.truth("failed")
	if q.err != nil {
		return q.err
	}
	all, err := s.backend.Logs(r.Context(), id, task)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(l client.Log) bool {
		return attempt != "" && l.Attempt != attempt || failed && l.State != "failed" && l.State != "lost"
	})
	if all == nil {
		all = []client.Log{}
	}
	write(w, http.StatusOK, client.LogList{Logs: all})
	return nil
}

// These are the times of a log that is followed.
const (
	lookAtLog = time.Second      // between two looks for more of it
	writeTime = 30 * time.Second // that a client can take to read what it is sent
)

// log sends an attempt's log as text.
func (s *server) log(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	q := queryOf(r, "task", "attempt", "from", "follow")
	task, follow := q.task("task"), q.truth("follow")
	attempt := q.attempt("attempt")
	var from int64
	if text := q.values.Get("from"); text != "" {
		if from, err = strconv.ParseInt(text, 10, 64); err != nil || from < 0 {
			q.fail("from=%s is not a number of bytes", clipped(text))
		}
	}
	if q.err != nil {
		return q.err
	}
	if task.Phase == 0 || attempt == (plan.AttemptID{}) {
		return client.Errorf(plan.Invalid, "name a task and an attempt: /v1/jobs/%s/logs lists them", id)
	}
	body, ended, err := s.backend.OpenLog(r.Context(), id, task, attempt, from)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	out := &stream{w: w, control: http.NewResponseController(w)}
	for {
		n, err := io.Copy(out, body)
		from += n
		body.Close()
		if err != nil {
			return s.breakOff(r, err)
		}
		if ended || !follow {
			return nil
		}
		if out.flush() != nil || !wait(r, lookAtLog) {
			return nil //nolint:nilerr // the client has gone
		}
		if body, ended, err = s.backend.OpenLog(r.Context(), id, task, attempt, from); err != nil {
			return s.breakOff(r, err)
		}
	}
}

// breakOff breaks the connection of an answer that has begun, so that the client
// does not take it for complete. It does not return.
func (s *server) breakOff(r *http.Request, err error) error {
	if r.Context().Err() == nil {
		s.cfg.Log.Warn("an answer could not be completed", "path", r.URL.Path, "err", err)
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http breaks the connection on this panic
}

// wait waits, and returns false when the request has ended.
func wait(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// attempt returns a parameter that is an attempt's id; the zero one for none.
func (q *query) attempt(name string) plan.AttemptID {
	text := q.values.Get(name)
	if text == "" {
		return plan.AttemptID{}
	}
	id, err := plan.ParseAttemptID(text)
	if err != nil {
		q.fail("%s=%s is not an attempt such as 3.17.5ca1ab1e", name, clipped(text))
	}
	return id
}

// stream is an answer that lasts as long as the client reads it.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Write sends bytes. It gives up a client that reads none of them.
func (s *stream) Write(p []byte) (int, error) {
	s.extend()
	return s.w.Write(p)
}

func (s *stream) flush() error {
	s.extend()
	return s.control.Flush()
}

// extend gives the client time to read. Not every connection has deadlines.
func (s *stream) extend() { _ = s.control.SetWriteDeadline(time.Now().Add(writeTime)) }
