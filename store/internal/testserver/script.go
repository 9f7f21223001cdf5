package testserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Quick are options under which retries do not slow tests down.
func Quick() store.Options {
	return store.Options{Retry: store.Retry{Base: time.Microsecond, Max: time.Millisecond}}
}

// WantKind checks the kind of an error.
func WantKind(t testing.TB, err error, want plan.Kind) {
	t.Helper()
	if got := plan.KindOf(err); err == nil || got != want {
		t.Errorf("error %v: kind %v, want %v", err, got, want)
	}
}

// Front may answer in place of the server after it.
type Front func(w http.ResponseWriter, r *http.Request, server http.Handler)

// Behind starts a server in this process after a front, for the rest of the
// test, and returns its URL.
func Behind(t testing.TB, server http.Handler, front Front) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front(w, r, server) }))
	t.Cleanup(s.Close)
	return s.URL
}

// Few lets a front act on the first n requests that match.
func Few(n int32) func() bool {
	var met atomic.Int32
	return func() bool { return met.Add(1) <= n }
}

// Cut breaks the connection of a request.
func Cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			_ = c.Close()
		}
	}
}

// Reset resets the connection of a request without reading its body. So clients
// see an answer that comes before a large body was sent.
func Reset(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	c, _, err := h.Hijack()
	if err != nil {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// Lose lets a server do a request, and breaks the connection in place of the
// answer.
func Lose(w http.ResponseWriter, r *http.Request, server http.Handler) {
	server.ServeHTTP(httptest.NewRecorder(), r)
	Cut(w)
}
