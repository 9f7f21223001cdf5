//go:build !linux

package relay

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// descriptorsPass says that files are read by frames here, like all else.
const descriptorsPass = false

var errNoDescriptors = errors.New("descriptors are passed on Linux alone")

func openDescriptor(context.Context, *store.Root, string, store.Object) *os.File { return nil }

func sendDescriptor(*net.UnixConn, []byte, *os.File) error { return errNoDescriptors }

func receiveDescriptors(*net.UnixConn, []byte, []byte) (int, []*os.File, error) {
	return 0, nil, errNoDescriptors
}

func identity(*os.File) (device, inode uint64, err error) { return 0, 0, errNoDescriptors }

func newFileReader(f *os.File, _ store.Object, _, _ uint64) (driver.Reader, error) {
	return nil, errors.Join(errNoDescriptors, f.Close())
}
