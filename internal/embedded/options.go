// Package embedded is the whole engine in one process: it plans a job, runs
// its tasks on goroutines of this process, and commits the output. Package
// windrow and the command line call it.
//
// Nothing here is special to one process but the pool, which runs attempts by
// calling worker/executor, and the journal, which lives as long as the process:
// a run that is killed is started again from its input, and what it left in
// the output is recognised and recovered through the output's log.
//
// Run may be called by any number of goroutines at once. It returns when every
// goroutine it started has ended. All its errors are *Error.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/windrow-mr/windrow/jobs/formats/compress"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// Memory rules, in bytes.
const (
	// LeastPerSlot is the least memory with which a slot may work.
	LeastPerSlot = 64 << 20
	// DefaultMemory is used when none is given.
	DefaultMemory = 1 << 30
	// remoteIO is what an attempt's open reader and writer hold on a remote
	// store, beside the pairs.
	remoteIO = 40 << 20
	// bytesPerPartition is how much input makes a partition.
	bytesPerPartition = 256 << 20
	// smallInput is the size up to which one partition is enough.
	smallInput = 32 << 20
	// maxPartitions bounds what may be asked for.
	maxPartitions = 100_000
	// maxSplits bounds the map tasks of a job.
	maxSplits = 100_000
	// probeBytes is the input size from which parts may be so big that it pays
	// to ask the store about them.
	probeBytes = 64 << 20
)

// Options say what a job reads and writes and what it may use. See
// windrow.Options, which is the same and documents the fields.
type Options struct {
	Input      []string
	Output     string
	Params     map[string]string
	OnExists   string
	Partitions int
	Slots      int
	Memory     int64
	SplitSize  int64
	Root       string
	Compress   string
	Decompress string

	MaxRatio        int64
	MaxDecompressed int64

	Stores   store.Options
	Chaos    *fault.Injector
	Log      *slog.Logger
	Progress func(Progress)
}

// settings are checked options with every default filled in.
type settings struct {
	Options
	mode   output.Mode
	codec  compress.Codec // of the output
	limits compress.Limits
}

// check fills in defaults and refuses what makes no sense.
func (o Options) check() (settings, error) {
	s := settings{Options: o}
	var err error
	if s.Output == "" {
		return s, errors.New("no output: say where it goes with --out")
	}
	if s.OnExists == "" {
		s.OnExists = string(output.Fail)
	}
	if s.mode, err = output.ParseMode(s.OnExists); err != nil {
		return s, err
	}
	if err = s.checkCodecs(); err != nil {
		return s, err
	}
	if s.Partitions < 0 || s.Partitions > maxPartitions {
		return s, fmt.Errorf("partitions %d is not between 1 and %d (0 lets windrow choose)", s.Partitions, maxPartitions)
	}
	if strings.HasPrefix(s.Output, "mem:") && s.Stores.Mem == nil {
		return s, errors.New("an output on mem:// is gone when the process ends; use it from a program, with Options.Stores.Mem")
	}
	if s.Stores.Mem == nil {
		s.Stores.Mem = new(store.MemSpace)
	}
	if s.SplitSize < 0 {
		return s, fmt.Errorf("split size %d is negative", s.SplitSize)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Stores.Log == nil {
		s.Stores.Log = s.Log
	}
	return s, s.checkMemory()
}

// checkMemory brings slots and memory together.
func (s *settings) checkMemory() error {
	if s.Memory == 0 {
		s.Memory = DefaultMemory
	}
	if s.Slots < 0 {
		return fmt.Errorf("slots %d is negative", s.Slots)
	}
	if s.Memory < LeastPerSlot {
		return fmt.Errorf("memory %s is too little: a slot needs at least %s", Bytes(s.Memory), Bytes(LeastPerSlot))
	}
	fit := int(min(s.Memory/LeastPerSlot, 1<<20))
	switch {
	case s.Slots == 0:
		s.Slots = min(runtime.GOMAXPROCS(0), fit)
	case s.Slots > fit:
		return fmt.Errorf("%d slots need at least %d × %s = %s of memory, there are %s: give more --memory or fewer --slots",
			s.Slots, s.Slots, Bytes(LeastPerSlot), Bytes(int64(s.Slots)*LeastPerSlot), Bytes(s.Memory))
	}
	return nil
}

// share returns the memory that one attempt has for pairs.
func (s *settings) share(remote bool) int64 {
	share := s.Memory / int64(s.Slots)
	if remote {
		share -= remoteIO
	}
	return max(share, shuffle.MinShare)
}

// partitions returns how many partitions a shuffle of that much input has.
func (s *settings) partitions(input int64) int {
	switch {
	case s.Partitions > 0:
		return s.Partitions
	case input <= smallInput:
		return 1
	default:
		n := (input + bytesPerPartition - 1) / bytesPerPartition
		return int(min(max(n, int64(s.Slots)), maxPartitions))
	}
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
