package store

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// OpenFunc opens a driver on a bucket or whatever the host of a URL names, and
// asks whether it exists. The options have their defaults filled in. Like a
// driver's calls it must not retry.
type OpenFunc func(ctx context.Context, host string, query url.Values, o Options) (driver.Driver, error)

// schemes are the drivers that this binary has besides files and memory. Cloud
// drivers add themselves when they are imported, so that a job binary does not
// contain 20 MB of clients that it never uses. This is the only state of the
// package, and it does not change after initialisation.
var schemes struct {
	sync.RWMutex
	open map[string]OpenFunc
}

// imports names the package behind each scheme that is not built in.
var imports = [...]struct{ scheme, path string }{
	{"s3", "github.com/windrow-mr/windrow/store/s3"},
	{"gs", "github.com/windrow-mr/windrow/store/gcs"},
	{"azblob", "github.com/windrow-mr/windrow/store/azure"},
}

// Register makes Open know a scheme. It is for the init functions of drivers; a
// second registration of a scheme replaces the first.
func Register(scheme string, open OpenFunc) {
	schemes.Lock()
	defer schemes.Unlock()
	if schemes.open == nil {
		schemes.open = make(map[string]OpenFunc)
	}
	schemes.open[scheme] = open
}

// openTries is how often a bucket is asked whether it exists: enough to survive
// a hiccup, few enough to report a wrong address soon.
const openTries = 3

// openRemote opens a bucket by the driver of the URL's scheme.
func openRemote(ctx context.Context, u parsedURL, o Options) (driver.Driver, error) {
	open, err := lookup(u.scheme)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		d, err := open(ctx, u.host, u.query, o)
		if err == nil {
			return d, nil
		}
		kind, _ := driver.Cause(err)
		if ctx.Err() != nil {
			return nil, driver.Fail(plan.Interrupted, "%w", context.Cause(ctx))
		}
		if !kind.Retryable() || attempt >= min(openTries, o.Retry.Attempts) {
			return nil, err
		}
		if ended := sleep(ctx, o.Retry.backoff(attempt)); ended != nil {
			return nil, driver.Fail(plan.Interrupted, "%w while waiting to try again after: %w", ended, err)
		}
	}
}

// lookup returns the driver of a scheme, or an error that says what to do.
func lookup(scheme string) (OpenFunc, error) {
	schemes.RLock()
	defer schemes.RUnlock()
	if open := schemes.open[scheme]; open != nil {
		return open, nil
	}
	for _, i := range imports {
		if i.scheme == scheme {
			return nil, driver.Fail(plan.Invalid, "this program was built without the %s driver: add import _ %q", scheme, i.path)
		}
	}
	known := []string{"file", "mem"}
	for s := range schemes.open {
		known = append(known, s)
	}
	for _, i := range imports {
		known = append(known, i.scheme)
	}
	slices.Sort(known)
	return nil, driver.Fail(plan.Invalid, "unknown scheme %q: known are %s and plain paths", scheme, strings.Join(slices.Compact(known), ", "))
}
