package remote

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

// TestBundlesOfAKeyDoNotDependOnWorkers verifies that a package that is submitted with a
// key has the same bundles with and without workers: with others, the key would be
// refused. Without a key it is built only for the workers that run.
func TestBundlesOfAKeyDoNotDependOnWorkers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": "package main\n\nfunc main() { println(\"\\x1ewindrow: this program can run tasks of its jobs\\x1e\") }\n", "go.mod": "module example.com/x\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := apitest.New()
	server := httptest.NewServer(api.Handler(b, api.Config{Loopback: true}))
	t.Cleanup(server.Close)
	cl, err := client.New(client.Config{URLs: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := OpenPackage(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pkg.Close)
	for _, c := range []struct {
		worker string
		keyed  bool
		want   string
	}{{"", false, "linux/amd64"}, {"", true, "linux/amd64 linux/arm64"}, {"arm64", false, "linux/arm64"}, {"arm64", true, "linux/amd64 linux/arm64"}} {
		b.SetWorkers()
		if c.worker != "" {
			b.SetWorkers(client.Worker{ID: "w", OS: "linux", Arch: c.worker}, client.Worker{ID: "v", OS: "linux", Arch: c.worker})
		}
		all, err := pkg.Bundles(t.Context(), cl, c.keyed)
		var got []string
		for i := range all {
			got = append(got, all[i].Machine())
		}
		if err != nil || strings.Join(got, " ") != c.want || slices.ContainsFunc(all, func(b Bundle) bool { return len(b.Digest) != 64 }) {
			t.Errorf("with workers %q, keyed %v: for %q (%v), want %s", c.worker, c.keyed, got, err, c.want)
		}
	}
}
