//go:build ceph

package main

import (
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

func TestRunOnCephStore(t *testing.T) {
	t.Parallel()
	url := s3test.StartCeph(t).NewBucket(t)
	newCorpus(t).run(t, func(key string) string { return in(url, key) })
}
