package relay

import (
	"encoding/binary"
	"fmt"
)

// version is the version of the protocol. Both sides are usually of one build.
// Otherwise a job of the release before is served, and any other hello is
// refused.
const (
	version = 3
	oldest  = 2 // without the size in kindOpen
)

const (
	headerSize = 12
	maxControl = 64 << 10  // bytes of a payload that is not data
	maxData    = 256 << 10 // bytes of a data frame
	windowSize = 512 << 10 // bytes of a stream that were not read yet
	maxText    = 4 << 10   // bytes of an error's text
	maxName    = 4 << 10   // bytes of a root's name, a key, or an ETag
)

// kind is the kind of a frame.
type kind uint8

// The kinds of frames. The first group comes from the asking side.
const (
	kindHello   kind = iota + 1 // version, token
	kindRoot                    // call: a root's traits by its name
	kindStat                    // call: root, key
	kindDelete                  // call: root, key
	kindOpen                    // call: root, key, ETag, whether a descriptor is wanted, the size or -1; the call's id becomes the handle's
	kindClose                   // of a handle; not answered
	kindRange                   // call: handle, offset, length
	kindGet                     // call: root, key: a whole object in one request
	kindBegin                   // call: root, key, options, whether a descriptor is wanted; the call's id becomes the upload's
	kindCommit                  // call: upload, size
	kindAbort                   // call: upload
	kindCancel                  // of a call; not answered, but the call is
	kindWelcome                 // limits
	kindAnswer                  // the end of a call: its result
	kindFailed                  // the end of a call: an error; or that of an upload, before it is committed
	kindInfo                    // the description of a body, before its data
	kindData                    // bytes of an upload or of a body; either way
	kindCredit                  // how many bytes more may be sent; either way
)

const flagFile = 1 // the frame has a descriptor

// header is the head of a frame.
type header struct {
	length uint32
	id     uint32
	kind   kind
	flags  uint8
}

func (h header) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = binary.LittleEndian.AppendUint32(b, h.id)
	return append(b, byte(h.kind), h.flags, 0, 0)
}

// parseHeader is the inverse of append, and refuses lengths above the limits
// before any buffer is made.
func parseHeader(b *[headerSize]byte) (header, error) {
	h := header{binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint32(b[4:]), kind(b[8]), b[9]}
	limit := uint32(maxControl)
	if h.kind == kindData {
		limit = maxData
	}
	switch {
	case h.kind == 0 || h.kind > kindCredit:
		return h, fmt.Errorf("a frame of unknown kind %d", h.kind)
	case h.flags&^flagFile != 0 || b[10] != 0 || b[11] != 0:
		return h, fmt.Errorf("a frame of kind %d with unknown flags", h.kind)
	case h.length > limit:
		return h, fmt.Errorf("a frame of kind %d with %d bytes, the limit is %d", h.kind, h.length, limit)
	}
	return h, nil
}
