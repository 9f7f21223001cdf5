package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Pair returns the two ends of a new private connection: one to Serve, and one
// to pass to a job process as a descriptor, which Inherited turns into a
// connection. The file must be closed once the process has started; otherwise
// the end of the process goes unnoticed.
func Pair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("relay: make a pair of sockets: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "relay"), os.NewFile(uintptr(fds[1]), "relay")
	conn, err := Inherited(ours)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// Gone reports whether err, of a read or a write of a connection, says that the
// process at the other end is gone, or has closed its end. Which error comes depends
// on what was in transit: a reset is the end of a connection with unread bytes.
//
//go:noinline
func Gone(err error) bool {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// Inherited makes a connection of a descriptor, and closes the file.
func Inherited(f *os.File) (net.Conn, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("relay: the inherited descriptor is no connection: %w", err)
	}
	if u, ok := conn.(*net.UnixConn); ok {
		// Two frames and a half: the data in transit while the other side takes
		// bytes out. The system cuts a larger buffer to its limit.
		_ = u.SetWriteBuffer(640 << 10)
	}
	return conn, nil
}
