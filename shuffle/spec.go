package shuffle

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Spec says how the pairs of one shuffle are laid out, ordered and stored. All
// attempts of a job use the same one.
type Spec struct {
	Layout     pairs.Layout
	Partitions int
	// SortValues orders pairs of equal keys by their value's bytes. Without it
	// they keep the order of the runs, and within a run that of the map task.
	SortValues bool
	// Combiner makes a combiner for one attempt; nil when pairs must not be
	// combined.
	Combiner func() pairs.Combiner
	// KeyText describes a key for people. A MapWriter then finds the keys that hold
	// much of what it writes. Group returns the part of a key that counts for this,
	// nil for all of it.
	KeyText func(key []byte) string
	Group   func(key []byte) []byte

	// Remote says that every request to the store costs a round trip: batches
	// are compressed if that pays, and read ahead.
	Remote bool
	// ReadGroup is how many adjacent partitions may share a batch when they are
	// small. 0 means all: how many are fetched together is decided later, see
	// Shape.
	ReadGroup int
	// Window is how many bytes of runs a reader or a merge has on their way, if
	// it has room for them. 0 means half of its memory.
	Window int64
	// MinExtent is the least average size of a partition in a run, in bytes,
	// with which a map attempt's spills stay as they are. Smaller ones are
	// merged into one run. 0 means 64 KiB, or 1 MiB if Remote.
	MinExtent int64
	// BatchBytes is the size of keys and values at which a batch is closed. 0
	// means 256 KiB, or 1 MiB in partitions of 8 MiB and more.
	BatchBytes int
}

// MinShare is the least memory of a MapWriter or a Reader, in bytes.
const MinShare = 4 << 20

// Validate returns an error that describes an invalid spec.
func (s *Spec) Validate() error {
	switch {
	case s.Partitions < 1 || s.Partitions > pairs.MaxPartitions:
		return fmt.Errorf("a shuffle has 1 to %d partitions, not %d", pairs.MaxPartitions, s.Partitions)
	case s.Layout.Key < 0 || s.Layout.Value < 0 || s.Layout.Key+s.Layout.Value > pairs.MaxPair:
		return fmt.Errorf("pairs of %d + %d bytes cannot be shuffled: the limit is %d", s.Layout.Key, s.Layout.Value, pairs.MaxPair)
	case s.ReadGroup < 0 || s.MinExtent < 0 || s.BatchBytes < 0 || s.Window < 0:
		return fmt.Errorf("read group %d, least extent %d, batch size %d and window %d must not be negative", s.ReadGroup, s.MinExtent, s.BatchBytes, s.Window)
	}
	return nil
}

// RunStore holds runs. The store retries; its errors are final.
type RunStore interface {
	// Create starts a run under a new key, which the store chooses.
	Create(ctx context.Context) (RunWriter, error)
	// Open opens a committed run of size bytes.
	Open(ctx context.Context, key string, size int64) (RunReader, error)
	// Delete removes a run that will not be read. An absent run is no error.
	Delete(ctx context.Context, key string) error
}

// RunWriter writes one run. Nothing is visible before Commit. It belongs to one
// goroutine and does not keep the bytes of its arguments.
type RunWriter interface {
	Write(p []byte) (int, error)
	Commit() error
	// Abort drops the run. It does nothing after Commit.
	Abort()
	// Key returns the key of the committed run.
	Key() string
}

// RunReader reads one run. ReadAt fills p from offset off or fails. Calls may
// be concurrent.
type RunReader interface {
	ReadAt(ctx context.Context, p []byte, off int64) error
	Close() error
}
