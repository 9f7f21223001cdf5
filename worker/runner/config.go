package runner

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/planner"
)

// Config describes a worker for job processes.
type Config struct {
	// Root is the cluster's root: specs, programs, tables, scratch data and
	// logs are below it.
	Root *store.Root
	// Roots opens the input and output of jobs.
	Roots store.Roots
	// Slots is how many attempts run at once.
	Slots int
	// Memory is for this process and all job processes together, in bytes.
	Memory int64
	// CacheDir holds the programs of jobs. Several workers may share it. "": a
	// directory of the user's.
	CacheDir string
	// CacheBytes bounds the programs that are not running. 0: 2 GiB.
	CacheBytes int64
	// Self is the program that has the jobs of the library. "": this one.
	Self string
	// Build is the version of Self.
	Build string
	// Host names this machine in logs and errors. "": the name that the system
	// gives.
	Host string
	// Cgroup is the control group below which job processes get theirs. "":
	// none.
	Cgroup string
	// NoProgress is how long an attempt may run without reading, writing or
	// finishing a record. 0: 10 min.
	NoProgress time.Duration
	// Grace is how long an attempt may take to stop. 0: 5 s.
	Grace time.Duration
	// KeepOutput is how many bytes to keep of the beginning of an attempt's
	// output, and of its end. 0: 64 KiB.
	KeepOutput int
	// LogEvery is how often the log of a running attempt is written, when it has
	// new lines. 0: 5 s.
	LogEvery time.Duration
	// Inherit names the variables of this process's environment that job
	// processes get. See sandbox.Config.
	Inherit []string
	// Log receives the runner's warnings. Nil: no log.
	Log *slog.Logger
}

// Memory rules, in bytes.
const (
	ownMemory     = 128 << 20 // of the worker itself
	ownMemorySlot = 24 << 20  // and for each slot, for bytes on their way
	leastMemory   = planner.LeastPerSlot
	// heapRoom is a process's memory outside its heap: program and stacks.
	heapRoom = 24 << 20
	// idleMemory is a process's memory on its heap, without pairs.
	idleMemory = 12 << 20
	leastRange = 1 << 20
	mostRange  = 8 << 20
)

// share returns the memory of one job process.
func (c *Config) share() int64 {
	return (c.Memory - ownMemory - ownMemorySlot*int64(c.Slots)) / int64(c.Slots)
}

// LeastMemory returns the least Memory of a worker with so many slots.
func LeastMemory(slots int) int64 { return ownMemory + (ownMemorySlot+leastMemory)*int64(slots) }

// check fills in defaults and refuses invalid values.
func (c *Config) check() error {
	switch {
	case c.Root == nil || c.Roots == nil:
		return errors.New("runner: a root is missing")
	case c.Slots < 1:
		return fmt.Errorf("a worker with %d slots does nothing: give it at least one", c.Slots)
	case c.Memory < LeastMemory(c.Slots):
		return fmt.Errorf("%s of memory is too little for %s: a worker keeps 128 MiB and 24 MiB for each slot, and each job process needs 64 MiB, which makes 128 + %d × (24 + 64) = %d MiB: give it more --memory or fewer --slots",
			mebibytes(c.Memory), plural.Of(c.Slots, "slot"), c.Slots, LeastMemory(c.Slots)>>20)
	case c.CacheBytes < 0 || c.NoProgress < 0 || c.Grace < 0 || c.KeepOutput < 0 || c.LogEvery < 0:
		return errors.New("runner: a limit is negative")
	}
	setDefault(&c.CacheBytes, 2<<30)
	setDefault(&c.NoProgress, 10*time.Minute)
	setDefault(&c.Grace, 5*time.Second)
	setDefault(&c.KeepOutput, 64<<10)
	setDefault(&c.LogEvery, 5*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Host == "" {
		c.Host = "an unknown host"
		if name, err := os.Hostname(); err == nil {
			c.Host = name
		}
	}
	return c.places()
}

// places finds the program and the cache.
func (c *Config) places() (err error) {
	if c.Self == "" {
		if c.Self, err = os.Executable(); err != nil {
			return fmt.Errorf("find the worker's own program, which has the jobs of the library: %w", err)
		}
	}
	if c.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			dir = os.TempDir()
		}
		c.CacheDir = filepath.Join(dir, "windrow")
	}
	if c.CacheDir, err = filepath.Abs(c.CacheDir); err != nil {
		return err
	}
	c.Self, err = filepath.Abs(c.Self)
	return err
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// budget is how a job process divides its memory.
type budget struct {
	process int64 // all of it
	heap    int64 // at which the collector works harder
	pairs   int64
	ranges  int // of a request to a remote store
}

// budgetOf divides the memory of a process. A stream of a remote store holds two
// ranges.
func budgetOf(process int64) budget {
	b := budget{process: process, heap: process - heapRoom, ranges: int(min(max(process/32, leastRange), mostRange))}
	left := b.heap - idleMemory - 2*int64(b.ranges)
	b.pairs = left / 4 * 3 // the rest is garbage that is not collected yet
	return b
}
