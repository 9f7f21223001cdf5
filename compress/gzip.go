package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// errTrailing says that something follows the end of a stream.
var errTrailing = errors.New("it is followed by something else")

// members reads the members of a gzip stream one after the other (RFC 1952, 2.2).
// Zeros may follow the last one: tapes and block devices fill their blocks with
// them, and gzip ignores them.
type members struct {
	in    *bufio.Reader
	gz    *gzip.Reader
	ended bool
}

// reset begins to read a stream.
func (m *members) reset(in *bufio.Reader) error {
	m.in, m.ended = in, false
	if err := m.gz.Reset(in); err != nil {
		return err
	}
	m.gz.Multistream(false)
	return nil
}

// Read reads decompressed bytes.
func (m *members) Read(p []byte) (int, error) {
	for !m.ended {
		n, err := m.gz.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // there may be another member
			}
			return n, err
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// next begins the member that follows, if there is one.
func (m *members) next() error {
	head, err := m.in.Peek(2)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		m.ended = true
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case head[0] == 0:
		m.ended = true
		return m.padding()
	case head[0] != 0x1f || len(head) == 2 && head[1] != 0x8b:
		return fmt.Errorf("%w, which begins with % x and is no member of gzip", errTrailing, head)
	}
	if err := m.gz.Reset(m.in); err != nil {
		return err
	}
	m.gz.Multistream(false)
	return nil
}

// padding reads zeros up to the end.
func (m *members) padding() error {
	for {
		b, err := m.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case b != 0:
			return fmt.Errorf("%w: zeros, and then %02x", errTrailing, b)
		}
	}
}
