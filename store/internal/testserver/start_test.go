package testserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAnswersOfOthersDoNotCount starts a server whose port another one has, as
// happens when two tests find the same port free: the other one's answers must
// not be taken for the server's own, since it ends with its own test.
func TestAnswersOfOthersDoNotCount(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	others := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(others.Close)
	p, err := spawn(t.Context(), nil, "tail", "-f", "/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	ready := func(status int, _ []byte) bool {
		if asked.Load() > 1 {
			_ = p.cmd.Process.Kill()
		}
		return status == http.StatusOK
	}
	if err := await(t.Context(), Server{Path: "/", Ready: ready}, p, strings.TrimPrefix(others.URL, "http://")); err == nil {
		t.Error("the server is held for ready, and another one answered")
	}
}
