// Package embedded is the whole engine in one process: it plans a job, runs its
// tasks on goroutines of this process, and commits the output. Package windrow and
// the command line call it.
//
// Only two parts are special to one process: the pool, which runs attempts by
// calling worker/executor, and the journal, which lives as long as the process. A
// run that is killed starts again from its input. The output's log shows what the
// killed run left in the output, and the next run recovers it.
//
// Run is safe for concurrent use. It returns when every goroutine that it started
// has ended. All its errors are *Error.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/windrow-mr/windrow/internal/shipped"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/worker/planner"
)

// These are the limits of memory, in bytes.
const (
	// LeastPerSlot is the least memory of a slot.
	LeastPerSlot = planner.LeastPerSlot
	// DefaultMemory is the memory of all tasks if none is given.
	DefaultMemory = 1 << 30
)

// Options say what a job reads and writes, and what it can use. windrow.Options is
// the same and documents the fields.
type Options struct {
	Input      []string
	Output     string
	Params     map[string]string
	OnExists   string
	Partitions int
	Slots      int
	Memory     int64
	SplitSize  int64
	Trial      plan.Trial
	Attempts   int
	BadRecords string
	Expect     []string
	Replay     string
	Root       string
	Compress   string
	Decompress string
	Files      map[string]string

	MaxRatio        int64
	MaxDecompressed int64

	Stores   store.Options
	Chaos    *fault.Injector
	Log      *slog.Logger
	Progress func(Progress)
}

// settings are options that were checked, with all defaults.
type settings struct {
	Options
	mode   output.Mode
	codecs planner.Codecs
	files  *pipeline.Files // shipped with the job
	bad    plan.BadRecords
	expect plan.Expectations // also those that the job declares
}

// check returns the options with their defaults, or an error if they are invalid.
func (o Options) check() (settings, error) {
	s := settings{Options: o}
	var err error
	if s.Output == "" {
		return s, errors.New("no output: name one with --out")
	}
	if s.OnExists == "" {
		s.OnExists = string(output.Fail)
		if s.Replay != "" {
			s.OnExists = string(output.Append)
		}
	}
	if err = plan.CheckReplay(plan.JobID(s.Replay), s.OnExists, s.Trial); err != nil {
		return s, fmt.Errorf("replay: %w", err)
	}
	if s.mode, err = output.ParseMode(s.OnExists); err != nil {
		return s, err
	}
	if s.codecs, err = planner.ParseCodecs(s.Compress, s.Decompress, s.MaxRatio, s.MaxDecompressed); err != nil {
		return s, err
	}
	if err = plan.CheckAttempts(s.Attempts); err != nil {
		return s, err
	}
	if s.bad, err = plan.ParseBadRecords(s.BadRecords); err != nil {
		return s, fmt.Errorf("bad records: %w", err)
	}
	if _, err = plan.ParseExpectations(s.Expect); err != nil {
		return s, err
	}
	if err = s.request("").Check(); err != nil {
		return s, err
	}
	if strings.HasPrefix(s.Output, "mem:") && s.Stores.Mem == nil {
		return s, errors.New("an output on mem:// is gone when the process ends; use it from a program, with Options.Stores.Mem")
	}
	files, err := shipped.Read(s.Files)
	if err != nil {
		return s, err
	}
	s.files = shipped.Files(files)
	if s.Stores.Mem == nil {
		s.Stores.Mem = new(store.MemSpace)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Stores.Log == nil {
		s.Stores.Log = s.Log
	}
	return s, s.checkMemory()
}

// checkMemory sets the defaults of slots and memory, and checks that they fit
// together.
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
		return fmt.Errorf("%s need at least %d × %s = %s of memory, there are %s: give more --memory or fewer --slots",
			plural.Of(s.Slots, "slot"), s.Slots, Bytes(LeastPerSlot), Bytes(int64(s.Slots)*LeastPerSlot), Bytes(s.Memory))
	}
	return nil
}

// memory returns the memory for attempts.
func (s *settings) memory() planner.Memory {
	return planner.Memory{Bytes: s.Memory, Attempts: s.Slots}
}

// request returns the request for the planner.
func (s *settings) request(id plan.JobID) *planner.Request {
	return &planner.Request{Job: id, Input: s.Input, Output: s.Output, Partitions: s.Partitions, SplitSize: s.SplitSize, Trial: s.Trial, Replay: plan.JobID(s.Replay),
		Expect: s.expect, Slots: s.Slots, Memory: s.memory(), Codecs: s.codecs}
}

// Bytes returns a size for users: "1.5 GiB".
//
//go:noinline
func Bytes(n int64) string { return planner.Bytes(n) }
