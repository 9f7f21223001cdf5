//go:build stores

package s3_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/internal/testserver"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/store/storetest"
)

// TestMinioServerConforms knows that minio lists uploads of a whole key and
// none below a prefix, and aborts them by itself after a day.
func TestMinioServerConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, s3test.StartMinio(t).URL, store.Options{}) },
		storetest.Features{MultipartOnce: true, Flat: true, Sums: true, SumsOfParts: true})
}

// TestRcloneServerIsRefused verifies the refusal of a server that accepts the
// condition of create-once and ignores it.
func TestRcloneServerIsRefused(t *testing.T) {
	t.Parallel()
	root := open(t, s3test.StartRclone(t).URL, store.Options{})
	_, err := root.Probe(t.Context())
	testserver.WantKind(t, err, plan.Invalid)
	if text := fmt.Sprint(err); !strings.Contains(text, "does not honour create-once") || !strings.Contains(text, "s3://test") {
		t.Error(text)
	}
	for o, err := range root.List(t.Context(), "") {
		t.Errorf("left behind: %+v, %v", o, err)
	}
}
