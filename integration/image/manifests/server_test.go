//go:build image

package manifests

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/integration/heard"
)

// patience is how long a test waits for a condition. A new server makes roles
// and namespaces first.
const patience = 2 * time.Minute

// server is an API server of Kubernetes, without any node.
type server struct {
	t       *testing.T
	kubectl string
	config  string // file by which kubectl is its administrator
}

// start starts a server, which has the test's time.
func start(t *testing.T) *server {
	t.Helper()
	programs := built(t)
	dir := t.TempDir()
	etcd := "http://" + address(t)
	run(t, "etcd", "serving client traffic", "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", "http://"+address(t), "--logger", "zap", "--unsafe-no-fsync")

	token := rand.Text()
	write(t, filepath.Join(dir, "tokens"), token+`,administrator,1,"system:masters"`+"\n")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "key"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	at := address(t)
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	run(t, filepath.Join(programs, "kube-apiserver"), "", "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", port,
		"--cert-dir", filepath.Join(dir, "certificates"), "--service-cluster-ip-range", "10.96.0.0/24", "--authorization-mode", "RBAC",
		"--token-auth-file", filepath.Join(dir, "tokens"), "--service-account-issuer", "https://kubernetes.example", "--disable-admission-plugins", "ServiceAccount",
		"--service-account-key-file", filepath.Join(dir, "key"), "--service-account-signing-key-file", filepath.Join(dir, "key"))

	s := &server{t: t, kubectl: filepath.Join(programs, "kubectl"), config: filepath.Join(dir, "config")}
	write(t, s.config, fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
  - {name: test, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}
users:
  - {name: test, user: {token: %s}}
contexts:
  - {name: test, context: {cluster: test, user: test}}
`, at, token))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		out, err := s.try("", "get", "--raw", "/readyz")
		if err == nil {
			return s
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the API server is not ready: %v\n%s", err, out)
		}
	}
}

// built returns the folder of the server and kubectl, and builds them unless
// they are there: from the versions that testdata names, so always the same.
func built(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	list.Dir = "testdata/kubernetes"
	version, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Join(cache, "windrow", "tools")
	dir := filepath.Join(tools, "kubernetes-"+strings.TrimSpace(string(version)))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	made, err := os.MkdirTemp(tools, "kubernetes-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(made)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", made, "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl")
	build.Dir, build.Env = list.Dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build Kubernetes: %v\n%s", err, out)
	}
	if err := os.Chmod(made, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(made, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a program for the rest of the test, and waits for some words of its
// output.
func run(t *testing.T, program, words string, args ...string) {
	t.Helper()
	var said heard.Text
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: apt-get install etcd-server installs etcd", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its output says why
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			text := said.String()
			t.Logf("%s said:\n%s", program, text[max(0, len(text)-4000):])
		}
	})
	if !said.Wait(words, exited, patience) {
		t.Fatalf("%s does not say %q", program, words)
	}
}

// address returns an address of loopback that has no listener now.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// try runs kubectl to its end, and returns its output.
func (s *server) try(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.kubectl, append([]string{"--kubeconfig", s.config, "--cache-dir", s.config + ".cache"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err := cmd.Run()
	return all.String(), err
}

// must is try for commands that must succeed.
func (s *server) must(stdin string, args ...string) string {
	s.t.Helper()
	out, err := s.try(stdin, args...)
	if err != nil {
		s.t.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return out
}
