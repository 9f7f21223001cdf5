package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
)

// A create-once object is framed, all integers little-endian:
//
//	0   4   magic and version, "WDO1"
//	4   16  nonce, random for each CreateOnce
//	20  8   length of the body
//	28  4   CRC32C of bytes 0 to 27 and of the body
//	32  …   body
const (
	onceMagic  = "WDO1"
	nonceSize  = 16
	onceHeader = 32
)

// lookTwice is how often CreateOnce starts again if the object that made it
// lose is gone before it could be read.
const lookTwice = 4

type nonce [nonceSize]byte

// CreateOnce creates an object of at most MaxBody bytes, unless there is one
// already. Of all calls ever made with the same key exactly one wins. The
// object is durable when CreateOnce returns, whether the call won or lost. A
// loser gets the winner's body.
//
// CreateOnce resolves a lost answer by reading the object back, since only the
// winner's nonce is in it. After an error the outcome is open: the object may
// exist, and may be this call's. Another call with the same body does not show
// which of the two calls made the object. Deleting the object forgets the
// winner.
func (r *Root) CreateOnce(ctx context.Context, key string, body []byte) (won bool, existing []byte, err error) {
	full := r.prefix + key
	if err := checkWrite(full, onceHeader+len(body)); err != nil {
		return false, nil, r.fail("create-once", key, err)
	}
	var mine nonce
	rand.Read(mine[:]) // never fails
	won, existing, err = r.core.createOnce(ctx, full, frameOnce(mine, body), mine)
	return won, existing, r.fail("create-once", key, err)
}

// ReadOnce returns the body of an object that CreateOnce created. For an object
// that is not framed so, or whose bytes changed, the error's kind is Corrupt.
func (r *Root) ReadOnce(ctx context.Context, key string) ([]byte, error) {
	_, body, err := r.core.readOnce(ctx, r.prefix+key)
	return body, r.fail("read-once", key, err)
}

// createOnce puts the frame and finds out which call won.
func (c *core) createOnce(ctx context.Context, key string, frame []byte, mine nonce) (bool, []byte, error) {
	var err error
	for range lookTwice {
		err = c.put(ctx, key, frame, CreateOptions{IfAbsent: true})
		if err == nil {
			return true, nil, nil
		}
		if kind, _ := driver.Cause(err); kind != plan.Exists {
			return false, nil, err
		}
		winner, body, readErr := c.readOnce(ctx, key)
		switch kind, _ := driver.Cause(readErr); {
		case readErr == nil && winner == mine:
			return true, nil, nil
		case readErr == nil:
			return false, body, nil
		case kind != plan.NotFound:
			return false, nil, readErr
		}
	}
	return false, nil, driver.Fail(plan.Unavailable, "the store says that the object exists, and that it does not: %w", err)
}

// readOnce reads a framed object, and reads it again if its bytes are wrong: a
// bit that flips in transit does not flip twice, one at rest stays.
func (c *core) readOnce(ctx context.Context, key string) (n nonce, body []byte, err error) {
	for range 2 {
		var frame []byte
		if frame, err = c.get(ctx, key, MaxBody); err != nil {
			return n, nil, err
		}
		if n, body, err = parseOnce(frame); err == nil {
			break
		}
	}
	return n, body, err
}

// frameOnce puts a body into its frame.
func frameOnce(n nonce, body []byte) []byte {
	frame := make([]byte, onceHeader, onceHeader+len(body))
	copy(frame, onceMagic)
	copy(frame[4:], n[:])
	binary.LittleEndian.PutUint64(frame[20:], uint64(len(body)))
	binary.LittleEndian.PutUint32(frame[28:], onceSum(frame[:28], body))
	return append(frame, body...)
}

// parseOnce is the inverse of frameOnce. The body aliases the frame.
func parseOnce(frame []byte) (n nonce, body []byte, err error) {
	if len(frame) < onceHeader || !bytes.HasPrefix(frame, []byte(onceMagic)) {
		return n, nil, driver.Fail(plan.Corrupt, "not written by create-once: the frame's first bytes are missing")
	}
	body = frame[onceHeader:]
	if size := binary.LittleEndian.Uint64(frame[20:]); size != uint64(len(body)) {
		return n, nil, driver.Fail(plan.Corrupt, "the frame promises %d bytes and holds %d", size, len(body))
	}
	if sum := onceSum(frame[:28], body); sum != binary.LittleEndian.Uint32(frame[28:]) {
		return n, nil, driver.Fail(plan.Corrupt, "the checksum does not match: the object was damaged")
	}
	copy(n[:], frame[4:])
	return n, body, nil
}

// onceSum returns the CRC32C of a frame.
func onceSum(header, body []byte) uint32 {
	return checksum.UpdateCRC32C(checksum.SumCRC32C(header), body)
}
