package s3_test

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/windrow-mr/windrow/store"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestMain(m *testing.M) {
	s3test.SetCredentials()
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

// fake starts an S3 server in this process.
func fake(t testing.TB) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("test"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return "s3://test?region=us-east-1&use_path_style=true&endpoint=" + server.URL
}

func TestFakeConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, fake(t), store.Options{}) },
		storetest.Features{Flat: true, Uploads: true})
}

func TestServerConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, s3test.Start(t), store.Options{}) },
		storetest.Features{MultipartOnce: true, Sums: true, SumsOfParts: true, Uploads: true})
}
