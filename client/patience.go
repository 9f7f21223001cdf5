package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Pauses between tries: they begin at the first, double, and stay at the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// patience decides whether a failed call is repeated. It belongs to one call.
type patience struct {
	c      *Client
	since  time.Time // of the first failure in a row
	pause  time.Duration
	hops   int
	warned bool
	asked  []string // the masters that were asked in a row of failures
}

func (c *Client) newPatience() *patience { return &patience{c: c} }

// progress ends a row of failures: the next one is the first again.
func (p *patience) progress() { *p = patience{c: p.c} }

// again waits until the call may be repeated, and returns nil. When the call
// must not be repeated, it returns the error of the call.
func (p *patience) again(ctx context.Context, base string, err error) error {
	refused, ok := errors.AsType[*Error](err)
	if ok && refused.Kind == plan.NotLeader && refused.Leader != "" {
		leader, bad := baseURL(refused.Leader)
		p.hops++
		if bad == nil && p.hops <= maxHops && leader != base {
			p.c.turn(base, leader)
			return nil
		}
	}
	if ok && refused.Kind != plan.NotLeader && refused.Kind != plan.Unavailable {
		return err
	}
	if !ok && hopeless(err) {
		return Errorf(plan.Unavailable, "%s: %v", masterAt(base), bare(err))
	}
	p.c.turn(base, "")
	if !ok {
		err = Errorf(plan.Unavailable, "no answer from %s: %v", masterAt(base), bare(err))
	}
	if base != "" && !slices.Contains(p.asked, base) {
		p.asked = append(p.asked, base)
	}
	if len(p.asked) > 1 { // the last of them is no worse than the others
		err = Errorf(plan.Unavailable, "none of the masters at %s answers and leads; the last: %v", strings.Join(p.asked, ", "), err)
	}
	now := time.Now()
	if p.since.IsZero() {
		p.since, p.pause = now, firstPause
	}
	limit := p.c.limit()
	left := limit - now.Sub(p.since)
	if left <= 0 {
		if limit > 0 {
			err = Errorf(plan.Unavailable, "%v (tried for %v)", err, limit)
		}
		return err
	}
	if p.pause > 4*firstPause && !p.warned {
		p.warned = true
		p.c.cfg.Log.Warn(fmt.Sprintf("%v; trying again for %v", err, left.Round(time.Second)))
	}
	d := min(p.pause/2+rand.N(p.pause/2), left)
	p.pause = min(2*p.pause, lastPause)
	p.hops = 0
	return sleep(ctx, d)
}

// limit returns for how long calls are repeated now.
func (c *Client) limit() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered {
		return c.cfg.Patience
	}
	return c.cfg.FirstPatience
}

// hopeless reports whether a repetition cannot help: the server has the wrong
// certificate, demands a certificate, or speaks another protocol.
func hopeless(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	text := err.Error() // net/http and crypto/tls have no type for these
	return strings.Contains(text, "server gave HTTP response to HTTPS client") || strings.Contains(text, "remote error: tls:")
}

// masterAt names a master in errors.
func masterAt(base string) string {
	if base == "" {
		return "the cluster"
	}
	return "the master at " + base
}

// bare returns an error without the request around it, which the text already
// has.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errStalled ends a request that makes no progress.
var errStalled = fmt.Errorf("nothing came for %v", stall)

// guard ends a request that makes no progress for too long: a stopped master,
// or a broken network, leaves connections open.
type guard struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func newGuard(ctx context.Context) (context.Context, *guard) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &guard{ctx, cancel, time.AfterFunc(stall, func() { cancel(errStalled) })}
}

func (g *guard) moved() { g.timer.Reset(stall) }

func (g *guard) stop() {
	g.timer.Stop()
	g.cancel(nil)
}

// explain returns why a request was ended, for errors that only say that it
// was.
func (g *guard) explain(err error) error {
	if err != nil && errors.Is(context.Cause(g.ctx), errStalled) {
		return errStalled
	}
	return err
}

// guarded is a body that resets a guard while bytes move.
type guarded struct {
	io.ReadCloser
	guard *guard
}

// Read reads from the body.
func (b *guarded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.guard.moved()
	}
	return n, err
}
