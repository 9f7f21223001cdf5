package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

// doorman is a master that notes each request that reaches it.
type doorman struct {
	*apitest.Backend

	t *testing.T
}

func (d doorman) Sync(context.Context, *cluster.Sync) (*cluster.Orders, error) {
	d.t.Error("a web page spoke for a worker")
	return &cluster.Orders{Version: cluster.Version}, nil
}

func (d doorman) Work(context.Context, *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
	d.t.Error("a web page spoke for a worker")
	return &cluster.WorkAnswer{}, nil
}

// operations returns the operations of openapi.json, as "POST /v1/jobs".
func operations(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../master/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method := range methods {
			if m := strings.ToUpper(method); m == http.MethodGet || m == http.MethodPost || m == http.MethodPut || m == http.MethodHead || m == http.MethodDelete {
				all = append(all, m+" "+strings.NewReplacer("{id}", string(apitest.ID(1)), "{sha256}", strings.Repeat("a", 64)).Replace(path))
			}
		}
	}
	return all
}

// TestWebPagesReachNothing: on a loopback master without a token, a web page reaches no
// handler: neither by a request to another origin that changes anything, nor by a name
// of its own for the loopback address. The workers' protocol had neither guard.
func TestWebPagesReachNothing(t *testing.T) {
	t.Parallel()
	server, err := auth.Config{}.Server(t.Context(), "127.0.0.1:7411")
	if err != nil || !server.Open {
		t.Fatalf("a loopback listener: %+v, %v", server, err)
	}
	h := doors(server, doorman{apitest.New(), t}, slog.New(slog.DiscardHandler))
	all := append(operations(t), "POST /cluster/sync", "POST /cluster/work", "GET /cluster/sync", "POST /cluster/", "GET /", "POST /", "GET /metrics", "POST /nothing")
	if len(all) < 20 {
		t.Fatalf("only %d operations are known: %v", len(all), all)
	}
	ask := func(operation string, headers ...string) int {
		method, path, _ := strings.Cut(operation, " ")
		r := httptest.NewRequest(method, "http://127.0.0.1:7411"+path, strings.NewReader("\x80"))
		for i := 0; i < len(headers); i += 2 {
			if headers[i] == "Host" {
				r.Host = headers[i+1]
			}
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, operation := range all {
		for _, as := range []string{"text/plain", "application/vnd.msgpack"} {
			if got := ask(operation, "Host", "rebound.example:7411", "Content-Type", as); got != http.StatusMisdirectedRequest {
				t.Errorf("%s under another name: status %d", operation, got)
			}
			if strings.HasPrefix(operation, "GET ") || strings.HasPrefix(operation, "HEAD ") {
				continue
			}
			for _, from := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}} {
				if got := ask(operation, append(from, "Content-Type", as)...); got != http.StatusForbidden {
					t.Errorf("%s from %v: status %d", operation, from, got)
				}
			}
		}
	}
	for _, as := range []string{"", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		for _, operation := range []string{"POST /cluster/sync", "POST /cluster/work"} {
			if got := ask(operation, "Content-Type", as); got != http.StatusUnsupportedMediaType {
				t.Errorf("%s of type %q: status %d", operation, as, got)
			}
		}
	}
}
