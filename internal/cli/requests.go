package cli

import (
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/plan"
)

// requestKind is a number of requests of one kind, and the planned number.
type requestKind struct {
	n, planned int64
	noun       string
	known      bool // whether planned is known
}

func requestKinds(u, planned plan.Usage, whole bool) []requestKind {
	return []requestKind{
		{u.Puts, planned.Puts, "put", true}, {u.Gets - u.Hedges, planned.Gets, "get", whole}, {u.Lists, planned.Lists, "list", true},
		{u.Stats, planned.Stats, "stat", true}, {u.Deletes, planned.Deletes, "delete", true},
		{u.Multipart, planned.Multipart, "upload request", true}, {u.Hedges, 0, "hedged get", false},
		{u.Heartbeats, 0, "heartbeat", false},
	}
}

// requestsOf returns the numbers of requests, by kind.
func requestsOf(u plan.Usage) string { return join(u, requestKinds(u, u, true)) }

// cost reports whether requests cost money: those to files and to memory do not.
func cost(r plan.Requests) bool {
	for scheme, u := range r {
		if scheme != "file" && scheme != "mem" && u.Requests() > 0 {
			return true
		}
	}
	return false
}

// writeRequests shows the requests that were made on behalf of a job, and their
// price.
func writeRequests(line func(name, format string, args ...any), j *client.Job) {
	if j.Requests == nil {
		return
	}
	u := plan.Usage(*j.Requests)
	line("requests", "%s; %s up, %s down", requestsOf(u), embedded.Bytes(u.BytesUp), embedded.Bytes(u.BytesDown))
	if j.Dollars > 0 {
		line("price", "%s", priceOf(j.Dollars))
	}
}

// comparedRequests returns the counted requests, each with the planned number when
// it differs.
func comparedRequests(r *embedded.Receipt) string {
	u := r.Counted.Total()
	return join(u, requestKinds(u, r.Planned.Requests.Total(), r.Planned.Whole && !r.Planned.Scattered))
}

func join(u plan.Usage, kinds []requestKind) string {
	var words []string
	for _, k := range kinds {
		differs := k.known && k.n != k.planned
		if k.n == 0 && !differs {
			continue
		}
		word := count(k.n, k.noun)
		if differs {
			word += " (planned " + number(k.planned) + ")"
		}
		words = append(words, word)
	}
	return fmt.Sprintf("%s: %s", number(u.Requests()), strings.Join(words, ", "))
}

// plannedRequests describes the planned requests in one line.
func plannedRequests(p *embedded.Plan) string {
	u := p.Requests.Total()
	total := number(u.Requests())
	text := count(u.Requests(), "request")
	if !p.Whole {
		text += ", without the shuffle's reads"
	}
	if p.Scattered {
		text += ", without those of columns"
	}
	text += strings.TrimPrefix(requestsOf(u), total)
	if dollars, ok := p.Requests.Dollars(); ok {
		text += "; " + priceOf(dollars)
	}
	return text
}

// priceOf describes a price.
//
//go:noinline
func priceOf(dollars float64) string { return fmt.Sprintf("about $%.4f at S3 list prices", dollars) }

// comparedPrice describes the price of the counted requests, with the planned price
// when it differs.
func comparedPrice(dollars float64, r *embedded.Receipt) string {
	text := priceOf(dollars)
	if planned, ok := r.Planned.Requests.Dollars(); ok && priceOf(planned) != text {
		text += fmt.Sprintf(" (planned $%.4f)", planned)
	}
	return text
}
