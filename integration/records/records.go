// Package records compares sets of records of 100 bytes: tests use it to check
// whether two sets are the same, in any order and division.
//
// A Digest belongs to one goroutine. Sizes are bytes.
package records

import (
	"hash/crc32"
	"slices"

	"github.com/windrow-mr/windrow/store/checksum"
)

// Size is the size of a record.
const Size = 100

// Digest is equal for two sets of records if they are the same.
type Digest struct {
	Records int
	sum     uint64
}

// Add adds whole records.
func (d *Digest) Add(records []byte) {
	for r := range slices.Chunk(records, Size) {
		d.Records++
		d.sum += uint64(crc32.ChecksumIEEE(r))<<32 | uint64(checksum.SumCRC32C(r))
	}
}
