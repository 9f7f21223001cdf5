// Package auth decides which requests a cluster's processes accept, and authorizes
// their own: by a token, by certificates, or by both. Masters put it in front of the
// API and of the protocol of workers; workers, clients and the command line make
// their requests through it.
//
// A listener on loopback may do without. Any other one must have a token, or
// certificates of both sides, or Server refuses it. Every request is checked, except
// GET /healthz and GET /readyz, which only show that a process is there.
//
// A token is text of at least 32 bytes in a file that others cannot read, never in a
// flag. It is sent with each request as "Authorization: Bearer". A file may have
// several, one a line: all are accepted, and the first is sent. So a token can be
// changed without any process refusing another. Files are read once. Cookies are
// ignored.
//
// Connections without an accepted request are bounded (Server.Bound), and a refusal
// ends its connection.
//
// One token opens all, unless workers have their own (Config.WorkerTokenFile). Then
// that one opens only the protocol of workers, and the other one only the API. A
// process that may join as a worker gets jobs, their data, and with it the rights
// that jobs have. A client that may submit runs programs on workers.
//
// Any number of goroutines may use everything here.
//
// It is part of the engine, and may change between minor versions.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// Config names the files of a process. All may be "".
type Config struct {
	// TokenFile holds the tokens that clients send, and that masters ask for.
	TokenFile string
	// WorkerTokenFile holds the tokens that workers send in their place, and
	// that masters ask of them.
	WorkerTokenFile string
	// CertFile and KeyFile are this process's certificate, in PEM: a server
	// certificate for a master, a client certificate for any other process.
	CertFile, KeyFile string
	// CAFile holds the authorities, in PEM, by which the other side's certificate
	// is checked. A master that has one asks every client for a certificate.
	CAFile string
}

// Server guards a listener.
type Server struct {
	// TLS is nil where the listener speaks plain HTTP.
	TLS *tls.Config
	// Open says that requests need no authorization, as on loopback.
	Open bool
	// Plain says that tokens cross a network where others may listen: there is
	// no TLS, and the listener is not on loopback.
	Plain bool

	clients, workers tokens
	guests           int // see Bound; 0 for the usual number
}

// howTo is a command that makes a token.
const howTo = "(umask 077; head -c 32 /dev/urandom | base64 > token)"

// Server returns the guard of a listener at an address such as
// "127.0.0.1:7411", or an error if that would leave it open to a network.
func (c Config) Server(ctx context.Context, listen string) (*Server, error) {
	local, err := loopback(ctx, listen)
	if err != nil {
		return nil, err
	}
	s := &Server{}
	if s.clients, err = readTokens(c.TokenFile); err != nil {
		return nil, err
	}
	s.workers = s.clients
	if c.WorkerTokenFile != "" {
		if c.TokenFile == "" {
			return nil, errors.New("workers have a token of their own, and clients have none: give both, or one for all")
		}
		if s.workers, err = readTokens(c.WorkerTokenFile); err != nil {
			return nil, err
		}
	}
	if s.TLS, err = c.serverTLS(); err != nil {
		return nil, err
	}
	mutual := s.TLS != nil && s.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	s.Open = len(s.clients) == 0 && !mutual
	s.Plain = !local && s.TLS == nil
	if s.Open && !local {
		return nil, fmt.Errorf("refusing to listen at %s, where others can connect, without a token or certificates: "+
			"anyone who submits a job runs a program. Make a token by %s and give --token-file token here and to every worker and client; "+
			"or give --cert-file, --key-file and --ca-file; or listen at 127.0.0.1 alone", listen, howTo)
	}
	return s, nil
}

// loopback reports whether only this machine can connect to an address.
func loopback(ctx context.Context, listen string) (bool, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false, fmt.Errorf("address %q is not of the form HOST:PORT: %w", listen, err)
	}
	if host == "" {
		return false, nil // every address of the machine
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback(), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false, fmt.Errorf("address %q: %w", listen, err)
	}
	for _, ip := range ips {
		if !ip.Unmap().IsLoopback() {
			return false, nil
		}
	}
	return len(ips) > 0, nil
}

func (c Config) serverTLS() (*tls.Config, error) {
	cert, err := c.certificate()
	if err != nil {
		return nil, err
	}
	if cert == nil {
		if c.CAFile != "" {
			return nil, errors.New("--ca-file without --cert-file and --key-file: to check certificates of clients, a server needs one of its own")
		}
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*cert}}
	if c.CAFile != "" {
		if t.ClientCAs, err = readCAs(c.CAFile); err != nil {
			return nil, err
		}
		t.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return t, nil
}

// certificate returns this process's certificate, nil if it has none.
func (c Config) certificate() (*tls.Certificate, error) {
	switch {
	case c.CertFile == "" && c.KeyFile == "":
		return nil, nil
	case c.CertFile == "" || c.KeyFile == "":
		return nil, errors.New("a certificate needs both --cert-file and --key-file")
	}
	if err := Private(c.KeyFile, "key"); err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
	}
	return &cert, nil
}

func readCAs(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities: %s holds no certificate in PEM", file)
	}
	return pool, nil
}

// Clients passes requests that clients may make: those with their token, and
// those that need none.
func (s *Server) Clients(next http.Handler) http.Handler {
	return s.require(next, s.clients, "the cluster's token", func(r *http.Request) bool {
		return r.Method == http.MethodGet && (r.URL.Path == "/healthz" || r.URL.Path == "/readyz")
	})
}

// Workers passes requests that workers may make.
func (s *Server) Workers(next http.Handler) http.Handler {
	return s.require(next, s.workers, "the token of workers", func(*http.Request) bool { return false })
}

func (s *Server) require(next http.Handler, known tokens, what string, free func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(known) == 0 { // on loopback, or TLS has checked the certificate
			accepted(r)
			next.ServeHTTP(w, r)
			return
		}
		if free(r) {
			next.ServeHTTP(w, r)
			return
		}
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !bearer:
			refuse(w, "this cluster asks for a token, and the request has none: give "+what+" with --token-file FILE or WINDROW_TOKEN_FILE")
		case !known.has(token):
			refuse(w, "this is not "+what+": give the right one with --token-file FILE or WINDROW_TOKEN_FILE")
		default:
			accepted(r)
			next.ServeHTTP(w, r)
		}
	})
}

// refuse answers in the form of the API, and ends the connection. Its client may
// have announced a body, and never send it.
func refuse(w http.ResponseWriter, text string) {
	var p struct {
		Error struct {
			Kind string `json:"kind"`
			Text string `json:"text"`
		} `json:"error"`
	}
	p.Error.Kind, p.Error.Text = "denied", text
	b, err := json.Marshal(p)
	if err != nil {
		b = nil // a struct of two texts always has a form
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(b) // a client that is gone needs no error
}

// tokens are digests of tokens: all have the same length, so that the time of a
// comparison reveals nothing.
type tokens [][sha256.Size]byte

func (t tokens) has(token string) bool {
	digest := sha256.Sum256([]byte(token))
	found := 0
	for i := range t {
		found |= subtle.ConstantTimeCompare(t[i][:], digest[:])
	}
	return found == 1
}
