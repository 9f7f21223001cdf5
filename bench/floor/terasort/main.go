// Command terasort sorts records of 100 bytes by their first 10 with code
// written by hand for this one job: the floor of the job terasort, which
// writes the same bytes.
//
//	terasort IN OUT
//
// It works in memory: references to the records are counted and dealt into
// 65,536 buckets by the first two bytes, and every processor sorts and writes a
// range of buckets. Records of equal keys are ordered by their other bytes.
package main

import (
	"fmt"
	"math"
	"os"

	"github.com/windrow-mr/windrow/bench/floor"
)

const recordSize = 100

func main() { os.Exit(floor.Main(os.Args, os.Stderr, program)) }

func program(in []byte, out *os.File) error {
	switch {
	case len(in)%recordSize != 0:
		return fmt.Errorf("%d bytes are no whole number of %d-byte records", len(in), recordSize)
	case len(in)/recordSize > math.MaxUint32:
		return fmt.Errorf("%d records are more than this program can number", len(in)/recordSize)
	}
	return sortRecords(in, out, floor.Workers())
}
