// Package gcstest starts real Google Cloud Storage emulators for tests:
// fake-gcs-server, built once into a cache, on a port of the loopback
// interface, with an empty bucket in memory.
//
// Tests of the target test-stores call it. Concurrency: Start and Install may
// be called by any number of goroutines and processes. Failure: Start ends the
// test.
package gcstest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/internal/testserver"
)

const bucket = "test"

func tool() testserver.Tool {
	return testserver.GoTool("fake-gcs-server", "github.com/fsouza/fake-gcs-server", "v1.56.1")
}

// Install builds the server unless it is in the cache, and returns its path.
// The first build takes minutes.
func Install(ctx context.Context) (string, error) { return testserver.Install(ctx, tool()) }

// Start starts a server for the rest of the test and returns the URL of an
// empty bucket.
func Start(t testing.TB) string {
	t.Helper()
	program, err := Install(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	address := testserver.Start(t, testserver.Server{
		Program: program,
		Args: func(address string) []string {
			host, port, _ := strings.Cut(address, ":")
			return []string{"-scheme", "http", "-host", host, "-port", port, "-backend", "memory", "-public-host", address, "-log-level", "error"}
		},
		Path:  "/storage/v1/b?project=test",
		Ready: func(status int, _ []byte) bool { return status == http.StatusOK },
	})
	endpoint := "http://" + address
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/storage/v1/b?project=test", strings.NewReader(`{"name":"`+bucket+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("make a bucket: %s", response.Status)
	}
	return "gs://" + bucket + "?anonymous=true&endpoint=" + endpoint
}
