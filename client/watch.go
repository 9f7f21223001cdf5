package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Watch returns the states of a job until it has ended: its state now, then
// each change, at most four a second. When the connection breaks or another
// master leads, Watch continues there. The caller notices only a delay. An
// error ends it.
func (c *Client) Watch(ctx context.Context, id plan.JobID) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		last := ""
		wait := c.newPatience()
		for {
			base, done, err := c.watch(ctx, id, &last, wait, yield)
			if done {
				return
			}
			if err == nil {
				err = io.ErrUnexpectedEOF // a stream that ends without an end event
			}
			if ctx.Err() != nil {
				yield(Event{}, context.Cause(ctx))
				return
			}
			if err = wait.again(ctx, base, err); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// watch reads one stream of events. done says that the caller wants no more, or
// that there are no more.
func (c *Client) watch(ctx context.Context, id plan.JobID, last *string, wait *patience, yield func(Event, error) bool) (base string, done bool, err error) {
	if base, err = c.base(ctx); err != nil {
		return base, false, err
	}
	k := get(jobPath(id, "/events"), nil)
	k.header = http.Header{"Accept": {"text/event-stream"}}
	if *last != "" {
		k.header.Set("Last-Event-ID", *last)
	}
	err = c.try(ctx, base, k, func(r *http.Response) error {
		events := newEventReader(r.Body)
		began, received := answeredAt(r), time.Now()
		for {
			e, err := events.next()
			if err != nil {
				return err
			}
			wait.progress()
			if e.ID == "" {
				continue // a sign of life
			}
			*last = e.ID
			if !began.IsZero() { // the answer began then, and is still being sent
				e.Job.At = began.Add(time.Since(received))
			}
			if !yield(e, nil) || e.Kind == EndEvent {
				done = true
				return nil
			}
		}
	})
	return base, done, err
}

// maxEvent bounds a line of a stream of events.
const maxEvent = 8 << 20

// eventReader reads server-sent events.
type eventReader struct{ lines *bufio.Scanner }

func newEventReader(r io.Reader) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	return &eventReader{lines}
}

// next returns the next event. An event without an ID is only a sign of life.
func (r *eventReader) next() (Event, error) {
	var e Event
	var data strings.Builder
	for r.lines.Scan() {
		line := r.lines.Text()
		if line == "" {
			if data.Len() == 0 {
				return Event{}, nil
			}
			if err := json.Unmarshal([]byte(data.String()), &e.Job); err != nil {
				return e, Errorf(plan.Failed, "an event that does not hold a job: %v", err)
			}
			return e, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Kind = EventKind(value)
		case "data":
			data.WriteString(value)
		default: // a comment, or an addition of a later version
		}
	}
	if err := r.lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return e, Errorf(plan.Failed, "an event of more than %d bytes", maxEvent)
		}
		return e, err
	}
	return e, io.ErrUnexpectedEOF
}
