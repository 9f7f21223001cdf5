package azure_test

import (
	"os"
	"testing"

	"github.com/windrow-mr/windrow/store"
	_ "github.com/windrow-mr/windrow/store/azure"
	"github.com/windrow-mr/windrow/store/azure/azuretest"
)

func TestMain(m *testing.M) {
	azuretest.SetCredentials()
	os.Exit(m.Run())
}

// open opens a root that is closed at the test's end.
func open(t testing.TB, url string, o store.Options) *store.Root {
	t.Helper()
	r, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}
