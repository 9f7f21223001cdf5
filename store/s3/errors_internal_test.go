package s3

import (
	"context"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/store"
)

// TestTransportErrors: what did not get through is no answer, least of all that
// something is not there.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want store.Kind
	}{
		{&net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}, store.Unavailable},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, store.Unavailable},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, store.Unavailable},
		{context.Canceled, store.Canceled},
	} {
		err := classify(&url.Error{Op: "Get", URL: "https://nowhere/", Err: c.err})
		if got := store.KindOf(err); got != c.want {
			t.Errorf("%v is %v, want %v", err, got, c.want)
		}
	}
	if classify(nil) != nil {
		t.Error("no error is one")
	}
}
