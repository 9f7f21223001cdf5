// Package s3test starts real S3 servers for tests: versitygw, built once into
// a cache, on a port of the loopback interface, with a directory of its own.
//
// Tests of any package call Start; `make tools` calls Install before the first
// test, through the program in the folder install. Concurrency: both may be
// called by any number of goroutines and processes; building is serialised by a
// lock file. Failure: Start ends the test.
package s3test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	version = "v1.8.0"
	module  = "github.com/versity/versitygw/cmd/versitygw@" + version
	bucket  = "test"

	// Credentials of servers that live for one test on the loopback.
	accessKey = "windrow"
	secretKey = "windrow-test-secret"
)

// Install builds the server unless it is in the cache, and returns its path.
// The first build takes minutes.
func Install(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache for the S3 server: %w", err)
	}
	dir := filepath.Join(cache, "windrow", "tools", "versitygw-"+version)
	program := filepath.Join(dir, "versitygw")
	if _, err = os.Stat(program); err == nil {
		return program, nil
	}
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err = os.Stat(program); err == nil {
		return program, nil // somebody else built it meanwhile
	}
	return program, build(ctx, dir, program)
}

// lock takes a lock file, waiting for another process that is building.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return func() { _ = f.Close() }, err
}

// build builds into a new directory and renames the result, so that a build
// that was cut off is never taken for a program.
func build(ctx context.Context, dir, program string) error {
	temp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	cmd := exec.CommandContext(ctx, "go", "install", module)
	cmd.Dir = temp // outside of any module, whose go.mod would matter
	cmd.Env = append(os.Environ(), "GOBIN="+temp, "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", module, err, out)
	}
	return os.Rename(filepath.Join(temp, "versitygw"), program)
}

// Server is a running S3 server with one empty bucket.
type Server struct {
	URL       string // s3://… for store.Open; credentials come from the environment
	Endpoint  string // http://127.0.0.1:port
	Bucket    string
	Directory string // where the bucket's objects are files
}

// Start starts a server for the rest of the test and returns the URL of an
// empty bucket. The first caller of a process sets the credentials in the
// process's environment.
func Start(t testing.TB) string {
	t.Helper()
	return StartServer(t).URL
}

// StartServer is Start for tests that look behind the URL.
func StartServer(t testing.TB) *Server {
	t.Helper()
	program, err := Install(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatalf("install the S3 server: %v", err)
	}
	SetCredentials()
	dir := t.TempDir()
	// versitygw takes the directories below its root for buckets.
	if err := os.Mkdir(filepath.Join(dir, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ {
		endpoint, err := run(t, program, dir)
		if err == nil {
			return &Server{
				URL:       "s3://" + bucket + "?endpoint=" + endpoint + "&use_path_style=true&region=us-east-1",
				Endpoint:  endpoint,
				Bucket:    bucket,
				Directory: filepath.Join(dir, bucket),
			}
		}
		if try == 4 {
			t.Fatalf("start the S3 server: %v", err)
		}
	}
}

var credentials sync.Once

// SetCredentials sets those of the test servers in the environment, where the
// S3 client looks for them. Every server of this package has the same, so that
// parallel tests do not disturb each other.
func SetCredentials() {
	credentials.Do(func() {
		_ = os.Setenv("AWS_ACCESS_KEY_ID", accessKey)
		_ = os.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
		_ = os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	})
}

// run starts the server on a free port and waits until it answers. That
// somebody else takes the port meanwhile is an error, worth another try.
func run(t testing.TB, program, dir string) (endpoint string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", err
	}
	var out lockedBuffer
	cmd := exec.Command(program, "--port", address, "--keep-alive", "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = attributes()
	started, exited := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return "", err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		<-exited
	}
	if err := awaitServer("http://"+address, exited); err != nil {
		stop()
		return "", fmt.Errorf("%w\n%s", err, out.String())
	}
	t.Cleanup(stop)
	return "http://" + address, nil
}

// awaitServer asks until an S3 server answers.
func awaitServer(endpoint string, exited <-chan struct{}) error {
	client := &http.Client{Timeout: time.Second}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if response, err := client.Get(endpoint); err == nil {
			head, _ := bufio.NewReader(response.Body).ReadString('\n')
			_ = response.Body.Close()
			if response.StatusCode < 500 && strings.HasPrefix(head, "<?xml") {
				select {
				case <-exited: // it is somebody else's server, on the port that ours wanted
				default:
					return nil
				}
			}
		}
		select {
		case <-tick.C:
		case <-exited:
			return errors.New("the server exited")
		case <-deadline.C:
			return errors.New("the server did not answer in 30 s")
		}
	}
}

// lockedBuffer gathers a process's output while others may read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
