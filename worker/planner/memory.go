package planner

import (
	"fmt"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/shuffle"
)

// Rules for memory, in bytes.
const (
	// LeastPerSlot is the least memory that a slot works with.
	LeastPerSlot = 64 << 20
	// remoteIO is the memory of an attempt's open reader and writer on a remote
	// store, in addition to that of the pairs.
	remoteIO = 40 << 20
)

// Memory is what one process may use for its attempts.
type Memory struct {
	Bytes    int64 // for all attempts
	Attempts int   // at once
}

// Each returns the bytes for one attempt.
func (m Memory) Each() int64 { return m.Bytes / int64(max(m.Attempts, 1)) }

// Share returns how many of an attempt's bytes are for pairs. Remote says that
// some root is remote.
func (m Memory) Share(remote bool) int64 {
	share := m.Each()
	if remote {
		share -= remoteIO
	}
	return max(share, shuffle.MinShare)
}

// Window returns how many of an attempt's bytes a zstd window may have: a
// quarter. There is no other bound, so that more memory reads any object.
func (m Memory) Window() int64 { return max(m.Each()/compress.WindowShare, compress.MinWindow) }

// Bytes that a process holds for each partition: for each map task, in the
// manifests that reduces read, and for each run that a map task has spilled.
const (
	perMapAndPartition   = 48
	perSpillAndPartition = 40
	someSpills           = 16
)

// partitions returns how many partitions have room in an index beside the data,
// in a job of that many map tasks.
func (m Memory) partitions(maps int) int64 {
	return min(m.Bytes/2/perMapAndPartition/int64(max(maps, 1)), m.Each()/perSpillAndPartition/someSpills)
}

// Bytes returns a size in the form that users read: "1.5 GiB".
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for ; v >= 1023.95 && i < len(units)-1; i++ {
		v /= 1024
	}
	if v == float64(int64(v)) {
		return fmt.Sprintf("%d %ciB", int64(v), units[i])
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}
