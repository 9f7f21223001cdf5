package plan

// List prices of S3 Standard in us-east-1, in millionths of a dollar for each
// request: https://aws.amazon.com/s3/pricing, "Requests & data retrievals", as
// of November 2026: $0.005 for 1,000 PUT, COPY, POST and LIST, $0.0004 for
// 1,000 GET and all others, DELETE and the abort of an upload free.
const (
	writePrice = 5.0
	readPrice  = 0.4
	perDollar  = 1e6
)

// priced is the scheme of the stores that have these prices.
const priced = "s3"

// Dollars returns what the requests to S3 cost by its list prices; ok is false
// if there are none. It is an estimate: other stores that speak the protocol,
// regions and contracts have other prices, and bytes are not included.
//
//go:noinline
func (r Requests) Dollars() (dollars float64, ok bool) {
	u, ok := r[priced]
	writes := u.Puts + u.Heartbeats + u.Multipart + u.Lists
	return (writePrice*float64(writes) + readPrice*float64(u.Gets+u.Stats)) / perDollar, ok
}
