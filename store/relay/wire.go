package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// wire sends and receives frames. Any number of goroutines may send; one
// receives.
type wire struct {
	conn net.Conn
	unix *net.UnixConn // the same, if it can carry descriptors

	sending sync.Mutex
	head    [headerSize]byte
	pieces  [2][]byte

	// Bytes that were received and not read yet. Descriptors arrive with the
	// first byte of their frame or before it, and in order.
	files   bool // descriptors are wanted
	buf     [4 << 10]byte
	r, w    int
	oob     [256]byte
	waiting []*os.File
}

func newWire(conn net.Conn, files bool) *wire {
	w := &wire{conn: conn, files: files}
	w.unix, _ = conn.(*net.UnixConn)
	return w
}

// send writes a frame. After an error the connection is useless: a part of the
// frame may have been written.
func (w *wire) send(k kind, id uint32, payload []byte) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	h := header{length: uint32(len(payload)), id: id, kind: k}
	w.pieces = [2][]byte{h.append(w.head[:0]), payload}
	buffers := net.Buffers(w.pieces[:])
	_, err := buffers.WriteTo(w.conn)
	w.pieces = [2][]byte{}
	return err
}

// sendFile writes a frame with a descriptor.
func (w *wire) sendFile(k kind, id uint32, payload []byte, f *os.File) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	h := header{length: uint32(len(payload)), id: id, kind: k, flags: flagFile}
	return sendDescriptor(w.unix, append(h.append(make([]byte, 0, headerSize+len(payload))), payload...), f)
}

// receive reads the head of the next frame.
func (w *wire) receive() (header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(w, b[:]); err != nil {
		return header{}, err
	}
	return parseHeader(&b)
}

// Read reads bytes of a payload: large ones straight from the connection.
func (w *wire) Read(p []byte) (n int, err error) {
	if w.r == w.w {
		if len(p) >= len(w.buf) {
			return w.read(p)
		}
		w.r, w.w = 0, 0
		if w.w, err = w.read(w.buf[:]); w.w == 0 {
			return 0, err
		}
	}
	n = copy(p, w.buf[w.r:w.w])
	w.r += n
	return n, nil
}

func (w *wire) read(p []byte) (int, error) {
	if w.unix == nil || !w.files {
		return w.conn.Read(p)
	}
	n, files, err := receiveDescriptors(w.unix, p, w.oob[:])
	w.waiting = append(w.waiting, files...)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// file returns the descriptor that arrived with a frame; nil if the process had
// no room for it.
func (w *wire) file() *os.File {
	if len(w.waiting) == 0 {
		return nil
	}
	f := w.waiting[0]
	w.waiting = w.waiting[1:]
	return f
}

// payload reads a payload whose length parseHeader has checked.
func (w *wire) payload(h header) ([]byte, error) {
	b := make([]byte, h.length)
	_, err := io.ReadFull(w, b)
	return b, noEOF(err)
}

// discard reads a payload that is no longer wanted.
func (w *wire) discard(h header) error {
	_, err := io.CopyN(io.Discard, struct{ io.Reader }{w}, int64(h.length))
	return noEOF(err)
}

// close closes the connection, which may be closed already.
//
//go:noinline
func (w *wire) close() {
	_ = w.conn.Close()
}

// noEOF makes the end of the connection within a frame an error.
//
//go:noinline
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
