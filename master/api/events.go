package api

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"github.com/windrow-mr/windrow/client"
)

// These are the times of a stream of events.
const (
	eventEvery = 250 * time.Millisecond // the least time between two events
	lookEvery  = time.Second            // between two looks for changes without notice
	heartbeat  = 10 * time.Second       // between two comments when nothing changes
)

// events sends the changes of a job, as server-sent events.
//
// An event is the current state of the job, and its id a hash of that. So a stream
// can continue at any master, and sends nothing at first to a client that has seen
// the current state.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	id, err := plainJob(r)
	if err != nil {
		return err
	}
	changed := s.backend.Changed(id)
	job, err := s.backend.Job(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	out := &eventStream{stream: stream{w: w, control: http.NewResponseController(w)}, last: r.Header.Get("Last-Event-ID")}
	for {
		if err := out.send(&job); err != nil || job.State.Ended() {
			return nil //nolint:nilerr // the client has gone
		}
		if !s.nextChange(r, changed) {
			return nil
		}
		changed = s.backend.Changed(id)
		if job, err = s.backend.Job(r.Context(), id); err != nil {
			return s.breakOff(r, fmt.Errorf("job %s: %w", id, err))
		}
	}
}

// nextChange waits until something can have changed. It returns false when the
// request has ended.
func (s *server) nextChange(r *http.Request, changed <-chan struct{}) bool {
	if !wait(r, eventEvery) {
		return false
	}
	t := time.NewTimer(lookEvery - eventEvery)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-r.Context().Done():
		return false
	}
	return true
}

// eventStream sends events to one client.
type eventStream struct {
	stream
	last  string // id of the last event
	begun bool
	state client.State
	phase string
	run   int
	sent  time.Time // when anything was last sent
}

// send sends the job, unless the client knows its current state.
func (e *eventStream) send(job *client.Job) error {
	data, err := json.Marshal(job)
	if err != nil {
		return err
	}
	h := fnv.New64a()
	h.Write(data)
	id := fmt.Sprintf("%016x", h.Sum64())
	kind := client.ProgressEvent
	switch {
	case job.State.Ended():
		kind = client.EndEvent
	case !e.begun || e.state != job.State || e.phase != job.Phase || e.run != job.Run:
		kind = client.StateEvent
	}
	begun := e.begun
	e.begun, e.state, e.phase, e.run = true, job.State, job.Phase, job.Run
	switch {
	case id != e.last || kind == client.EndEvent:
		e.last = id
		_, err = fmt.Fprintf(e, "id: %s\nevent: %s\ndata: %s\n\n", id, kind, data)
	case !begun || time.Since(e.sent) >= heartbeat:
		_, err = fmt.Fprint(e, ": still there\n\n")
	default:
		return nil
	}
	if err != nil {
		return err
	}
	e.sent = time.Now()
	return e.flush()
}
