// Package forecast foresees how many requests a run makes to stores, and what they
// cost by a list of prices.
//
// Foresee is a pure function of what is fixed when a job is planned, and of the
// sizes of what the job writes. Before a run the sizes are an estimate; once it
// has ended they are known, and what Foresee says then is what was counted, if
// nothing had to be repeated. An embedded run calls it, at both ends, and the
// command line prints what it says; tests hold every count against it. So it
// has to change with the code that makes requests: what reads sections in
// worker/executor, package output, and the layout in package shuffle.
//
// Signs of life go by time and are in no forecast. What planning asks for is
// not foreseen but counted: it is over when the plan is told. Everything may be
// called by any number of goroutines; nothing fails. Sizes are bytes, prices
// US dollars.
package forecast

import (
	"maps"

	"github.com/windrow-mr/windrow/plan"
)

// Store is what of a root decides how many requests a thing takes.
type Store struct {
	Scheme   string // of its URL: "s3", "file"
	Remote   bool   // a request costs a round trip: what is read goes in ranges
	PartSize int64  // of the parts of an upload, where the store is remote
	Range    int64  // that one request of a stream fetches, where it is remote
}

// pageObjects is how many objects a page of a listing has. Azure gives more.
const pageObjects = 1000

// write returns what it takes to write an object.
func (s Store) write(bytes int64) plan.Usage {
	if !s.Remote || bytes <= s.PartSize {
		return plan.Usage{Puts: 1}
	}
	const beginAndEnd = 2
	return plan.Usage{Multipart: beginAndEnd + ceil(bytes, s.PartSize)}
}

// stream returns how many requests read so many bytes one after another.
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

// list returns what a listing of so many objects takes. A long one of a bucket
// is walked in ranges that are guessed, and may take some more.
func (s Store) list(objects int) plan.Usage {
	if s.Scheme == "file" {
		// A full page of a directory does not tell that it is the last.
		return plan.Usage{Lists: int64(objects/pageObjects) + 1}
	}
	return plan.Usage{Lists: max(1, ceil(int64(objects), pageObjects))}
}

func ceil(n, by int64) int64 { return (n + by - 1) / max(by, 1) }

// times returns a usage n times over.
func times(n int, u plan.Usage) (sum plan.Usage) {
	k := int64(n)
	return plan.Usage{Puts: k * u.Puts, Multipart: k * u.Multipart, Gets: k * u.Gets, Stats: k * u.Stats, Lists: k * u.Lists, Deletes: k * u.Deletes}
}

// add counts requests to a store of a scheme.
func add(r plan.Requests, s Store, u plan.Usage) { r[s.Scheme] = r[s.Scheme].Plus(u) }

// clone returns a copy to add to.
func clone(r plan.Requests) plan.Requests {
	if r == nil {
		return plan.Requests{}
	}
	return maps.Clone(r)
}
