// Package forecast predicts how many requests a run makes to stores, and what they
// cost by a list of prices.
//
// Foresee is a pure function of what is fixed when a job is planned, and of the
// sizes of the objects that the job writes. Before a run the sizes are an estimate.
// After it they are known, and the result of Foresee equals the counted requests if
// nothing was repeated. An embedded run calls Foresee before and after, and the
// command line prints the result. Tests compare every count with it. So it must
// change together with the code that makes requests: the readers of sections in
// worker/executor, package output, and the layout in package shuffle.
//
// Heartbeats depend on time and are in no forecast. The requests of planning are
// counted, not predicted: planning is over when the plan is shown. All functions
// are safe for concurrent use, and none fails. Sizes are bytes, prices US dollars.
package forecast

import (
	"maps"

	"github.com/windrow-mr/windrow/plan"
)

// Store describes a root as far as the number of requests depends on it.
type Store struct {
	Scheme   string // of its URL: "s3", "file"
	Remote   bool   // a request costs a round trip: reads are divided into ranges
	PartSize int64  // of an upload's parts, if the store is remote
	Range    int64  // bytes that one request of a stream fetches, if the store is remote
}

// pageObjects is the number of objects in a page of a listing. Azure returns more.
const pageObjects = 1000

// write returns the requests to write an object.
//
//go:noinline
func (s Store) write(bytes int64) plan.Usage {
	if !s.Remote || bytes <= s.PartSize {
		return plan.Usage{Puts: 1}
	}
	const beginAndEnd = 2
	return plan.Usage{Multipart: beginAndEnd + ceil(bytes, s.PartSize)}
}

// stream returns the number of requests that read so many bytes one after another.
func (s Store) stream(bytes int64) int64 {
	switch {
	case bytes <= 0:
		return 0
	case !s.Remote:
		return 1
	default:
		return ceil(bytes, s.Range)
	}
}

// list returns the requests to list so many objects. A long listing of a bucket is
// read in ranges that are guessed, and can take some more.
//
//go:noinline
func (s Store) list(objects int) plan.Usage {
	if s.Scheme == "file" {
		// After a full page of a directory it is unknown whether it was the last.
		return plan.Usage{Lists: int64(objects/pageObjects) + 1}
	}
	return plan.Usage{Lists: max(1, ceil(int64(objects), pageObjects))}
}

func ceil(n, by int64) int64 { return (n + by - 1) / max(by, 1) }

// times returns a usage multiplied by n.
//
//go:noinline
func times(n int, u plan.Usage) (sum plan.Usage) {
	k := int64(n)
	return plan.Usage{Puts: k * u.Puts, Multipart: k * u.Multipart, Gets: k * u.Gets, Stats: k * u.Stats, Lists: k * u.Lists, Deletes: k * u.Deletes}
}

// add adds requests to a store to those of its scheme.
//
//go:noinline
func add(r plan.Requests, s Store, u plan.Usage) { r[s.Scheme] = r[s.Scheme].Plus(u) }

// clone returns a copy that is never nil.
func clone(r plan.Requests) plan.Requests {
	if r == nil {
		return plan.Requests{}
	}
	return maps.Clone(r)
}
