// Package checksum has the cyclic redundancy checks that object stores keep of
// whole objects, and the arithmetic to combine the checks of pieces into the
// check of an object.
//
// Drivers of package store fill in the check that a store returned, and package
// store checks whole reads against it. Readers of sections, in any order,
// digest each section and combine them. Packages with formats of their own use
// the functions for CRC32C.
//
// Concurrency: a Digest belongs to one goroutine; everything else is values.
// Failure: for an algorithm that is not in the list, functions digest nothing
// and return zero. Units: bytes.
//
// It is part of the engine, and may change between minor versions.
package checksum

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

// An Algorithm names a check. All are CRCs in their usual form: reflected, and
// with all bits inverted before and after.
type Algorithm uint8

// The algorithms.
const (
	None      Algorithm = iota // the store returned no checksum
	CRC32                      // IEEE 802.3, as in gzip; sent by most S3 clients
	CRC32C                     // Castagnoli, RFC 3720; kept by Google Cloud Storage of every object
	CRC64NVME                  // of the NVM Express specification; kept by S3 if the client sent none
)

// parameters distinguish the algorithms: bits, and the polynomial with its
// highest coefficient in the lowest bit.
var parameters = [...]struct {
	name string
	bits uint
	poly uint64
}{
	None:      {"none", 0, 0},
	CRC32:     {"CRC32", 32, 0xedb88320},
	CRC32C:    {"CRC32C", 32, 0x82f63b78},
	CRC64NVME: {"CRC64NVME", 64, 0x9a6c9329ac4bc9b5},
}

// String returns the name as S3 spells it.
func (a Algorithm) String() string {
	if int(a) < len(parameters) {
		return parameters[a].name
	}
	return "unknown"
}

// known reports whether a is an algorithm that can be computed.
func (a Algorithm) known() bool { return a != None && int(a) < len(parameters) }

// Sum is the check of some bytes. The zero Sum says that it is not known.
type Sum struct {
	Algorithm Algorithm
	Value     uint64 // the lower 32 bits for the algorithms of 32 bits
}

// Known reports whether there is a checksum at all.
func (s Sum) Known() bool { return s.Algorithm.known() }

// String returns algorithm and value, as in "CRC32C 0a1b2c3d".
func (s Sum) String() string {
	if !s.Known() {
		return s.Algorithm.String()
	}
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 32)
	text = append(append(text, s.Algorithm.String()...), ' ')
	for shift := int(parameters[s.Algorithm].bits) - 4; shift >= 0; shift -= 4 {
		text = append(text, digits[s.Value>>shift&15])
	}
	return string(text)
}

// Base64 returns the value as the HTTP interfaces of S3 and Google Cloud
// Storage spell it: base64 of its bytes, the highest first. It is empty for a
// Sum that is not known.
func (s Sum) Base64() string {
	if !s.Known() {
		return ""
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], s.Value)
	return base64.StdEncoding.EncodeToString(b[8-parameters[s.Algorithm].bits/8:])
}

// Parse is the inverse of Base64. It returns the zero Sum for text that is no
// checksum of this algorithm, such as the checksum of checksums of an upload in
// parts ("…-3").
func Parse(a Algorithm, text string) Sum {
	if !a.known() {
		return Sum{}
	}
	size := int(parameters[a].bits / 8)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != size {
		return Sum{}
	}
	var b [8]byte
	copy(b[8-size:], raw)
	return Sum{a, binary.BigEndian.Uint64(b[:])}
}

// Of returns the check of p.
func Of(a Algorithm, p []byte) Sum {
	d := New(a)
	_, _ = d.Write(p)
	return d.Sum()
}

// castagnoli is the table of CRC32C. Package hash/crc32 computes it with
// instructions of the processor.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SumCRC32C returns the CRC32C of b.
//
//go:noinline
func SumCRC32C(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// UpdateCRC32C returns the CRC32C of the bytes whose CRC32C is crc, followed by b.
func UpdateCRC32C(crc uint32, b []byte) uint32 { return crc32.Update(crc, castagnoli, b) }

// NewCRC32C returns a hash that computes the CRC32C of the bytes written to it.
//
//go:noinline
func NewCRC32C() hash.Hash32 { return crc32.New(castagnoli) }

// Digest computes the check of the bytes written to it.
type Digest struct {
	algorithm Algorithm
	sum32     hash.Hash32
	sum64     hash.Hash64
	size      int64
}

// New begins a check.
func New(a Algorithm) *Digest {
	d := &Digest{algorithm: a}
	switch a {
	case CRC32:
		d.sum32 = crc32.NewIEEE()
	case CRC32C:
		d.sum32 = NewCRC32C()
	case CRC64NVME:
		d.sum64 = crc64nvme.New()
	case None:
	}
	return d
}

// Write adds p. It never fails.
func (d *Digest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	switch {
	case d.sum32 != nil:
		return d.sum32.Write(p)
	case d.sum64 != nil:
		return d.sum64.Write(p)
	default:
		return len(p), nil
	}
}

// Size returns how many bytes were written.
func (d *Digest) Size() int64 { return d.size }

// Sum returns the check of all bytes written so far.
func (d *Digest) Sum() Sum {
	switch {
	case d.sum32 != nil:
		return Sum{d.algorithm, uint64(d.sum32.Sum32())}
	case d.sum64 != nil:
		return Sum{d.algorithm, d.sum64.Sum64()}
	default:
		return Sum{}
	}
}

// Combine returns the check of A followed by B from the checks of both and the
// length of B. It takes some microseconds, whatever the length.
//
// The method is that of crc32_combine in zlib by Mark Adler: a CRC is a
// remainder of polynomials over GF(2), so appending n bytes multiplies it by
// x^8n modulo the polynomial of the algorithm, and adds the check of what was
// appended.
func Combine(a Algorithm, sumA, sumB uint64, lenB int64) uint64 {
	if !a.known() || lenB < 0 {
		return 0
	}
	p := parameters[a]
	return multiply(p.poly, p.bits, power(p.poly, p.bits, lenB), sumA) ^ sumB
}

// Append returns the check of the bytes of s followed by n bytes whose check is
// next. It is the zero Sum unless both have one algorithm.
func (s Sum) Append(next Sum, n int64) Sum {
	if s.Algorithm != next.Algorithm || !s.Known() {
		return Sum{}
	}
	return Sum{s.Algorithm, Combine(s.Algorithm, s.Value, next.Value, n)}
}

// power returns x^8n modulo the polynomial, by repeated squaring. In reflected
// form x^k is the bit k places below the highest.
func power(poly uint64, bits uint, n int64) uint64 {
	result := uint64(1) << (bits - 1) // x^0
	square := uint64(1) << (bits - 9) // x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(poly, bits, square, result)
		}
		square = multiply(poly, bits, square, square)
	}
	return result
}

// multiply returns a·b modulo the polynomial: for each coefficient of a, from
// x^0 up, b times that power of x.
func multiply(poly uint64, bits uint, a, b uint64) uint64 {
	var product uint64
	for bit := uint64(1) << (bits - 1); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ poly
		} else {
			b >>= 1
		}
	}
	return product
}
