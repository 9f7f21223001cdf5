package auth

import (
	"crypto/tls"
	"errors"
	"net/http"
)

// Transport returns a transport for requests of this process: it checks the
// server's certificate, shows its own, and sends the token.
func (c Config) Transport() (http.RoundTripper, error) {
	file := c.TokenFile
	if c.WorkerTokenFile != "" {
		file = c.WorkerTokenFile
	}
	lines, err := readLines(file)
	if err != nil {
		return nil, err
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("net/http's default transport is not its own")
	}
	base = base.Clone()
	base.MaxIdleConnsPerHost = 16
	if base.TLSClientConfig, err = c.clientTLS(base.TLSClientConfig); err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return base, nil
	}
	return &bearer{base, "Bearer " + lines[0]}, nil
}

// bearer adds a token to requests.
type bearer struct {
	base  *http.Transport
	value string
}

// RoundTrip makes a request.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // it belongs to the caller
	r.Header.Set("Authorization", b.value)
	return b.base.RoundTrip(r)
}

// CloseIdleConnections is called by the method of http.Client with that name.
func (b *bearer) CloseIdleConnections() { b.base.CloseIdleConnections() }

// clientTLS returns the TLS configuration of requests of this process.
func (c Config) clientTLS(t *tls.Config) (*tls.Config, error) {
	if t == nil {
		t = &tls.Config{}
	}
	t.MinVersion = tls.VersionTLS13
	cert, err := c.certificate()
	if err != nil {
		return nil, err
	}
	if cert != nil {
		t.Certificates = []tls.Certificate{*cert}
	}
	if c.CAFile != "" {
		if t.RootCAs, err = readCAs(c.CAFile); err != nil {
			return nil, err
		}
	}
	return t, nil
}
