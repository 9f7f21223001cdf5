package drive

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Bytes is the body of a request. Its bytes are the caller's again when Release
// returns. Go's HTTP client may continue to read a body after it returned an
// answer, or an error. It would then send whatever the caller has put there
// meanwhile.
type Bytes struct {
	mu     sync.Mutex
	reader *bytes.Reader // nil after Release
}

// NewBytes makes a body of p.
func NewBytes(p []byte) *Bytes { return &Bytes{reader: bytes.NewReader(p)} }

var errReleased = errors.New("the request is over")

// Read reads, until Release.
func (b *Bytes) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader == nil {
		return 0, errReleased
	}
	return b.reader.Read(p)
}

// Seek lets a client send the body again, until Release.
func (b *Bytes) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader == nil {
		return 0, errReleased
	}
	return b.reader.Seek(offset, whence)
}

// Close does nothing: a client closes a body that it may want to send again.
func (b *Bytes) Close() error { return nil }

// Release ends all reading.
func (b *Bytes) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reader = nil
}

var _ io.ReadSeekCloser = (*Bytes)(nil)
