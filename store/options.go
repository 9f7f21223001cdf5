package store

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/windrow-mr/windrow/store/driver"
)

// Options configure a root. The zero value is right for most uses.
type Options struct {
	// Log receives retries, throttling and clean-up that failed. Nil: they are
	// not logged.
	Log *slog.Logger
	// CreateDir makes the directory of a file root if it is missing. Without
	// it, the error for a missing directory has the kind NotFound.
	CreateDir bool
	// Mem has the named memory roots (mem://name). Nil: a space that only this
	// root sees.
	Mem *MemSpace
	// Wrap decorates the driver beneath retries and counting, for fault
	// injection and failpoints. Nil: the driver is used as it is.
	Wrap func(driver.Driver) driver.Driver
	// Retry says how failed requests are repeated.
	Retry Retry
	// Transfer says how bytes travel to and from remote stores.
	Transfer Transfer
}

// Retry bounds how failed requests are repeated. Before repetition number n
// a request waits a random time up to Base·2ⁿ⁻¹ and at most Max.
type Retry struct {
	// Attempts is how often a request is tried in all. 0: 8. 1: never again.
	Attempts int
	// Base is the bound of the first wait. 0: 100 ms.
	Base time.Duration
	// Max bounds every wait. 0: 10 s.
	Max time.Duration
	// Share is the share of requests that may be repetitions, over all users of
	// the root, so that retries do not overload a failing store. 20
	// repetitions, and one per second, are always free. Beyond that a
	// repetition waits for its turn; if 30 are waiting already, the error is
	// returned. 0: 0.1.
	Share float64
}

// DefaultRange is what a Transfer.Range of 0 stands for, in bytes.
const DefaultRange = 8 << 20

// Transfer bounds requests to remote stores, in time and memory. Roots on
// files and in memory ignore it.
type Transfer struct {
	// Stall is how long a response may pause without a byte before it is given
	// up and resumed. 0: 20 s.
	Stall time.Duration
	// Request bounds a request that carries no stream: puts, parts, stats,
	// listings. 0: 2 min.
	Request time.Duration
	// Range is how much of a stream one request asks for. It is buffered, and
	// one more is fetched ahead. 0: 8 MiB, so 16 MiB for an open stream.
	Range int
	// Parts is how many parts of one object are sent side by side, if the store
	// accepts that. A writer holds one part more. 0: 2, with parts of 8 MiB 24
	// MiB in all.
	Parts int
	// Unhedged says that a slow range is never requested a second time: the store
	// beneath does that itself.
	Unhedged bool
}

// Validate returns an error that names the first field with a bad value.
func (o *Options) Validate() error {
	checks := []struct {
		name string
		bad  bool
	}{
		{"Retry.Attempts", o.Retry.Attempts < 0},
		{"Retry.Base", o.Retry.Base < 0},
		{"Retry.Max", o.Retry.Max < 0},
		{"Retry.Share", o.Retry.Share < 0 || o.Retry.Share > 1},
		{"Transfer.Stall", o.Transfer.Stall < 0},
		{"Transfer.Request", o.Transfer.Request < 0},
		{"Transfer.Range", o.Transfer.Range < 0},
		{"Transfer.Parts", o.Transfer.Parts < 0 || o.Transfer.Parts > 64},
	}
	for _, c := range checks {
		if c.bad {
			return fmt.Errorf("store option %s is out of range: see its documentation", c.name)
		}
	}
	return nil
}

// withDefaults returns o with every zero replaced by what it stands for.
func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Mem == nil {
		o.Mem = new(MemSpace)
	}
	setDefault(&o.Retry.Attempts, 8)
	setDefault(&o.Retry.Base, 100*time.Millisecond)
	setDefault(&o.Retry.Max, 10*time.Second)
	setDefault(&o.Retry.Share, 0.1)
	setDefault(&o.Transfer.Stall, 20*time.Second)
	setDefault(&o.Transfer.Request, 2*time.Minute)
	setDefault(&o.Transfer.Range, DefaultRange)
	setDefault(&o.Transfer.Parts, 2)
	return o
}

// setDefault sets a field that was left zero to its default.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
