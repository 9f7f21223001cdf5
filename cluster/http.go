package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan/packed"
)

// Bounds of messages, in bytes.
const (
	maxAsked    = 16 << 20 // by a worker
	maxAnswered = 64 << 20 // by a master: a list of 100,000 maps is 2 MB
	maxRefusal  = 64 << 10
)

// Paths of the protocol.
const (
	Path     = "/cluster/" // below which all is
	syncPath = Path + "sync"
	mapsPath = Path + "maps"
)

const contentType = "application/vnd.msgpack"

// Master answers workers. Its methods are called by any number of goroutines.
type Master interface {
	// Sync takes what a worker knows and returns what it is to do. It may wait,
	// for some seconds, until there is something.
	Sync(ctx context.Context, s *Sync) (*Orders, error)
	Maps(ctx context.Context, q *MapsQuery) (*MapsAnswer, error)
}

// NotLeader says that another process is to be asked.
type NotLeader struct {
	URL string // of the one that leads; "" when that is not known
}

// Error says who leads.
func (e *NotLeader) Error() string {
	if e.URL == "" {
		return "this master does not lead, and knows nobody who does"
	}
	return "this master does not lead; " + e.URL + " does"
}

// Refused says that a master and a worker do not fit together.
type Refused struct{ Text string }

// Error says why.
func (e *Refused) Error() string { return e.Text }

// CheckVersions returns a *Refused unless a worker and a master speak the same
// version of the protocol.
func CheckVersions(worker, master int) error {
	if worker == master {
		return nil
	}
	return &Refused{fmt.Sprintf("the worker speaks version %d of the cluster's protocol, the master version %d: run the same build of windrow on both", worker, master)}
}

// Handler serves workers, below Path.
func Handler(m Master) http.Handler {
	mux := http.NewServeMux()
	in := &inbox{long: make(chan struct{}, mostLong)}
	mux.HandleFunc("POST "+syncPath, func(w http.ResponseWriter, r *http.Request) {
		serve(in, w, r, func(ctx context.Context, s *Sync) (*Orders, error) {
			if err := CheckVersions(s.Version, Version); err != nil {
				return nil, err
			}
			return m.Sync(ctx, s)
		})
	})
	mux.HandleFunc("POST "+mapsPath, func(w http.ResponseWriter, r *http.Request) {
		serve(in, w, r, func(ctx context.Context, q *MapsQuery) (*MapsAnswer, error) {
			if err := CheckVersions(q.Version, Version); err != nil {
				return nil, err
			}
			return m.Maps(ctx, q)
		})
	})
	return mux
}

// unmarshal reads a message that may have been made to do harm.
func unmarshal(body []byte, message any) error {
	if err := packed.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, message)
}

// Long messages are rare, and are read a few at a time: whoever sends many has
// them wait outside, and not in the master's memory.
const (
	long     = 64 << 10 // bytes
	mostLong = 2
	longTime = 30 * time.Second // in which one must have come
)

// inbox reads messages.
type inbox struct {
	long chan struct{} // holds a token for each long message that is being read
}

// read reads a message into q.
func (in *inbox) read(w http.ResponseWriter, r *http.Request, q any) error {
	if r.ContentLength > maxAsked {
		return fmt.Errorf("it has %d bytes, and %d are allowed", r.ContentLength, maxAsked)
	}
	body := make([]byte, long)
	n, err := io.ReadFull(r.Body, body)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unmarshal(body[:n], q)
	case err != nil:
		return err
	}
	select {
	case in.long <- struct{}{}:
		defer func() { <-in.long }()
	case <-r.Context().Done():
		return context.Cause(r.Context())
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(longTime)) // not every connection can be told
	if body, err = readRest(body, r.Body, r.ContentLength); err != nil {
		return err
	}
	_ = control.SetReadDeadline(time.Time{}) // the answer may take long
	return unmarshal(body, q)
}

// readRest reads what follows head of a message of length bytes, or of any length
// that is allowed if it is negative, into a buffer that does not grow.
func readRest(head []byte, from io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		length = maxAsked
	}
	body := make([]byte, length+1)
	n, err := io.ReadFull(from, body[copy(body, head):])
	switch {
	case err == nil:
		return nil, fmt.Errorf("it has more than %d bytes", length)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return body[:len(head)+n], nil
	default:
		return nil, err
	}
}

// serve answers one message.
func serve[Q, A any](in *inbox, w http.ResponseWriter, r *http.Request, answer func(context.Context, *Q) (*A, error)) {
	q := new(Q)
	if err := in.read(w, r, q); err != nil {
		http.Error(w, "this is no message of the cluster's protocol: "+err.Error(), http.StatusBadRequest)
		return
	}
	a, err := answer(r.Context(), q)
	var b []byte
	if err == nil {
		b, err = msgpack.Marshal(a)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(b) // whom it does not reach asks again
}

// leaderHeader names who leads, in a refusal.
const leaderHeader = "Windrow-Leader"

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	if other, ok := errors.AsType[*NotLeader](err); ok {
		status = http.StatusMisdirectedRequest
		w.Header().Set(leaderHeader, other.URL)
	} else if _, ok := errors.AsType[*Refused](err); ok {
		status = http.StatusConflict
	}
	http.Error(w, err.Error(), status)
}

// Client asks one master.
type Client struct {
	URL  string
	HTTP http.RoundTripper
}

// Sync sends what this worker knows and returns what it is to do. A *NotLeader
// or a *Refused says why there is no answer; other errors may pass.
func (c *Client) Sync(ctx context.Context, s *Sync) (*Orders, error) {
	o := new(Orders)
	return o, c.ask(ctx, syncPath, s, o)
}

// Maps asks which attempts' output reduces read.
func (c *Client) Maps(ctx context.Context, q *MapsQuery) (*MapsAnswer, error) {
	a := new(MapsAnswer)
	return a, c.ask(ctx, mapsPath, q, a)
}

func (c *Client) ask(ctx context.Context, path string, q, a any) error {
	b, err := msgpack.Marshal(q)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(b))
	if err != nil {
		return &Refused{fmt.Sprintf("the master's address %q is of no use: %v", c.URL, err)}
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := c.HTTP.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("master at %s: %w", c.URL, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refusal(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswered+1))
	if err == nil && len(body) > maxAnswered {
		err = fmt.Errorf("its answer is longer than %d bytes", maxAnswered)
	}
	if err == nil {
		err = unmarshal(body, a)
	}
	if err != nil {
		return fmt.Errorf("master at %s: %w", c.URL, err)
	}
	return nil
}

func (c *Client) refusal(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return fmt.Errorf("master at %s: %w", c.URL, err)
	}
	said := strings.TrimSpace(string(text))
	switch resp.StatusCode {
	case http.StatusMisdirectedRequest:
		return &NotLeader{resp.Header.Get(leaderHeader)}
	case http.StatusConflict:
		return &Refused{said}
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Refused{fmt.Sprintf("the master at %s does not let this worker in: %s", c.URL, said)}
	default:
		return fmt.Errorf("master at %s: %s: %s", c.URL, resp.Status, said)
	}
}
