package api

import (
	_ "embed"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
)

// Config configures a handler.
type Config struct {
	// Loopback says that the listener is on loopback and asks for no token. The
	// handler then answers only requests to a loopback address or to localhost,
	// because a web page can give any other name that address.
	Loopback bool
	// MaxBundle is the largest bundle that can be uploaded, in bytes. 0: 1 GiB.
	MaxBundle int64
	// Log receives errors that clients do not see. Nil: none.
	Log *slog.Logger
}

// These are the limits of requests.
const (
	maxSpec     = 8 << 20 // bytes of a submission, which includes the values that its constructor computed
	maxBody     = 1 << 20 // bytes of any other document
	maxBundle   = 1 << 30
	maxIDs      = 200     // bytes of a worker's id
	jobsDefault = 100     // of a page, by default
	jobsMost    = 1000    //
	jobsLooked  = 10_000  // jobs that one request looks at, when it asks for few of them
	tasksLeast  = 100     // of a page, by default
	tasksMost   = 10_000  //
	keyMost     = 200     // bytes of an idempotency key
	labelMost   = 63      // bytes of a label's name, and of its value
	labelsMost  = 64      // labels of a job
	urlMost     = 4 << 10 // bytes of an input or an output
	inputsMost  = 10_000  // inputs of a job
	paramsMost  = 1000    // parameters of a job
	bundlesMost = 16      // kinds of machines
	expectMost  = 100     // expectations of a submission
)

//go:embed openapi.json
var openAPI []byte

// server is the common state of the handlers.
type server struct {
	backend Backend
	cfg     Config
}

// route is an operation of the API.
type route struct {
	method, path string
	serve        func(s *server, w http.ResponseWriter, r *http.Request) error
}

// routes are all operations. openapi.json documents each.
func routes() []route {
	return []route{
		{http.MethodPost, "/v1/jobs", (*server).submit},
		{http.MethodGet, "/v1/jobs", (*server).listJobs},
		{http.MethodGet, "/v1/jobs/{id}", (*server).job},
		{http.MethodGet, "/v1/jobs/{id}/spec", (*server).spec},
		{http.MethodGet, "/v1/jobs/{id}/tasks", (*server).tasks},
		{http.MethodGet, "/v1/jobs/{id}/counters", (*server).counters},
		{http.MethodGet, "/v1/jobs/{id}/logs", (*server).logs},
		{http.MethodGet, "/v1/jobs/{id}/log", (*server).log},
		{http.MethodGet, "/v1/jobs/{id}/events", (*server).events},
		{http.MethodPost, "/v1/jobs/{id}/cancel", (*server).cancel},
		{http.MethodPost, "/v1/jobs/{id}/retry", (*server).retry},
		{http.MethodPost, "/v1/jobs/{id}/publish", decide(Backend.Publish)},
		{http.MethodPost, "/v1/jobs/{id}/discard", decide(Backend.Discard)},
		{http.MethodGet, "/v1/workers", (*server).workers},
		{http.MethodPost, "/v1/workers/{id}/drain", (*server).drain},
		{http.MethodGet, "/v1/cluster", (*server).cluster},
		{http.MethodPost, "/v1/gc", (*server).collect},
		{http.MethodHead, "/v1/bundles/{sha256}", (*server).hasBundle},
		{http.MethodPut, "/v1/bundles/{sha256}", (*server).putBundle},
		{http.MethodGet, "/v1/openapi.json", (*server).document},
		{http.MethodGet, "/healthz", (*server).healthy},
		{http.MethodGet, "/readyz", (*server).ready},
	}
}

// Handler returns the handler of the API.
func Handler(b Backend, cfg Config) http.Handler {
	if cfg.MaxBundle == 0 {
		cfg.MaxBundle = maxBundle
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{b, cfg}
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range routes() {
		mux.Handle(r.method+" "+r.path, s.handle(r.serve))
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.Handle(path, s.handle(func(_ *server, w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			return &client.Error{Status: http.StatusMethodNotAllowed, Kind: plan.Invalid,
				Text: path + " does not allow " + r.Method + ", only " + strings.Join(allowed, " and ")}
		}))
	}
	mux.Handle("/", s.handle(func(_ *server, _ http.ResponseWriter, r *http.Request) error {
		return client.Errorf(plan.NotFound, "there is nothing at %.200q: /v1/openapi.json lists the operations", r.URL.Path)
	}))
	return s.guard(mux)
}

// Guard returns a handler that lets through to next only requests that no web page can
// have made: not those of another origin and, where the listener asks for no token, not
// those under a name that a web page chose. It stands in front of everything that a
// listener serves. Handler has it already.
func Guard(next http.Handler, cfg Config) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return (&server{cfg: cfg}).guard(next)
}

func (s *server) guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(s.handle(func(*server, http.ResponseWriter, *http.Request) error {
		return client.Errorf(plan.Denied, "a web page of another origin cannot make this request")
	}))
	return s.front(origins.Handler(next))
}

// front refuses requests that a web page sends under its own name, and marks every
// answer as one that browsers must neither reinterpret nor cache.
func (s *server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if s.cfg.Loopback && !isLoopback(r.Host) {
			s.refuse(w, r, &client.Error{Status: http.StatusMisdirectedRequest, Kind: plan.Denied,
				Text: "this master asks for no token, so it answers only as localhost, 127.0.0.1 or [::1], not as " + clipped(r.Host)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a Host header can only name this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func clipped(text string) string {
	const most = 300
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
