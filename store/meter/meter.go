// Package meter counts requests to stores for each of several users of one root: a
// worker, and a master, each do so for all of their jobs.
//
// A root counts the requests of all of its users together. The owner of a root
// decorates its driver with Wrap. A user that wants its own count makes its
// requests with a context of With, and reads its Tally. Commands master, worker and
// dev wrap the roots that they open; the runner of a worker, and a master's jobs,
// have the tallies. A meter is beneath retries and hedges, so each request is
// counted as often as it was sent.
//
// Requests count as plan.Usage says, so a root and a meter count the same numbers
// for the same requests. There is one difference, on local stores, where requests
// have no price: there the meter counts neither the opening of an object nor a read
// that begins where the last one ended.
//
// Concurrency: a Tally may be used by any number of goroutines. Nothing fails.
// Units: requests and bytes.
//
// It is part of the engine, and may change between minor versions.
package meter

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Tally counts for one user. The zero Tally is ready.
type Tally struct {
	mu sync.Mutex
	by map[string]*counts // by the scheme of the stores' URLs
}

// counts are those of plan.Usage.
type counts struct {
	puts, heartbeats, multipart, gets, stats, lists, deletes atomic.Int64
	bytesUp, bytesDown                                       atomic.Int64
	throttles                                                atomic.Int64
}

// of returns the counts of a scheme.
func (t *Tally) of(scheme string) *counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.by[scheme]
	if c == nil {
		if t.by == nil {
			t.by = make(map[string]*counts)
		}
		c = new(counts)
		t.by[scheme] = c
	}
	return c
}

// Requests returns what was counted so far.
func (t *Tally) Requests() plan.Requests {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(plan.Requests, len(t.by))
	for scheme, c := range t.by {
		all[scheme] = plan.Usage{Puts: c.puts.Load(), Heartbeats: c.heartbeats.Load(), Multipart: c.multipart.Load(),
			Gets: c.gets.Load(), Stats: c.stats.Load(), Lists: c.lists.Load(), Deletes: c.deletes.Load(),
			BytesUp: c.bytesUp.Load(), BytesDown: c.bytesDown.Load(), Throttles: c.throttles.Load()}
	}
	return all
}

// Read counts reads that another process has made, at a store of a scheme.
func (t *Tally) Read(scheme string, gets, bytes int64) {
	c := t.of(scheme)
	c.gets.Add(gets)
	c.bytesDown.Add(bytes)
}

// scope says where a context's requests are counted.
type scope struct {
	tally *Tally
	// lent says that Read reports the reads of local stores, and that a stat there
	// is for a descriptor that is lent.
	lent bool
}

type key struct{}

// With returns a context whose requests are counted in t.
func With(ctx context.Context, t *Tally) context.Context {
	return context.WithValue(ctx, key{}, scope{tally: t})
}

// WithLent is With for the requests of another process. That process may get
// descriptors of files, and its reads through them are invisible here. So on local
// stores neither reads are counted, nor the requests that check whether a
// descriptor is of the right file. The caller that learns of the reads passes them
// to Read.
func WithLent(ctx context.Context, t *Tally) context.Context {
	return context.WithValue(ctx, key{}, scope{tally: t, lent: true})
}

func of(ctx context.Context) scope {
	s, _ := ctx.Value(key{}).(scope)
	return s
}

// Scheme returns the scheme that a root's requests are counted under.
func Scheme(r *store.Root) string { return schemeOf(r.Name("")) }

func schemeOf(url string) string {
	scheme, _, _ := strings.Cut(url, "://")
	return scheme
}
