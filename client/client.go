package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Config says where a cluster is and how to reach it.
type Config struct {
	// URLs are of masters, any of them: "http://127.0.0.1:7411". The client
	// tries them in turn. Every master knows the leader.
	URLs []string
	// Find finds a master if URLs is empty, for example by reading the leader
	// from the cluster's root. The client calls it again whenever no master
	// answers.
	Find func(ctx context.Context) (url string, err error)
	// Transport makes requests, and adds the proof that they are allowed;
	// package cluster/auth has one. Nil: http.DefaultTransport.
	Transport http.RoundTripper
	// Patience is how long a request is retried while no master answers or
	// leads. After a leader died, a cluster can take 20 s to get another. 0: a
	// minute. Negative: no retries.
	Patience time.Duration
	// FirstPatience is the patience until the first answer. 0: Patience.
	FirstPatience time.Duration
	// Log receives warnings, such as that no master answers. Nil: they are
	// discarded.
	Log *slog.Logger
}

// DefaultAddress is the default address of a master.
const DefaultAddress = "127.0.0.1:7411"

// Times and bounds of requests.
const (
	defaultPatience = time.Minute
	// stall is how long an answer, or the sending of a body, may make no
	// progress. The server sends something at least every 10 s.
	stall = 30 * time.Second
	// maxAnswer bounds JSON answers: 10,000 tasks take a few MB.
	maxAnswer = 64 << 20
	// maxHops bounds how often masters may redirect one request without a
	// pause.
	maxHops = 4
)

// Client makes requests to a cluster. New makes one.
type Client struct {
	cfg  Config
	http *http.Client

	mu       sync.Mutex
	at       string // source of the last answer, "" to look again
	next     int    // of cfg.URLs
	answered bool   // by any master, once
}

// New returns a client. It makes no request yet.
func New(cfg Config) (*Client, error) {
	if len(cfg.URLs) == 0 && cfg.Find == nil {
		return nil, Errorf(plan.Invalid, "no master named: give its URL, such as http://127.0.0.1:7411, or the cluster's root")
	}
	cfg.URLs = slices.Clone(cfg.URLs)
	for i, text := range cfg.URLs {
		base, err := baseURL(text)
		if err != nil {
			return nil, err
		}
		cfg.URLs[i] = base
	}
	if cfg.Patience == 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.FirstPatience == 0 {
		cfg.FirstPatience = cfg.Patience
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	transport := cfg.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &Client{cfg: cfg, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // see redirected
	}}}, nil
}

// baseURL checks the URL of a master, and returns it without a final slash.
func baseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", Errorf(plan.Invalid, "the master's URL %q: %v", text, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", Errorf(plan.Invalid, "the master's URL %q is not of the form http://HOST:PORT", text)
	case u.User != nil:
		return "", Errorf(plan.Invalid, "the master's URL %q holds a name or a password: a token comes from a file", u.Redacted())
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", Errorf(plan.Invalid, "the master's URL %q holds more than http://HOST:PORT", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// call is a request that can be made any number of times.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	// body opens the request's body; nil: none.
	body func() (io.ReadCloser, error)
	size int64 // of the body
}

// get returns the call of a GET.
func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query}
}

// post returns the call of a POST with a document; nil: without.
func post(path string, document any) (call, error) {
	c := call{method: http.MethodPost, path: path}
	if document == nil {
		return c, nil
	}
	b, err := json.Marshal(document)
	if err != nil {
		return c, Errorf(plan.Invalid, "%v", err)
	}
	c.size = int64(len(b))
	c.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	c.header = http.Header{"Content-Type": {"application/json"}}
	return c, nil
}

// fetch makes a call and decodes the JSON of the answer into a document; nil
// for none. Inlined, it would be in every request's code.
//
//go:noinline
func (c *Client) fetch(ctx context.Context, k call, document any) error {
	return c.do(ctx, k, func(r *http.Response) error {
		if document == nil {
			_, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxAnswer))
			return err
		}
		b, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
		if err != nil {
			return err
		}
		if len(b) > maxAnswer {
			return Errorf(plan.Failed, "%s %s: the answer has more than %d bytes: ask for less at once", k.method, k.path, maxAnswer)
		}
		if err := json.Unmarshal(b, document); err != nil {
			return Errorf(plan.Failed, "%s %s: the answer of %s is not the API's: %v; is a windrow master there?", k.method, k.path, r.Request.URL.Host, err)
		}
		switch d := document.(type) {
		case *Job:
			d.At = answeredAt(r)
		case *JobsPage:
			for i := range d.Jobs {
				d.Jobs[i].At = answeredAt(r)
			}
		}
		return nil
	})
}

// answeredAt returns when an answer was sent, by the clock of the server; the zero time
// if it does not say.
func answeredAt(r *http.Response) time.Time {
	at, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// do makes a call, repeats it as needed, and passes the answer to handle. It
// treats errors of handle as errors of the connection unless they are of type
// *Error.
func (c *Client) do(ctx context.Context, k call, handle func(*http.Response) error) error {
	wait := c.newPatience()
	for {
		base, err := c.base(ctx)
		if err == nil {
			err = c.try(ctx, base, k, handle)
			if err == nil {
				return nil
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err = wait.again(ctx, base, err); err != nil {
			return err
		}
	}
}

// base returns the next master to ask.
func (c *Client) base(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.at != "":
	case len(c.cfg.URLs) > 0:
		c.at = c.cfg.URLs[c.next%len(c.cfg.URLs)]
		c.next++
	default:
		found, err := c.cfg.Find(ctx)
		if err != nil {
			return "", err
		}
		if c.at, err = baseURL(found); err != nil {
			return "", err
		}
	}
	return c.at, nil
}

// turn makes base the next master to ask; "" looks for one again. It changes
// nothing when another call has found another master meanwhile.
func (c *Client) turn(from, base string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == from {
		c.at = base
	}
}

// try makes a call once.
func (c *Client) try(ctx context.Context, base string, k call, handle func(*http.Response) error) error {
	ctx, guard := newGuard(ctx)
	defer guard.stop()
	var body io.Reader
	if k.body != nil {
		opened, err := k.body()
		if err != nil {
			return err
		}
		defer opened.Close()
		body = &guarded{ReadCloser: io.NopCloser(opened), guard: guard}
	}
	r, err := http.NewRequestWithContext(ctx, k.method, base+k.path+queryOf(k.query), body)
	if err != nil {
		return Errorf(plan.Invalid, "%v", err)
	}
	maps.Copy(r.Header, k.header)
	if body != nil {
		r.ContentLength = k.size
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return guard.explain(err)
	}
	defer answer.Body.Close()
	answer.Body = &guarded{ReadCloser: answer.Body, guard: guard}
	c.mu.Lock()
	c.answered = true
	c.mu.Unlock()
	if answer.StatusCode >= 300 {
		return refusal(answer)
	}
	return guard.explain(handle(answer))
}

func queryOf(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// refusal returns the error of an answer that reports a failure.
func refusal(r *http.Response) *Error {
	if r.StatusCode < 400 {
		return redirected(r)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var p Problem
	if err == nil && json.Unmarshal(b, &p) == nil && p.Error != nil && p.Error.Text != "" {
		p.Error.Status = r.StatusCode
		if p.Error.Kind == plan.Unknown {
			p.Error.Kind = kindOf(r.StatusCode)
		}
		return p.Error
	}
	text := strings.TrimSpace(string(b))
	switch {
	case kindOf(r.StatusCode) == plan.Denied:
		text = "it wants the cluster's token, or a certificate"
	case text == "" || len(text) > 200 || strings.HasPrefix(text, "<"):
		text = "is a windrow master there?"
	}
	return &Error{Status: r.StatusCode, Kind: kindOf(r.StatusCode),
		Text: fmt.Sprintf("%s answers %s to %s %s: %s", r.Request.URL.Host, r.Status, r.Request.Method, r.Request.URL.Path, text)}
}

// redirected returns the error NotLeader, with the leader's URL, for a
// redirection. The HTTP client must not follow it by itself: the next requests
// go to the leader too.
func redirected(r *http.Response) *Error {
	e := &Error{Status: r.StatusCode, Kind: plan.NotLeader, Text: r.Request.URL.Host + " redirects to another master"}
	to, err := r.Location()
	if err != nil || to.Host == "" {
		e.Kind, e.Text = plan.Failed, fmt.Sprintf("%s answers %s, but not with a URL; is a windrow master there?", r.Request.URL.Host, r.Status)
		return e
	}
	e.Leader = to.Scheme + "://" + to.Host
	return e
}
