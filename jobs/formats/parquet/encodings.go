package parquet

import (
	"encoding/binary"
	"errors"
	"math"
)

var errEnds = errors.New("the page ends within its values")

// hybrid decodes runs of equal numbers and of bit-packed ones: levels, and places in a
// dictionary. It decodes one number after the other, so runs of any length take no memory.
type hybrid struct {
	data   []byte
	width  uint
	value  uint32
	run    uint64 // numbers that are left of a run of equal ones
	packed uint64 // numbers that are left of a bit-packed run
	bit    int    // where the next of them begins
}

// next returns the next number. A number without bits is 0, whatever the bytes.
func (h *hybrid) next() (uint32, error) {
	for {
		switch {
		case h.run > 0:
			h.run--
			return h.value, nil
		case h.packed > 0:
			h.packed--
			return h.unpack(), nil
		case h.width == 0:
			return 0, nil
		}
		if err := h.begin(); err != nil {
			return 0, err
		}
	}
}

// begin reads the head of a run.
func (h *hybrid) begin() error {
	h.data = h.data[(h.bit+7)/8:]
	h.bit = 0
	head, n := binary.Uvarint(h.data)
	if n <= 0 {
		return errEnds
	}
	h.data = h.data[n:]
	if head&1 == 0 {
		size := int(h.width+7) / 8
		if len(h.data) < size {
			return errEnds
		}
		h.value = 0
		for i := range size {
			h.value |= uint32(h.data[i]) << (8 * i)
		}
		h.data = h.data[size:]
		h.run = head >> 1
		return nil
	}
	// Some writers cut the last group of eight short. An empty run would be read forever.
	whole := uint64(len(h.data)) * 8 / uint64(h.width)
	if h.packed = min(whole, head>>1<<3); h.packed == 0 {
		return errEnds
	}
	return nil
}

// unpack returns the next number of a bit-packed run, which is within the bytes.
func (h *hybrid) unpack() uint32 {
	at, shift := h.bit/8, uint(h.bit%8)
	h.bit += int(h.width)
	var bits uint64
	if at+8 <= len(h.data) {
		bits = binary.LittleEndian.Uint64(h.data[at:])
	} else {
		for i, b := range h.data[at:] {
			bits |= uint64(b) << (8 * i)
		}
	}
	return uint32(bits >> shift & (1<<h.width - 1))
}

// unpackWide returns the number of width bits, up to 64, that begins at a bit of b.
func unpackWide(b []byte, bit int, width uint) uint64 {
	at, shift := bit/8, uint(bit%8)
	var low uint64
	for i := range min(8, len(b)-at) {
		low |= uint64(b[at+i]) << (8 * i)
	}
	v := low >> shift
	if shift > 0 && at+8 < len(b) {
		v |= uint64(b[at+8]) << (64 - shift)
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

// deltas decodes numbers that are stored as differences to the number before. most is the
// number of values that the page says it has. It returns the bytes that follow.
func deltas(b []byte, most int, add func(int64)) (rest []byte, err error) {
	var head [4]uint64
	for i := range head {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errEnds
		}
		head[i], b = v, b[size:]
	}
	block, minis, total := head[0], head[1], head[2]
	first := int64(head[3]>>1) ^ -int64(head[3]&1)
	if block == 0 || block > 1<<20 || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return nil, errors.New("its blocks of differences have an impossible size")
	}
	if total > uint64(most) {
		return nil, errors.New("it has more values than its page says")
	}
	if total == 0 {
		return b, nil
	}
	value := first
	add(value)
	left := int(total) - 1
	for left > 0 {
		v, size := binary.Uvarint(b)
		if size <= 0 || len(b)-size < int(minis) {
			return nil, errEnds
		}
		least := int64(v>>1) ^ -int64(v&1)
		widths := b[size : size+int(minis)]
		b = b[size+int(minis):]
		for _, width := range widths {
			if left == 0 {
				break
			}
			each := int(block / minis)
			if width > 64 {
				return nil, errors.New("its differences have more than 64 bits")
			}
			// A writer may leave out what follows the last value.
			whole := each * int(width) / 8
			used := min(each, left)
			if len(b) < (used*int(width)+7)/8 {
				return nil, errEnds
			}
			for i := range used {
				value += least + int64(unpackWide(b, i*int(width), uint(width)))
				add(value)
			}
			left -= used
			b = b[min(whole, len(b)):]
		}
	}
	return b, nil
}

// lengths decodes numbers that are lengths of bytes.
func lengths(b []byte, most int) (rest []byte, all []int32, err error) {
	wrong := false
	all = make([]int32, 0, min(most, 4096))
	rest, err = deltas(b, most, func(n int64) {
		wrong = wrong || n < 0 || n > math.MaxInt32
		all = append(all, int32(n))
	})
	if err == nil && wrong {
		err = errors.New("it has impossible lengths")
	}
	return rest, all, err
}
