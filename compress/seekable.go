package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The seekable format of zstd (contrib/seekable_format in its repository): a
// stream of frames, and at its end a skippable frame with a table of them,
// numbers in little endian:
//
//	4  0x184d2a5e, the magic of a skippable frame
//	4  size of the rest
//	8 or 12 for each frame: its size, the size of its contents, perhaps a checksum
//	4  number of frames
//	1  bit 7: there are checksums; bits 2 to 6: reserved, 0
//	4  0x8f92eab1
const (
	seekTableMagic  = 0x184d2a5e
	seekableMagic   = 0x8f92eab1
	seekFooterSize  = 9
	seekHeaderSize  = 8
	seekHasChecksum = 0x80
	seekReserved    = 0x7c
)

// MaxSeekTable is the size up to which a seek table is read: 5 million frames
// without checksums. An object with a larger one is read as a whole.
const MaxSeekTable = 40 << 20

// SeekTail is how many bytes at the end of an object hold most seek tables.
const SeekTail = 64 << 10

// Frame is a frame of a seekable zstd object.
type Frame struct {
	Offset int64 // of its first byte in the object
	Plain  int64 // of its first byte among the decompressed ones
}

// SeekTable lists the frames of an object. A last entry says where they end.
type SeekTable []Frame

// SeekTableSize returns the size of the seek table by the last bytes of an
// object: at least SeekTail of them, or all of the object. It is 0 when there
// is no table that can be read.
func SeekTableSize(tail []byte, size int64) int64 {
	if len(tail) < seekFooterSize {
		return 0
	}
	footer := tail[len(tail)-seekFooterSize:]
	flags := footer[4]
	if binary.LittleEndian.Uint32(footer[5:]) != seekableMagic || flags&seekReserved != 0 {
		return 0
	}
	table := seekHeaderSize + int64(binary.LittleEndian.Uint32(footer))*entrySize(flags) + seekFooterSize
	if table > min(size, MaxSeekTable) {
		return 0
	}
	return table
}

func entrySize(flags byte) int64 {
	if flags&seekHasChecksum != 0 {
		return 12
	}
	return 8
}

// ReadSeekTable parses the seek table of an object of size bytes from its last
// bytes. SeekTableSize says how many there must be. It returns nil when they
// are not a seek table of this object. For example, the table of an object that
// was appended to another one lists only the frames of the last.
func ReadSeekTable(tail []byte, size int64) SeekTable {
	n := SeekTableSize(tail, size)
	if n == 0 || n > int64(len(tail)) {
		return nil
	}
	table := tail[int64(len(tail))-n:]
	if binary.LittleEndian.Uint32(table) != seekTableMagic || int64(binary.LittleEndian.Uint32(table[4:])) != n-seekHeaderSize {
		return nil
	}
	entry := entrySize(table[n-5])
	frames := make(SeekTable, 1, (n-seekHeaderSize-seekFooterSize)/entry+1)
	for at := int64(seekHeaderSize); at+entry <= n-seekFooterSize; at += entry {
		last := frames[len(frames)-1]
		frames = append(frames, Frame{
			Offset: last.Offset + int64(binary.LittleEndian.Uint32(table[at:])),
			Plain:  last.Plain + int64(binary.LittleEndian.Uint32(table[at+4:])),
		})
	}
	if frames[len(frames)-1].Offset != size-n {
		return nil
	}
	return frames
}

// FramesPart is a part of a seekable zstd object: whole frames.
type FramesPart struct {
	From, To    int64 // bytes of the object
	Plain       int64 // decompressed bytes before the part, by the seek table
	PlainLength int64 // decompressed bytes in the part, by the seek table
}

// OpenFrames reads a part of a seekable zstd object, and the bytes after it. r
// is the object from byte p.From on. The place of a byte is its offset among
// the decompressed bytes of the object.
//
// A seek table that is wrong is an error, here or at the end of the part.
func (d *Decompressor) OpenFrames(r io.Reader, p FramesPart) (Part, error) {
	f := &frames{d: d, r: r, part: p}
	if err := f.open(io.LimitReader(r, p.To-p.From), p.From); err != nil {
		return nil, err
	}
	return f, nil
}

// frames reads a part of a zstd object.
type frames struct {
	d     *Decompressor
	r     io.Reader
	part  FramesPart
	now   *stream
	ended bool // the part was read
	past  bool // now is the stream after it
	err   error
}

var _ Part = (*frames)(nil)

// open opens the stream that begins at byte base of the object.
func (f *frames) open(r io.Reader, base int64) (err error) {
	f.now, err = f.d.open(Zstd, r, base)
	if source := f.d.source.err; err != nil && (source == nil || errors.Is(source, io.EOF)) {
		err = fmt.Errorf("the seek table is wrong: no frame begins at byte %d: %w", base, err)
	}
	return err
}

// Read returns bytes of the part, then of the stream after it.
func (f *frames) Read(p []byte) (int, error) {
	for f.err == nil {
		if f.ended && !f.past {
			f.past = true
			if f.err = f.follow(); f.err != nil {
				break
			}
		}
		n, err := f.now.Read(p)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, io.EOF) && !f.past:
			f.ended = true
			if n > 0 {
				return n, nil
			}
		default:
			f.err = err
			return n, err
		}
	}
	return 0, f.err
}

// follow opens the stream after the part.
func (f *frames) follow() error {
	if f.now.n != f.part.PlainLength {
		return fmt.Errorf("the seek table is wrong: %d bytes come out of the frames from byte %d to %d, but it states %d",
			f.now.n, f.part.From, f.part.To, f.part.PlainLength)
	}
	if err := f.now.Close(); err != nil {
		return err
	}
	var first [1]byte
	if _, err := io.ReadFull(f.r, first[:]); err != nil {
		return err // io.EOF: nothing follows
	}
	return f.open(io.MultiReader(bytes.NewReader(first[:]), f.r), f.part.To)
}

// Past reports whether the last Read returned bytes from after the part.
func (f *frames) Past() bool { return f.past }

// Place returns the offset of byte n.
func (f *frames) Place(n int64) int64 { return f.part.Plain + n }

// Forget does nothing: the seek table has all places.
func (*frames) Forget(int64) {}

// Close ends reading.
func (f *frames) Close() error {
	if f.now == nil || errors.Is(f.err, errClosed) {
		return nil
	}
	f.err = errClosed
	return f.now.Close()
}
