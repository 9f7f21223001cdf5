package compress

import (
	"bytes"
	"cmp"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/windrow-mr/windrow/plan"
)

// A Part is the part of a shared compressed object that one task reads. It
// begins where the codec can begin, and continues to the object's end: the
// bytes after the part complete its last record.
type Part interface {
	io.ReadCloser
	// Past reports whether the bytes that the last Read returned are after the
	// part. No Read returns bytes of both.
	Past() bool
	// Place returns the place in the object of byte n of those that were read:
	// see OpenBlocks and OpenFrames. n may be any byte that was read, or the
	// next.
	Place(n int64) int64
	// Forget says that Place is no longer called for bytes before byte n.
	Forget(n int64)
}

// starts are where the blocks begin of which bytes were read.
type starts []blockStart

// blockStart is a block's first byte among those that were read, and where the block
// begins.
type blockStart struct{ n, block int64 }

// add notes that byte n of those that are read is the first of a block. A block before
// that has no bytes is replaced.
func (s *starts) add(n, block int64) {
	if last := len(*s) - 1; last >= 0 && (*s)[last].n == n {
		(*s)[last].block = block
		return
	}
	*s = append(*s, blockStart{n, block})
}

// of returns the number of starts up to byte n.
func (s starts) of(n int64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].n > n })
}

// place returns the place of byte n.
func (s starts) place(n int64) int64 {
	i := s.of(n) - 1
	if i < 0 {
		return 0
	}
	return plan.Place(s[i].block, n-s[i].n)
}

// leastForgotten is how many starts are worth a copy of the others.
const leastForgotten = 1 << 10

// forget drops the starts that only bytes before byte n need, once they are many: blocks
// may be small, and a part may have any number of them.
func (s *starts) forget(n int64) {
	if len(*s) <= leastForgotten {
		return
	}
	if done := s.of(n) - 1; done >= leastForgotten && done >= len(*s)/2 {
		*s = (*s)[:copy(*s, (*s)[done:])]
	}
}

// A bzip2 object is a string of bits: a header of four bytes, blocks, a final
// mark with a checksum, zero bits up to the next byte, and perhaps another such
// stream. Only a mark of 48 bits shows where a block begins, and the bits of a
// block may contain it by chance: once in 2⁴⁸ bits. So a block is a range that
// begins and ends with a mark and decompresses to bytes with the checksum that
// it carries. If that fails, the mark at its end counts as chance, and the next
// mark is tried.
const (
	headerBits = 32
	crcBits    = 32
	// longestBlock bounds a block: 900,000 symbols of 20 bits, and its tables.
	longestBlock = (900_000*20/8 + 64<<10) * 8
	// falseMarks is how many marks within one block may be chance.
	falseMarks = 8
	// heldBlock is how many decompressed bytes of a block are kept. Blocks of
	// long runs, up to 46 MB, are decompressed twice: to check them, and then
	// to pass them on.
	heldBlock = 1 << 20
	// mostOfBlock is more than any block holds.
	mostOfBlock = 64 << 20
)

var errTooLong = errors.New("the block has too many bytes")

// OpenBlocks reads the blocks that begin in the bytes [from, to) of a bzip2
// object, and the bytes after them. r is the object from byte from on.
//
// Adjacent parts of one object agree on where one ends and the next begins: the
// earlier part also reads the first block after itself, and finds it by where
// its own last block ends. If that block is damaged, so that the later part
// skips it, the earlier part fails.
//
// The number of decompressed bytes before a part is unknown: the place of a
// byte is a plan.Place.
func (d *Decompressor) OpenBlocks(r io.Reader, from, to int64) (Part, error) {
	b := &blocks{limits: d.Limits, in: bits{r: r, at: from}, from: from, to: to * 8, pos: from * 8}
	if from == 0 {
		if err := b.header(); err != nil {
			return nil, err
		}
		return b, nil
	}
	if err := b.first(); err != nil {
		return nil, err
	}
	return b, nil
}

// blocks reads a part of a bzip2 object.
type blocks struct {
	limits Limits
	in     bits
	from   int64
	to     int64 // place
	pos    int64 // place of the next mark

	whole    bool   // the stream was read from its header on
	combined uint32 // checksum of its blocks, when it was

	packed []byte    // a block as a stream of its own
	held   []byte    // its first heldBlock bytes
	plain  []byte    // the rest of held
	more   io.Reader // the bytes after held, nil for none
	past   bool      // the current block is after the part
	n      int64     // bytes that were read
	starts starts
	mark   int64 // place of the current block
	err    error
}

var _ Part = (*blocks)(nil)

// Read returns bytes of one block.
func (b *blocks) Read(p []byte) (int, error) {
	for b.err == nil {
		n := copy(p, b.plain)
		b.plain = b.plain[n:]
		if n == 0 && b.more != nil && len(p) > 0 {
			var err error
			n, err = b.more.Read(p)
			switch {
			case errors.Is(err, io.EOF):
				b.more = nil
			case err != nil:
				b.err = b.corrupt(b.mark, err)
			}
		}
		if n > 0 || len(p) == 0 {
			b.n += int64(n)
			if b.err == nil {
				b.err = b.limits.check(Bzip2, b.in.n, b.n)
			}
			return n, b.err
		}
		if b.err == nil {
			b.err = b.turn()
		}
	}
	return 0, b.err
}

// Past reports whether the last Read returned bytes from after the part.
func (b *blocks) Past() bool { return b.past }

// Place returns the place of byte n.
func (b *blocks) Place(n int64) int64 { return b.starts.place(n) }

// Forget drops what only places before byte n need.
func (b *blocks) Forget(n int64) { b.starts.forget(n) }

// Close ends reading.
func (b *blocks) Close() error {
	b.err, b.plain, b.more = errClosed, nil, nil
	return nil
}

// header reads the header of a stream.
func (b *blocks) header() error {
	enough, err := b.in.have(b.pos + headerBits + magicBits)
	if err != nil {
		return err
	}
	if !enough && b.in.limit() == b.pos && b.pos > 0 {
		return io.EOF
	}
	head := b.in.buf[b.pos/8-b.in.at:]
	switch begins(Bzip2, head[:min(len(head), HeadSize)]) {
	case partial:
		return b.cutShort()
	case unlike:
		if b.pos > 0 {
			return b.corrupt(b.pos, errors.New("the bytes after a stream are not a stream"))
		}
		s := stream{codec: Bzip2}
		return s.strange(head)
	default:
	}
	b.pos += headerBits
	b.whole, b.combined = true, 0
	return nil
}

// first searches the part's first block. It is one that can be decompressed.
// Others begin with a mark by chance, or are damaged, and then the part before
// this one fails on them. Without a first block the part is empty.
func (b *blocks) first() error {
	for place := b.pos; ; place++ {
		b.in.drop(place)
		// A mark counts if it begins in the part. It may end after it.
		found, err := b.search(&place, min(b.to-1, place+longestBlock)+magicBits)
		switch {
		case err != nil:
			return err
		case !found:
			b.past, b.err = true, io.EOF
			return nil
		case b.in.get(place, magicBits) != blockMagic:
			continue
		}
		b.pos = place
		if err = b.block(); err == nil {
			b.begin(place)
			return nil
		}
		if b.in.err != nil {
			return err
		}
	}
}

// search moves place to the next mark that ends at or before end. found is
// false when there is none.
func (b *blocks) search(place *int64, end int64) (found bool, err error) {
	for from := *place; ; {
		if at, ok := b.in.find(from); ok {
			*place = at
			return at+magicBits <= end, nil
		}
		limit := b.in.limit()
		if limit >= end || b.in.end {
			return false, nil
		}
		from = max(from, limit-magicBits+1)
		if _, err := b.in.have(min(limit+fillStep*8, end)); err != nil {
			return false, err
		}
	}
}

// turn advances to the next block.
func (b *blocks) turn() error {
	for {
		b.in.drop(b.pos)
		enough, err := b.in.have(b.pos + magicBits + crcBits)
		if err != nil {
			return err
		}
		if !enough {
			return b.cutShort()
		}
		switch b.in.get(b.pos, magicBits) {
		case blockMagic:
			b.past = b.pos >= b.to
			b.begin(b.pos)
			return b.block()
		case finalMagic:
			if err := b.final(); err != nil {
				return err
			}
		default:
			return b.corrupt(b.pos, errors.New("no block begins there"))
		}
	}
}

// begin notes that the bytes that are read next are those of the block with the mark at
// place.
func (b *blocks) begin(place int64) {
	b.mark = place
	b.starts.add(b.n, place/8)
}

// final reads the end of a stream and the header of the next.
func (b *blocks) final() error {
	crc := uint32(b.in.get(b.pos+magicBits, crcBits))
	if b.whole && crc != b.combined {
		return b.corrupt(b.pos, errors.New("the checksum of the stream does not match"))
	}
	b.pos = (b.pos + magicBits + crcBits + 7) / 8 * 8
	return b.header()
}

// block decompresses the block whose mark is at pos and moves pos to its end.
func (b *blocks) block() error {
	if enough, err := b.in.have(b.pos + magicBits + crcBits); err != nil || !enough {
		return cmp.Or(err, b.cutShort())
	}
	crc := uint32(b.in.get(b.pos+magicBits, crcBits))
	var failed error
	end := b.pos + magicBits
	for range falseMarks {
		end++
		found, err := b.search(&end, b.pos+longestBlock+magicBits)
		switch {
		case err != nil:
			return err
		case !found && failed != nil:
			return failed
		case !found && b.in.end && b.in.limit() < b.pos+longestBlock:
			return b.cutShort()
		case !found:
			return b.corrupt(b.pos, errors.New("the block has no end"))
		}
		if err := b.unpack(end, crc); err == nil {
			b.combined = (b.combined<<1 | b.combined>>31) ^ crc
			b.pos = end
			return nil
		} else if failed == nil {
			failed = b.corrupt(b.pos, err)
		}
	}
	return failed
}

// unpack decompresses the block from pos to end, all of it, and keeps its first
// bytes.
func (b *blocks) unpack(end int64, crc uint32) error {
	b.packed = append(b.packed[:0], "BZh9"...)
	packed, used := b.in.appendRange(b.packed, b.pos, end)
	packed, used = appendBits(packed, used, finalMagic, magicBits)
	packed, _ = appendBits(packed, used, uint64(crc), crcBits) // one block: its own
	b.packed = packed
	if b.held == nil {
		b.held = make([]byte, heldBlock)
	}
	b.plain, b.more = nil, nil
	r := bzip2.NewReader(bytes.NewReader(packed))
	n, err := fill(r, b.held)
	if err == nil {
		// It is longer than held.
		if _, err := io.CopyN(io.Discard, r, mostOfBlock); err != io.EOF { //nolint:errorlint // see below
			return cmp.Or(err, errTooLong)
		}
		again := bzip2.NewReader(bytes.NewReader(packed))
		if _, err := io.CopyN(io.Discard, again, heldBlock); err != nil {
			return err
		}
		b.more = again
	} else if err != io.EOF { //nolint:errorlint // a stream that is cut short must not pass for one that ends
		return err
	}
	b.plain = b.held[:n]
	return nil
}

// fill reads until buf is full, or returns why it is not. Unlike io.ReadFull it
// distinguishes an end from one that is unexpected.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var got int
		got, err = r.Read(buf[n:])
		n += got
	}
	if n == len(buf) {
		err = nil
	}
	return n, err
}

//go:noinline
func (b *blocks) cutShort() error { return cutShort(Bzip2, b.in.limit()/8, b.n, b.from) }

func (b *blocks) corrupt(place int64, err error) error {
	return fmt.Errorf("bzip2 stream is corrupt at byte %d, %s: %w", place/8, soFar(b.n, b.from), err)
}
