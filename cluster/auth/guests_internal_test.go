package auth

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestStrangersKeepNobodyOut opens many more connections without a token than a server
// holds. Each kind is closed, the oldest first, and none of a client's: it is answered
// on the connection that it had before, and on a new one.
func TestStrangersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const token, most = "a-token-of-these-tests-0123456789abcdef", 20
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Config{TokenFile: file}.Server(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.guests = most
	server := httptest.NewUnstartedServer(s.Clients(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	var opened atomic.Int32
	s.Bound(server.Config)
	bounded := server.Config.ConnState
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			opened.Add(-1)
		}
		bounded(c, state)
	}
	server.Start()
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	ask := func(client *http.Transport) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/jobs", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode
	}
	var dials atomic.Int32
	old := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	t.Cleanup(old.CloseIdleConnections)
	if status := ask(old); status != http.StatusOK {
		t.Fatal(status)
	}
	for _, text := range []string{"", "GET /v1", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"} {
		strangers := make([]net.Conn, 5*most)
		for i := range strangers {
			strangers[i], err = new(net.Dialer).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(strangers[i], text) // one that is closed already says no more
		}
		_ = strangers[0].SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, strangers[0]); os.IsTimeout(err) {
			t.Errorf("a connection with %q is held, and %d came after it", text, len(strangers)-1)
		}
		if n := opened.Load(); n > 2*most {
			t.Errorf("%d connections with %q are held", n, text)
		}
		fresh := new(http.Transport)
		for _, client := range []*http.Transport{old, fresh} {
			if status := ask(client); status != http.StatusOK {
				t.Errorf("status %d beside connections with %q", status, text)
			}
		}
		fresh.CloseIdleConnections()
		for _, c := range strangers {
			_ = c.Close()
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("a client that was answered had to connect %d times", n)
	}
}
