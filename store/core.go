package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// core is what all roots on one driver share.
type core struct {
	driver driver.Driver
	traits driver.Traits
	opts   Options
	meter  meter
	budget budget
	pace   pace
	hedges hedges
	slabs  sync.Pool // *[]byte of opts.Transfer.Range, for streams

	// Optional interfaces of the driver; nil if it lacks one.
	ranges  driver.RangeLister
	known   driver.KnownOpener
	uploads driver.UploadLister
}

// newCore makes the shared part of a root around a driver.
func newCore(d driver.Driver, o Options) *core {
	if o.Wrap != nil {
		d = o.Wrap(d)
	}
	c := &core{driver: d, traits: d.Traits(), opts: o}
	c.ranges, _ = driver.As[driver.RangeLister](d)
	c.known, _ = driver.As[driver.KnownOpener](d)
	c.uploads, _ = driver.As[driver.UploadLister](d)
	c.budget.share = o.Retry.Share
	c.slabs.New = func() any { b := make([]byte, o.Transfer.Range); return &b }
	return c
}

// call runs a request, f, until it succeeds or there is no reason to repeat it.
// Its error has a kind; the caller adds the operation's name.
func (c *core) call(ctx context.Context, k requestKind, key string, f func(ctx context.Context) error) error {
	for attempt := 1; ; attempt++ {
		if err := c.admit(ctx, k); err != nil {
			return err
		}
		err := f(ctx)
		if err == nil {
			c.succeeded()
			return nil
		}
		err = c.judge(ctx, err)
		if err = c.again(ctx, attempt, key, err); err != nil {
			return err
		}
	}
}

// control is call for requests without a stream: each try has a deadline.
func (c *core) control(ctx context.Context, k requestKind, key string, f func(ctx context.Context) error) error {
	if !c.traits.Remote {
		return c.call(ctx, k, key, f)
	}
	return c.call(ctx, k, key, func(ctx context.Context) error { return c.timed(ctx, f) })
}

// timed makes one try of a request, which ends if no answer comes.
func (c *core) timed(ctx context.Context, f func(ctx context.Context) error) error {
	timed, cancel := context.WithTimeoutCause(ctx, c.opts.Transfer.Request, errNoAnswer)
	defer cancel()
	err := f(timed)
	if err != nil && errors.Is(context.Cause(timed), errNoAnswer) {
		return driver.Fail(plan.Unavailable, "no answer in %v", c.opts.Transfer.Request)
	}
	return err
}

var errNoAnswer = errors.New("no answer")

// admit waits for the request's turn and counts it.
func (c *core) admit(ctx context.Context, k requestKind) error {
	if err := ctx.Err(); err != nil {
		return driver.Fail(plan.Interrupted, "%w", context.Cause(ctx))
	}
	if c.traits.Remote {
		if err := c.pace.wait(ctx); err != nil {
			return driver.Fail(plan.Interrupted, "%w", err)
		}
	}
	c.meter.requests[k].Add(1)
	return nil
}

// succeeded reports an answered request to budget and pace.
func (c *core) succeeded() {
	if c.traits.Remote {
		c.budget.earn()
		c.pace.succeed(time.Now())
	}
}

// judge gives err its kind and slows down if the store asked for that.
func (c *core) judge(ctx context.Context, err error) error {
	kind, cause := driver.Cause(err)
	if ctx.Err() != nil {
		return driver.Fail(plan.Interrupted, "%w", context.Cause(ctx))
	}
	if kind == plan.Interrupted {
		// The deadline that ended is not the caller's but the transport's.
		kind = plan.Unavailable
	}
	if kind == plan.Throttled {
		c.meter.throttles.Add(1)
		c.pace.throttle(time.Now())
	}
	return driver.Fail(kind, "%w", cause)
}

// again waits before a failed request is repeated, or returns why it is not.
func (c *core) again(ctx context.Context, attempt int, key string, err error) error {
	kind, _ := driver.Cause(err)
	if !kind.Retryable() || attempt >= c.opts.Retry.Attempts {
		return err
	}
	turn, ok := c.budget.spend(time.Now())
	if !ok {
		return err
	}
	wait := max(turn, c.opts.Retry.backoff(attempt))
	c.opts.Log.LogAttrs(ctx, slog.LevelDebug, "store request is repeated", slog.String("object", c.traits.URL+"/"+key),
		slog.Int("attempt", attempt+1), slog.Duration("wait", wait), slog.String("error", err.Error()))
	if ended := sleep(ctx, wait); ended != nil {
		return driver.Fail(plan.Interrupted, "%w while waiting to try again after: %w", ended, err)
	}
	c.meter.retries.Add(1)
	return nil
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
