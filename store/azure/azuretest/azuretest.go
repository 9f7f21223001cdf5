// Package azuretest starts Microsoft's emulator of Azure Blob Storage, Azurite,
// for tests: installed once into a cache by npm, on a port of the loopback
// interface, with an empty container.
//
// Tests of the target test-stores call it. Concurrency: Start and Install may
// be called by any number of goroutines and processes. Failure: Start ends the
// test.
package azuretest

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/windrow-mr/windrow/store/internal/testserver"
)

const name = "test"

// Account and Key are the published ones of every emulator of this service.
const (
	Account = "devstoreaccount1"
	Key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

func tool() testserver.Tool {
	return testserver.NpmTool("azurite", "dist/src/blob/main.js", "3.37.0")
}

// Install installs the emulator unless it is in the cache, and returns the path
// of its program, which node runs.
func Install(ctx context.Context) (string, error) { return testserver.Install(ctx, tool()) }

// SetCredentials sets those of the emulator in the environment, where the
// client looks for them. All emulators have the same, so that parallel tests do
// not disturb each other.
func SetCredentials() { credentials() }

var credentials = sync.OnceFunc(func() {
	_ = os.Setenv("AZURE_STORAGE_ACCOUNT", Account)
	_ = os.Setenv("AZURE_STORAGE_KEY", Key)
})

// Start starts an emulator for the rest of the test and returns the URL of an
// empty container. The first caller of a process sets the credentials in the
// process's environment.
func Start(t testing.TB) string {
	t.Helper()
	program, err := Install(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	SetCredentials()
	dir := t.TempDir()
	address := testserver.Start(t, testserver.Server{
		Program: "node",
		Args: func(address string) []string {
			host, port, _ := strings.Cut(address, ":")
			return []string{program, "--silent", "--location", dir, "--blobHost", host, "--blobPort", port, "--skipApiVersionCheck", "--disableTelemetry"}
		},
		Path:  "/" + Account + "?comp=list",
		Ready: func(_ int, body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<?xml")) },
	})
	credential, err := container.NewSharedKeyCredential(Account, Key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential("http://"+address+"/"+Account+"/"+name, credential,
		&container.ClientOptions{ClientOptions: policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = client.Create(t.Context(), nil); err != nil {
		t.Fatalf("make a container: %v", err)
	}
	return "azblob://" + name + "?localemu=true&protocol=http&storage_account=" + Account + "&domain=" + address
}
