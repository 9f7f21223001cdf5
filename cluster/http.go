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

	"github.com/windrow-mr/windrow/plan"
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
	Path     = "/cluster/" // the prefix of all paths
	syncPath = Path + "sync"
	workPath = Path + "work"
)

const contentType = "application/vnd.msgpack"

// Master answers workers. Any number of goroutines may call its methods.
type Master interface {
	// Sync takes a worker's state and returns the orders for it. It may wait
	// some seconds until there are some.
	Sync(ctx context.Context, s *Sync) (*Orders, error)
	// Work returns what the tasks of a step read.
	Work(ctx context.Context, q *WorkQuery) (*WorkAnswer, error)
}

// NotLeader says that another process leads.
type NotLeader struct {
	URL string // of the leader; "" when it is unknown
}

// Error names the leader.
func (e *NotLeader) Error() string {
	if e.URL == "" {
		return "this master does not lead, and knows no leader"
	}
	return "this master does not lead; " + e.URL + " does"
}

// FailureKind returns NotLeader.
func (e *NotLeader) FailureKind() plan.Kind { return plan.NotLeader }

// Refused says that a master and a worker are incompatible.
type Refused struct{ Text string }

// Error returns the reason.
func (e *Refused) Error() string { return e.Text }

// CheckVersions returns a *Refused unless a worker and a master have the same
// version of the protocol.
func CheckVersions(worker, master int) error {
	if worker == master {
		return nil
	}
	return &Refused{fmt.Sprintf("the worker has version %d of the cluster's protocol, the master version %d: run the same build of windrow on both", worker, master)}
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
	mux.HandleFunc("POST "+workPath, func(w http.ResponseWriter, r *http.Request) {
		serve(in, w, r, func(ctx context.Context, q *WorkQuery) (*WorkAnswer, error) {
			if err := CheckVersions(q.Version, Version); err != nil {
				return nil, err
			}
			return m.Work(ctx, q)
		})
	})
	return mux
}

// unmarshal reads a message that may be hostile.
func unmarshal(body []byte, message any) error {
	if err := packed.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, message)
}

// Long messages are rare. A few at a time are read; the others wait in their
// connections, and not in the master's memory.
const (
	long     = 64 << 10 // bytes
	mostLong = 2
	longTime = 30 * time.Second // in which a message must arrive
)

// inbox reads messages.
type inbox struct {
	long chan struct{} // holds a token for each long message that is being read
}

// read reads a message into q.
func (in *inbox) read(r *http.Request, q any) error {
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
	if body, err = readRest(body, &hurried{r.Body, time.Now().Add(longTime)}, r.ContentLength); err != nil {
		return err
	}
	return unmarshal(body, q)
}

// hurried is a body that must have arrived by a time. The server bounds the wait for
// each of its bytes.
type hurried struct {
	io.Reader

	by time.Time
}

// Read reads the next bytes, if they come in time.
func (h *hurried) Read(p []byte) (int, error) {
	if time.Now().After(h.by) {
		return 0, fmt.Errorf("it did not arrive in %v", longTime)
	}
	return h.Reader.Read(p)
}

// readRest reads the rest of a message behind head, into a buffer that does not
// grow. The message has length bytes, or up to the bound if length is negative.
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
	if r.Header.Get("Content-Type") != contentType {
		// A web page cannot send this type to another origin without asking first.
		http.Error(w, "the cluster's protocol has messages of the type "+contentType, http.StatusUnsupportedMediaType)
		return
	}
	q := new(Q)
	if err := in.read(r, q); err != nil {
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
	_, _ = w.Write(b) // a worker that it does not reach asks again
}

// leaderHeader names the leader in a refusal.
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

// Sync sends this worker's state and returns the orders for it. A *NotLeader or
// a *Refused says why there is no answer; other errors may be temporary.
func (c *Client) Sync(ctx context.Context, s *Sync) (*Orders, error) {
	o := new(Orders)
	return o, c.ask(ctx, syncPath, s, o)
}

// Work asks what the tasks of a step read.
func (c *Client) Work(ctx context.Context, q *WorkQuery) (*WorkAnswer, error) {
	a := new(WorkAnswer)
	return a, c.ask(ctx, workPath, q, a)
}

func (c *Client) ask(ctx context.Context, path string, q, a any) error {
	b, err := msgpack.Marshal(q)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(b))
	if err != nil {
		return &Refused{fmt.Sprintf("the master's address %q is invalid: %v", c.URL, err)}
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
