package avro

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// errTooLarge says that a block has more bytes than the limit.
var errTooLarge = errors.New("the block is too large")

// decompressor decompresses blocks. The result is valid until the next call.
type decompressor interface {
	decompress(block []byte, most int) ([]byte, error)
}

// readers make a decompressor by the name of its codec.
var readers = map[string]func() decompressor{
	"null":      func() decompressor { return stored{} },
	"deflate":   func() decompressor { return &inflater{} },
	"snappy":    func() decompressor { return &unsnapper{} },
	"zstandard": func() decompressor { return &unzstd{} },
	"bzip2":     func() decompressor { return &unbzip{} },
}

type stored struct{}

func (stored) decompress(block []byte, _ int) ([]byte, error) { return block, nil }

// drain reads a stream of at most so many bytes into a buffer.
func drain(buf *bytes.Buffer, r io.Reader, most int) ([]byte, error) {
	buf.Reset()
	if _, err := buf.ReadFrom(io.LimitReader(r, int64(most)+1)); err != nil {
		return nil, err
	}
	if buf.Len() > most {
		return nil, errTooLarge
	}
	return buf.Bytes(), nil
}

type inflater struct {
	in  bytes.Reader
	r   io.ReadCloser
	out bytes.Buffer
}

func (d *inflater) decompress(block []byte, most int) ([]byte, error) {
	d.in.Reset(block)
	if d.r == nil {
		d.r = flate.NewReader(&d.in)
	} else if err := d.r.(flate.Resetter).Reset(&d.in, nil); err != nil {
		return nil, err
	}
	return drain(&d.out, d.r, most) // some writers leave a part of zlib's checksum behind it
}

type unbzip struct {
	in  bytes.Reader
	out bytes.Buffer
}

func (d *unbzip) decompress(block []byte, most int) ([]byte, error) {
	d.in.Reset(block)
	return drain(&d.out, bzip2.NewReader(&d.in), most)
}

// sumSize is the size of the checksum behind a block of snappy: CRC-32 of the decompressed
// bytes, big endian.
const sumSize = 4

type unsnapper struct{ out []byte }

func (d *unsnapper) decompress(block []byte, most int) ([]byte, error) {
	if len(block) < sumSize {
		return nil, errors.New("it has no checksum")
	}
	packed := block[:len(block)-sumSize]
	n, err := snappy.DecodedLen(packed)
	switch {
	case err != nil:
		return nil, err
	case n > most:
		return nil, errTooLarge
	}
	out, err := snappy.Decode(d.out[:cap(d.out)], packed)
	if err != nil {
		return nil, err
	}
	d.out = out
	if got, want := crc32.ChecksumIEEE(out), binary.BigEndian.Uint32(block[len(packed):]); got != want {
		return nil, fmt.Errorf("its checksum is %08x, and that of its bytes %08x: the object is damaged", want, got)
	}
	return out, nil
}

type unzstd struct {
	r   *zstd.Decoder
	out []byte
}

func (d *unzstd) decompress(block []byte, most int) (_ []byte, err error) {
	if d.r == nil {
		d.r, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(uint64(most)), zstd.WithDecodeAllCapLimit(false))
		if err != nil {
			return nil, err
		}
	}
	out, err := d.r.DecodeAll(block, d.out[:0])
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, errTooLarge
	case err != nil:
		return nil, err
	case len(out) > most:
		return nil, errTooLarge
	}
	d.out = out
	return out, nil
}

// compressor appends compressed blocks.
type compressor func(dst, block []byte) ([]byte, error)

// writers make a compressor by the name of its codec.
var writers = map[string]func() (compressor, error){
	"null": func() (compressor, error) {
		return func(dst, block []byte) ([]byte, error) { return append(dst, block...), nil }, nil
	},
	"deflate": func() (compressor, error) {
		w, err := flate.NewWriter(nil, flate.DefaultCompression)
		return func(dst, block []byte) ([]byte, error) {
			out := bytes.NewBuffer(dst)
			w.Reset(out)
			if _, err := w.Write(block); err != nil {
				return nil, err
			}
			err := w.Close()
			return out.Bytes(), err
		}, err
	},
	"snappy": func() (compressor, error) {
		var packed []byte
		return func(dst, block []byte) ([]byte, error) {
			packed = snappy.Encode(packed[:cap(packed)], block)
			return binary.BigEndian.AppendUint32(append(dst, packed...), crc32.ChecksumIEEE(block)), nil
		}, nil
	},
	"zstandard": func() (compressor, error) {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		return func(dst, block []byte) ([]byte, error) { return w.EncodeAll(block, dst), nil }, err
	},
}
