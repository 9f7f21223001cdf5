package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// openDescriptor opens the file of an object of a file root, read-only. It
// returns nil if it cannot, or if the file is no longer that version: the
// caller then opens it in another way, which returns the error.
//
// The store confirms the version after the file was opened, and o says that it
// was the version before: so it is the version that was opened.
func openDescriptor(ctx context.Context, r *store.Root, dir string, o store.Object) *os.File {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer root.Close()
	f, err := root.OpenFile(o.Key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && info.Size() == o.Size {
		after, err := r.Stat(ctx, o.Key)
		if err == nil && after.Size == o.Size && (o.ETag == "" || after.ETag == o.ETag) {
			return f
		}
	}
	_ = f.Close()
	return nil
}

// sendDescriptor writes b, and a descriptor with its first byte.
func sendDescriptor(c *net.UnixConn, b []byte, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	n := 0
	controlErr := raw.Control(func(fd uintptr) {
		n, _, err = c.WriteMsgUnix(b, syscall.UnixRights(int(fd)), nil)
	})
	if err == nil && controlErr == nil && n < len(b) {
		_, err = c.Write(b[n:])
	}
	return errors.Join(err, controlErr)
}

// receiveDescriptors reads bytes and the descriptors that arrived with them.
// oob is room for the latter.
func receiveDescriptors(c *net.UnixConn, p, oob []byte) (int, []*os.File, error) {
	n, oobn, _, _, err := c.ReadMsgUnix(p, oob)
	n = max(n, 0) // -1 with an error
	if oobn == 0 || err != nil {
		return n, nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return n, nil, err
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return n, files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "object"))
		}
	}
	return n, files, nil
}

// descriptorsPass says that files can be read through passed descriptors.
const descriptorsPass = true

// identity identifies the file of a descriptor.
func identity(f *os.File) (device, inode uint64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, errors.New("the system does not identify the file of a descriptor")
	}
	return st.Dev, st.Ino, nil
}

// fileReader reads a file that the other side opened, and notices when it is
// written to.
type fileReader struct {
	file   *os.File
	fd     int
	object store.Object
	mtime  syscall.Timespec
	ctime  syscall.Timespec
	pinned bool // it was asked for in one version, and must not be touched at all
}

// pin makes any change of the file an error, also one that keeps size and time.
func (r *fileReader) pin() { r.pinned = true }

var _ io.ReaderAt = (*fileReader)(nil)

// newFileReader reads the file f, whose identity must be this one.
func newFileReader(f *os.File, o store.Object, device, inode uint64) (driver.Reader, error) {
	r := &fileReader{file: f, object: o}
	if err := r.begin(device, inode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *fileReader) begin(device, inode uint64) error {
	raw, err := r.file.SyscallConn()
	if err != nil {
		return err
	}
	if err = raw.Control(func(fd uintptr) { r.fd = int(fd) }); err != nil {
		return err
	}
	var st syscall.Stat_t
	switch err := syscall.Fstat(r.fd, &st); {
	case err != nil:
		return err
	case st.Dev != device || st.Ino != inode:
		return errNoFile
	case st.Size != r.object.Size:
		return driver.Fail(plan.Changed, "the size is %d, not %d", st.Size, r.object.Size)
	}
	r.mtime, r.ctime = st.Mtim, st.Ctim
	if r.object.ModTime.IsZero() {
		r.object.ModTime = time.Unix(st.Mtim.Unix())
	}
	return nil
}

// ReadAt reads straight into p. The check afterwards covers the bytes that were
// read.
func (r *fileReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.file.ReadAt(p, off)
	var st syscall.Stat_t
	if statErr := syscall.Fstat(r.fd, &st); statErr != nil {
		return 0, statErr
	}
	if st.Size != r.object.Size || st.Mtim != r.mtime || r.pinned && st.Nlink > 0 && st.Ctim != r.ctime {
		return 0, driver.Fail(plan.Changed, "the file was written to while it was read")
	}
	return n, err
}

func (r *fileReader) Object(context.Context) (store.Object, error) { return r.object, nil }

func (r *fileReader) Close() error { return r.file.Close() }

func (r *fileReader) Range(_ context.Context, off, n int64) (driver.Body, error) {
	return driver.Section(r, r.object.Size, off, n)
}
