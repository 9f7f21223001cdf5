// Package s3test starts real S3 servers for tests: versitygw for all tests, and
// minio, rclone and Ceph for the tests of the target test-stores, on ports of
// the loopback interface, with directories of their own.
//
// Tests of any package call Start; `make tools` calls Install before the first
// test, through the program in the folder install. Concurrency: everything may
// be called by any number of goroutines and processes. Failure: Start and its
// like end the test.
package s3test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/store/internal/testserver"
)

const (
	bucket = "test"

	// Credentials of servers that live for one test on the loopback.
	accessKey = "windrow"
	secretKey = "windrow-test-secret"
)

// versitygw is the server of all tests that need a real one.
func versitygw() testserver.Tool {
	return testserver.GoTool("versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0")
}

// Install builds the server unless it is in the cache, and returns its path.
// The first build takes minutes.
func Install(ctx context.Context) (string, error) {
	return testserver.Install(ctx, versitygw())
}

// Server is a running S3 server with one empty bucket.
type Server struct {
	URL       string // s3://… for store.Open; credentials come from the environment
	Endpoint  string // http://127.0.0.1:port
	Bucket    string
	Directory string // where versitygw keeps the bucket's objects as files
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
	program := install(t, versitygw())
	dir := directory(t)
	address := testserver.Start(t, testserver.Server{
		Program: program,
		Args: func(address string) []string {
			return []string{"--port", address, "--keep-alive", "--quiet", "posix", dir}
		},
		Env: []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
		// The list of buckets needs a signature. A refusal is answer enough.
		Path: "/", Ready: answersXML,
	})
	return server(address, dir)
}

// install installs a server, for as long as that takes.
func install(t testing.TB, tool testserver.Tool) string {
	t.Helper()
	program, err := testserver.Install(context.WithoutCancel(t.Context()), tool)
	if err != nil {
		t.Fatal(err)
	}
	SetCredentials()
	return program
}

// directory returns a new directory with one below it, which is a bucket to
// servers that keep objects as files.
func directory(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// server describes a server that runs.
func server(address, dir string) *Server {
	endpoint := "http://" + address
	return &Server{
		URL:       "s3://" + bucket + "?endpoint=" + endpoint + "&use_path_style=true&region=us-east-1",
		Endpoint:  endpoint,
		Bucket:    bucket,
		Directory: filepath.Join(dir, bucket),
	}
}

// answersXML reports whether an answer is that of an S3 server, even if it is a
// refusal.
func answersXML(status int, body []byte) bool {
	return status < 500 && bytes.HasPrefix(body, []byte("<?xml"))
}

// SetCredentials sets the credentials of the test servers in the environment,
// where the S3 client looks for them. Every server of this package has the
// same, so that parallel tests do not disturb each other.
func SetCredentials() { credentials() }

var credentials = sync.OnceFunc(func() {
	_ = os.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	_ = os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
})
