//go:build stores

package gcs_test

import (
	"testing"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/gcs/gcstest"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestServerConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, gcstest.Start(t), store.Options{}) },
		storetest.Features{MultipartOnce: true, Flat: true, Sums: true, SumsOfParts: true})
}
