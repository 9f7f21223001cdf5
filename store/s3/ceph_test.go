//go:build ceph

package s3_test

import (
	"testing"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/store/storetest"
)

// TestCephServerConforms knows that the gateway ignores the condition of
// create-once on objects in parts, and keeps no checksums.
func TestCephServerConforms(t *testing.T) {
	t.Parallel()
	ceph := s3test.StartCeph(t)
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, ceph.NewBucket(t), store.Options{}) },
		storetest.Features{Flat: true, Uploads: true})
}
