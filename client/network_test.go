package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
)

// network connects clients to handlers in memory, by host, so that tests can
// use synthetic time.
type network struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	open  map[*exchange]string // answers under way, by host
	asked []string             // hosts, request by request
	all   sync.WaitGroup
}

func newNetwork(t *testing.T) *network {
	n := &network{hosts: map[string]http.Handler{}, open: map[*exchange]string{}}
	t.Cleanup(n.all.Wait)
	return n
}

// serve makes a handler answer for a host. Nil: the host no longer answers, and
// answers under way break off.
func (n *network) serve(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = h
	for e, of := range n.open {
		if of == host {
			e.breakOff()
		}
	}
}

// counted returns how many requests a host had.
func (n *network) counted(host string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, h := range n.asked {
		if h == host {
			count++
		}
	}
	return count
}

// RoundTrip makes a request.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h := n.hosts[r.URL.Host]
	n.asked = append(n.asked, r.URL.Host)
	if h == nil {
		n.mu.Unlock()
		return nil, syscall.ECONNREFUSED
	}
	ctx, cancel := context.WithCancel(r.Context())
	e := &exchange{header: http.Header{}, ready: make(chan struct{}), cancel: cancel}
	e.out, e.in = io.Pipe()
	n.open[e] = r.URL.Host
	n.mu.Unlock()
	asked := r.Clone(ctx)
	asked.RequestURI = r.URL.RequestURI()
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	n.all.Go(func() {
		defer n.close(e)
		defer func() {
			if recover() != nil {
				e.breakOff()
			}
		}()
		h.ServeHTTP(e, asked)
	})
	select {
	case <-e.ready:
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
	if e.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	context.AfterFunc(ctx, func() { e.in.CloseWithError(context.Canceled) })
	return &http.Response{StatusCode: e.status, Status: http.StatusText(e.status), Header: e.header, Body: e.out, Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

func (n *network) close(e *exchange) {
	n.mu.Lock()
	delete(n.open, e)
	n.mu.Unlock()
	e.begin(http.StatusOK)
	e.in.Close()
	e.cancel()
}

// exchange is one answer.
type exchange struct {
	header http.Header
	status int
	once   sync.Once
	ready  chan struct{}
	out    *io.PipeReader
	in     *io.PipeWriter
	cancel func()
}

func (e *exchange) begin(status int) {
	e.once.Do(func() {
		e.status = status
		close(e.ready)
	})
}

func (e *exchange) breakOff() {
	e.begin(0)
	e.in.CloseWithError(errReset)
	e.cancel()
}

var errReset = errors.New("connection reset by peer")

func (e *exchange) Header() http.Header { return e.header }

func (e *exchange) WriteHeader(status int) { e.begin(status) }

func (e *exchange) Write(p []byte) (int, error) {
	e.begin(http.StatusOK)
	return e.in.Write(p)
}

func (e *exchange) Flush() {}
