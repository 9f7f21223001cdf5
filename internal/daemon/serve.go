package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/windrow-mr/windrow/cluster/auth"
)

// limits bound what a client can hold of an HTTP server.
type limits struct {
	header time.Duration // for the first bytes of a request
	body   time.Duration // without a byte of a body
	idle   time.Duration // between requests
}

var usualLimits = limits{header: 10 * time.Second, body: 30 * time.Second, idle: 2 * time.Minute}

const (
	headerBytes = 64 << 10
	closeTime   = 3 * time.Second
	restTime    = time.Second // for what is left of a body after its answer
)

// serve serves until ctx ends.
func serve(ctx context.Context, l net.Listener, s *auth.Server, h http.Handler, most limits, logger *slog.Logger) error {
	server := &http.Server{Handler: arriving(h, most.body), TLSConfig: s.TLS, ReadHeaderTimeout: most.header, IdleTimeout: most.idle, MaxHeaderBytes: headerBytes,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	s.Bound(server)
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if server.Shutdown(ending) != nil {
			_ = server.Close() // clients that still wait are cut off
		}
	})
	var err error
	if s.TLS != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if !stop() {
		<-closed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// arriving ends requests whose bodies were announced and do not arrive. A body may
// take any time as long as bytes come.
func arriving(next http.Handler, most time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := &body{ReadCloser: r.Body, control: http.NewResponseController(w), most: most}
		r.Body = b
		b.expect(most)
		next.ServeHTTP(w, r)
		if !b.ended {
			b.expect(restTime) // the server reads on, for the next request
		}
	})
}

// body is the body of a request.
type body struct {
	io.ReadCloser

	control *http.ResponseController
	most    time.Duration
	ended   bool
}

// Read waits for the next bytes. Once there are no more, the answer may take any
// time.
func (b *body) Read(p []byte) (int, error) {
	b.expect(b.most)
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended = true
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// expect sets the time in which bytes must come. A connection without deadlines is
// not that of a client.
func (b *body) expect(d time.Duration) { _ = b.control.SetReadDeadline(time.Now().Add(d)) }

// healthServer only answers whether a worker is alive and ready.
func healthServer(ctx context.Context, l net.Listener, ready func() bool, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			http.Error(w, "no master has answered yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return serve(ctx, l, new(auth.Server), mux, usualLimits, log)
}

// listen listens at a TCP address.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", address, err)
	}
	return l, nil
}
