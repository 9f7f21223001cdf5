package planner

import (
	"fmt"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/shuffle"
)

// Rules for memory, in bytes.
const (
	// LeastPerSlot is the least memory with which a slot may work.
	LeastPerSlot = 64 << 20
	// remoteIO is what an attempt's open reader and writer hold on a remote
	// store, beside the pairs.
	remoteIO = 40 << 20
)

// Memory is what one process may use for the attempts that it runs.
type Memory struct {
	Bytes    int64 // for all of them
	Attempts int   // at once
}

// Each returns the bytes that there are for one attempt.
func (m Memory) Each() int64 { return m.Bytes / int64(max(m.Attempts, 1)) }

// Share returns how many of them are for pairs, where some root is remote or
// none is.
func (m Memory) Share(remote bool) int64 {
	share := m.Each()
	if remote {
		share -= remoteIO
	}
	return max(share, shuffle.MinShare)
}

// Window returns how many of them zstd may have for its window: a quarter.
func (m Memory) Window() int64 {
	return min(max(m.Each()/4, compress.MinWindow), compress.MaxWindow)
}

// Bytes that a process holds of each partition: for each map task, in the
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

// Bytes returns a size as users read it: "1.5 GiB".
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
