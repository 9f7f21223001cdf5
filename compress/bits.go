package compress

import (
	"encoding/binary"
	"io"
)

// bits is a window of a stream of bits, most significant first, that moves
// forward over the stream. Places are bits from the object's start.
type bits struct {
	r   io.Reader
	buf []byte
	at  int64 // byte of the object at which buf begins
	end bool  // nothing follows buf
	n   int64 // bytes that were read
	err error // of r
}

// fillStep is how much is read at once.
const fillStep = 64 << 10

// have makes the bits before place to available. It returns false if the stream
// ends before that.
func (b *bits) have(to int64) (bool, error) {
	for b.limit() < to {
		if b.end {
			return false, nil
		}
		n := len(b.buf)
		if n+fillStep > cap(b.buf) {
			grown := make([]byte, n, max(2*cap(b.buf), 4*fillStep))
			copy(grown, b.buf)
			b.buf = grown
		}
		got, err := fill(b.r, b.buf[n:n+fillStep])
		b.buf = b.buf[:n+got]
		b.n += int64(got)
		if b.end = err == io.EOF; err != nil && !b.end { //nolint:errorlint // a wrapped EOF is not the end
			b.err = err
			return false, err
		}
	}
	return true, nil
}

// limit returns the place after the last available bit.
func (b *bits) limit() int64 { return (b.at + int64(len(b.buf))) * 8 }

// drop forgets whole bytes before a place.
func (b *bits) drop(before int64) {
	n := min(before/8-b.at, int64(len(b.buf)))
	// Moving the rest costs a copy, so it waits until there is much to drop.
	if n < int64(cap(b.buf))/2 && n < int64(len(b.buf)) {
		return
	}
	b.at += n
	b.buf = b.buf[:copy(b.buf, b.buf[n:])]
}

// get returns n bits, at most 56, from a place on. They must be available.
func (b *bits) get(from int64, n int) uint64 {
	var eight [8]byte
	copy(eight[:], b.buf[from/8-b.at:])
	v := binary.BigEndian.Uint64(eight[:]) << (from % 8)
	return v >> (64 - n)
}

// appendBits appends n bits, at most 56, to a string of bits whose last byte
// has used bits; 0 means all.
func appendBits(dst []byte, used int, v uint64, n int) ([]byte, int) {
	for n > 0 {
		if used == 0 {
			dst = append(dst, 0)
		}
		room := min(8-used, n)
		part := byte(v >> (n - room) & (1<<room - 1))
		dst[len(dst)-1] |= part << (8 - used - room)
		used = (used + room) % 8
		n -= room
	}
	return dst, used
}

// appendRange appends the bits of an available range to whole bytes.
func (b *bits) appendRange(dst []byte, from, to int64) ([]byte, int) {
	shift := from % 8
	src := b.buf[from/8-b.at:]
	whole := (to - from) / 8
	if shift == 0 {
		dst = append(dst, src[:whole]...)
	} else {
		for i := range whole {
			dst = append(dst, src[i]<<shift|src[i+1]>>(8-shift))
		}
	}
	rest := int((to - from) % 8)
	if rest == 0 {
		return dst, 0
	}
	return appendBits(dst, 0, b.get(to-int64(rest), rest), rest)
}

// marks has, for each byte, a bit set of the shifts of bzip2's marks that have
// that byte as the sixth last to seventh last of eight. A search looks closer
// only there.
var marks = func() (table [256]uint8) {
	for _, magic := range []uint64{blockMagic, finalMagic} {
		for shift := range 8 {
			table[byte(magic>>(8-shift))] |= 1 << shift
		}
	}
	return table
}()

// find returns the place of the first mark of bzip2 from a place on, among the
// available bits. ok is false when there is none.
func (b *bits) find(from int64) (place int64, ok bool) {
	first := int(from/8 - b.at)
	var last uint64 // up to eight bytes
	for i := first; i < len(b.buf); i++ {
		last = last<<8 | uint64(b.buf[i])
		if i == 0 {
			continue
		}
		shifts := marks[b.buf[i-1]]
		if shifts == 0 {
			continue
		}
		for shift := 7; shift >= 0; shift-- { // the earlier place first
			if shifts&(1<<shift) == 0 {
				continue
			}
			place := (b.at+int64(i)+1)*8 - int64(shift) - magicBits
			m := last >> shift & (1<<magicBits - 1)
			if (m == blockMagic || m == finalMagic) && place >= from {
				return place, true
			}
		}
	}
	return 0, false
}
