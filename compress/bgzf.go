package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// BGZF, the format of bgzip, is gzip in members of at most 64 KiB, here called blocks
// (SAM specification, 4.1). The header of a block has an extra field "BC" with the size
// of the block, so a reader knows where the next one begins without decompressing it.
// The last block is empty, so that a reader can notice that the end is missing.
const (
	gzipHeader  = 12 // with the length of the extra fields
	gzipTrailer = 8  // the checksum and the size of the contents
	// fieldHeader is the length of an extra field without its contents.
	fieldHeader = 4
	// longestMember is the size of the largest block, and of the largest contents.
	longestMember = 64 << 10
)

// firstOfBlocks is the least block of a plan.Place: in it places are offsets.
const firstOfBlocks = 4

// memberMagic begins a block: gzip, deflate, and extra fields but none of the other
// optional parts of a header.
const memberMagic = "\x1f\x8b\x08\x04"

// BlockedEnd is the block that ends an object in BGZF.
const BlockedEnd = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// Blocked reports whether an object begins with a block of BGZF, by its first HeadSize
// bytes, or all of a shorter one.
func Blocked(head []byte) bool {
	_, _, is := parseMember(head[:min(len(head), HeadSize)])
	return is == likely
}

// parseMember reads the header of a block: its length, and the size of the block.
func parseMember(b []byte) (header, size int64, is likeness) {
	if is = matches(b, []byte(memberMagic)); is != likely {
		return 0, 0, is
	}
	if len(b) < gzipHeader {
		return 0, 0, partial
	}
	header = gzipHeader + int64(binary.LittleEndian.Uint16(b[gzipHeader-2:]))
	if header+gzipTrailer >= longestMember {
		return 0, 0, unlike
	}
	fields := b[gzipHeader:min(header, int64(len(b)))]
	for len(fields) >= fieldHeader {
		n := int(binary.LittleEndian.Uint16(fields[2:]))
		if fields[0] == 'B' && fields[1] == 'C' && n == 2 && len(fields) >= fieldHeader+n {
			size = int64(binary.LittleEndian.Uint16(fields[fieldHeader:])) + 1
			if size <= header+gzipTrailer {
				return 0, 0, unlike
			}
			return header, size, likely
		}
		fields = fields[min(fieldHeader+n, len(fields)):]
	}
	if header > int64(len(b)) {
		return 0, 0, partial
	}
	return 0, 0, unlike
}

// OpenMembers reads the blocks that begin in the bytes [from, to) of an object of BGZF
// that has size bytes, and the bytes after them. r is the object from byte from on.
//
// A part that does not begin the object begins with the first bytes that are a block:
// a header, and contents that have the size and the checksum that the block carries.
// Bytes within a block can be all of that by chance, or because they are a copy of
// another object. So the part before, which finds the beginning of the next block by
// the sizes of all blocks, verifies that no other bytes there could be one, and fails
// if there are some. Either all parts of an object agree, or one fails. The first block
// of a part that is not damaged begins in its first 64 KiB.
//
// The whole object may also have members that are no blocks. They are read to its end.
//
// The place of a byte is a plan.Place, and in the first block an offset.
func (d *Decompressor) OpenMembers(r io.Reader, from, to, size int64) (Part, error) {
	m := &bgzf{d: d, in: bits{r: r, at: from}, from: from, to: to, size: size, pos: from}
	if from > 0 {
		if err := m.first(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// bgzf reads a part of an object of BGZF.
type bgzf struct {
	d              *Decompressor
	in             bits
	from, to, size int64
	pos            int64 // of the next block
	agreed         bool  // the part after this one begins at pos or later

	packed bytes.Reader
	flate  io.ReadCloser
	held   []byte  // the contents of a block
	plain  []byte  // the rest of them
	rest   *stream // the members from the first that is no block on
	past   bool    // the current block is after the part
	n      int64   // bytes that were read
	starts starts
	err    error
}

var _ Part = (*bgzf)(nil)

// Read returns bytes of one block.
func (m *bgzf) Read(p []byte) (int, error) {
	for m.err == nil {
		var n int
		if m.rest != nil {
			n, m.err = m.rest.Read(p)
		} else {
			n = copy(p, m.plain)
			m.plain = m.plain[n:]
		}
		if n > 0 || len(p) == 0 {
			m.n += int64(n)
			if m.err == nil {
				m.err = m.d.Limits.check(Gzip, m.used(), m.n)
			}
			return n, m.err
		}
		if m.err == nil && m.rest == nil {
			m.err = m.turn()
		}
	}
	return 0, m.err
}

// used returns how many compressed bytes were read.
func (m *bgzf) used() int64 {
	if m.rest != nil {
		return m.pos - m.from + m.rest.consumed()
	}
	return m.in.n
}

// Past reports whether the last Read returned bytes from after the part.
func (m *bgzf) Past() bool { return m.past }

// Place returns the place of byte n.
func (m *bgzf) Place(n int64) int64 { return m.starts.place(n) }

// Forget drops what only places before byte n need.
func (m *bgzf) Forget(n int64) { m.starts.forget(n) }

// Close ends reading.
func (m *bgzf) Close() (err error) {
	if m.rest != nil {
		err = m.rest.Close()
	}
	m.err, m.plain, m.rest = errClosed, nil, nil
	return err
}

// first searches the part's first block. Without one the part is empty.
func (m *bgzf) first() error {
	place, found, err := m.search(m.pos, min(m.to, m.pos+longestMember))
	switch {
	case err != nil:
		return err
	case !found:
		m.past, m.err = true, io.EOF
	default:
		m.pos = place
	}
	return nil
}

// search returns the first place in [from, to) where bytes are a block.
func (m *bgzf) search(from, to int64) (place int64, found bool, err error) {
	for place = from; place < to; place++ {
		if _, err := m.in.have(8 * (to + int64(len(memberMagic)) - 1)); err != nil {
			return 0, false, err
		}
		have := int64(len(m.in.buf))
		i := bytes.Index(m.in.buf[min(place-m.in.at, have):min(to+int64(len(memberMagic))-1-m.in.at, have)], []byte(memberMagic))
		if i < 0 {
			return 0, false, nil
		}
		place += int64(i)
		b, err := m.window(place)
		if err != nil {
			return 0, false, err
		}
		if header, size, is := parseMember(b); is == likely && size <= int64(len(b)) {
			if _, err := m.unpack(b[header:size]); err == nil {
				return place, true, nil
			}
		}
	}
	return 0, false, nil
}

// window returns the bytes from a place on that a block can have, or all there are.
func (m *bgzf) window(place int64) ([]byte, error) {
	if _, err := m.in.have(8 * (place + longestMember)); err != nil {
		return nil, err
	}
	return m.in.buf[min(place-m.in.at, int64(len(m.in.buf))):], nil
}

// turn advances to the next block.
func (m *bgzf) turn() error {
	b, err := m.window(m.pos)
	if err != nil {
		return err
	}
	if err := m.agree(); err != nil {
		return err
	}
	if len(b) == 0 {
		return io.EOF
	}
	header, size, is := parseMember(b)
	switch {
	case is == likely && size <= int64(len(b)):
	case is != unlike:
		return cutShort(Gzip, m.in.limit()/8, m.n, m.from)
	case b[0] == 0 && m.pos > 0:
		return m.padding()
	case begins(Gzip, b[:min(len(b), HeadSize)]) == unlike && m.pos > 0:
		return m.broken(fmt.Errorf("%w, which begins with % x and is no member of gzip", errTrailing, b[:min(len(b), 2)]))
	default:
		return m.others()
	}
	if m.plain, err = m.unpack(b[header:size]); err != nil {
		return m.broken(err)
	}
	m.past = m.pos >= m.to
	m.begin()
	if m.pos += size; m.agreed {
		m.in.drop(8 * m.pos)
	} else {
		m.in.drop(8 * min(m.pos, m.to)) // the rest is searched again
	}
	return nil
}

// begin notes that the bytes that are read next are those of the block at pos. In the
// first block of an object places are offsets.
func (m *bgzf) begin() { m.starts.add(m.n, max(m.pos, firstOfBlocks)) }

// agree verifies, once the part is over, that the next part begins where the sizes of
// blocks say.
func (m *bgzf) agree() error {
	if m.agreed || m.pos < m.to {
		return nil
	}
	m.agreed = true
	if m.to >= m.size {
		return nil
	}
	place, found, err := m.search(m.to, m.pos)
	if err != nil || !found {
		return err
	}
	return fmt.Errorf("gzip stream: a block of BGZF begins at byte %d by the sizes of the blocks before it, and bytes from %d on could also be one: it is unknown to a task which counts; %s", m.pos, place, m.undivided())
}

// undivided says how an object is read by one task.
func (m *bgzf) undivided() string {
	return fmt.Sprintf("give a --split-size of at least %d, so that one task reads the object", m.size)
}

// others reads members that are no blocks, if nothing depends on where they end.
func (m *bgzf) others() (err error) {
	if m.from > 0 || m.to < m.size {
		return fmt.Errorf("gzip stream: the member that begins at byte %d is no block of BGZF, and the object, which begins with one, is read by several tasks; %s", m.pos, m.undivided())
	}
	m.begin()
	read := m.in.buf[m.pos-m.in.at:]
	m.rest, err = m.d.open(Gzip, io.MultiReader(bytes.NewReader(read), m.in.r), m.pos)
	return err
}

// padding reads zeros up to the end.
func (m *bgzf) padding() error {
	for {
		b, err := m.window(m.pos)
		switch {
		case err != nil:
			return err
		case len(b) == 0:
			return io.EOF
		}
		if zeros := len(b) - len(bytes.TrimLeft(b, "\x00")); zeros < len(b) {
			return m.broken(fmt.Errorf("%w: zeros, and then %02x", errTrailing, b[zeros]))
		}
		m.pos += int64(len(b))
		m.in.drop(8 * m.pos)
	}
}

var errMember = errors.New("the size of the block is wrong")

// unpack returns the contents of a block, which is without its header. They are valid
// until the next call.
func (m *bgzf) unpack(b []byte) ([]byte, error) {
	m.packed.Reset(b)
	if m.flate == nil {
		m.flate, m.held = flate.NewReader(&m.packed), make([]byte, longestMember+1)
	} else if err := m.flate.(flate.Resetter).Reset(&m.packed, nil); err != nil {
		return nil, err
	}
	n, err := fill(m.flate, m.held)
	switch {
	case err == nil, n > longestMember, errors.Is(err, io.EOF) && m.packed.Len() != gzipTrailer:
		return nil, errMember
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errMember // the block is there, and its contents end after it
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	trailer := b[len(b)-gzipTrailer:]
	if crc32.ChecksumIEEE(m.held[:n]) != binary.LittleEndian.Uint32(trailer) || int64(binary.LittleEndian.Uint32(trailer[4:])) != int64(n) {
		return nil, errors.New("the checksum of the block does not match")
	}
	return m.held[:n], nil
}

// broken makes the error of a block that cannot be read.
func (m *bgzf) broken(err error) error {
	if errors.Is(err, errTrailing) {
		return followed(Gzip, m.pos, soFar(m.n, m.from), err)
	}
	return corrupt(Gzip, m.pos, soFar(m.n, m.from), err)
}
