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
)

// Config says where a cluster is and how to speak to it.
type Config struct {
	// URLs are of masters, any of them: "http://127.0.0.1:7077". They are tried in
	// turn; whichever answers knows who leads.
	URLs []string
	// Find finds a master where URLs is empty: for one, by asking the cluster's
	// root who leads. It is asked again whenever nobody answers.
	Find func(ctx context.Context) (url string, err error)
	// Transport makes requests, and adds what proves that they are allowed:
	// cluster/auth has one. Nil: http.DefaultTransport.
	Transport http.RoundTripper
	// Patience is for how long a request is made again while nobody answers or
	// nobody leads: that of a cluster whose master has died takes up to 20 s to
	// have another. 0: a minute. Negative: not at all.
	Patience time.Duration
	// FirstPatience is the same until there has been a first answer. 0: Patience.
	FirstPatience time.Duration
	// Log receives what is worth telling, such as that nobody answers. Nil: nobody.
	Log *slog.Logger
}

// DefaultAddress is where a master listens unless it is told otherwise.
const DefaultAddress = "127.0.0.1:7411"

// Times and bounds of requests.
const (
	defaultPatience = time.Minute
	// stall is how long an answer, or the way of a body, may stand still. The
	// server sends something at least every 10 s.
	stall = 30 * time.Second
	// maxAnswer bounds JSON that is read: 10,000 tasks take a few MB.
	maxAnswer = 64 << 20
	// maxHops bounds how often one request is sent on from master to master
	// without a pause.
	maxHops = 4
)

// Client speaks to a cluster. New makes one.
type Client struct {
	cfg  Config
	http *http.Client

	mu       sync.Mutex
	at       string // where the last answer came from, "" to look anew
	next     int    // of cfg.URLs
	answered bool   // somebody, once
}

// New returns a client. It asks nobody yet.
func New(cfg Config) (*Client, error) {
	if len(cfg.URLs) == 0 && cfg.Find == nil {
		return nil, Errorf(Usage, "no master named: give its URL, such as http://127.0.0.1:7077, or the cluster's root")
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
		return "", Errorf(Usage, "the master's URL %q: %v", text, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", Errorf(Usage, "the master's URL %q is not of the form http://HOST:PORT", text)
	case u.User != nil:
		return "", Errorf(Usage, "the master's URL %q holds a name or a password: a token comes from a file", u.Redacted())
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", Errorf(Usage, "the master's URL %q holds more than http://HOST:PORT", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// call is a request that can be made any number of times.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	// body opens what is sent; nil: nothing.
	body func() (io.ReadCloser, error)
	size int64 // of the body
}

// get is the call of a GET.
func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query}
}

// post is the call of a POST with a document; nil: without.
func post(path string, document any) (call, error) {
	c := call{method: http.MethodPost, path: path}
	if document == nil {
		return c, nil
	}
	b, err := json.Marshal(document)
	if err != nil {
		return c, Errorf(Usage, "%v", err)
	}
	c.size = int64(len(b))
	c.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	c.header = http.Header{"Content-Type": {"application/json"}}
	return c, nil
}

// fetch makes a call and reads the JSON that answers it into a document; nil
// for none.
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
			return Errorf(Failed, "%s %s: the answer has more than %d bytes: ask for less at once", k.method, k.path, maxAnswer)
		}
		if err := json.Unmarshal(b, document); err != nil {
			return Errorf(Failed, "%s %s: the answer of %s is not what the API has: %v; is a windrow master there?", k.method, k.path, r.Request.URL.Host, err)
		}
		return nil
	})
}

// do makes a call, as often as it takes, and hands the answer to handle, whose
// errors are those of the way unless they are of type *Error.
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

// base returns the master to ask next.
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

// turn makes base the master to ask next; "" looks for one anew. It changes
// nothing when somebody else has found another one meanwhile.
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
		return Errorf(Usage, "%v", err)
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

// refusal returns the error that an answer is.
func refusal(r *http.Response) *Error {
	if r.StatusCode < 400 {
		return redirected(r)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var p Problem
	if err == nil && json.Unmarshal(b, &p) == nil && p.Error != nil && p.Error.Kind != "" {
		p.Error.Status = r.StatusCode
		return p.Error
	}
	text := strings.TrimSpace(string(b))
	switch {
	case kindOf(r.StatusCode) == Denied:
		text = "it wants the cluster's token, or a certificate"
	case text == "" || len(text) > 200 || strings.HasPrefix(text, "<"):
		text = "is a windrow master there?"
	}
	return &Error{Status: r.StatusCode, Kind: kindOf(r.StatusCode),
		Text: fmt.Sprintf("%s answers %s to %s %s: %s", r.Request.URL.Host, r.Status, r.Request.Method, r.Request.URL.Path, text)}
}

// redirected takes a redirection for the word of where the leader is. The HTTP
// client must not follow it by itself: the next requests go there too.
func redirected(r *http.Response) *Error {
	e := &Error{Status: r.StatusCode, Kind: NotLeader, Text: r.Request.URL.Host + " sends elsewhere"}
	to, err := r.Location()
	if err != nil || to.Host == "" {
		e.Kind, e.Text = Failed, fmt.Sprintf("%s answers %s, and does not say where to; is a windrow master there?", r.Request.URL.Host, r.Status)
		return e
	}
	e.Leader = to.Scheme + "://" + to.Host
	return e
}
