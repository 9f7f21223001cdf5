package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/cluster/auth"
)

const (
	clients = "b3VyIGNsaWVudHMnIHRva2VuLCB3aXRoIDMyIGJ5dGVz"
	workers = "b3VyIHdvcmtlcnMnIHRva2VuLCB3aXRoIDMyIGJ5dGVz"
)

// file writes a file with a mode that does not depend on the user's umask.
func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestListen verifies that a listener that others can connect to needs a token,
// or certificates of both sides.
func TestListen(t *testing.T) {
	t.Parallel()
	token := auth.Config{TokenFile: file(t, clients+"\n", 0o600)}
	ca := newAuthority(t)
	mutual := ca.config(t, "server")
	oneSided := mutual
	oneSided.CAFile = ""
	for _, c := range []struct {
		listen   string
		loopback bool
	}{
		{"127.0.0.1:0", true}, {"127.200.3.4:80", true}, {"localhost:7411", true}, {"[::1]:7411", true}, {"[::ffff:127.0.0.1]:80", true},
		{":8080", false}, {"0.0.0.0:80", false}, {"[::]:80", false}, {"10.1.2.3:80", false}, {"[fe80::1]:80", false}, {"169.254.169.254:80", false},
	} {
		open, err := auth.Config{}.Server(t.Context(), c.listen)
		switch {
		case c.loopback && (err != nil || !open.Open || open.Plain || open.TLS != nil):
			t.Errorf("%s without anything: %+v, %v", c.listen, open, err)
		case !c.loopback && err == nil:
			t.Errorf("%s is open to everyone", c.listen)
		case !c.loopback && (!strings.Contains(err.Error(), "/dev/urandom") || !strings.Contains(err.Error(), "--cert-file") || !strings.Contains(err.Error(), c.listen)):
			t.Errorf("%s: %v", c.listen, err)
		}
		if s, err := token.Server(t.Context(), c.listen); err != nil || s.Open || s.Plain == c.loopback {
			t.Errorf("%s with a token: %+v, %v", c.listen, s, err)
		}
		if s, err := mutual.Server(t.Context(), c.listen); err != nil || s.Open || s.Plain || s.TLS == nil {
			t.Errorf("%s with certificates: %+v, %v", c.listen, s, err)
		}
		if s, err := oneSided.Server(t.Context(), c.listen); (err == nil) != c.loopback {
			t.Errorf("%s with a certificate of its own alone: %+v, %v", c.listen, s, err)
		}
	}
	for _, listen := range []string{"", "localhost", "127.0.0.1", "a:b:c"} {
		if _, err := token.Server(t.Context(), listen); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
			t.Errorf("%q: %v", listen, err)
		}
	}
}

// TestBadFiles verifies that an error about a file has its name and says what to
// do, and shows nothing of its content.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	good := ca.config(t, "server")
	key, err := os.ReadFile(good.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  auth.Config
		says string
	}{
		"no file":            {auth.Config{TokenFile: "/nowhere/token"}, "/nowhere/token"},
		"short":              {auth.Config{TokenFile: file(t, clients[:31], 0o600)}, "31 bytes"},
		"long":               {auth.Config{TokenFile: file(t, strings.Repeat("x", 5000), 0o600)}, "5000 bytes"},
		"empty":              {auth.Config{TokenFile: file(t, "\n\n", 0o600)}, "/dev/urandom"},
		"binary":             {auth.Config{TokenFile: file(t, clients+"\x00\x01", 0o600)}, "visible"},
		"two words":          {auth.Config{TokenFile: file(t, clients+" "+clients, 0o600)}, "visible"},
		"second one short":   {auth.Config{TokenFile: file(t, clients+"\nxyzzy\n", 0o600)}, "line 2"},
		"read by all":        {auth.Config{TokenFile: file(t, clients, 0o644)}, "chmod 600"},
		"read by the group":  {auth.Config{TokenFile: file(t, clients, 0o640)}, "0640"},
		"a folder":           {auth.Config{TokenFile: t.TempDir()}, "token"},
		"key without cert":   {auth.Config{KeyFile: good.KeyFile}, "--cert-file"},
		"cert without key":   {auth.Config{CertFile: good.CertFile}, "--key-file"},
		"key read by all":    {auth.Config{CertFile: good.CertFile, KeyFile: file(t, string(key), 0o644)}, "chmod 600"},
		"no certificate":     {auth.Config{CertFile: file(t, "x", 0o600), KeyFile: good.KeyFile}, "certificate"},
		"no authority":       {auth.Config{CertFile: good.CertFile, KeyFile: good.KeyFile, CAFile: file(t, "x", 0o600)}, "PEM"},
		"no authority there": {auth.Config{CertFile: good.CertFile, KeyFile: good.KeyFile, CAFile: "/nowhere/ca"}, "/nowhere/ca"},
	} {
		_, err := c.cfg.Server(t.Context(), "127.0.0.1:0")
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "xyzzy") || strings.Contains(err.Error(), clients[:20]) {
			t.Errorf("%s, of a server: %v", name, err)
		}
		if _, err := c.cfg.Transport(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, of a client: %v", name, err)
		}
	}
	if _, err := (auth.Config{CAFile: good.CAFile}).Server(t.Context(), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "--cert-file") {
		t.Errorf("authorities of a server without a certificate: %v", err)
	}
	if _, err := (auth.Config{WorkerTokenFile: file(t, workers, 0o600)}).Server(t.Context(), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "workers") {
		t.Errorf("a token of workers alone: %v", err)
	}
}

// start serves both kinds of paths as a master does, and returns the URL.
func start(t *testing.T, cfg auth.Config) string {
	t.Helper()
	s, err := cfg.Server(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux := http.NewServeMux()
	mux.Handle("/cluster/", s.Workers(ok))
	mux.Handle("/", s.Clients(ok))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = nil
	server.TLS = s.TLS
	if s.TLS != nil {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL
}

// status makes a request as a client with that configuration, and returns the
// status, or 0 when the connection was refused.
func status(t *testing.T, cfg auth.Config, method, url string, header ...string) int {
	t.Helper()
	transport, err := cfg.Transport()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	c := &http.Client{Transport: transport}
	defer c.CloseIdleConnections()
	answer, err := c.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	var p struct{ Error struct{ Kind, Text string } }
	if answer.StatusCode == http.StatusUnauthorized {
		if err := json.NewDecoder(answer.Body).Decode(&p); err != nil || p.Error.Kind != "denied" || !strings.Contains(p.Error.Text, "--token-file") || answer.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: %+v, %v", method, url, p, err)
		}
	}
	return answer.StatusCode
}

// TestTokens makes requests with the right token, with none and with others, to
// all paths.
func TestTokens(t *testing.T) {
	t.Parallel()
	const next = "YW5vdGhlciB0b2tlbiwgZm9yIHRoZSBjaGFuZ2Ugb2YgaXQ="
	one, second := auth.Config{TokenFile: file(t, clients+"\n", 0o600)}, auth.Config{TokenFile: file(t, "\n"+next+"\n"+clients+"\r\n", 0o600)}
	apart := auth.Config{TokenFile: one.TokenFile, WorkerTokenFile: file(t, workers, 0o400)}
	other := auth.Config{TokenFile: file(t, strings.ToLower(clients), 0o600)}
	master, changing, parted, open := start(t, one), start(t, second), start(t, apart), start(t, auth.Config{})
	for name, c := range map[string]struct {
		who              auth.Config
		at, method, path string
		header           []string
		want             int
	}{
		"right":                   {one, master, "GET", "/v1/jobs", nil, 200},
		"right, as a worker":      {one, master, "POST", "/cluster/sync", nil, 200},
		"none":                    {auth.Config{}, master, "GET", "/v1/jobs", nil, 401},
		"none, to write":          {auth.Config{}, master, "POST", "/v1/jobs", nil, 401},
		"none, options":           {auth.Config{}, master, "OPTIONS", "/v1/jobs", nil, 401},
		"none, elsewhere":         {auth.Config{}, master, "GET", "/debug/pprof/", nil, 401},
		"none, as a worker":       {auth.Config{}, master, "POST", "/cluster/sync", nil, 401},
		"none, for health":        {auth.Config{}, master, "GET", "/healthz", nil, 200},
		"none, for readiness":     {auth.Config{}, master, "GET", "/readyz", nil, 200},
		"none, below health":      {auth.Config{}, master, "GET", "/healthz/x", nil, 401},
		"none, writing to health": {auth.Config{}, master, "POST", "/healthz", nil, 401},
		"none, worker's health":   {auth.Config{}, master, "GET", "/cluster/healthz", nil, 401},
		"other":                   {other, master, "GET", "/v1/jobs", nil, 401},
		"by another scheme":       {auth.Config{}, master, "GET", "/v1/jobs", []string{"Authorization", "Basic " + clients}, 401},
		"bare":                    {auth.Config{}, master, "GET", "/v1/jobs", []string{"Authorization", clients}, 401},
		"empty":                   {auth.Config{}, master, "GET", "/v1/jobs", []string{"Authorization", "Bearer "}, 401},
		"in a cookie":             {auth.Config{}, master, "GET", "/v1/jobs", []string{"Cookie", "token=" + clients}, 401},
		"in the query":            {auth.Config{}, master, "GET", "/v1/jobs?token=" + clients, nil, 401},
		"the old one":             {one, changing, "GET", "/v1/jobs", nil, 200},
		"the new one":             {second, changing, "GET", "/v1/jobs", nil, 200},
		"the new one, too soon":   {second, master, "GET", "/v1/jobs", nil, 401},
		"a client":                {one, parted, "GET", "/v1/jobs", nil, 200},
		"a client as a worker":    {one, parted, "POST", "/cluster/sync", nil, 401},
		"a worker":                {apart, parted, "POST", "/cluster/sync", nil, 200},
		"a worker as a client":    {apart, parted, "GET", "/v1/jobs", nil, 401},
		"no token needed":         {auth.Config{}, open, "GET", "/v1/jobs", nil, 200},
		"an unneeded token":       {one, open, "POST", "/cluster/sync", nil, 200},
	} {
		if got := status(t, c.who, c.method, c.at+c.path, c.header...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.file = sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	return a
}

// config returns the files of a process with a certificate for 127.0.0.1.
func (a *authority) config(t *testing.T, name string) auth.Config {
	t.Helper()
	_, key, cert := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, a)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Config{CertFile: cert, KeyFile: file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), 0o600), CAFile: a.file}
}

// sign makes a certificate and writes it to a file. Without by, it signs
// itself.
func sign(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
}

// TestCertificates verifies that both sides check each other's certificate.
func TestCertificates(t *testing.T) {
	t.Parallel()
	ca, foreign := newAuthority(t), newAuthority(t)
	server, client := ca.config(t, "master"), ca.config(t, "client")
	url := start(t, server)
	stranger := foreign.config(t, "stranger")
	stranger.CAFile = ca.file
	anonymous := auth.Config{CAFile: ca.file}
	suspicious := client
	suspicious.CAFile = foreign.file
	both := server
	both.TokenFile = file(t, clients, 0o600)
	guarded := start(t, both)
	bearer := client
	bearer.TokenFile = both.TokenFile
	for name, c := range map[string]struct {
		who  auth.Config
		url  string
		want int
	}{
		"right": {client, url + "/v1/jobs", 200}, "as a worker": {client, url + "/cluster/sync", 200}, "of another authority": {stranger, url + "/v1/jobs", 0},
		"none": {anonymous, url + "/v1/jobs", 0}, "none, for health": {anonymous, url + "/healthz", 0}, "of a server that is not known": {suspicious, url + "/v1/jobs", 0},
		"without TLS":       {auth.Config{}, strings.Replace(url, "https:", "http:", 1) + "/v1/jobs", http.StatusBadRequest},
		"without the token": {client, guarded + "/v1/jobs", 401}, "with both": {bearer, guarded + "/v1/jobs", 200},
	} {
		if got := status(t, c.who, http.MethodGet, c.url); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
