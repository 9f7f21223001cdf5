//go:build stores

package main

import (
	"testing"

	"github.com/windrow-mr/windrow/store/azure/azuretest"
	"github.com/windrow-mr/windrow/store/gcs/gcstest"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// TestRunOnStores verifies that the same jobs give the same bytes on each kind of
// store.
func TestRunOnStores(t *testing.T) {
	t.Parallel()
	c, small := newCorpus(t), newSmallCorpus(t)
	for name, start := range map[string]func(t testing.TB) string{
		"versitygw":       s3test.Start,
		"minio":           func(t testing.TB) string { return s3test.StartMinio(t).URL },
		"fake-gcs-server": gcstest.Start,
		"azurite":         azuretest.Start,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			at := func(key string) string { return in(url, key) }
			c.run(t, at)
			small.runPacked(t, at)
		})
	}
}

// TestRunRefusesRcloneStore verifies that a run refuses rclone's S3 server, which
// accepts the condition of create-once and ignores it.
func TestRunRefusesRcloneStore(t *testing.T) {
	t.Parallel()
	path, _, _ := text(t, 10)
	refused(t, path, s3test.StartRclone(t).URL)
}
