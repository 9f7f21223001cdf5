//go:build stores

package azure_test

import (
	"testing"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/azure/azuretest"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestServerConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, azuretest.Start(t), store.Options{}) },
		storetest.Features{MultipartOnce: true, Flat: true})
}
