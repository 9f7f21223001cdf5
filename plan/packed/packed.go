// Package packed checks MessagePack before it is decoded.
//
// A decoder makes room for as many elements as a list claims to have, and calls
// itself for every list in a list. So a few bytes can take all memory or stack
// of a process. Code that decodes the message of another process, perhaps a
// job's own, calls Check first. Check keeps nothing, takes no memory and is
// safe for concurrent use.
//
// It is part of the engine, and may change between minor versions.
package packed

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MostNested is how deep lists and maps may be nested.
const MostNested = 32

var errShort = errors.New("it ends in the middle of a value")

// Check returns an error unless b is exactly one value, its lists and maps have
// all the elements that they announce, and they are nested no deeper than
// MostNested.
func Check(b []byte) error {
	var left [MostNested + 1]int // values still missing, by depth
	left[0] = 1
	for depth := 0; ; {
		for left[depth] == 0 {
			if depth == 0 {
				if len(b) > 0 {
					return fmt.Errorf("%d bytes follow it", len(b))
				}
				return nil
			}
			depth--
		}
		left[depth]--
		skip, values, err := head(b)
		if err != nil {
			return err
		}
		if skip > len(b) || values > len(b)-skip {
			return errShort
		}
		b = b[skip:]
		if values == 0 {
			continue
		}
		if depth == MostNested {
			return fmt.Errorf("more than %d nested lists", MostNested)
		}
		depth++
		left[depth] = values
	}
}

// head returns the length of the value at the begin of b, without the values in
// it, and the number of those.
func head(b []byte) (skip, values int, err error) {
	if len(b) == 0 {
		return 0, 0, errShort
	}
	switch c := b[0]; {
	case c <= 0x7f, c >= 0xe0: // small numbers
		return 1, 0, nil
	case c <= 0x8f: // map
		return 1, 2 * int(c&0xf), nil
	case c <= 0x9f: // list
		return 1, int(c & 0xf), nil
	case c <= 0xbf: // text
		return 1 + int(c&0x1f), 0, nil
	case c == 0xc1:
		return 0, 0, errors.New("no value begins with the byte 0xc1")
	case c <= 0xc3: // nil, false, true
		return 1, 0, nil
	case c >= 0xca && c <= 0xd8:
		return fixed[c-0xca], 0, nil
	default:
		return sized(b)
	}
}

// fixed are the lengths of values of fixed size: numbers from 0xca on,
// extensions of 1 to 16 bytes from 0xd4 on.
var fixed = [...]int{5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18}

// sized is head for values whose length follows their first byte.
func sized(b []byte) (skip, values int, err error) {
	c := b[0]
	var width int // of the length, in bytes
	switch c {
	case 0xc4, 0xc7, 0xd9:
		width = 1
	case 0xc5, 0xc8, 0xda, 0xdc, 0xde:
		width = 2
	default:
		width = 4
	}
	if len(b) < 1+width {
		return 0, 0, errShort
	}
	var padded [4]byte
	copy(padded[4-width:], b[1:1+width])
	announced := binary.BigEndian.Uint32(padded[:])
	if int64(announced) > int64(len(b)) {
		return 0, 0, errShort
	}
	n := int(announced)
	switch {
	case c >= 0xde: // map
		return 1 + width, 2 * n, nil
	case c >= 0xdc: // list
		return 1 + width, n, nil
	case c >= 0xc7 && c <= 0xc9: // extension, with the byte of its kind
		return 2 + width + n, 0, nil
	default: // bytes, text
		return 1 + width + n, 0, nil
	}
}
