package faults

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// proxy passes on TCP connections, until it is cut. Then it accepts none, and
// the open ones hang, as those of a network that lost a cable.
type proxy struct {
	t       *testing.T
	to      string
	address string
	l       net.Listener

	mu      sync.Mutex
	healed  chan struct{} // nil while it works
	conns   map[net.Conn]bool
	serving sync.WaitGroup
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, to: to, address: l.Addr().String(), l: l, conns: make(map[net.Conn]bool)}
	p.serving.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.restore()
		p.drop()
		p.serving.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.pass(in) })
	}
}

// pass copies both ways, except while it is cut.
func (p *proxy) pass(in net.Conn) {
	defer in.Close()
	p.wait()
	out, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", p.to)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		copying.Go(func() {
			b := make([]byte, 32<<10)
			for {
				n, err := way[0].Read(b)
				p.wait()
				if n > 0 {
					if _, err := way[1].Write(b[:n]); err != nil {
						break
					}
				}
				if err != nil {
					break
				}
			}
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	copying.Wait()
	p.mu.Lock()
	delete(p.conns, in)
	delete(p.conns, out)
	p.mu.Unlock()
}

// wait returns when the network works.
func (p *proxy) wait() {
	p.mu.Lock()
	healed := p.healed
	p.mu.Unlock()
	if healed != nil {
		<-healed
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed = make(chan struct{})
}

// restore lets new connections through. The old ones break.
func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healed != nil {
		close(p.healed)
		p.healed = nil
	}
}

func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// endpointOf returns the address in the URL of a bucket.
func endpointOf(bucket string) string {
	_, query, _ := strings.Cut(bucket, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(values.Get("endpoint"), "http://")
}

// silence returns an address that accepts everything and answers nothing, by
// UDP and TCP.
func silence(t *testing.T) string {
	t.Helper()
	var listening net.ListenConfig
	for {
		l, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := listening.ListenPacket(t.Context(), "udp", l.Addr().String())
		if err != nil { // another has this port
			_ = l.Close()
			continue
		}
		t.Cleanup(func() { _ = errors.Join(l.Close(), udp.Close()) })
		return l.Addr().String()
	}
}

// front is an HTTP server before another one. f answers a request, or calls
// next.
func front(t *testing.T, to string, f func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	t.Helper()
	next := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host // part of signatures
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(w, r, next) }))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// discard is an answer that is not sent.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// apply lets the server carry out a request, and breaks the connection before
// the answer.
func apply(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(&discard{http.Header{}}, r)
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			_ = c.Close()
		}
	}
}

// answer refuses a request as an S3 server does.
func answer(w http.ResponseWriter, r *http.Request, status int, code string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, "<?xml version=\"1.0\"?><Error><Code>"+code+"</Code><Message>injected</Message></Error>")
	}
}
