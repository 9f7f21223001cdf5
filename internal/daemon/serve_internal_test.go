package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

const token = "a-token-of-these-tests-0123456789abcdef"

// served starts a server that asks for a token, and returns its address.
func served(t *testing.T, h http.Handler, most limits) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := auth.Config{TokenFile: file}.Server(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if h == nil {
		h = doors(s, doorman{apitest.New(), t}, slog.New(slog.DiscardHandler))
	} else {
		h = s.Clients(h)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, s, h, most, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// dial opens a connection and writes the begin of a request on it.
func dial(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// closes waits until the server closes a connection, and returns what it answered.
func closes(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	answer, err := io.ReadAll(c)
	if err != nil && os.IsTimeout(err) {
		t.Fatalf("the server still holds the connection; it answered %q", answer)
	}
	return string(answer)
}

// TestRefusedRequestsHoldNoConnection announces bodies that never come, without a
// token, or with a wrong one: each is refused in words, and its connection is closed.
// They were kept for as long as the client liked.
func TestRefusedRequestsHoldNoConnection(t *testing.T) {
	t.Parallel()
	address := served(t, nil, usualLimits)
	held := map[string]net.Conn{}
	for _, header := range []string{"", "Authorization: Bearer wrong\r\n"} {
		for _, path := range []string{"/v1/jobs", "/cluster/sync", "/v1/bundles/x", "/nothing"} {
			held[path+" with "+header] = dial(t, address, "POST "+path+" HTTP/1.1\r\nHost: "+address+"\r\n"+header+"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		}
	}
	for name, c := range held {
		if answer := closes(t, c); !strings.HasPrefix(answer, "HTTP/1.1 401 ") || !strings.Contains(answer, "--token-file") {
			t.Errorf("%s: %q", name, answer)
		}
	}
}

// TestBodiesThatDoNotComeEnd announces bodies that never come, with the right token,
// and to a page that needs none.
func TestBodiesThatDoNotComeEnd(t *testing.T) {
	t.Parallel()
	most := usualLimits
	most.body = 100 * time.Millisecond
	address := served(t, nil, most)
	var held []net.Conn
	for _, request := range []string{"POST /v1/jobs", "PUT /v1/bundles/" + strings.Repeat("a", 64), "POST /v1/nothing", "GET /healthz"} {
		held = append(held, dial(t, address, request+" HTTP/1.1\r\nHost: "+address+"\r\nAuthorization: Bearer "+token+
			"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"))
	}
	for _, c := range held {
		closes(t, c)
	}
}

// TestLateBodiesAndLongAnswers verifies that a body may take longer than the wait for
// its next bytes, and an answer longer than that.
func TestLateBodiesAndLongAnswers(t *testing.T) {
	t.Parallel()
	most := usualLimits
	most.body = 2 * time.Second
	address := served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		// The answer comes when the wait for bytes would have ended.
		select {
		case <-r.Context().Done():
			t.Error("the request ended before its answer")
		case <-time.After(most.body + most.body/2):
		}
		fmt.Fprint(w, string(b), err)
	}), most)
	c := dial(t, address, "POST /v1/jobs HTTP/1.1\r\nHost: "+address+"\r\nAuthorization: Bearer "+token+"\r\nContent-Length: 6\r\n\r\n")
	for _, b := range []byte("slowly") {
		tick := time.NewTimer(most.body / 4)
		<-tick.C
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || string(answer) != "slowly<nil>" {
		t.Errorf("%q, %v", answer, err)
	}
}
