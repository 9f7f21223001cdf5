package jobproc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan/packed"
)

// Version is the protocol's version. It changes with every change of a message, and
// of the types of package plan in messages, except for a field that the other side
// can do without.
const Version = 6

// kind is the kind of a frame's message.
type kind uint8

// The kinds. The worker sends those up to kindStop, the process the others.
const (
	kindHello kind = iota + 1
	kindRun
	kindCut
	kindGenerate
	kindGranted
	kindStop
	kindReady
	kindRefused
	kindSections
	kindProgress
	kindAsk
	kindEnded
)

const (
	headSize = 5
	most     = 64 << 20 // of messages that grow with a job
	middling = 16 << 20 // of plans
	little   = 1 << 20
)

// limits bound the payloads, by kind.
var limits = [...]int{
	kindHello: most, kindRun: most, kindCut: little, kindGenerate: little, kindGranted: little, kindStop: little,
	kindReady: middling, kindRefused: little, kindSections: most, kindProgress: little, kindAsk: little, kindEnded: most,
}

// sendTime is how long the other side may take to read a message. Both sides
// read all the time.
const sendTime = time.Minute

// link sends and receives frames. Any number of goroutines may send; one
// receives.
type link struct {
	conn    net.Conn
	sending sync.Mutex
}

// send sends a message. After an error the connection can no longer be used.
func (l *link) send(k kind, message any) error {
	var b bytes.Buffer
	b.Write(make([]byte, headSize))
	if err := msgpack.NewEncoder(&b).Encode(message); err != nil {
		return fmt.Errorf("encode a message of kind %d: %w", k, err)
	}
	frame := b.Bytes()
	n := len(frame) - headSize
	if n > limits[k] {
		return &tooLong{n, limits[k]}
	}
	binary.BigEndian.PutUint32(frame, uint32(n))
	frame[4] = byte(k)
	l.sending.Lock()
	defer l.sending.Unlock()
	_ = l.conn.SetWriteDeadline(time.Now().Add(sendTime)) // it has one, or the write fails
	_, err := l.conn.Write(frame)
	return err
}

// tooLong says that a message was not sent because it is longer than the other
// side accepts.
type tooLong struct{ size, limit int }

func (e *tooLong) Error() string {
	return fmt.Sprintf("a message of %d bytes is too long: at most %d can be sent", e.size, e.limit)
}

// receive returns the next frame.
func (l *link) receive() (kind, []byte, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return 0, nil, err
	}
	k, n := kind(head[4]), binary.BigEndian.Uint32(head[:])
	if k == 0 || int(k) >= len(limits) {
		return 0, nil, fmt.Errorf("a frame of the unknown kind %d", k)
	}
	if n > uint32(limits[k]) {
		return 0, nil, fmt.Errorf("a frame of kind %d with %d bytes, and at most %d are allowed", k, n, limits[k])
	}
	payload, err := readFull(l.conn, int(n))
	return k, payload, err
}

// readFull reads n bytes. It allocates memory as they come, so that a length
// alone costs nothing.
func readFull(r io.Reader, n int) ([]byte, error) {
	var b bytes.Buffer
	_, err := io.CopyN(&b, r, int64(n))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b.Bytes(), err
}

// decode reads a message that fills its payload. The payload may be hostile: a
// job's program can write to the connection what it likes.
func decode(payload []byte, message any) error {
	err := packed.Check(payload)
	if err == nil {
		err = msgpack.Unmarshal(payload, message)
	}
	if err != nil {
		return fmt.Errorf("a message that cannot be read: %w", err)
	}
	return nil
}

// list is a slice in a message. The library allocates as many elements as the
// message claims to have. A list allocates those that are there, and at most
// maxList.
type list[T any] []T

var (
	_ msgpack.CustomDecoder = (*list[int])(nil)
)

const maxList = 1 << 18

// DecodeMsgpack reads the elements one by one.
func (l *list[T]) DecodeMsgpack(d *msgpack.Decoder) error {
	n, err := d.DecodeArrayLen()
	if err != nil {
		return err
	}
	if n > maxList {
		return fmt.Errorf("a list of %d, and at most %d are allowed", n, maxList)
	}
	*l = nil
	for range n {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		*l = append(*l, v)
	}
	return nil
}
