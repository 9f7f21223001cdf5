// Package run encodes and decodes runs: objects of sorted pairs, partition by
// partition, in the Arrow IPC file format, so that any Arrow reader can open
// them. FORMAT.md in the folder above is the specification.
//
// Package shuffle calls it. A Writer makes a run of pairs in order. A Codec
// checks and decodes one batch of a run that was read. A Writer belongs to one
// goroutine; a Codec is immutable. A batch with other bytes than a Writer makes
// is an error, and never a panic, a shorter batch or an allocation beyond the
// stated limits. All lengths and offsets are bytes.
//
// The library apache/arrow is used only in tests, as the independent reader. A
// batch has one of eight fixed shapes, so a template with a few patched numbers
// is faster to write, and stricter to read, than a parser.
//
// It is part of the engine, and may change between minor versions.
package run

import "github.com/windrow-mr/windrow/shuffle/pairs"

const (
	// Version is the version of the format, which the schema's metadata states.
	Version = "1"
	// MaxBatch is the greatest length of a batch, and of its pairs when they
	// are decompressed: one pair of the greatest length, and room for offsets.
	MaxBatch = pairs.MaxPair + 1<<20

	magic = "ARROW1"

	packBelow = 16 << 10 // partitions of fewer bytes may share a batch
	packLimit = 64 << 10 // bytes of a shared batch
	aloneFrom = 1 << 20  // a pair of that many bytes has a batch of its own

	defaultBatch  = 256 << 10
	bigBatch      = 1 << 20
	bigPartitions = 8 << 20 // partitions of that many bytes have big batches
)
