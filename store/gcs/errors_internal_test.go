package gcs

import (
	"context"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestTransportErrors verifies that a request that did not get through is no
// answer, and above all no missing object.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want plan.Kind
	}{
		{&net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}, plan.Unavailable},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, plan.Unavailable},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, plan.Unavailable},
		{context.Canceled, plan.Interrupted},
	} {
		err := classify(&url.Error{Op: "Get", URL: "https://nowhere/", Err: c.err})
		if got := plan.KindOf(err); got != c.want {
			t.Errorf("%v is %v, want %v", err, got, c.want)
		}
	}
	if classify(nil) != nil {
		t.Error("no error is one")
	}
}
