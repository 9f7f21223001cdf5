// Package records tells tests whether two sets of records of 100 bytes are the
// same, in whatever order and pieces they come.
//
// A Digest belongs to one goroutine. Sizes are bytes.
package records

import (
	"hash/crc32"
	"slices"

	"github.com/windrow-mr/windrow/store/checksum"
)

// Size is that of a record.
const Size = 100

// Digest is what two sets of records have in common if they are the same.
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
