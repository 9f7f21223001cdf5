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

	"github.com/windrow-mr/windrow/store"
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
func (s Store) write(bytes int64) store.Usage {
	if !s.Remote || bytes <= s.PartSize {
		return store.Usage{Puts: 1}
	}
	const beginAndEnd = 2
	return store.Usage{Multipart: beginAndEnd + ceil(bytes, s.PartSize)}
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
func (s Store) list(objects int) store.Usage {
	if s.Scheme == "file" {
		// A full page of a directory does not tell that it is the last.
		return store.Usage{Lists: int64(objects/pageObjects) + 1}
	}
	return store.Usage{Lists: max(1, ceil(int64(objects), pageObjects))}
}

func ceil(n, by int64) int64 { return (n + by - 1) / max(by, 1) }

// times returns a usage n times over.
func times(n int, u store.Usage) (sum store.Usage) {
	k := int64(n)
	return store.Usage{Puts: k * u.Puts, Multipart: k * u.Multipart, Gets: k * u.Gets, Stats: k * u.Stats, Lists: k * u.Lists, Deletes: k * u.Deletes}
}

// Requests are numbers of requests, by the scheme of the stores' URLs.
type Requests map[string]store.Usage

// add counts requests to a store of a scheme.
func (r Requests) add(s Store, u store.Usage) { r[s.Scheme] = r[s.Scheme].Plus(u) }

// Total returns the requests to all stores.
func (r Requests) Total() store.Usage {
	var sum store.Usage
	for _, u := range r {
		sum = sum.Plus(u)
	}
	return sum
}

// List prices of S3 Standard in us-east-1, in millionths of a dollar for each
// request: https://aws.amazon.com/s3/pricing, "Requests & data retrievals", as
// of November 2026: $0.005 for 1,000 PUT, COPY, POST and LIST, $0.0004 for
// 1,000 GET and all others, DELETE and the abort of an upload free.
const (
	writePrice = 5.0
	readPrice  = 0.4
	perDollar  = 1e6
)

// priced is the scheme of the stores whose prices these are.
const priced = "s3"

// Dollars returns what the requests to S3 cost by its list prices; ok is false
// when there are none. It is an estimate: other stores that speak the protocol,
// regions and contracts have other prices, and bytes are not in it.
func (r Requests) Dollars() (dollars float64, ok bool) {
	u, ok := r[priced]
	writes := u.Puts + u.Heartbeats + u.Multipart + u.Lists
	return (writePrice*float64(writes) + readPrice*float64(u.Gets+u.Stats)) / perDollar, ok
}

// clone returns a copy to add to.
func (r Requests) clone() Requests {
	if r == nil {
		return Requests{}
	}
	return maps.Clone(r)
}
