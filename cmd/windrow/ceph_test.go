//go:build ceph

package main

import (
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

func TestRunOnCephStore(t *testing.T) {
	t.Parallel()
	url := s3test.StartCeph(t).NewBucket(t)
	at := func(key string) string { return in(url, key) }
	newCorpus(t).run(t, at)
	newSmallCorpus(t).runPacked(t, at)
}
